// SPDX-License-Identifier: MIT
#include "lavo/parts/tile_scan.h"

#include <torch/csrc/autograd/autograd.h>

#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

Tensor random(torch::IntArrayRef sizes, uint64_t seed) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(sizes, generator, torch::kFloat64).requires_grad_();
}

/// out_t = x_t * (a + sum_{j<=t} x_j y_j), the state is the sum.
Tensor running_product(const std::vector<Tensor>& tiles, int64_t, std::vector<Tensor>& state) {
  const Tensor sums = state[0] + (tiles[0] * tiles[1]).cumsum(2);
  state[0] = sums.narrow(2, sums.size(2) - 1, 1);
  return tiles[0] * sums;
}

}  // namespace

TEST_CASE("gradients through tiles are those of the whole") {
  const auto [tile, chunk] = GENERATE(table<int64_t, int64_t>({{4, 1}, {4, 4}, {8, 2}, {64, 1}}));
  CAPTURE(tile, chunk);
  const Tensor x = random({2, 1, 23, 3}, 1), y = random({2, 1, 23, 3}, 2),
               a = random({2, 1, 1, 3}, 3);
  const Tensor weight = random({2, 1, 23, 3}, 4).detach(),
               end_weight = random({2, 1, 1, 3}, 5).detach();

  std::vector<Tensor> whole = {a}, tiled = {a};
  const Tensor expected = running_product({x, y}, 0, whole);
  const Tensor actual = scan_tiles(running_product, {x, y}, tiled, {tile, chunk});
  CHECK((actual - expected).abs().max().item<double>() < 1e-13);
  CHECK((tiled[0] - whole[0]).abs().max().item<double>() < 1e-13);

  const auto gradients = [&](const Tensor& output, const Tensor& end) {
    return torch::autograd::grad({output, end}, {x, y, a}, {weight, end_weight});
  };
  const auto of_whole = gradients(expected, whole[0]), of_tiles = gradients(actual, tiled[0]);
  for (size_t i = 0; i < 3; ++i) {
    CHECK((of_whole[i] - of_tiles[i]).abs().max().item<double>() < 1e-12);
  }
}

TEST_CASE("tiles are multiples of a chunk, or shorter than one") {
  std::vector<int64_t> lengths;
  const TileStep step = [&](const std::vector<Tensor>& tiles, int64_t, std::vector<Tensor>&) {
    lengths.push_back(tiles[0].size(2));
    return tiles[0];
  };
  std::vector<Tensor> state;
  scan_tiles(step, {torch::ones({1, 1, 29, 1})}, state, {8, 4});
  CHECK(lengths == std::vector<int64_t>{8, 8, 8, 4, 1});
}

TEST_CASE("a tile whose output needs nothing of a sequence leaves it a zero gradient") {
  const TileStep step = [](const std::vector<Tensor>& tiles, int64_t first, std::vector<Tensor>&) {
    return first == 0 ? tiles[0] * 2 : torch::zeros_like(tiles[0]);
  };
  const Tensor x = random({1, 1, 4, 1}, 1);
  std::vector<Tensor> state;
  const Tensor gradient =
      torch::autograd::grad({scan_tiles(step, {x}, state, {2})}, {x}, {torch::ones_like(x)})[0];
  CHECK(gradient.flatten().equal(torch::tensor({2., 2., 0., 0.}, torch::kFloat64)));
}

TEST_CASE("a second derivative is refused, not answered wrongly") {
  const Tensor x = random({1, 1, 4, 1}, 1), y = random({1, 1, 4, 1}, 2);
  std::vector<Tensor> state = {torch::zeros({1, 1, 1, 1}, torch::kFloat64)};
  const Tensor output = scan_tiles(running_product, {x, y}, state, {2});
  CHECK_THROWS_WITH(torch::autograd::grad({output}, {x}, {torch::ones_like(x)}, true, true),
                    ContainsSubstring("second derivative"));
}
