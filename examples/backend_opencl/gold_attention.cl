// GOLD attention from the compressed key cache, a kernel for each operation: what a layer is made of (main.cpp puts it together).
// One token a row, row-major; a work-item makes one number, one row, or one query's head.

/// EMB.1 without its norm: row t is row ids[t] of the table.
kernel void embedding(int count, int D, global const int* ids, global const stored* table, global stored* y) {
  const int i = get_global_id(0);
  if (i < count) store(y, i, load(table, ids[i / D] * D + i % D));
}

/// SHIFT.1: the row before, and before a sequence's first row what was carried, or zeros.
kernel void token_shift(int count, int D, global const int* sequence, global const stored* x, global const stored* carried, global stored* y) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int t = i / D, b = sequence[t];
  if (t > 0 && sequence[t - 1] == b) store(y, i, load(x, i - D));
  else store(y, i, carried ? load(carried, b * D + i % D) : 0);
}

/// z + (before - z) * (m + offset): the token shift at a rate m of each channel, to which the data may add.
kernel void lerp(int count, int D, global const stored* z, global const stored* before, global const stored* m, global const stored* offset, global stored* y) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const float a = load(z, i), rate = load(m, i % D) + (offset ? load(offset, i) : 0);
  store(y, i, a + (load(before, i) - a) * rate);
}

kernel void add(int count, global const stored* a, global const stored* b, global stored* y) {
  const int i = get_global_id(0);
  if (i < count) store(y, i, load(a, i) + load(b, i));
}

kernel void hyperbolic_tangent(int count, global const stored* x, global stored* y) {
  const int i = get_global_id(0);
  if (i < count) store(y, i, tanh(load(x, i)));
}

/// LIN.1: y = x W^T, x [rows, K], W [M, K]: one output a row of W, as checkpoints keep matrices.
kernel void linear(int count, int K, int M, global const stored* x, global const stored* W, global stored* y) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int t = i / M, m = i % M;
  float sum = 0;
  for (int k = 0; k < K; ++k) sum += load(x, t * K + k) * load(W, m * K + k);
  store(y, i, sum);
}

/// One half of LORA.1: y = x_g B_g, the columns of group g of x [rows, groups K] and its matrix of B [groups, K, M], as checkpoints keep
/// low-rank maps.
kernel void times(int count, int K, int M, int groups, int g, global const stored* x, global const stored* B, global stored* y) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int t = i / M, m = i % M;
  float sum = 0;
  for (int k = 0; k < K; ++k) sum += load(x, (t * groups + g) * K + k) * load(B, (g * K + k) * M + m);
  store(y, i, sum);
}

/// TC.2 without its norm: y = W [x0; c], W [D, D + R].
kernel void linear_of_both(int count, int D, int R, global const stored* x0, global const stored* c, global const stored* W, global stored* y) {
  const int i = get_global_id(0);
  if (i >= count) return;
  const int t = i / D, row = i % D * (D + R);
  float sum = 0;
  for (int k = 0; k < D; ++k) sum += load(x0, t * D + k) * load(W, row + k);
  for (int k = 0; k < R; ++k) sum += load(c, t * R + k) * load(W, row + D + k);
  store(y, i, sum);
}

/// NORM.1
kernel void layer_norm(int rows, int D, global const stored* x, global const stored* weight, global const stored* bias, global stored* y) {
  const int t = get_global_id(0);
  if (t >= rows) return;
  float mean = 0, variance = 0;
  for (int i = 0; i < D; ++i) mean += load(x, t * D + i);
  mean /= D;
  for (int i = 0; i < D; ++i) {
    const float e = load(x, t * D + i) - mean;
    variance += e * e;
  }
  const float root = sqrt(variance / D + 1e-5f);
  for (int i = 0; i < D; ++i) store(y, t * D + i, (load(x, t * D + i) - mean) / root * load(weight, i) + load(bias, i));
}

/// NORM.3: no weight, and eps is added to the root, not under it.
kernel void rms_norm(int rows, int D, global const stored* x, global stored* y) {
  const int t = get_global_id(0);
  if (t >= rows) return;
  float squares = 0;
  for (int i = 0; i < D; ++i) squares += load(x, t * D + i) * load(x, t * D + i);
  const float root = sqrt(squares / D) + 1e-8f;
  for (int i = 0; i < D; ++i) store(y, t * D + i, load(x, t * D + i) / root);
}

