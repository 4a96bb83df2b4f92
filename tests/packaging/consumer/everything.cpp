// A second translation unit with every header that needs only Eigen: what they define may be defined twice.
#include "goldfinch/core/random.hpp"
#include "goldfinch/core/sha256.hpp"
#include "goldfinch/generate/sampler.hpp"
#include "goldfinch/goldfinch.hpp"
#include "goldfinch/math/loss.hpp"
#include "goldfinch/tokenizer/open.hpp"
#include "goldfinch/tokenizer/stream_decoder.hpp"
#include "goldfinch/validate/logits_agreement.hpp"
#include "goldfinch/validate/npy.hpp"
#include "goldfinch/validate/plot.hpp"
#include "goldfinch/validate/symptoms.hpp"

int everything() { return goldfinch::ByteTokenizer().vocabulary_size(); }
