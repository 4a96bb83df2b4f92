#include "goldfinch/validate/name_map.hpp"

#include <catch2/catch.hpp>

#include "bits.hpp"

namespace gf = goldfinch;
using Catch::Contains;
using gf::Index;
using gf::Shape;

namespace {

/// 0, 1, 2, … of a shape; kept by the view.
gf::Array counting(Shape shape) {
  const auto data = std::make_shared<std::vector<double>>(static_cast<std::size_t>(gf::element_count(shape)));
  for (std::size_t i = 0; i < data->size(); ++i) (*data)[i] = static_cast<double>(i);
  return gf::Array(gf::NumberType::f64, std::move(shape), reinterpret_cast<const std::byte*>(data->data()), data);
}

std::vector<double> all_of(const gf::Array& x) {
  std::vector<double> numbers(static_cast<std::size_t>(x.count()));
  x.read(0, x.count(), numbers.data());
  return numbers;
}

double at(const gf::Array& x, std::vector<Index> place) {
  Index element = 0;
  for (std::size_t i = 0; i < place.size(); ++i) element = element * x.shape[i] + place[i];
  double value = 0;
  x.read(element, 1, &value);
  return value;
}

std::string refusal(const std::string& text) {
  try {
    gf::NameMap("m.json", text);
  } catch (const gf::Error& error) {
    CHECK_THAT(error.what(), Contains("m.json"));
    return error.what();
  }
  return "not refused";
}

gf::ArraySet set_of(std::vector<std::pair<std::string, gf::Array>> arrays) { return {"theirs", std::move(arrays)}; }

}  // namespace

TEST_CASE("A rearrangement moves what its pattern says") {
  const gf::Array x = counting({2, 3, 4});  // element [a, b, c] is 12 a + 4 b + c
  const auto swapped = gf::rearrange(x, {"a b c -> a c b"});
  CHECK(swapped.shape == Shape{2, 4, 3});
  CHECK(at(swapped, {1, 2, 0}) == 12 + 2);
  CHECK(all_of(gf::rearrange(x, {"a b c -> (a b c)"})) == all_of(x));
  const auto merged = gf::rearrange(x, {"a b c -> c (b a)"});
  CHECK(merged.shape == Shape{4, 6});
  CHECK(at(merged, {3, 2 * 2 + 1}) == 12 + 8 + 3);
  const auto split = gf::rearrange(counting({6, 2}), {"(g r) d -> d 1 (r g)", {{"g", 3}}, {}});
  CHECK(split.shape == Shape{2, 1, 6});
  CHECK(at(split, {1, 0, 1 * 3 + 2}) == (2 * 2 + 1) * 2 + 1);
  const auto taken = gf::rearrange(x, {"a b c -> 1 a b", {}, {{"c", {3}}}});
  CHECK(taken.shape == Shape{1, 2, 3});
  CHECK(at(taken, {0, 1, 2}) == 12 + 8 + 3);
  const auto ordered = gf::rearrange(x, {"a b c -> a b c", {}, {{"b", {2, 0, 1}}}});
  CHECK(at(ordered, {1, 0, 1}) == 12 + 8 + 1);
  CHECK(at(ordered, {1, 2, 1}) == 12 + 4 + 1);
}