/// ROPE.1 to ROPE.3: channels 2p and 2p + 1 of every head turned by row t's angle p, whose cosine and sine are given, [rows, N / 2].
kernel void rotary(int count, int D, int N, global const float* cosines, global const float* sines, global const stored* x, global stored* y) {
  const int pair = get_global_id(0);
  if (pair >= count) return;
  const int angle = pair / (D / 2) * (N / 2) + pair % (N / 2);
  const float c = cosines[angle], s = sines[angle], even = load(x, 2 * pair), odd = load(x, 2 * pair + 1);
  store(y, 2 * pair, even * c - odd * s);
  store(y, 2 * pair + 1, even * s + odd * c);
}

// GOLD.7, ATT.1 to ATT.4: causal attention. The rows of sequence b are queries first_row[b] to first_row[b + 1] - 1; its C keys and
// values are rows first_key[b] to first_key[b + 1] - 1 of k and v. A call's queries are the last of their context: query i of n stands
// at position C - n + i, and sees the keys up to that position. Heads have at most LANES channels.

float dot_of(global const stored* q, int query, global const stored* k, int key, int N) {
  float sum = 0;
  for (int i = 0; i < N; ++i) sum += load(q, query + i) * load(k, key + i);
  return sum;
}

/// One work-item a query's head, its keys in sequence: when a larger score comes, what has been summed shrinks.
kernel void attention(int count, int H, int N, global const int* sequence, global const int* first_row, global const int* first_key,
                      global const stored* q, global const stored* k, global const stored* v, global stored* y) {
  const int item = get_global_id(0);
  if (item >= count) return;
  const int t = item / H, h = item % H, b = sequence[t], D = H * N, query = t * D + h * N;
  const int n = first_row[b + 1] - first_row[b], C = first_key[b + 1] - first_key[b], position = C - n + t - first_row[b];

  float largest = -INFINITY, total = 0, sum[LANES];
  for (int j = 0; j < N; ++j) sum[j] = 0;
  for (int s = 0; s < SEEN(position, C); ++s) {
    const int key = (first_key[b] + s) * D + h * N;
    const float score = dot_of(q, query, k, key, N) / sqrt((float)N);                      // ATT.1
    const float before = largest;
    largest = fmax(largest, score);
    const float shrink = exp(before - largest), p = exp(score - largest);
    total = total * shrink + p;
    for (int j = 0; j < N; ++j) sum[j] = sum[j] * shrink + p * load(v, key + j);
  }
  for (int j = 0; j < N; ++j) store(y, query + j, sum[j] / total);                         // ATT.4
}

/// The same with a work-group a query's head, every lane taking each LANES-th key: first the largest score of all, then the sums.
kernel void attention_split(int count, int H, int N, global const int* sequence, global const int* first_row, global const int* first_key,
                            global const stored* q, global const stored* k, global const stored* v, global stored* y) {
  local float scratch[LANES];
  const int item = get_group_id(0), lane = get_local_id(0);
  const int t = item / H, h = item % H, b = sequence[t], D = H * N, query = t * D + h * N;
  const int n = first_row[b + 1] - first_row[b], C = first_key[b + 1] - first_key[b], position = C - n + t - first_row[b];

  float largest = -INFINITY;
  for (int s = lane; s < SEEN(position, C); s += LANES)
    largest = fmax(largest, dot_of(q, query, k, (first_key[b] + s) * D + h * N, N) / sqrt((float)N));
  largest = max_of_lanes(scratch, largest);

  float total = 0, sum[LANES];
  for (int j = 0; j < N; ++j) sum[j] = 0;
  for (int s = lane; s < SEEN(position, C); s += LANES) {
    const int key = (first_key[b] + s) * D + h * N;
    const float p = exp(dot_of(q, query, k, key, N) / sqrt((float)N) - largest);
    total += p;
    for (int j = 0; j < N; ++j) sum[j] += p * load(v, key + j);
  }
  total = sum_of_lanes(scratch, total);
  for (int j = 0; j < N; ++j) {
    const float all = sum_of_lanes(scratch, sum[j]);
    if (lane == 0) store(y, query + j, all / total);
  }
}
