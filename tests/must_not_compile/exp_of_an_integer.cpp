// Functions are of numbers with fractions.
// error: (use of deleted function|no matching function for call to|call to deleted function) .*exp
#include "goldfinch/math/functions.hpp"

#ifdef RIGHT
double exp_of_an_integer(int x) { return goldfinch::exp(static_cast<double>(x)); }
#else
double exp_of_an_integer(int x) { return goldfinch::exp(x); }
#endif
