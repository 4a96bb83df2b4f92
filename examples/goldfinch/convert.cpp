// goldfinch convert: any checkpoint as .safetensors, in other number types if asked, with its configuration inside.
#include "command.hpp"

#include <filesystem>
#include <iostream>

#include "goldfinch/core/narrow.hpp"
#include "goldfinch/math/quantise.hpp"

namespace tool {
namespace {

using goldfinch::DType;
using goldfinch::Tensor;

struct Options {
  ModelOptions model;
  std::string out, dtype;
};

/// What happened to the numbers of a tensor, or of a part of it.
struct Changes {
  Index rounded = 0;
  bool overflowed = false;
};

/// Calls f(i, number first + i) for n numbers of a tensor, exactly.
template <class F>
void each_number(const Tensor& from, Index first, Index n, F&& f) {
  goldfinch::dispatch_weight(from.dtype, [&]<class From>(From*) {
    for (Index i = 0; i < n; ++i) {
      double x = goldfinch::widen(goldfinch::load<From>(from.data, static_cast<std::size_t>(first + i)));
      if constexpr (std::is_same_v<From, goldfinch::Q8>) {
        const Index row = (first + i) / from.shape[1], b = (first + i) % from.shape[1] / goldfinch::q8_block;
        x *= goldfinch::widen(goldfinch::load<goldfinch::BFloat16>(from.scales, static_cast<std::size_t>(row * goldfinch::scale_shape(from.shape)[1] + b)));
      }
      f(i, x);
    }
  });
}

/// Numbers first .. first + n - 1 of a tensor in another type.
template <class To>
Changes narrow_numbers(const Tensor& from, Index first, Index n, To* to) {
  Changes changes;
  each_number(from, first, n, [&](Index i, double x) {
    to[i] = goldfinch::narrow<To>(x);
    const double y = goldfinch::widen(to[i]);
    changes.rounded += x != y;
    changes.overflowed |= !std::isfinite(y);
  });
  return changes;
}

/// A row of a matrix in q8.
Changes quantise_row(const Tensor& from, Index row, goldfinch::Q8* to, goldfinch::BFloat16* scales) {
  const Index K = from.shape[1];
  Changes changes;
  for (Index first = 0; first < K; first += goldfinch::q8_block) {
    const Index n = std::min(goldfinch::q8_block, K - first);
    double w[goldfinch::q8_block];
    each_number(from, row * K + first, n, [&](Index i, double x) { w[i] = x; });
    const bool in_range = std::all_of(w, w + n, [](double x) { return std::abs(x) <= std::numeric_limits<float>::max(); });
    changes.overflowed |= !in_range;
    if (!in_range) continue;
    const auto scale = scales[first / goldfinch::q8_block] = goldfinch::quantise(w, n, to + first);
    for (Index i = 0; i < n; ++i) changes.rounded += w[i] != static_cast<double>(goldfinch::widen(scale)) * to[first + i].q;
  }
  return changes;
}

/// Writes a matrix in q8: numbers, some rows at a time, then scales.
Changes write_q8(goldfinch::SafetensorsWriter& writer, const Tensor& from) {
  const Index N = from.shape[0], K = from.shape[1], blocks = goldfinch::scale_shape(from.shape)[1];
  const Index portion = std::max<Index>(1, (1 << 22) / std::max<Index>(K, 1));
  std::vector<goldfinch::BFloat16> scales(static_cast<std::size_t>(N * blocks));
  std::vector<goldfinch::Q8> numbers(static_cast<std::size_t>(std::min(portion, N) * K));
  std::vector<Changes> changes(static_cast<std::size_t>(N));
  for (Index first = 0; first < N; first += portion) {
    const Index n = std::min(portion, N - first);
    goldfinch::parallel_for(n, 1, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i)
        changes[static_cast<std::size_t>(first + i)] = quantise_row(from, first + i, numbers.data() + i * K, scales.data() + (first + i) * blocks);
    });
    writer.write(numbers.data(), static_cast<std::size_t>(n * K));
  }
  writer.write(scales.data(), scales.size() * sizeof(goldfinch::BFloat16));
  Changes all;
  for (const Changes& row : changes) all.rounded += row.rounded, all.overflowed |= row.overflowed;
  return all;
}

