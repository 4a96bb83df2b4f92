// Rows in pages: what is left after a move, what is shared, and what does not exist.
#include "goldfinch/core/paged_rows.hpp"

#include "refused.hpp"

using goldfinch::Index;
using goldfinch::PagedRows;

namespace {

PagedRows<int> counted(Index width, Index n) {
  PagedRows<int> rows(width);
  for (Index i = 0; i < n; ++i) rows.append(std::vector<int>(static_cast<std::size_t>(width), static_cast<int>(i)).data());
  return rows;
}

bool counts(const PagedRows<int>& rows, Index n) {
  bool right = rows.size() == n;
  for (Index i = 0; right && i < n; ++i)
    for (Index j = 0; j < rows.width(); ++j) right = right && rows.row(i)[j] == static_cast<int>(i);
  return right;
}

}  // namespace

TEST_CASE("What rows were moved from is empty, and takes rows again") {
  for (const Index n : {0, 1, 63, 64, 65, 130}) {
    INFO(n << " rows");
    auto rows = counted(3, n);
    const auto moved = std::move(rows);
    CHECK(counts(moved, n));
    CHECK(rows.size() == 0);
    CHECK(rows.bytes() == 0);
    const auto copy = rows;  // a copy of it too
    CHECK(copy.size() == 0);
    rows.append(std::vector<int>{0, 0, 0}.data());
    CHECK(counts(rows, 1));
    CHECK(counts(moved, n));
    PagedRows<int> assigned;
    assigned = std::move(rows);
    CHECK(counts(assigned, 1));
    CHECK(rows.size() == 0);
    CHECK(rows.rows(0, 0).rows() == 0);
  }
}

TEST_CASE("Default-constructed rows have no numbers each, and are counted all the same") {
  PagedRows<int> rows;
  const int none = 0;
  for (int i = 0; i < 70; ++i) rows.append(&none);
  CHECK(rows.size() == 70);
  CHECK(rows.bytes() == 0);
  CHECK(rows.rows(3, 5).size() == 0);
}

TEST_CASE("Room that was made and not used is in no copy") {
  for (const Index n : {0, 63, 64, 128}) {
    auto rows = counted(2, n);
    rows.make_room(), rows.make_room();
    auto copy = rows;
    rows.append(std::vector<int>{-1, -1}.data());
    copy.append(std::vector<int>{static_cast<int>(n), static_cast<int>(n)}.data());
    CHECK(counts(copy, n + 1));
    CHECK(rows.row(n)[0] == -1);
  }
}

TEST_CASE("Rows that are not there are refused") {
  const auto rows = counted(2, 65);
  REFUSED(rows.row(65), "row 65 of 65");
  REFUSED(rows.row(-1), "row -1 of 65");
  REFUSED(rows.rows(60, 6), "6 rows from 60 on, but there are 65");
  REFUSED(rows.rows(-1, 1), "1 rows from -1 on");
  REFUSED(PagedRows<int>(rows, 66), "66 rows from 0 on, but there are 65");
  REFUSED(PagedRows<int>(rows, -1), "-1 rows");
  REFUSED(PagedRows<int>(-1), "rows of -1 numbers");
  REFUSED(PagedRows<int>(Index{1} << 62), "numbers, expected 0 to");
}