TEST_CASE("A rearrangement that does not fit, or loses numbers, is refused") {
  const gf::Array x = counting({6, 4});
  const auto with = [&](const std::string& pattern, std::map<std::string, Index> sizes = {}, std::map<std::string, std::vector<Index>> take = {}) {
    return [=] { gf::rearrange(x, {pattern, sizes, take}); };
  };
  CHECK_THROWS_WITH(with("a b c -> a b c")(), Contains("does not fit"));
  CHECK_THROWS_WITH(with("a b -> a")(), Contains("loses the axis 'b'"));
  CHECK_THROWS_WITH(with("a b -> a b c")(), Contains("'c'"));
  CHECK_THROWS_WITH(with("a b -> a b b")(), Contains("'b'"));
  CHECK_THROWS_WITH(with("a a -> a")(), Contains("twice"));
  CHECK_THROWS_WITH(with("(a b) c -> a b c")(), Contains("does not fit"));
  CHECK_THROWS_WITH(with("(a b) c -> a b c", {{"a", 4}})(), Contains("does not fit"));
  CHECK_THROWS_WITH(with("(a b) c -> a b c", {{"a", 0}})(), Contains("does not fit"));
  CHECK_THROWS_WITH(with("(a b) c -> a b c", {{"a", 2}, {"b", 2}})(), Contains("does not fit"));
  CHECK_THROWS_WITH(with("a 1 -> a")(), Contains("does not fit"));
  CHECK_THROWS_WITH(with("a b")(), Contains("arrow"));
  CHECK_THROWS_WITH(with("(a b -> a b")(), Contains("bracket"));
  CHECK_THROWS_WITH(with("a) b -> a b")(), Contains("bracket"));
  CHECK_THROWS_WITH(with("a b -> a b", {}, {{"c", {1}}})(), Contains("'c'"));
  CHECK_THROWS_WITH(with("a b -> a", {}, {{"b", {4}}})(), Contains("place 4"));
  CHECK_THROWS_WITH(with("a b -> a b", {}, {{"b", {}}})(), Contains("0 places"));
  CHECK_THROWS_WITH(with("a b -> a b", {}, {{"b", {0, 0, 0, 0, 0}}})(), Contains("5 places"));
  // Every size divides no elements: the strides must be countable all the same.
  constexpr Index large = Index{1} << 40;
  CHECK_THROWS_WITH(gf::rearrange(counting({0}), {"(c a b) -> c a b", {{"a", large}, {"b", large}}, {}}), Contains("does not fit"));
  CHECK_THROWS_WITH(gf::rearrange(counting({0, large}), {"(c a) b -> c a b", {{"a", large}}, {}}), Contains("does not fit"));
  CHECK(gf::rearrange(counting({0, 3}), {"(c a) b -> c a b", {{"a", 7}}, {}}).shape == Shape{0, 7, 3});
  CHECK_THROWS_WITH(gf::check_rearrangement({"(c a) -> c a", {{"a", large + 1}}, {}}), Contains("one that no tensor has"));
}

TEST_CASE("Names match with one number and one piece of any text") {
  CHECK(gf::match_name("blocks.{i}.att.*", "blocks.12.att.k.weight")->number == "12");
  CHECK(gf::match_name("blocks.{i}.att.*", "blocks.12.att.k.weight")->text == "k.weight");
  CHECK(gf::match_name("*state", "blocks.0.att.wkv_state")->text == "blocks.0.att.wkv_");
  CHECK(gf::match_name("*.{i}.x", "a.1.2.x")->number == "2");
  CHECK_FALSE(gf::match_name("blocks.{i}.att", "blocks..att"));
  CHECK_FALSE(gf::match_name("blocks.{i}.att", "blocks.1.att.k"));
  CHECK_FALSE(gf::match_name("a", ""));
  CHECK(gf::fill_name("l{i}.*", {"3", "k"}) == "l3.k");
}

TEST_CASE("The first rule whose tensor is there is taken, and the same name without one") {
  const gf::NameMap map("m.json", R"([{"ours": "blocks.{i}.a", "theirs": "new{i}"}, {"ours": "blocks.{i}.a", "theirs": "old{i}", "scale": 3},
                                      {"ours": "x", "theirs": "y", "rearrange": "a b -> b a"}])");
  const auto theirs = set_of({{"new1", counting({2})}, {"old1", counting({2})}, {"old2", counting({2})}, {"y", counting({1, 1, 2, 3})}, {"z", counting({1, 4})}});
  CHECK(map.find(theirs, "blocks.1.a", {2})->name == "new1");
  CHECK(map.find(theirs, "blocks.2.a", {2})->name == "old2");
  CHECK(all_of(map.find(theirs, "blocks.2.a", {2})->array) == std::vector<double>{0, 3});
  CHECK_FALSE(map.find(theirs, "blocks.3.a", {2}));
  CHECK(map.find(theirs, "x", {3, 2})->array.shape == Shape{3, 2});  // a batch of one in front is dropped
  CHECK(map.find(theirs, "z", {4})->array.shape == Shape{1, 4});     // but not where no rule says anything
  CHECK(gf::NameMap("m", R"([{"ours": "*", "theirs": "*"}])").find(theirs, "z", {4})->array.shape == Shape{4});
}

