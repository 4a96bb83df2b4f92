// A Finch-C2 time mix (layers/finch_c2_time_mix.hpp), step by step: a tiny layer filled through its list of parameters, a sink
// that prints every intermediate as it passes, and the same tokens one at a time, which give the same bits.
#include <cstdio>
#include <cstring>
#include <map>

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/core/random.hpp"

namespace gf = goldfinch;
using Layer = gf::FinchC2TimeMix<double>;
using Rows = gf::Matrix<double>;

/// Prints what passes. A sink may as well record or compare.
struct Printer : gf::TraceSink<double> {
  std::map<std::string, const char*> label = {
      {"xr", "FC2.2"}, {"xk", "FC2.2"}, {"xv", "FC2.2"}, {"xw", "FC2.2"}, {"xv2", "FC2.2"}, {"r", "FC2.3"}, {"v", "FC2.3"},
      {"w", "FC2.4"}, {"k", "FC2.5"}, {"v2", "FC2.6"}, {"wkv", "FC2.7"}, {"wkv_state", "WKV.2"}, {"out", "FC2.8"}};

  void rows(const std::string& name, const Rows& x) override {
    const gf::Index last = x.rows() - 1;
    std::printf("  %s  %-9s  %-6s  %9.5g %9.5g %9.5g %9.5g …\n", label.at(name), name.c_str(),
                gf::to_string({x.rows(), x.cols()}).c_str(), x(last, 0), x(last, 1), x(last, 2), x(last, 3));
  }
  void state(const std::string& name, const Rows& S, gf::Index) override { rows(name, S); }
  void context(const std::string&, gf::Index, const Rows&) override {}  // attention only
};

int main() {
  gf::Dimensions n;
  n.D = 8, n.N = 4, n.mix_rank = n.decay_rank = n.value2_rank = 2;
  Layer layer(n, /*use_v2=*/true, /*use_one_minus_w=*/true);

  std::printf("parameters\n");
  layer.parameters(n, [&](const std::string& name, auto& member, const gf::Shape& shape, gf::Role role) {
    Rows numbers(1, gf::element_count(shape));
    gf::RandomStream(1, name).normals(0, numbers.size(), numbers.data());
    gf::Fill<double>(shape, {numbers.data(), std::size_t(numbers.size())})(member, role);
    std::printf("  %-17s %s\n", name.c_str(), gf::to_string(shape).c_str());
  });

  constexpr gf::Index tokens = 5;
  Rows z(tokens, n.D);
  gf::RandomStream(1, "z").normals(0, z.size(), z.data());

  std::printf("forward, %td tokens at once; of everything, the last row\n", tokens);
  Printer printer;
  Layer::State state = layer.initial_state(n);
  const Rows all = layer.forward(z, {{0, tokens, &state}}, gf::Trace<double>(&printer));

  bool equal = true;
  Layer::State state2 = layer.initial_state(n);
  for (gf::Index t = 0; t < tokens; ++t) {
    const Rows one = layer.forward(z.row(t), {{0, 1, &state2}}, {});
    equal = equal && std::memcmp(one.data(), all.row(t).data(), sizeof(double) * one.size()) == 0;
  }
  equal = equal && std::memcmp(state.S.data(), state2.S.data(), sizeof(double) * state.S.size()) == 0;
  std::printf("token by token: %s, in every row and in the state\n", equal ? "the same bits" : "OTHER BITS");
}
