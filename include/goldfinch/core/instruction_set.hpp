// What this translation unit is compiled for, from one ladder: the name of the instruction set, which is the inline namespace of all
// of goldfinch (arithmetic.hpp says why), and the bytes of a vector. Two units that would lay out or compute a thing differently must
// have different names, so nothing but this ladder decides how wide vectors are.
//
//   x86_64 16   x86_64_avx 32 (Sandy Bridge)   x86_64_v3 32 (AVX2)   x86_64_v4 64 (AVX-512 F, BW, VL, DQ)   aarch64 16   generic 16
//
// AVX-512 without BW, VL and DQ (Knights Landing) counts as x86_64_v3. With GOLDFINCH_SIMD defined as 0, and on compilers without
// vector types, only the plain loops run, under the same names with _plain behind them.
#pragma once

#ifndef GOLDFINCH_SIMD
#ifdef __GNUC__
#define GOLDFINCH_SIMD 1
#else
#define GOLDFINCH_SIMD 0
#endif
#endif

#if GOLDFINCH_SIMD
#define GOLDFINCH_ISA_NAMED(name) name
#else
#define GOLDFINCH_ISA_NAMED(name) name##_plain
#endif

#if defined(__x86_64__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define GOLDFINCH_ISA GOLDFINCH_ISA_NAMED(x86_64_v4)
#define GOLDFINCH_VECTOR_BYTES 64
#elif defined(__x86_64__) && defined(__AVX2__)
#define GOLDFINCH_ISA GOLDFINCH_ISA_NAMED(x86_64_v3)
#define GOLDFINCH_VECTOR_BYTES 32
#elif defined(__x86_64__) && defined(__AVX__)
#define GOLDFINCH_ISA GOLDFINCH_ISA_NAMED(x86_64_avx)
#define GOLDFINCH_VECTOR_BYTES 32
#elif defined(__x86_64__)
#define GOLDFINCH_ISA GOLDFINCH_ISA_NAMED(x86_64)
#define GOLDFINCH_VECTOR_BYTES 16
#elif defined(__aarch64__)
#define GOLDFINCH_ISA GOLDFINCH_ISA_NAMED(aarch64)
#define GOLDFINCH_VECTOR_BYTES 16
#else
#define GOLDFINCH_ISA GOLDFINCH_ISA_NAMED(generic)
#define GOLDFINCH_VECTOR_BYTES 16
#endif
