#define GOLDFINCH_HOT_LOOP template
#include "hot_loops.hpp"
