// The key cache: its bytes against the formulas, what each format makes of numbers, ids, forks, and the memo's budget.
#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"
#include "goldfinch/layers/stored_keys.hpp"
#include "goldfinch/layers/key_cache.hpp"

namespace gf = goldfinch;
using gf::Index;
using gf::KeyFormat;

namespace {

constexpr KeyFormat formats[] = {KeyFormat::native, KeyFormat::bf16, KeyFormat::int8, KeyFormat::int4};

template <class Scalar>
std::vector<Scalar> through(KeyFormat format, const std::vector<Scalar>& c) {
  const Index R = static_cast<Index>(c.size());
  gf::KeyCache<Scalar> cache(100, R, format);
  cache.append(1, c.data());
  const gf::Matrix<Scalar> out = cache.compressed(0, 1);
  return {out.data(), out.data() + R};
}

/// |c - c'| of a number in a group whose largest magnitude is `largest`, kept in steps of largest / limit. The scale is within
/// 2^-8 of that (half of bfloat16's last bit, and float's before it), so q = round(c / s) is off by s / 2, and by as much more as
/// the largest number lies beyond limit * s where q is cut off.
double error_bound(double largest, double limit) {
  const double relative = 0x1p-8 + 0x1p-20;
  const double largest_scale = largest / limit * (1 + relative);
  return std::max(largest_scale / 2, largest * relative) * (1 + 1e-12);
}

}  // namespace

TEMPLATE_TEST_CASE("A cache holds exactly the bytes of the formula, in every format", "", float, double) {
  for (const KeyFormat format : formats)
    for (const Index R : {1, 3, 31, 32, 33, 64, 129})
      for (const Index V : {256, 65536, 65537}) {
        INFO(gf::name_of(format) << ", R " << R << ", V " << V);
        const std::size_t id = V <= 65536 ? 2 : 4;
        const auto r = static_cast<std::size_t>(R);
        const std::size_t key = format == KeyFormat::native ? r * sizeof(TestType)
                                : format == KeyFormat::bf16 ? 2 * r
                                : format == KeyFormat::int8 ? r + 2
                                                            : (r + 1) / 2 + 2 * ((r + 31) / 32);
        gf::KeyCache<TestType> cache(V, R, format);
        const std::vector<TestType> c(r, TestType(0.25));
        CHECK(cache.bytes() == 0);
        for (Index t = 1; t <= 130; ++t) {
          cache.append(5, c.data());
          if (cache.bytes() != static_cast<std::size_t>(t) * (id + key))
            FAIL_CHECK(cache.bytes() << " bytes for " << t << " tokens");
        }
        CHECK(cache.bytes_per_token() == id + key);
        // Every byte that is counted is there: the pieces that a session file is made of hold them.
        std::size_t held = 0;
        cache.packed().pieces([&](const std::byte*, Index n) { held += static_cast<std::size_t>(n * cache.packed().width()); });
        cache.native().pieces(
            [&](const TestType*, Index n) { held += static_cast<std::size_t>(n * cache.native().width()) * sizeof(TestType); });
        CHECK(held == cache.bytes());
      }
}

TEMPLATE_TEST_CASE("A traditional cache holds 2 D numbers a token", "", float, double) {
  for (const Index D : {1, 12, 65}) {
    gf::StoredKeys<TestType> stored(D);
    const std::vector<TestType> row(static_cast<std::size_t>(D));
    for (Index t = 0; t < 100; ++t) stored.k.append(row.data()), stored.v.append(row.data());
    CHECK(stored.bytes() == static_cast<std::size_t>(100 * 2 * D) * sizeof(TestType));
    CHECK(stored.bytes_per_token() == static_cast<std::size_t>(2 * D) * sizeof(TestType));
  }
}

TEST_CASE("The native format keeps every bit, those of NaN, infinities and denormals too") {
  bits::Random random;
  std::vector<double> c;
  for (int i = 0; i < 1000; ++i) c.push_back(random.hostile<double>());
  CHECK(bits::same(through(KeyFormat::native, c).data(), c.data(), 1000));
}

