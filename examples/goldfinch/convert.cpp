// goldfinch convert: any checkpoint as .safetensors, in other number types if asked, with its configuration inside.
#include "command.hpp"

#include <iostream>

#include "goldfinch/core/narrow.hpp"

namespace tool {
namespace {

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

/// Numbers first .. first + n - 1 of a tensor in another type.
template <class To>
Changes narrow_numbers(const Tensor& from, Index first, Index n, To* to) {
  Changes changes;
  goldfinch::dispatch(from.dtype, [&]<class From>(From*) {
    for (Index i = 0; i < n; ++i) {
      const double x = goldfinch::widen(goldfinch::load<From>(from.data, static_cast<std::size_t>(first + i)));
      to[i] = goldfinch::narrow<To>(x);
      const double y = goldfinch::widen(to[i]);
      changes.rounded += x != y;
      changes.overflowed |= !std::isfinite(y);
    }
  });
  return changes;
}

/// Writes one tensor as `to`, a portion at a time.
Changes write_tensor(goldfinch::SafetensorsWriter& writer, const Tensor& from, goldfinch::DType to) {
  const Index count = goldfinch::element_count(from.shape);
  if (from.dtype == to) {
    writer.write(from.data, static_cast<std::size_t>(count * size_of(to)));
    return {};
  }
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
      check_interrupt();
    }
    return all;
  });
}

int convert(const Options& options) {
  use_threads(options.model.threads);
  const auto [checkpoint, shape] = options.model.open_checkpoint();
  goldfinch::check_finite(checkpoint);

  std::vector<std::pair<std::string, Tensor>> tensors;
  double total = 0, done = 0;
  for (const auto& parameter : goldfinch::parameter_list(shape)) {
    Tensor tensor = checkpoint.tensors.at(parameter.name);
    for (const auto type : goldfinch::all_dtypes)
      if (options.dtype == name_of(type)) tensor.dtype = type;
    total += static_cast<double>(goldfinch::element_count(tensor.shape));
    tensors.emplace_back(parameter.name, tensor);
  }
  auto metadata = checkpoint.metadata;
  metadata[goldfinch::config_key] = goldfinch::write_config(shape.config);
  goldfinch::SafetensorsWriter writer(options.out, tensors, metadata);

  StatusLine status;
  const double since = now();
  Index rounded = 0;
  for (const auto& [name, tensor] : tensors) {
    check_interrupt();
    status.show("converting " + progress_bar(done, total, now() - since));
    const Changes changes = write_tensor(writer, checkpoint.tensors.at(name), tensor.dtype);
    if (changes.overflowed) fail(options.model.model, ": tensor ", name, " holds numbers too large for ", name_of(tensor.dtype));
    rounded += changes.rounded;
    done += static_cast<double>(goldfinch::element_count(tensor.shape));
  }
  writer.commit();
  status.show("");
  std::cerr << "goldfinch: " << options.out << ": " << rounded << " of " << static_cast<Index>(total) << " numbers were changed by rounding\n";
  return 0;
}

}  // namespace

void add_convert(CLI::App& app, Run& run) {
  auto& command = *app.add_subcommand("convert", "Any checkpoint as .safetensors, with its configuration inside");
  const auto options = std::make_shared<Options>();
  auto& o = *options;
  command.add_option("IN", o.model.model, "Checkpoint, .safetensors or .pth")->required();
  command.add_option("OUT", o.out, "The .safetensors to write; may be IN")->required();
  command.add_option("--dtype", o.dtype, "Number type of every tensor: f32, bf16 or f16 (default: as they are)")->check(CLI::IsMember({"f32", "bf16", "f16"}));
  o.model.add(command, "");
  add_threads(command, o.model.threads);
  command.callback([options, &run] { run = [options] { return convert(*options); }; });
}

}  // namespace tool
