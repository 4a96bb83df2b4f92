// Files that look like checkpoints and are not: every one must be refused with a message that holds the fragment given here.
#pragma once

#include "files.hpp"

struct MalformedFile {
  std::string name, bytes, fragment;
};

inline std::vector<MalformedFile> malformed_safetensors() {
  using namespace files;
  const std::string good = good_safetensors();
  const auto header = [](const std::string& text, int data = 0) { return safetensors(text, std::string(data, '\0')); };
  const auto entry = [&](const std::string& fields, int data = 4) { return header("{\"a\":{" + fields + "}}", data); };
  const std::string dtype = R"("dtype":"F32",)", shape = R"("shape":[1],)", offsets = R"("data_offsets":[0,4])";
  const auto shaped = [&](const std::string& s) { return entry(dtype + "\"shape\":" + s + "," + offsets); };
  const auto placed = [&](const std::string& s, int data = 4) { return entry(dtype + shape + "\"data_offsets\":" + s, data); };
  const auto two = [&](const std::string& a, const std::string& b, int data) {
    const std::string pair = R"({"dtype":"F32","shape":[2],"data_offsets":)";
    return header("{\"a\":" + pair + a + "},\"b\":" + pair + b + "}}", data);
  };
  return {
      {"header_length_over_file", with(good, 0, u64(good.size() - 7)), "by its own account"},
      {"header_length_huge", with(good, 0, u64(~0ull)), "by its own account"},
      {"header_length_negative", with(good, 0, u64(1ull << 63)), "by its own account"},
      {"header_length_too_short", with(good, 0, u64(40)), "not valid JSON"},
      {"header_length_zero", with(good, 0, u64(0)), "does not start with '{'"},
      {"header_cut", good.substr(0, 60), "by its own account"},
      {"data_cut", good.substr(0, good.size() - 1), "tensor 'b' has data_offsets [24, 26]"},
      {"data_all_cut", good.substr(0, good.size() - 26), "within the 0 bytes"},
      {"data_trailing", good + "x", "the last 1 bytes belong to no tensor"},
      {"json_unclosed", header("{\"a\":"), "not valid JSON"},
      {"json_two_values", header("{}{}"), "not valid JSON"},
      {"json_trailing_comma", header("{\"__metadata__\":{\"a\":\"b\",}}"), "not valid JSON"},
      {"json_zero_byte", header(std::string("{}\0{}", 5)), "zero byte"},
      {"json_bad_utf8", header("{\"__metadata__\":{\"a\":\"\xff\"}}"), "not valid JSON"},
      {"json_lone_surrogate", header("{\"__metadata__\":{\"a\":\"\\ud800\"}}"), "not valid JSON"},
      {"json_nan", shaped("[NaN]"), "not valid JSON"},
      {"json_deep_arrays", shaped(std::string(100000, '[')), "entry 'a', 'shape' holds an array"},
      {"json_deep_objects", [&] {
         std::string deep;
         for (int i = 0; i < 100000; ++i) deep += "{\"a\":";
         return header(deep);
       }(), "entry 'a' has the unknown field 'a'"},
      {"duplicate_tensor",
       header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0061":{)", 4),
       "holds the key 'a' twice"},
      {"duplicate_field", entry(dtype + dtype + shape + offsets), "holds the key 'dtype' twice"},
      {"duplicate_metadata", header(R"({"__metadata__":{},"__metadata__":{}})"), "holds the key '__metadata__' twice"},
      {"duplicate_metadata_key", header(R"({"__metadata__":{"a":"b","a":"b"}})"), "holds the key 'a' twice"},
      {"metadata_number", header(R"({"__metadata__":{"a":1}})"), "'__metadata__', 'a' holds 1, expected a string"},
      {"metadata_null", header(R"({"__metadata__":null})"), "'__metadata__' holds null, expected an object"},
      {"metadata_nested", header(R"({"__metadata__":{"a":{"b":"c"}}})"), "holds an object, expected a string"},
      {"entry_not_object", header(R"({"a":[1]})"), "entry 'a' holds an array, expected an object"},
      {"entry_empty", entry(""), "has no field 'dtype'"},
      {"entry_no_shape", entry(dtype + offsets), "has no field 'shape'"},
      {"entry_no_offsets", entry(R"("dtype":"F32","shape":[1])"), "has no field 'data_offsets'"},
      {"entry_unknown_field", entry(dtype + shape + R"("more":1,)" + offsets), "has the unknown field 'more'"},
      {"dtype_unknown", entry(R"("dtype":"F7",)" + shape + offsets), "tensor 'a' is 'F7', expected F64, F32, BF16, F16 or I8"},
      {"q8_version", q8_safetensors(R"({"goldfinch.q8":"2"})"), "tensor 'm' is I8, but of version '2'"},
      {"q8_no_matrix", q8_safetensors(R"({"goldfinch.q8":"1"})", R"("m.scale":{"dtype":"BF16","shape":[4])", "[130]"), "tensor 'm' is I8, of shape [130]"},
      {"q8_scales_missing", q8_safetensors(R"({"goldfinch.q8":"1"})", R"("n.scale":{"dtype":"BF16","shape":[2,2])"), "there is no tensor 'm.scale'"},
      {"q8_scales_f16", q8_safetensors(R"({"goldfinch.q8":"1"})", R"("m.scale":{"dtype":"F16","shape":[2,2])"), "its scales are f16 [2, 2], expected bf16 [2, 2]"},
      {"q8_scales_misshapen", q8_safetensors(R"({"goldfinch.q8":"1"})", R"("m.scale":{"dtype":"BF16","shape":[4])"), "its scales are bf16 [4], expected bf16 [2, 2]"},
      {"q8_scales_of_scales", q8_safetensors(R"({"goldfinch.q8":"1"})", R"("m.scale":{"dtype":"I8","shape":[2,4])"), "its scales are q8"},
      {"dtype_lower_case", entry(R"("dtype":"f32",)" + shape + offsets), "tensor 'a' is 'f32'"},
      {"dtype_number", entry(R"("dtype":32,)" + shape + offsets), "'dtype' holds 32, expected a string"},
      {"shape_string", shaped("\"1\""), "'shape' holds a string, expected an array"},
      {"shape_negative", shaped("[-1]"), "holds -1, expected an integer"},
      {"shape_fraction", shaped("[1.5]"), "holds '1.5', expected an integer"},
      {"shape_float", shaped("[1.0]"), "holds '1.0', expected an integer"},
      {"shape_boolean", shaped("[true]"), "holds a boolean, expected an integer"},
      {"shape_over_64_bits", shaped("[99999999999999999999]"), "expected an integer"},
      {"shape_over_63_bits", shaped("[18446744073709551615]"), "holds 18446744073709551615, expected an integer"},
      {"shape_product_overflow", shaped("[4294967296,4294967296]"), "more elements than can be counted"},
      {"shape_wraps_to_size", shaped("[4611686018427387905]"), "more elements than can be counted"},
      {"shape_wrong_size", shaped("[2]"), "has 4 bytes of data, expected 8 for F32 of shape [2]"},
      {"offsets_three", placed("[0,4,4]"), "3 numbers as data_offsets, expected 2"},
      {"offsets_one", placed("[0]"), "1 numbers as data_offsets, expected 2"},
      {"offsets_reversed", placed("[4,0]"), "expected them in order"},
      {"offsets_outside", placed("[4,8]"), "within the 4 bytes"},
      {"offsets_huge", placed("[9223372036854775803,9223372036854775807]"), "within the 4 bytes"},
      {"offsets_overlap", two("[0,8]", "[4,12]", 12), "the data of tensor 'b' overlaps"},
      {"offsets_same", two("[0,8]", "[0,8]", 8), "the data of tensor 'b' overlaps"},
      {"offsets_hole", two("[0,8]", "[12,20]", 20), "4 bytes before tensor 'b' belong to no tensor"},
      {"offsets_hole_at_start", placed("[4,8]", 8), "4 bytes before tensor 'a'"},
      {"name_with_newline", header(R"({"a\nb":1})"), "entry 'a\\x0ab' holds 1"},
  };
}