TEMPLATE_TEST_CASE("bf16 keeps numbers of bfloat16 as they are, and others within 2^-8 of themselves", "", float, double) {
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto x = static_cast<TestType>(gf::widen(gf::BFloat16{static_cast<std::uint16_t>(i)}));
    const auto y = through(KeyFormat::bf16, std::vector<TestType>{x})[0];
    if (!bits::same(x, y)) FAIL_CHECK(x << " became " << y);
  }
  bits::Random random;
  for (int i = 0; i < 20000; ++i) {
    const auto x = static_cast<TestType>(random.number() * std::exp(40 * random.number()));
    const auto y = through(KeyFormat::bf16, std::vector<TestType>{x})[0];
    if (!(std::abs(static_cast<double>(y) - static_cast<double>(x)) <= std::abs(static_cast<double>(x)) * (0x1p-8 + 0x1p-20)))
      FAIL_CHECK(x << " became " << y);
  }
}

TEMPLATE_TEST_CASE("int8 and int4 are off by half a step at most, and by the rounding of their scale", "", float, double) {
  bits::Random random;
  for (const KeyFormat format : {KeyFormat::int8, KeyFormat::int4}) {
    const double limit = format == KeyFormat::int8 ? 127 : 7;
    double worst = 0;
    for (const Index R : {1, 2, 5, 31, 32, 33, 63, 65, 128})
      for (int repeat = 0; repeat < 200; ++repeat) {
        const double size = std::exp(20 * random.number());
        std::vector<TestType> c;
        for (Index i = 0; i < R; ++i) c.push_back(static_cast<TestType>(size * random.number()));
        const auto d = through(format, c);
        const Index group = format == KeyFormat::int8 ? R : 32;
        for (Index first = 0; first < R; first += group) {
          double largest = 0;
          const Index last = std::min(first + group, R);
          for (Index i = first; i < last; ++i)
            largest = std::max(largest, std::abs(static_cast<double>(c[static_cast<std::size_t>(i)])));
          for (Index i = first; i < last; ++i) {
            const auto j = static_cast<std::size_t>(i);
            const double error = std::abs(static_cast<double>(d[j]) - static_cast<double>(c[j])),
                         bound = error_bound(largest, limit);
            worst = std::max(worst, error / bound);
            if (!(error <= bound)) FAIL_CHECK(c[j] << " became " << d[j] << " beside " << largest);
          }
        }
      }
    CHECK(worst > 0.9);  // the bound is not idle
  }
}

TEMPLATE_TEST_CASE("The sign is kept, zeros stay zero, and equal numbers stay equal in int8 and int4", "", float, double) {
  for (const KeyFormat format : {KeyFormat::int8, KeyFormat::int4}) {
    for (const auto x : through(format, std::vector<TestType>(33, TestType(0)))) CHECK(x == 0);
    const auto d = through(format, std::vector<TestType>{3, -3, 0, 3, TestType(-0.0)});
    CHECK(d[0] == -d[1]);
    CHECK(d[0] == d[3]);
    CHECK(d[0] == Approx(3).epsilon(0x1p-8 + 1e-6));
    CHECK(d[2] == 0);
    CHECK(d[4] == 0);
    // A power of two times the limit is a scale without rounding, whose multiples come back as they were.
    const TestType limit = format == KeyFormat::int8 ? 127 : 7;
    std::vector<TestType> multiples;
    for (TestType q = -limit; q <= limit; ++q) multiples.push_back(q / 4);
    multiples.resize(multiples.size() < 32 ? multiples.size() : 255);
    CHECK(through(format, multiples) == multiples);
  }
}

TEMPLATE_TEST_CASE("Denormal numbers are kept as well as their scale can be, and never become NaN", "", float, double) {
  for (const KeyFormat format : {KeyFormat::int8, KeyFormat::int4}) {
    for (const double tiny : {1e-37, 1e-38, 1e-39, 1e-41, 1e-44, 1e-46, 1e-310}) {
      const auto d =
          through(format, std::vector<TestType>{static_cast<TestType>(tiny), static_cast<TestType>(-tiny / 2), TestType(0)});
      // Below 2^-126 a bfloat16 goes in steps of 2^-133, so the scale is off by half of one and 127 q of them.
      for (const std::size_t i : {0, 1, 2}) {
        const double exact = i == 0 ? tiny : i == 1 ? -tiny / 2 : 0;
        INFO(tiny << ", number " << i << ": " << d[i]);
        CHECK(std::abs(static_cast<double>(d[i]) - exact) <=
              std::max(error_bound(tiny, format == KeyFormat::int8 ? 127 : 7), std::min(tiny, 128 * 0x1p-134) + 0x1p-134));
      }
    }
  }
}

