// Inflating: the bytes of a DEFLATE stream (RFC 1951), as np.savez_compressed and zip write them, by zlib. Only for builds that have it
// (GOLDFINCH_HAVE_ZLIB, set by the build); the others refuse what is compressed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "goldfinch/core/error.hpp"

#ifdef GOLDFINCH_HAVE_ZLIB
#include <zlib.h>
#endif

namespace goldfinch::inline GOLDFINCH_ISA {

/// The `size` bytes that a DEFLATE stream gives. `size` is checked against what so many compressed bytes can give at most before anything
/// is allocated. Throws Error, beginning with `what`, if the stream is damaged or gives another number of bytes.
inline std::vector<std::byte> inflate(const std::string& what, std::span<const std::byte> stream, std::uint64_t size) {
#ifdef GOLDFINCH_HAVE_ZLIB
  if (size / 1032 > stream.size()) fail(what, ": is compressed, and damaged");  // 258 bytes out of two bits is the most
  std::vector<std::byte> out(static_cast<std::size_t>(size) + 1);  // one more shows what is longer
  z_stream z{};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  constexpr std::size_t portion = 1 << 30;  // zlib counts in 32 bits
  std::size_t read = 0, written = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    const std::size_t in = std::min(stream.size() - read, portion), room = std::min(out.size() - written, portion);
    z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(stream.data() + read));  // it reads only
    z.avail_in = static_cast<uInt>(in);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + written), z.avail_out = static_cast<uInt>(room);
    status = ::inflate(&z, Z_NO_FLUSH);
    read += in - z.avail_in, written += room - z.avail_out;
  }
  inflateEnd(&z);
  if (written > size) fail(what, ": is compressed, and gives more than the ", size, " bytes that its archive says");
  if (status != Z_STREAM_END) fail(what, ": is compressed, and damaged");
  if (written < size) fail(what, ": is compressed, and gives ", written, " bytes, ", size, " by its archive");
  out.pop_back();
  return out;
#else
  fail(what, ": is compressed (", stream.size(), " bytes for ", size, "), and this goldfinch was built without zlib");
#endif
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
