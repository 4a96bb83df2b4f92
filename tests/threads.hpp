// Tests on several numbers of threads. Without OpenMP there is one, and they pass trivially.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

#include <catch2/catch.hpp>

namespace threads {

/// Runs body on 1, 2 and 5 threads, and leaves their number as it was.
template <class Body>
void on_1_2_and_5(Body&& body) {
#ifdef _OPENMP
  const struct Before {  // put back whatever the body throws
    int threads = omp_get_max_threads();
    ~Before() { omp_set_num_threads(threads); }
  } before;
#endif
  for (const int n : {1, 2, 5}) {
    INFO(n << " threads");
#ifdef _OPENMP
    omp_set_num_threads(n);
#endif
    body();
  }
}

}  // namespace threads
