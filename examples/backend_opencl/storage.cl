// How tensors lie in memory: float32, or with -D BF16 bfloat16, the upper half of a float32. Kernels compute in float32 either way:
// they widen what they load, exactly, and round what they store, once, to the nearest, ties to even.
// Recurrent states and decays stay float32: a bfloat16 state forgets what is small beside it, and no bfloat16 lies between 0.996 and 1.
#pragma OPENCL FP_CONTRACT OFF  // one rounding an operation, as in the equations; fused multiply-adds would be right too

#ifdef BF16
typedef ushort stored;

float load(global const stored* x, int i) { return as_float((uint)x[i] << 16); }

void store(global stored* x, int i, float value) {
  const uint bits = as_uint(value);
  x[i] = isnan(value) ? 0x7fc0 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}
#else
typedef float stored;

float load(global const stored* x, int i) { return x[i]; }
void store(global stored* x, int i, float value) { x[i] = value; }
#endif

// Work-groups that share a sum have LANES work-items.
#define LANES 64

/// The sum of every lane's x, to all lanes: halves are added to halves. All lanes of the group must come here.
float sum_of_lanes(local float* scratch, float x) {
  const int lane = get_local_id(0);
  scratch[lane] = x;
  for (int apart = LANES / 2; apart > 0; apart /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane < apart) scratch[lane] += scratch[lane + apart];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  const float sum = scratch[0];
  barrier(CLK_LOCAL_MEM_FENCE);  // nobody writes before everybody has read
  return sum;
}

/// The same for the largest.
float max_of_lanes(local float* scratch, float x) {
  const int lane = get_local_id(0);
  scratch[lane] = x;
  for (int apart = LANES / 2; apart > 0; apart /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane < apart) scratch[lane] = fmax(scratch[lane], scratch[lane + apart]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  const float largest = scratch[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return largest;
}