/// Writes one tensor as `to`, a portion at a time.
Changes write_tensor(goldfinch::SafetensorsWriter& writer, const Tensor& from, DType to) {
  const Index count = goldfinch::element_count(from.shape);
  if (from.dtype == to) {
    for (const auto& bytes : stored_bytes(from)) writer.write(bytes.data(), bytes.size());
    return {};
  }
  if (to == DType::q8) return write_q8(writer, from);
  constexpr Index piece = 1 << 14, pieces = 256;  // of a thread, and in a portion
  return goldfinch::dispatch(to, [&]<class To>(To*) {
    std::vector<To> buffer(static_cast<std::size_t>(std::min(count, pieces * piece)));
    Changes all;
    for (Index first = 0; first < count; first += pieces * piece) {
      const Index n = std::min(pieces * piece, count - first);
      std::vector<Changes> changes(static_cast<std::size_t>((n + piece - 1) / piece));
      goldfinch::parallel_for(static_cast<Index>(changes.size()), 1, [&](Index begin, Index end) {
        for (Index p = begin; p < end; ++p)
          changes[static_cast<std::size_t>(p)] = narrow_numbers(from, first + p * piece, std::min(piece, n - p * piece), buffer.data() + p * piece);
      });
      for (const Changes& part : changes) all.rounded += part.rounded, all.overflowed |= part.overflowed;
      writer.write(buffer.data(), static_cast<std::size_t>(n) * sizeof(To));
    }
    return all;
  });
}

int convert(const Options& options) {
  use_threads(options.model.threads);
  const auto [checkpoint, shape] = options.model.open_checkpoint();
  std::vector<std::pair<std::string, Tensor>> tensors;  // as they will be in the file
  std::vector<std::string> nonfinite;
  double total = 0, done = 0;
  auto metadata = checkpoint.metadata;
  metadata[goldfinch::config_key] = goldfinch::write_config(shape.config);
  metadata.erase(goldfinch::q8_key);
  for (const auto& parameter : goldfinch::parameter_list(shape)) {
    Tensor tensor = checkpoint.tensors.at(parameter.name);
    if (is_nonfinite(tensor)) nonfinite.push_back(parameter.name);
    if (const auto type = goldfinch::dtype_named(options.dtype)) tensor.dtype = *type;
    if (options.dtype == name_of(DType::q8) && parameter.may_be_q8) tensor.dtype = DType::q8;
    total += static_cast<double>(goldfinch::element_count(tensor.shape));
    tensors.emplace_back(parameter.name, tensor);
    if (tensor.dtype != DType::q8) continue;
    tensors.emplace_back(goldfinch::scale_name(parameter.name), Tensor{DType::bf16, goldfinch::scale_shape(tensor.shape)});
    metadata[goldfinch::q8_key] = goldfinch::q8_version;
  }
  std::sort(nonfinite.begin(), nonfinite.end());
  refuse_nonfinite(checkpoint, nonfinite);
  goldfinch::SafetensorsWriter writer(options.out, tensors, metadata);

  StatusLine status;
  const double since = now();
  Index rounded = 0;
  for (const auto& [name, tensor] : tensors) {
    if (!checkpoint.tensors.count(name)) continue;  // scales, which go with their tensor
    status.show("converting " + progress_bar(done, total, now() - since));
    const Changes changes = write_tensor(writer, checkpoint.tensors.at(name), tensor.dtype);
    if (changes.overflowed) fail(options.model.model, ": tensor ", name, " holds numbers too large for ", name_of(tensor.dtype));
    rounded += changes.rounded;
    done += static_cast<double>(goldfinch::element_count(tensor.shape));
  }
  writer.commit();
  status.show("");
  std::cerr << "goldfinch: " << options.out << ": " << rounded << " of " << static_cast<Index>(total) << " numbers were changed by rounding\n";
  // The tokenizer that is found beside the input would not be found beside an output elsewhere.
  const auto folder = [](const std::string& path) { return std::filesystem::absolute(path).parent_path(); };
  if (folder(goldfinch::model_file(options.model.model)) != folder(options.out))
    if (const auto beside = tokenizers_beside(options.model.model); beside.size() == 1)
      std::cerr << "goldfinch: " << options.out << ": its tokenizer is " << beside[0] << "; copy it beside it, or name it with --tokenizer\n";
  return 0;
}

}  // namespace

void add_convert(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("convert", "Any checkpoint as .safetensors, with its configuration inside");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  auto* const in = add_input(command, "IN", o.model.model, "Checkpoint, .safetensors or .pth")->required();
  may_replace(add_output(command, "OUT", o.out, "The .safetensors to write; may be IN")->required(), in);
  add_dtype(command, "--dtype", o.dtype, {"f32", "bf16", "f16", "q8"}, "Number type of every tensor: f32, bf16 or f16, or of every matrix: q8, 8 bits a number and a scale for 64; "
                     "what is no matrix stays as it is (default: as they are)");
  o.model.add(command, "");
  add_threads(command, o.model.threads);
  command.callback([options, &run] { run = [options] { return convert(*options); }; });
}

}  // namespace tool
