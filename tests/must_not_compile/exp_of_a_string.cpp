// What is no number at all is refused at the call, not somewhere inside.
// error: no matching function for call to .*exp
#include <string>

#include "goldfinch/math/functions.hpp"

#ifdef RIGHT
double exp_of_a_string(const std::string& x) { return goldfinch::exp(std::stod(x)); }
#else
auto exp_of_a_string(const std::string& x) { return goldfinch::exp(x); }
#endif