inline std::vector<MalformedFile> malformed_zips() {
  using namespace files;
  const std::string data_pkl = pickle(dict({{"a", good_tensor()}})), weights = floats(8);
  const ZipFile good = pth(data_pkl, {{"0", weights}});
  const ZipFile wide = zip({{"m/data.pkl", data_pkl}, {"m/data/0", weights}}, 5, true);
  const std::size_t local = good.local.at("m/data/0"), central = good.central.at("m/data/0");
  const std::size_t central64 = wide.central.at("m/data/0");
  return {
      {"zip_cut_in_data", good.bytes.substr(0, local + 50), "no end-of-archive record"},
      {"zip_cut_in_directory", good.bytes.substr(0, central + 20), "no end-of-archive record"},
      {"zip_cut_in_end", good.bytes.substr(0, good.bytes.size() - 1), "no end-of-archive record"},
      {"zip_only_signature", "PK\3\4", "too short for a zip archive"},
      {"zip_front_cut", "PK\3\4" + good.bytes.substr(100), "does not end at its end-of-archive record"},
      {"zip_trailing", good.bytes + "x", "no end-of-archive record"},
      {"zip_count_lies_up", with(good.bytes, good.end + 8, u16(3) + u16(3)), "directory record 3 of 3"},
      {"zip_count_lies_down", with(good.bytes, good.end + 8, u16(1) + u16(1)), "goes on after its 1 records"},
      {"zip_split", with(good.bytes, good.end + 8, u16(1)), "in several files"},
      {"zip_directory_offset", with(good.bytes, good.end + 16, u32(0xfffffff0)), "does not end at"},
      {"zip_directory_size", with(good.bytes, good.end + 12, u32(0xfffffff0)), "does not end at"},
      {"zip_directory_signature", with(good.bytes, central, "PK\1\3"), "directory record 2 of 2 is not at byte"},
      {"zip_directory_name_long", with(good.bytes, central + 28, u16(0xffff)), "longer than the directory"},
      {"zip_local_offset_outside", with(good.bytes, central + 42, u32(0xfffffff0)), "entry 'm/data/0' has no local header"},
      {"zip_local_offset_wrong", with(good.bytes, central + 42, u32(local + 1)), "entry 'm/data/0' has no local header"},
      {"zip_local_of_other", with(good.bytes, central + 42, u32(0)), "local header of another entry, 'm/data.pkl'"},
      {"zip_local_name", with(good.bytes, local + 30, "n"), "local header of another entry, 'n/data/0'"},
      {"zip_local_extra_long", with(good.bytes, local + 28, u16(0xffff)), "local header that is too long"},
      {"zip_local_method", with(good.bytes, local + 8, u16(8)), "local header of another entry"},
      {"zip_size_lies", with(good.bytes, central + 20, u32(0xfffffff0) + u32(0xfffffff0)), "bytes up to the directory"},
      {"zip_overlap", with(good.bytes, good.central.at("m/data.pkl") + 20, u32(data_pkl.size() + 30) + u32(data_pkl.size() + 30)),
       "entries 'm/data.pkl' and 'm/data/0' overlap"},
      {"zip_duplicate", zip({{"m/data.pkl", data_pkl}, {"m/data.pkl", data_pkl}}).bytes, "two entries 'm/data.pkl'"},
      {"zip_compressed", with(with(good.bytes, central + 10, u16(8)), local + 8, u16(8)), "'m/data/0' is compressed"},
      {"zip_encrypted", with(good.bytes, central + 8, u16(1)), "'m/data/0' is encrypted"},
      {"zip_two_sizes", with(good.bytes, central + 24, u32(31)), "'m/data/0' is of two sizes"},
      {"zip64_locator_lies", with(wide.bytes, wide.end - 12, u64(~0ull)), "no ZIP64 end-of-archive record"},
      {"zip64_record_signature", with(wide.bytes, wide.end64, "PK\6\5"), "no ZIP64 end-of-archive record"},
      {"zip64_count_huge", with(wide.bytes, wide.end64 + 24, u64(~0ull) + u64(~0ull)), "directory record 3 of"},
      {"zip64_directory_huge", with(wide.bytes, wide.end64 + 40, u64(~0ull) + u64(~0ull)), "does not end at"},
      {"zip64_directory_disagrees", with(wide.bytes, wide.end + 16, u32(7)), "two end-of-archive records disagree"},
      {"zip64_size_huge", with(wide.bytes, central64 + 46 + 8 + 5 + 4, u64(~0ull) + u64(~0ull)), "bytes up to the directory"},
      {"zip64_offset_huge", with(wide.bytes, central64 + 46 + 8 + 5 + 20, u64(~0ull)), "no local header"},
      {"zip64_field_missing", with(wide.bytes, central64 + 46 + 8 + 5, u16(2)), "lacks a number in its ZIP64 field"},
      {"zip64_field_short", with(wide.bytes, central64 + 46 + 8 + 5 + 2, u16(16)), "lacks a number in its ZIP64 field"},
      {"zip64_extra_long", with(wide.bytes, central64 + 46 + 8 + 2, u16(99)), "extra field longer than its extra fields"},
      {"zip_empty", zip({}).bytes, "without a data.pkl"},
      {"zip_no_pickle", zip({{"word/document.xml", "<x/>"}}).bytes, "without a data.pkl"},
      {"zip_pickle_outside_folder", zip({{"data.pkl", data_pkl}}).bytes, "without a data.pkl in a folder"},
      {"zip_two_pickles", zip({{"m/data.pkl", data_pkl}, {"n/data.pkl", data_pkl}}).bytes, "two pickles"},
      {"zip_no_storage", zip({{"m/data.pkl", data_pkl}}).bytes, "no entry 'm/data/0'"},
      {"zip_big_endian", zip({{"m/data.pkl", data_pkl}, {"m/data/0", weights}, {"m/byteorder", "big"}}).bytes, "big-endian"},
  };
}

