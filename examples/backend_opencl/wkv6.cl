// wkv6, the recurrence of Finch and Finch-C2. For every sequence and head, i a key channel, j a value channel, N of each:
//
//   WKV.1   y[j]     = sum_i r[i] * (S[i][j] + u[i] * k[i] * v[j])     read before the update; u may be null
//   WKV.2   S[i][j] := d[i] * S[i][j] + k[i] * v[j]
//
// r, k, v: [T, D], one token a row, heads of N channels side by side. d: [T, D]. u: [H, N]. S: [B, H, N, N], key rows, value columns,
// updated in place. The rows of sequence b are first_row[b] to first_row[b + 1] - 1. Columns j know nothing of each other: they are
// what runs in parallel. Time is a loop.

/// FC2.4: d = exp(-exp(w)). An exp(w) beyond float32 is infinite, and its decay 0.
kernel void decay(int count, global const stored* w, global float* d) {
  const int i = get_global_id(0);
  if (i < count) d[i] = exp(-exp(load(w, i)));
}

/// One work-item a column, sums over i in sequence.
kernel void wkv6(int columns, int H, int N, global const int* first_row, global const stored* r, global const stored* k,
                 global const stored* v, global const float* d, global const stored* u, global float* S, global stored* y) {
  const int column = get_global_id(0);
  if (column >= columns) return;
  const int j = column % N, h = column / N % H, b = column / N / H, D = H * N;
  global float* const state = S + (b * H + h) * N * N;

  for (int t = first_row[b]; t < first_row[b + 1]; ++t) {
    const int row = t * D + h * N;
    const float value = load(v, row + j);
    float sum = 0;
    for (int i = 0; i < N; ++i) {
      const float key = load(k, row + i), receptance = load(r, row + i);
      const float before = state[AT(i, j)], decayed = d[row + i] * before, after = decayed + key * value;
      sum += receptance * READ(before, decayed, after);                                    // WKV.1
      if (u) sum += receptance * load(u, BONUS_OF(h) * N + i) * key * value;
      state[AT(i, j)] = after;                                                             // WKV.2
    }
    store(y, row + j, sum);
  }
}

/// The same with a work-group a column and a lane a key channel, its number of the state in a register; sums over i by halves.
kernel void wkv6_split(int columns, int H, int N, global const int* first_row, global const stored* r, global const stored* k,
                       global const stored* v, global const float* d, global const stored* u, global float* S, global stored* y) {
  local float scratch[LANES];
  const int column = get_group_id(0), i = get_local_id(0);
  const int j = column % N, h = column / N % H, b = column / N / H, D = H * N;
  global float* const state = S + (b * H + h) * N * N;
  float before = i < N ? state[AT(i, j)] : 0;

  for (int t = first_row[b]; t < first_row[b + 1]; ++t) {
    const int row = t * D + h * N;
    const float value = load(v, row + j);
    float term = 0;
    if (i < N) {
      const float key = load(k, row + i), receptance = load(r, row + i);
      const float decayed = d[row + i] * before, after = decayed + key * value;
      term = receptance * READ(before, decayed, after);                                    // WKV.1
      if (u) term += receptance * load(u, BONUS_OF(h) * N + i) * key * value;
      before = after;                                                                      // WKV.2
    }
    const float sum = sum_of_lanes(scratch, term);
    if (i == 0) store(y, row + j, sum);
  }
  if (i < N) state[AT(i, j)] = before;
}