TEST_CASE("A scale may go by layers, and a function may be of ours") {
  const gf::NameMap map("m.json", R"json([{"ours": "a{i}", "theirs": "a{i}", "scale": 2, "every": 6}, {"ours": "b{i}", "theirs": "b{i}", "scale": 2, "every": 6, "from": 1},
                                      {"ours": "w", "theirs": "d", "ours_as": "exp(-exp)"}])json");
  std::vector<std::pair<std::string, gf::Array>> arrays = {{"d", counting({2})}};
  for (const int i : {0, 4, 5, 6, 11, 12})
    for (const char* name : {"a", "b"}) arrays.emplace_back(name + std::to_string(i), counting({2}));
  const auto theirs = set_of(arrays);
  const auto scale = [&](const std::string& name) { return all_of(map.find(theirs, name, {2})->array)[1]; };
  CHECK(scale("a5") == 1);
  CHECK(scale("a6") == 2);
  CHECK(scale("a12") == 4);
  CHECK(scale("b4") == 1);
  CHECK(scale("b5") == 2);
  CHECK(scale("b11") == 4);
  gf::Array w = counting({2});
  w.function = map.find(theirs, "w", {2})->ours_as;
  CHECK(all_of(w)[1] == Approx(std::exp(-std::exp(1.0))));
}

TEST_CASE("Mapping files that are wrong are refused with the rule and the reason") {
  CHECK_THAT(refusal("{"), Contains("JSON"));
  CHECK_THAT(refusal("{}"), Contains("list of rules"));
  CHECK_THAT(refusal(R"([{"ours": "a"}])"), Contains("rule 1"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b"}, {"ours": "a", "theirs": "b", "transpose": [1]}])"), Contains("rule 2") && Contains("'transpose'"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b{i}"}])"), Contains("{i}"));
  CHECK_THAT(refusal(R"([{"ours": "a{i}.{i}", "theirs": "b"}])"), Contains("twice"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "rearrange": "a b"}])"), Contains("arrow"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "take": {"g": [1]}}])"), Contains("without 'rearrange'"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "scale": 0}])"), Contains("scale"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "scale": "2"}])"), Contains("type"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "every": 6}])"), Contains("'every'"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "ours_as": "log"}])"), Contains("'log'"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "rearrange": "x y -> x z"}])"), Contains("rule 1") && Contains("'z'"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "rearrange": "x x -> x"}])"), Contains("twice"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "rearrange": "x y -> x"}])"), Contains("loses"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "rearrange": "(x y) -> x y"}])"), Contains("unknown size"));
  CHECK_THAT(refusal(R"([{"ours": "a", "theirs": "b", "rearrange": "x y -> x y", "merge": true}])"), Contains("'merge'"));
  CHECK_THAT(refusal("[3]"), Contains("rule 1"));
  CHECK_THAT(refusal(R"([{"ours": "a", "ours": "a", "theirs": "b"}])"), Contains("the key 'ours' stands there twice"));
  // Counts are whole numbers, of which none is rounded or taken for another.
  const auto counted = [](const std::string& counts) { return refusal(R"([{"ours": "a{i}", "theirs": "b{i}", "rearrange": "(g r) D -> g r D", )" + counts + "}]"); };
  for (const char* wrong : {"1.5", "1e30", "-1", "true", "\"1\"", "[1]", "18446744073709551615", "1099511627777"}) {
    INFO(wrong);
    CHECK_THAT(counted(R"("sizes": {"g": )" + std::string(wrong) + "}"), Contains("in 'sizes', expected a whole number from 0 to 1099511627776"));
    CHECK_THAT(counted(R"("sizes": {"g": 5}, "take": {"D": [0, )" + std::string(wrong) + "]}"), Contains("in 'take', expected a whole number"));
    CHECK_THAT(counted(R"("sizes": {"g": 5}, "every": )" + std::string(wrong)), Contains("in 'every', expected a whole number"));
    CHECK_THAT(counted(R"("sizes": {"g": 5}, "from": )" + std::string(wrong)), Contains("in 'from', expected a whole number"));
  }
  CHECK_THAT(counted(R"("sizes": [5])"), Contains("wrong type"));
  CHECK_THAT(counted(R"("sizes": {"g": 5}, "take": {"D": 1})"), Contains("wrong type"));
  CHECK_THAT(counted(R"("sizes": {"g": 0})"), Contains("a size below 1"));
  CHECK_THAT(counted(R"("sizes": {"g": 5}, "from": 1000001)"), Contains("no layer reaches"));
  CHECK(counted(R"("sizes": {"g": 5}, "every": 6, "from": 1)") == "not refused");
  CHECK_THROWS_WITH(gf::open_name_map("/no/such/map"), Contains("/no/such/map"));
}

