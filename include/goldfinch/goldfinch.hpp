// The models, their layers and primitives: all that needs only Eigen.
//
// Beside it, for those who want them: checkpoint/load.hpp (needs nlohmann-json), tokenizer/open.hpp (sentencepiece is optional),
// generate/sampler.hpp, validate/….
#pragma once

#include "goldfinch/model/engine.hpp"
