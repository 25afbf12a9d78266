// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/isas.h"
#include "tests/support/kernels/tile_probe.h"

using namespace lavo;
using cpu::TileProbe;

namespace {

std::vector<double> uniform(int64_t count, double low, double high, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> draw(low, high);
  std::vector<double> x(static_cast<size_t>(count));
  for (double& e : x) e = static_cast<float>(draw(generator));  // exact in both types
  return x;
}

double roundoff(bool in_double) { return in_double ? 1.1e-16 : 6e-8; }
size_t position(int64_t i) { return static_cast<size_t>(i); }

}  // namespace

TEST_CASE("e^x is within two roundings down to where float ends") {
  const auto isa = GENERATE(from_range(available_isas()));
  const bool in_double = GENERATE(false, true);
  const WithIsa with(isa);
  std::vector<double> x = uniform(16 * 64, in_double ? -700 : -86, 0, 1);
  x[0] = 0, x[1] = -1e-30, x[2] = -std::numeric_limits<double>::infinity(), x[3] = -1e30,
  x[4] = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> y(x.size());
  cpu::probe_tile({.block = TileProbe::Block::kExp,
                   .in_double = in_double,
                   .rows = 16,
                   .width = 64,
                   .a = x.data(),
                   .result = y.data()});
  CHECK(y[0] == 1);
  CHECK(y[2] == 0);
  CHECK(y[3] == 0);
  CHECK(std::isnan(y[4]));
  for (size_t i = 5; i < x.size(); ++i) {
    CHECK(std::abs(y[i] - std::exp(x[i])) <= 2 * roundoff(in_double) * std::exp(x[i]));
  }
}

TEST_CASE("products of every remainder of rows, transposed or added to") {
  const auto isa = GENERATE(from_range(available_isas()));
  const bool in_double = GENERATE(false, true), transposed = GENERATE(false, true);
  const WithIsa with(isa);
  for (const auto& [rows, width, depth] :
       std::vector<std::array<int64_t, 3>>{{1, 16, 1}, {16, 64, 64}, {7, 80, 33}, {23, 48, 16}}) {
    const std::vector<double> a = uniform(rows * depth, -1, 1, 2),
                              b = uniform(depth * width, -1, 1, 3);
    const std::vector<double> start = uniform(rows * width, -1, 1, 4);
    for (const bool add : {false, true}) {
      CAPTURE(rows, width, depth, add, transposed, in_double);
      std::vector<double> c = start;
      const int64_t row = transposed ? 1 : depth, column = transposed ? rows : 1;
      cpu::probe_tile({.block = TileProbe::Block::kMultiply,
                       .in_double = in_double,
                       .rows = rows,
                       .width = width,
                       .depth = depth,
                       .a = a.data(),
                       .a_row = row,
                       .a_column = column,
                       .b = b.data(),
                       .add = add,
                       .result = c.data()});
      double worst = 0;
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < width; ++j) {
          double expected = add ? start[position(i * width + j)] : 0;
          for (int64_t k = 0; k < depth; ++k) {
            expected += a[position(i * row + k * column)] * b[position(k * width + j)];
          }
          worst = std::max(worst, std::abs(c[position(i * width + j)] - expected));
        }
      }
      CHECK(worst <= roundoff(in_double) * static_cast<double>(depth + 1) * 2);
    }
  }
}

TEST_CASE("a transposed tile, and a row's softmax") {
  const auto isa = GENERATE(from_range(available_isas()));
  const bool in_double = GENERATE(false, true);
  const WithIsa with(isa);
  const int64_t rows = 16, width = 48;
  std::vector<double> x = uniform(rows * width, -30, 30, 5), y(x.size());
  cpu::probe_tile({.block = TileProbe::Block::kTranspose,
                   .in_double = in_double,
                   .rows = rows,
                   .width = width,
                   .a = x.data(),
                   .result = y.data()});
  bool equal = true;
  for (int64_t i = 0; i < rows * width; ++i) {
    equal = equal && y[position(i % width * rows + i / width)] == x[position(i)];
  }
  CHECK(equal);

  const double minus_infinity = -std::numeric_limits<double>::infinity();
  std::fill_n(x.begin(), width, minus_infinity);  // sees nothing
  std::fill_n(x.begin() + width, 40, minus_infinity);
  cpu::probe_tile({.block = TileProbe::Block::kSoftmax,
                   .in_double = in_double,
                   .rows = rows,
                   .width = width,
                   .a = x.data(),
                   .result = y.data()});
  CHECK(y[0] == 0);
  CHECK(y[position(width)] == 0);
  for (int64_t i = 1; i < rows; ++i) {
    double total = 0;
    for (int64_t c = 0; c < width; ++c) total += std::exp(x[position(i * width + c)]);
    for (int64_t c = 0; c < width; ++c) {
      const double expected = 0.5 * std::exp(x[position(i * width + c)]) / total;
      // Exponents up to 60 are rounded, then sums of 48.
      CHECK(std::abs(y[position(i * width + c)] - expected) <=
            100 * roundoff(in_double) * expected + 1e-37);
    }
  }
}

TEST_CASE("storage types round to the nearest, at any width, and touch no more than asked") {
  const auto isa = GENERATE(from_range(available_isas()));
  const auto type = GENERATE(torch::kFloat64, torch::kFloat32, torch::kBFloat16, torch::kFloat16);
  const WithIsa with(isa);
  for (const int64_t width : {1, 7, 16, 33, 64}) {
    const int64_t rows = 3, row = (width + 15) / 16 * 16;
    std::vector<double> x = uniform(rows * row, -300, 300, 6), y(x.size());
    x[0] = std::numeric_limits<double>::infinity();
    cpu::probe_tile({.block = TileProbe::Block::kStore,
                     .in_double = type == torch::kFloat64,
                     .in_bfloat16 = type == torch::kBFloat16,
                     .in_float16 = type == torch::kFloat16,
                     .rows = rows,
                     .width = width,
                     .a = x.data(),
                     .result = y.data()});
    const auto tensor = torch::from_blob(x.data(), {rows, row}, torch::kFloat64);
    auto expected = tensor.to(type).to(torch::kFloat64);
    expected.narrow(1, width, row - width).zero_();
    CAPTURE(width, toString(type));
    CHECK(torch::equal(torch::from_blob(y.data(), {rows, row}, torch::kFloat64), expected));
  }
}
