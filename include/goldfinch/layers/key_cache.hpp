// The key cache: what all GOLD layers of a model together remember of a sequence, an id and a compressed key a token (TC.1).
// Pages of 64 tokens, shared by copies of the sequence; bytes are counted exactly.
#pragma once

#include <cstdint>

#include "goldfinch/core/paged_rows.hpp"
#include "goldfinch/core/segments.hpp"
#include "goldfinch/core/simd.hpp"
#include "goldfinch/layers/expansion_memo.hpp"
#include "goldfinch/layers/key_format.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class Scalar>
class KeyCache {
 public:
  /// The cache of a model without GOLD layers: holds nothing, and takes nothing.
  KeyCache() = default;
  /// For ids below V and compressed keys of R numbers; what GOLD layers rebuild from them is remembered in `expansion`, if given.
  KeyCache(Index V, Index R, KeyFormat format, std::shared_ptr<ExpansionMemo<Scalar>> expansion = nullptr)
      : V_(V), R_(R), id_bytes_(V <= 65536 ? 2 : 4), format_(format),
        packed_(id_bytes_ + (format == KeyFormat::native ? 0 : key_bytes(format, R, 0))), native_(format == KeyFormat::native ? R : 0),
        expansion_(has_fast_kernels<Scalar> ? std::move(expansion) : nullptr) {
    if (V < 1 || V > Index{1} << 31 || R < 0) fail("a key cache for ", V, " ids and keys of ", R, " numbers, expected 1 to 2^31 ids and 0 or more numbers");
    if (format != KeyFormat::native && !std::is_floating_point_v<Scalar>) fail("the cache format ", name_of(format), " is for float, double and long double");
    if (expansion_ && expansion_->V() < V) fail("a key cache for ", V, " ids with a memo for ", expansion_->V(), ", expected one for as many");
  }
  /// A fork: full pages are shared, their memos with them.
  KeyCache(const KeyCache& other) : KeyCache(other, other.size()) {}
  /// A fork of the first n tokens.
  KeyCache(const KeyCache& other, Index n)
      : V_(other.V_), R_(other.R_), id_bytes_(other.id_bytes_), format_(other.format_), packed_(other.packed_, n), native_(other.native_, n), expansion_(other.expansion_) {
    if (!expansion_) return;
    memos_.assign(other.memos_.begin(), other.memos_.begin() + (n + block - 1) / block);
    if (n % block != 0) memos_.back() = std::make_shared<PageMemo<Scalar>>(expansion_);
  }
  /// What was moved from is empty, and without a memo.
  KeyCache(KeyCache&&) = default;
  KeyCache& operator=(KeyCache&&) = default;
  KeyCache& operator=(const KeyCache& other) { return *this = KeyCache(other); }

  Index vocabulary_size() const { return V_; }
  Index key_size() const { return R_; }
  KeyFormat format() const { return format_; }
  /// Tokens held.
  Index size() const { return packed_.size(); }
  std::size_t bytes_per_token() const { return static_cast<std::size_t>(packed_.width()) + static_cast<std::size_t>(native_.width()) * sizeof(Scalar); }
  std::size_t bytes() const { return packed_.bytes() + native_.bytes(); }

  /// What is remembered of ids; null if nothing is to be.
  ExpansionMemo<Scalar>* expansion() const { return expansion_.get(); }
  /// The memo of the page that holds position t; null if nothing is to be remembered.
  PageMemo<Scalar>* memo(Index t) const {
    require_range(t, 1, size(), "tokens of a key cache");
    return memos_.empty() ? nullptr : memos_[static_cast<std::size_t>(t / block)].get();
  }

  /// Throws unless it is a cache of `tokens` tokens of a model with V ids, keys of R numbers in this format, and this memo.
  void require(Index V, Index R, KeyFormat format, const ExpansionMemo<Scalar>* expansion, Index tokens) const {
    if (V != V_ || R != R_ || format != format_) fail("a key cache for ", V_, " ids and keys of ", R_, " numbers in ", name_of(format_), ", expected ", V, " ids and ", R, " numbers in ", name_of(format));
    if (expansion != expansion_.get()) fail("a key cache that is remembered by another model");
    if (tokens != size()) fail("a key cache of ", size(), " tokens, expected ", tokens);
  }

  /// Appends a token's id, below V, and its compressed key c [R]. If there is no memory, nothing has changed.
  void append(std::int32_t id, const Scalar* c) {
    require_id(id);
    std::vector<std::byte> row(static_cast<std::size_t>(packed_.width()));
    for (Index i = 0; i < id_bytes_; ++i) row[static_cast<std::size_t>(i)] = static_cast<std::byte>(id >> (8 * i));
    if constexpr (std::is_floating_point_v<Scalar>)
      if (format_ != KeyFormat::native) encode_key(format_, c, R_, row.data() + id_bytes_);
    append_row(row.data(), c);
  }