TEST_CASE("The built-in maps are mapping files, and find layouts as others have them") {
  for (const auto& [name, text] : gf::built_in_name_maps) CHECK_NOTHROW(gf::open_name_map(std::string(name)));

  const auto hf = gf::open_name_map("hf");
  const auto in_hf = set_of({{"rwkv.blocks.3.attention.key.weight", counting({4, 4})}, {"rwkv.blocks.3.attention.key", counting({1, 5, 4})}, {"rwkv.blocks.0.pre_ln", counting({1, 5, 4})},
                             {"rwkv.blocks.3.ln1", counting({1, 5, 4})}, {"rwkv.blocks.3", counting({1, 5, 4})}, {"head", counting({1, 5, 9})}, {"rwkv.ln_out.bias", counting({4})}});
  CHECK(hf.find(in_hf, "blocks.3.att.key.weight", {4, 4})->name == "rwkv.blocks.3.attention.key.weight");
  CHECK(hf.find(in_hf, "blocks.3.att.k", {5, 4})->array.shape == Shape{5, 4});
  CHECK(hf.find(in_hf, "embed", {5, 4})->name == "rwkv.blocks.0.pre_ln");
  CHECK(hf.find(in_hf, "blocks.3.ln1", {5, 4})->name == "rwkv.blocks.3.ln1");
  CHECK(hf.find(in_hf, "blocks.3.out", {5, 4})->name == "rwkv.blocks.3");
  CHECK(hf.find(in_hf, "logits", {5, 9})->name == "head");
  CHECK(hf.find(in_hf, "ln_out.bias", {4})->name == "rwkv.ln_out.bias");

  // fla's groups are r w k v g, Finch's w k v r g.
  const auto fla = gf::open_name_map("fla");
  const auto in_fla = set_of({{"model.layers.2.attn.x_bias", counting({5, 3})}, {"model.layers.2.attn.x_proj.0.linear.weight", counting({10, 3})},
                              {"model.layers.2.attn.x_proj.2.weight", counting({3, 10})}, {"model.layers.2.attn.w_proj.linear.lora.0.weight", counting({7, 3})}});
  CHECK(all_of(fla.find(in_fla, "blocks.2.att.time_maa_k", {1, 1, 3})->array) == std::vector<double>{6, 7, 8});
  const auto w1 = fla.find(in_fla, "blocks.2.att.time_maa_w1", {3, 10})->array;
  CHECK(w1.shape == Shape{3, 10});
  CHECK(at(w1, {2, 0 * 2 + 1}) == (1 * 2 + 1) * 3 + 2);  // group w: theirs 1
  CHECK(at(w1, {2, 3 * 2 + 1}) == (0 * 2 + 1) * 3 + 2);  // group r: theirs 0
  const auto w2 = fla.find(in_fla, "blocks.2.att.time_maa_w2", {5, 2, 3})->array;
  CHECK(w2.shape == Shape{5, 2, 3});
  CHECK(at(w2, {4, 1, 2}) == 2 * 10 + 4 * 2 + 1);        // group g: theirs 4
  CHECK(at(w2, {3, 1, 2}) == 2 * 10 + 0 * 2 + 1);        // group r: theirs 0
  CHECK(at(fla.find(in_fla, "blocks.2.att.time_decay_w1", {3, 7})->array, {2, 5}) == 5 * 3 + 2);

  const auto ggml = gf::open_name_map("ggml");
  const auto in_ggml = set_of({{"blk.7.time_mix_lerp_fused.weight", counting({5, 1, 1, 3})}, {"blk.7.time_mix_lerp_x.weight", counting({1, 1, 3})}, {"blk.6.time_mix_lerp_r.weight", counting({3})},
                               {"blk.7.time_mix_w2.weight", counting({5, 3, 2})}, {"blk.7.time_mix_output.weight", counting({3, 3})}, {"blk.7.time_mix_key.weight", counting({3, 3})},
                               {"blk.7.channel_mix_value.weight", counting({3, 6})}, {"l_out-5", counting({4, 3})}, {"ffn_inp-5", counting({4, 3})}, {"token_embd_norm.bias", counting({3})}});
  CHECK(all_of(ggml.find(in_ggml, "blocks.7.att.time_maa_r", {1, 1, 3})->array) == std::vector<double>{9, 10, 11});  // w k v r g
  CHECK(ggml.find(in_ggml, "blocks.6.att.time_maa_r", {1, 1, 3})->array.shape == Shape{1, 1, 3});
  CHECK(ggml.find(in_ggml, "blocks.7.att.time_maa_x", {1, 1, 3})->array.shape == Shape{1, 1, 3});
  CHECK(at(ggml.find(in_ggml, "blocks.7.att.time_maa_w2", {5, 2, 3})->array, {4, 1, 2}) == 4 * 6 + 2 * 2 + 1);
  CHECK(at(ggml.find(in_ggml, "blocks.7.att.output.weight", {3, 3})->array, {0, 1}) == 2);
  CHECK(at(ggml.find(in_ggml, "blocks.7.att.key.weight", {3, 3})->array, {0, 1}) == 1);
  CHECK(at(ggml.find(in_ggml, "blocks.7.ffn.value.weight", {3, 6})->array, {0, 1}) == 2);
  CHECK(at(ggml.find(in_ggml, "blocks.5.out", {4, 3})->array, {0, 1}) == 2);
  CHECK(at(ggml.find(in_ggml, "blocks.5.mid", {4, 3})->array, {0, 1}) == 1);
  CHECK(ggml.find(in_ggml, "blocks.0.ln0.bias", {3})->name == "token_embd_norm.bias");

  const auto cuda = gf::open_name_map("cuda");
  const auto in_cuda = set_of({{"blocks.0.att.wkv_state", counting({1, 2, 3, 3})}, {"state", counting({2, 3, 3})}, {"blocks.0.att.ew", counting({1, 4, 6})}, {"blocks.0.att.wkv", counting({1, 4, 6})}});
  CHECK(at(cuda.find(in_cuda, "blocks.0.att.wkv_state", {2, 3, 3})->array, {1, 0, 2}) == 9 + 2 * 3);
  CHECK(at(cuda.find(in_cuda, "state", {2, 3, 3})->array, {1, 0, 2}) == 9 + 2 * 3);
  CHECK(cuda.find(in_cuda, "blocks.0.att.w", {4, 6})->ours_as == gf::Elementwise::minus_exp);
  CHECK(cuda.find(in_cuda, "blocks.0.att.wkv", {4, 6})->array.shape == Shape{4, 6});
  // The kit's own cases: rows [B, T, H, N], states [B, H, value, key] or without a batch.
  const auto kernel = set_of({{"y", counting({1, 4, 2, 3})}, {"S_after", counting({2, 3, 3})}, {"S_before", counting({1, 2, 3, 3})}});
  CHECK(all_of(cuda.find(kernel, "y", {4, 6})->array) == all_of(counting({4, 6})));
  CHECK(at(cuda.find(kernel, "S_after", {1, 2, 3, 3})->array, {0, 1, 0, 2}) == 9 + 2 * 3);
  CHECK(at(cuda.find(kernel, "S_before", {1, 2, 3, 3})->array, {0, 1, 0, 2}) == 9 + 2 * 3);
  CHECK(cuda.find(kernel, "y", {6, 4})->array.shape == Shape{4, 2, 3});  // no neighbours make 6
  CHECK(cuda.find(kernel, "y", {2, 2, 6})->array.shape != Shape{2, 2, 6});
}
