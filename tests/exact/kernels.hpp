// Which kernels a program runs: the instruction set that they are compiled for, and the bytes of a vector register.
#pragma once

#include <string>

#include "goldfinch/core/simd.hpp"

#define GOLDFINCH_STRING_(x) #x
#define GOLDFINCH_STRING(x) GOLDFINCH_STRING_(x)

/// "x86_64_v3 32"; 0 bytes where the plain loops run.
inline std::string kernels() {
#if GOLDFINCH_SIMD
  return GOLDFINCH_STRING(GOLDFINCH_ISA) " " + std::to_string(goldfinch::vector_bytes);
#else
  return GOLDFINCH_STRING(GOLDFINCH_ISA) " 0";
#endif
}