  /// The id in a row of packed(), of which there must be one.
  std::int32_t id_of(const std::byte* row) const {
    std::uint32_t id = 0;
    for (Index i = 0; i < id_bytes_; ++i) id |= static_cast<std::uint32_t>(row[i]) << (8 * i);
    return static_cast<std::int32_t>(id);
  }

  /// Appends a token as packed() and native() hold it.
  void append_row(const std::byte* packed, const Scalar* native) {
    const std::int32_t id = require_id(id_of(packed));
    if (expansion_ && static_cast<Index>(memos_.size()) * block == size()) memos_.push_back(std::make_shared<PageMemo<Scalar>>(expansion_));
    packed_.make_room(), native_.make_room();
    packed_.append(packed), native_.append(native);
    if (expansion_) expansion_->expect(id);
  }

  /// What is kept of each token: the id, little-endian in 2 or 4 bytes, and behind it the key in any format but native, [T, bytes];
  const PagedRows<std::byte>& packed() const { return packed_; }
  /// and the key in native format, [T, R] or [T, 0].
  const PagedRows<Scalar>& native() const { return native_; }

  /// Ids of positions first .. first + n - 1.
  std::vector<std::int32_t> ids(Index first, Index n) const {
    require_range(first, n, size(), "tokens of a key cache");
    std::vector<std::int32_t> out(static_cast<std::size_t>(n));
    for (Index t = 0; t < n; ++t) out[static_cast<std::size_t>(t)] = id(first + t);
    return out;
  }

  /// The page that holds position t: caches that share it have the same tokens up to its end.
  const void* page(Index t) const {
    require_range(t, 1, size(), "tokens of a key cache");
    return packed_.row(t / block * block);
  }

  /// Compressed keys of positions first .. first + n - 1, as the format keeps them: [n, R].
  Matrix<Scalar> compressed(Index first, Index n) const {
    if (format_ == KeyFormat::native) return native_.rows(first, n);
    require_range(first, n, size(), "tokens of a key cache");
    Matrix<Scalar> c(n, R_);
    if constexpr (std::is_floating_point_v<Scalar>)
      for (Index t = 0; t < n; ++t) decode_key(format_, packed_.row(first + t) + id_bytes_, R_, c.data() + t * R_);
    return c;
  }

 private:
  std::int32_t id(Index t) const { return id_of(packed_.row(t)); }

  std::int32_t require_id(std::int32_t id) const {
    if (id < 0 || id >= V_) fail("id ", id, " is out of range: the key cache is for ", V_, V_ == 0 ? " ids (it was made without sizes)" : " ids");
    return id;
  }

  Index V_ = 0, R_ = 0, id_bytes_ = 0;
  KeyFormat format_ = KeyFormat::native;
  PagedRows<std::byte> packed_;  // the id, and the key in any format but native
  PagedRows<Scalar> native_;     // the key in native format
  std::shared_ptr<ExpansionMemo<Scalar>> expansion_;
  std::vector<std::shared_ptr<PageMemo<Scalar>>> memos_;  // one a page, or none
};

/// What GOLD layer number `layer` (from 0), of width D, of a model with V ids and keys of R numbers asks of its caches: throws unless every
/// segment has one of this model's that holds its tokens, and whose memo, if it has one, knows the layer.
template <class Scalar, class State>
void require_caches(const std::vector<const KeyCache<Scalar>*>& caches, const Segments<State>& segments, Index V, Index R, Index D,
                    std::size_t layer) {
  if (caches.size() != segments.size()) fail("gold: ", caches.size(), " key caches for ", segments.size(), " segments");
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const KeyCache<Scalar>* const cache = caches[i];
    if (!cache || cache->size() < segments[i].rows)
      fail("gold: segment ", i, " has ", segments[i].rows, " rows, its key cache ",
           cache ? std::to_string(cache->size()) + " tokens" : "is null");
    if (cache->vocabulary_size() > V || cache->key_size() != R)
      fail("gold: segment ", i, " has a key cache for ", cache->vocabulary_size(), " ids and keys of ", cache->key_size(),
           " numbers, expected ", V, " ids and ", R, " numbers");
    const auto* const memo = cache->expansion();
    if (memo && memo->D() != D)
      fail("gold: segment ", i, " has a key cache whose memo is for rows of ", memo->D(), " numbers, expected ", D);
    if (memo && layer >= memo->layers()) fail("gold: layer ", layer, " of ", memo->layers());
  }
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