TEMPLATE_TEST_CASE("NaN or an infinity makes NaN of its whole group, and of no other", "", float, double) {
  using limits = std::numeric_limits<TestType>;
  const auto nans = [](const std::vector<TestType>& c) {
    return std::count_if(c.begin(), c.end(), [](TestType x) { return std::isnan(x); });
  };
  for (const TestType bad : {limits::quiet_NaN(), limits::infinity(), -limits::infinity()})
    for (const std::size_t at : {0, 35, 39}) {
      INFO(bad << " at " << at << " of 40");
      std::vector<TestType> c(40, TestType(0.5));
      c[at] = bad;
      CHECK(nans(through(KeyFormat::int8, c)) == 40);
      auto d = through(KeyFormat::int4, c);
      CHECK(nans(d) == (at < 32 ? 32 : 8));
      d.erase(d.begin() + (at < 32 ? 0 : 32), d.begin() + (at < 32 ? 32 : 40));
      CHECK(nans(d) == 0);
      const auto b = through(KeyFormat::bf16, c);
      CHECK(bits::same(b[at], bad));
      CHECK(nans(b) == (std::isnan(bad) ? 1 : 0));
    }
}

TEST_CASE("A double beyond float's range does not come back as a number") {
  for (const KeyFormat format : {KeyFormat::bf16, KeyFormat::int8, KeyFormat::int4})
    CHECK_FALSE(std::isfinite(through(format, std::vector<double>{1e300, 1})[0]));
}

TEMPLATE_TEST_CASE("A token's bytes depend on that token alone, and what was written first is never written again", "", float,
                   double) {
  bits::Random random;
  for (const KeyFormat format : formats) {
    INFO(gf::name_of(format));
    const Index R = 33, T = 200;
    const auto c = random.matrix<TestType>(T, R);
    gf::KeyCache<TestType> cache(300, R, format);
    gf::Matrix<TestType> early;
    for (Index t = 0; t < T; ++t) {
      cache.append(static_cast<std::int32_t>(t), c.row(t).data());
      if (t == 99) early = cache.compressed(0, 100);
    }
    CHECK(bits::same(cache.compressed(0, 100), early));
    bool same = true;
    for (Index t = 0; t < T; ++t) {
      const auto alone = through(format, std::vector<TestType>(c.row(t).data(), c.row(t).data() + R));
      same = same && bits::same(cache.compressed(t, 1).data(), alone.data(), R);
    }
    CHECK(same);
  }
}

TEST_CASE("Ids of 2 and of 4 bytes come back, the largest and the smallest too") {
  for (const Index V : {Index{65536}, Index{65537}, Index{1} << 31}) {
    gf::KeyCache<float> cache(V, 1, KeyFormat::int8);
    const float c = 1;
    const std::vector<std::int32_t> ids = {
        0, 1, 255, 256, 65535, static_cast<std::int32_t>(V - 1), static_cast<std::int32_t>(V / 2 + 1)};
    for (const auto id : ids) cache.append(id, &c);
    CHECK(cache.ids(0, 7) == ids);
    CHECK(cache.ids(5, 2) == std::vector<std::int32_t>(ids.begin() + 5, ids.end()));
  }
}

TEST_CASE("Forks share full pages, and go their own ways from there") {
  for (const KeyFormat format : formats)
    for (const Index T : {1, 63, 64, 65, 128, 150}) {
      INFO(gf::name_of(format) << ", forked after " << T);
      const Index R = 5;
      bits::Random random;
      const auto c = random.matrix<float>(T + 70, R), other = random.matrix<float>(70, R);
      gf::KeyCache<float> cache(1000, R, format);
      for (Index t = 0; t < T; ++t) cache.append(static_cast<std::int32_t>(t), c.row(t).data());
      auto fork = cache;
      for (Index t = 0; t < T; t += 64) CHECK((cache.packed().row(t) == fork.packed().row(t)) == (t + 64 <= T));
      for (Index t = 0; t < 70; ++t) {
        cache.append(7, c.row(T + t).data());
        fork.append(8, other.row(t).data());
      }
      CHECK(cache.ids(T, 70) == std::vector<std::int32_t>(70, 7));
      CHECK(fork.ids(T, 70) == std::vector<std::int32_t>(70, 8));
      CHECK(cache.ids(0, T) == fork.ids(0, T));
      CHECK(bits::same(cache.compressed(0, T), fork.compressed(0, T)));
      gf::KeyCache<float> straight(1000, R, format);
      for (Index t = 0; t < T + 70; ++t) straight.append(0, c.row(t).data());
      CHECK(bits::same(cache.compressed(0, T + 70), straight.compressed(0, T + 70)));
      CHECK(cache.bytes() == fork.bytes());
    }
}

