// Tests on several numbers of threads. Without OpenMP there is one, and they pass trivially.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

#include <catch2/catch.hpp>

namespace threads {

/// As long as it lives, the calling thread asks for `n` threads; then for as many as before, whatever was thrown.
class Number {
 public:
  explicit Number([[maybe_unused]] int n) {
#ifdef _OPENMP
    before_ = omp_get_max_threads();
    omp_set_num_threads(n);
#endif
  }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  ~Number() {
#ifdef _OPENMP
    omp_set_num_threads(before_);
#endif
  }

 private:
  [[maybe_unused]] int before_ = 1;
};

/// Runs body on 1, 2 and 5 threads.
template <class Body>
void on_1_2_and_5(Body&& body) {
  for (const int n : {1, 2, 5}) {
    INFO(n << " threads");
    const Number number(n);
    body();
  }
}

}  // namespace threads
