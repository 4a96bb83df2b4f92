// The loops of hot_loops.hpp, instantiated.
#define GOLDFINCH_HOT_LOOP template
#include "hot_loops.hpp"