inline std::vector<MalformedFile> malformed_pickles() {
  using namespace files;
  const auto file = [](const std::string& body) { return pth(pickle(body), {{"0", floats(8)}}).bytes; };
  const auto of = [](const std::string& t) { return pth_of({{"a", t}}); };
  const std::string good = pickle(dict({{"a", good_tensor()}}));
  const auto strided = [&](std::int64_t offset, const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& stride) {
    return of(tensor(eight, offset, tuple(shape), tuple(stride)));
  };
  std::string thousand_marks(1000, '('), memo_bomb;
  for (int i = 0; i < 1000; ++i) memo_bomb += "Nr" + u32(0xffffffffu - static_cast<unsigned>(i));
  return {
      {"pickle_empty", pth("", {}).bytes, "cut short"},
      {"pickle_protocol_0", pth("(dp0\n.", {}).bytes, "not a pickle of protocol 2 to 5"},
      {"pickle_protocol_6", pth("\x80\x06}.", {}).bytes, "not a pickle of protocol 2 to 5"},
      {"pickle_cut", pth(good.substr(0, good.size() - 30), {{"0", floats(8)}}).bytes, "cut short"},
      {"pickle_no_stop", pth(good.substr(0, good.size() - 1), {{"0", floats(8)}}).bytes, "cut short"},
      {"pickle_goes_on", file("}.}"), "goes on after its end"},
      {"pickle_huge", pth(std::string(5 << 20, 'N'), {}).bytes, "expected at most 4194304"},
      {"pickle_string_over_end", file("X" + u32(0xffffffff) + "a"), "lying length"},
      {"pickle_string8_over_end", file("\x8d" + u64(~0ull) + "a"), "lying length"},
      {"pickle_string_bad_utf8", file("}" + text("\xc0\x80") + "Ns"), "not UTF-8, '\\xc0\\x80'"},
      {"pickle_frame_over_end", file("\x95" + u64(~0ull) + "}"), "a frame longer than itself"},
      {"pickle_long_integer", file("\x8a\x09" + std::string(9, 'a')), "more than 64 bits"},
      {"pickle_long4", file("\x8b" + u32(0x7fffffff)), "opcode LONG4"},
      {"pickle_stack_underflow", file("s"), "takes more from its stack"},
      {"pickle_stack_empty_at_stop", file(""), "takes more from its stack"},
      {"pickle_stack_under_mark", file("}(s"), "takes more from its stack"},
      {"pickle_no_mark", file("}u"), "mark that it has not set"},
      {"pickle_marks_left", file("}" + thousand_marks), "takes more from its stack"},
      {"pickle_left_over", file("}}"), "left over on its stack"},
      {"pickle_odd_items", file("}(" + text("a") + "u"), "a key without a value"},
      {"pickle_memo_missing", file("h\x07"), "recalls object 7"},
      {"pickle_memo_bomb", file(memo_bomb), "left over on its stack"},
      {"pickle_memo_of_nothing", file("q" + std::string(1, '\0')), "takes more from its stack"},
      {"pickle_dict_in_itself", file("}q\1" + text("a") + "h\1s"), "'a' is a dict"},
      {"pickle_list_in_itself", file("]q\1h\1ah\1h\1e"), "mark that it has not set"},
      {"pickle_tensor_of_itself", file(dict({{"a", global("torch._utils", "_rebuild_tensor_v2") +
                                                       "(]q\1h\1ah\1h\1h\1h\1h\1tR"}})), "tensor 'a' is a view of a list"},
      {"pickle_deep_tuples", file(")" + std::string(100000, '\x85')), "holds a tuple of 1"},
      {"pickle_os_system", file(global("os", "system") + "(" + text("echo") + "tR"), "'os.system'"},
      {"pickle_builtins_eval", file(global("__builtin__", "eval") + "(" + text("1") + "tR"), "'__builtin__.eval'"},
      {"pickle_stack_global", file(text("posix") + text("system") + "\x93"), "'posix.system'"},
      {"pickle_stack_global_of_numbers", file("NN\x93"), "makes a name of None"},
      {"pickle_storage_class_elsewhere", file(global("torch.evil", "Storage")), "'torch.evil.Storage'"},
      {"pickle_whole_model", file(global("__main__", "Model") + ")\x81}b"), "save its state_dict()"},
      {"pickle_global_cut", file("ctorch"), "cut short in a name"},
      {"pickle_newobj", file("})\x81"), "opcode NEWOBJ"},
      {"pickle_inst", file("(ios\nsystem\n"), "opcode INST"},
      {"pickle_ext", file("\x82\x01"), "opcode EXT1"},
      {"pickle_unknown_opcode", file("\xff"), "opcode 255"},
      {"pickle_call_of_text", file(text("f") + ")R"), "calls a string with a tuple of 0"},
      {"pickle_call_without_tuple", file(global("collections", "OrderedDict") + "NR"), "with None"},
      {"pickle_call_ordered_dict",
       file(global("collections", "OrderedDict") + "(NtR"),
       "calls 'collections.OrderedDict' with a tuple of 1"},
      {"pickle_call_storage", file(global("torch", "FloatStorage") + ")R"), "calls 'torch.FloatStorage'"},
      {"pickle_call_rebuild_short", file(global("torch._utils", "_rebuild_tensor_v2") + ")R"), "with a tuple of 0"},
      {"pickle_parameter_of_nothing",
       file(global("torch._utils", "_rebuild_parameter") + "(NtR"),
       "_rebuild_parameter' with a tuple of 1"},
      {"pickle_persistent_id_text", file(text("0") + "Q"), "has a string as a persistent id"},
      {"pickle_persistent_id_short", file(")Q"), "has a tuple of 0 as a persistent id"},
      {"pickle_build_on_number", file("K\1}b"), "sets the state of an integer"},
      {"pickle_append_to_dict", file("}Na"), "adds items to a dict"},
      {"pickle_setitem_on_list", file("]NNs"), "adds items to a list"},
      {"pth_root_tensor", file(good_tensor()), "holds a tensor, expected a dict of tensors"},
      {"pth_root_list", file("]"), "holds a list, expected a dict of tensors"},
      {"pth_key_number", file("}K\1" + good_tensor() + "s"), "an integer as a tensor's name"},
      {"pth_nested", file(dict({{"net", dict({{"a", good_tensor()}})}})), "'net' is a dict, expected only tensors"},
      {"pth_two_nested", file(dict({{"state_dict", dict({{"a", good_tensor()}})}, {"model", dict({{"a", good_tensor()}})}})), "several dicts of tensors"},
      {"pth_training_state",
       file(dict({{"model", "}"}, {"epoch", "K\3"}, {"lr", "G" + std::string(8, '\0')}})),
       "'epoch' is an integer"},
      {"pth_duplicate", pth_of({{"a", good_tensor()}, {"a", good_tensor()}}), "tensor 'a' is there twice"},
      {"pth_storage_tag", of(tensor("(" + text("module") + "NNNN" + "tQ", 0, ")", ")")), "not ('storage', type"},
      {"pth_storage_size_up",
       of(tensor(storage("FloatStorage", "0", 9), 0, tuple({8}), tuple({1}))),
       "9 elements of f32 in 32 bytes"},
      {"pth_storage_size_down",
       of(tensor(storage("FloatStorage", "0", 7), 0, tuple({7}), tuple({1}))),
       "7 elements of f32 in 32 bytes"},
      {"pth_storage_size_negative", of(tensor(storage("FloatStorage", "0", -8), 0, tuple({8}), tuple({1}))), "storage size -8"},
      {"pth_storage_type_lies",
       of(tensor(storage("DoubleStorage", "0", 8), 0, tuple({8}), tuple({1}))),
       "8 elements of f64 in 32 bytes"},
      {"pth_storage_key_escapes",
       of(tensor(storage("FloatStorage", "../data.pkl", 8), 0, tuple({8}), tuple({1}))),
       "no entry 'm/data/../data.pkl'"},
      {"pth_offset_negative", strided(-1, {2}, {1}), "storage offset -1"},
      {"pth_offset_beyond", strided(8, {1}, {1}), "reaches beyond its storage of 8 elements"},
      {"pth_offset_huge", strided(INT64_MAX, {2}, {1}), "reaches beyond its storage"},
      {"pth_offset_beyond_when_empty", strided(INT64_MAX, {0}, {1}), "reaches beyond its storage"},
      {"pth_offset_not_number",
       of(tensor(eight + "N", 0, ")", ")")),
       "calls 'torch._utils._rebuild_tensor_v2' with a tuple of 7"},
      {"pth_shape_beyond", strided(0, {3, 3}, {3, 1}), "of shape [3, 3] and stride [3, 1] at offset 0 reaches beyond"},
      {"pth_shape_negative", strided(0, {-1}, {1}), "shape -1"},
      {"pth_shape_overflow", strided(0, {1ll << 32, 1ll << 32}, {0, 0}), "more elements than can be counted"},
      {"pth_shape_wraps", strided(0, {(1ll << 62) + 1}, {1}), "more elements than can be counted"},
      {"pth_shape_list", of(tensor(eight, 0, "]", ")")), "a list as shape"},
      {"pth_shape_of_none", of(tensor(eight, 0, "(Nt", tuple({1}))), "None as shape, expected an integer"},
      {"pth_stride_negative", strided(7, {2}, {-1}), "stride -1"},
      {"pth_stride_huge", strided(0, {3}, {INT64_MAX}), "reaches beyond its storage"},
      {"pth_stride_count", strided(0, {2, 2}, {1}), "shape [2, 2] but stride [1]"},
      {"pth_expanded_bomb", strided(0, {100000, 100000}, {0, 0}), "expands to much more than the file holds"},
      {"pth_names_collide",
       pth_of({{"rwkv.embeddings.weight", good_tensor()}, {"emb.weight", good_tensor()}}),
       "is tensor 'emb.weight' by another name"},
  };
}

inline std::vector<MalformedFile> malformed_others() {
  using namespace files;
  return {
      {"other_empty", "", "is empty"},
      {"other_short", "\1\2\3", "neither a .safetensors nor a .pth"},
      {"other_text", "these are not weights\n", "is text, or of a format that is not known"},
      {"other_lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"},
      {"other_gguf", "GGUF\3" + std::string(100, '\0'), "GGUF"},
      {"other_html", "<!DOCTYPE html>\n<html>", "web page"},
      {"other_json", "{\"vocab_size\": 61, \"n_layer\": 3}", "is JSON"},
      {"other_old_torch", "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.", "torch.load"},
      {"other_zeros", std::string(4096, '\0'), "neither a .safetensors nor a .pth"},
  };
}

/// All of them; names are distinct and fit for files.
inline std::vector<MalformedFile> malformed_files() {
  std::vector<MalformedFile> all;
  for (auto* list : {&malformed_safetensors, &malformed_zips, &malformed_pickles, &malformed_others})
    for (auto& file : list()) all.push_back(std::move(file));
  return all;
}