TEST_CASE("A memo gives ids their room first and pages what is left but an eighth, and takes it back from pages") {
  const Index D = 8, V = 10;
  const std::size_t layers = 3, half = D * sizeof(float), page = layers * 2 * 64 * half;
  const std::size_t index = V * (sizeof(void*) + 1);  // of a pointer and a mark an id
  for (const std::size_t limit : {std::size_t{0}, index - 1, index, index + half, index + 2 * half, index + 3 * half + page, 2 * page, 4 * page, 100 * page}) {
    INFO("a budget of " << limit);
    const auto memo = std::make_shared<gf::ExpansionMemo<float>>(limit, V, D, layers);
    const std::size_t start = limit >= index ? index : 0;
    CHECK(memo->used() == start);
    const std::size_t ids = start > 0 ? std::min<std::size_t>(3, (limit - start) / half) : 0;
    {
      gf::KeyCache<float> cache(V, 2, KeyFormat::native, memo);
      const float c[2] = {};
      for (Index t = 0; t < 130; ++t) cache.append(static_cast<std::int32_t>(t % 3), c);
      CHECK(memo->used() == start + ids * half);
      std::size_t held = memo->used(), pages = 0;
      for (const Index t : {0, 64, 128, 0}) {
        const bool before = t == 0 && pages > 0, expected = before || held + page <= limit - limit / 8;
        CHECK(cache.memo(t)->has_room() == expected);
        if (expected && !before) held += page, ++pages;
        CHECK(memo->used() == held);
      }
      const auto fork = cache;
      CHECK(memo->used() == held);
      CHECK(fork.memo(0) == cache.memo(0));
      CHECK(fork.memo(64) == cache.memo(64));
      CHECK(fork.memo(128) != cache.memo(128));  // its page may become another
    }
    CHECK(memo->used() == start + ids * half);
  }
}

TEST_CASE("A memo knows the halves of ids that it had room for, and nothing of others") {
  const Index D = 700, V = 2000;  // so that halves fill several slabs
  gf::ExpansionMemo<double> memo(gf::unlimited_memory, V, D, 1);
  std::vector<double> half(D);
  const auto number = [](Index id) { return static_cast<double>(id) + 0.5; };
  for (Index id = 0; id < V; id += 2) {
    memo.expect(id);
    CHECK(memo.half(id) == nullptr);
  }
  for (Index id = 0; id < V; ++id) {
    std::fill(half.begin(), half.end(), number(id));
    memo.remember(id, half.data());
    memo.remember(id, half.data());
  }
  const std::size_t bytes = memo.used();
  CHECK(bytes == V * (sizeof(void*) + 1) + V / 2 * D * sizeof(double));
  for (Index id = 0; id < V; ++id) {
    const double* const known = memo.half(id);
    if ((known != nullptr) != (id % 2 == 0)) FAIL_CHECK("id " << id);
    if (known) CHECK((known[0] == number(id) && known[D - 1] == number(id)));
  }
  CHECK(memo.used() == bytes);
}

TEST_CASE("Without a budget, and for scalars without fast kernels, there is no memo") {
  gf::KeyCache<float> none(10, 2, KeyFormat::native);
  const float c[2] = {};
  none.append(0, c);
  CHECK(none.memo(0) == nullptr);
  const auto memo = std::make_shared<gf::ExpansionMemo<long double>>(gf::unlimited_memory, 10, 2, 1);
  gf::KeyCache<long double> wide(10, 2, KeyFormat::native, memo);
  const long double w[2] = {};
  wide.append(0, w);
  CHECK(wide.memo(0) == nullptr);
}
