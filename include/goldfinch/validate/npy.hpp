// A matrix as NumPy reads it: a .npy file of format version 1.0, little-endian, C order, written row by row so that the logits of
// a long text never stand in memory. Writes only; the file appears whole or not at all.
#pragma once

#include <string>
#include <type_traits>

#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/matrix.hpp"
#include "goldfinch/core/platform.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What stands in front of the numbers of an array, in C order, of a type as NumPy spells it ('<f8'): its size is a multiple of 64.
inline std::string npy_header(const std::string& descr, const Shape& shape) {
  std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (";
  for (const Index n : shape) text += std::to_string(n) + ", ";
  if (shape.size() > 1) text.resize(text.size() - 2);
  if (shape.size() == 1) text.resize(text.size() - 1);
  text += "), }";
  while ((10 + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  const char head[] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return std::string(head, sizeof head) + text;
}

class NpyWriter {
 public:
  /// A [rows, cols] matrix of f64 or f32. Throws Error naming the path if it cannot be written.
  NpyWriter(const std::string& path, DType dtype, Index rows, Index cols)
      : file_(path), path_(path), dtype_(dtype), rows_(rows), cols_(cols) {
    const bool wide = dtype == DType::f64;
    if (!wide && dtype != DType::f32) fail(path, ": cannot write numbers of type ", name_of(dtype), ", expected f64 or f32");
    if (rows < 0 || cols < 0) fail(path, ": cannot write a matrix of shape ", to_string(Shape{rows, cols}));
    const std::string header = npy_header(wide ? "<f8" : "<f4", {rows, cols});
    file_.write(header.data(), header.size());
  }

  /// The next rows, x [any, cols], each number rounded to the file's type (long double to f64, say).
  template <class Scalar>
  void write(const Matrix<Scalar>& x) {
    require_cols(x, cols_, path_.c_str());
    if (x.rows() > rows_ - written_) fail(path_, ": row ", written_ + x.rows(), " was written, expected ", rows_, " rows");
    dtype_ == DType::f64 ? write_as<double>(x) : write_as<float>(x);
    written_ += x.rows();
  }

  /// Every row has been written: the file takes its name.
  void commit() {
    if (written_ != rows_) fail(path_, ": ", written_, " rows were written, expected ", rows_);
    file_.commit();
  }

 private:
  template <class Stored, class Scalar>
  void write_as(const Matrix<Scalar>& x) {
    if constexpr (std::is_same_v<Stored, Scalar>)
      file_.write(x.data(), static_cast<std::size_t>(x.size()) * sizeof(Scalar));
    else
      write_as<Stored>(Matrix<Stored>(x.template cast<Stored>()));
  }

  AtomicFile file_;
  std::string path_;
  DType dtype_;
  Index rows_, cols_, written_ = 0;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
