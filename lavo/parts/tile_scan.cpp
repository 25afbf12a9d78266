// SPDX-License-Identifier: MIT
#include "lavo/parts/tile_scan.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "lavo/core/check.h"
#include "lavo/core/pieces.h"

namespace lavo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Tile {
  int64_t first, length;
};

std::vector<Tile> cut(int64_t length, const Tiling& tiling) {
  std::vector<Tile> tiles;
  for (int64_t first = 0; first < length; first += tiles.back().length) {
    const int64_t left = length - first;
    const int64_t whole = std::min(left / tiling.chunk * tiling.chunk, tiling.tile);
    tiles.push_back({first, whole > 0 ? whole : left});
  }
  return tiles;
}

std::vector<Tensor> tiles_of(const std::vector<Tensor>& sequences, const Tile& tile) {
  std::vector<Tensor> result;
  for (const Tensor& x : sequences) result.push_back(x.narrow(2, tile.first, tile.length));
  return result;
}

/// Runs all tiles; `edges`, if given, gets the state in front of every tile.
Tensor run(const TileStep& step, const std::vector<Tensor>& sequences, std::vector<Tensor>& state,
           const Tiling& tiling, std::vector<Tensor>* edges = nullptr) {
  const int64_t length = sequences.at(0).size(2);
  Pieces outputs(length);
  bool any = false;
  for (const Tile& tile : cut(length, tiling)) {
    if (edges) edges->insert(edges->end(), state.begin(), state.end());
    const Tensor output = step(tiles_of(sequences, tile), tile.first, state);
    if (output.defined()) outputs.add(output);
    any = output.defined();
  }
  return any ? outputs.result() : Tensor();
}

/// What the backward pass needs besides tensors.
struct Plan final : torch::CustomClassHolder {
  Plan(TileStep s, const Tiling& t, size_t count)
      : step(std::move(s)), tiling(t), sequences(count) {}
  TileStep step;
  Tiling tiling;
  size_t sequences;         ///< of the inputs; the others are the state
  bool has_output = false;  ///< the first result is the output; the others are the state
};

Tensor differentiable(const Tensor& x) { return x.detach().requires_grad_(x.is_floating_point()); }

std::vector<Tensor> differentiable(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  for (const Tensor& x : tensors) result.push_back(differentiable(x));
  return result;
}

/// Gradients of one tile with respect to its tiles and the state in front of it. `gradient` is that
/// of its output; `state_gradients` those of the state behind it, replaced by those in front.
std::vector<Tensor> tile_backward(const Plan& plan, const std::vector<Tensor>& tiles, int64_t first,
                                  const std::vector<Tensor>& edge, const Tensor& gradient,
                                  std::vector<Tensor>& state_gradients) {
  std::vector<Tensor> inputs = differentiable(tiles);
  std::vector<Tensor> state = differentiable(edge);
  variable_list wanted = inputs;
  wanted.insert(wanted.end(), state.begin(), state.end());
  variable_list results, gradients;
  {
    torch::AutoGradMode with_grad(true);
    const auto add = [&](const Tensor& result, const Tensor& g) {
      if (!result.defined() || !g.defined() || !result.requires_grad()) return;
      results.push_back(result);
      gradients.push_back(g);
    };
    add(plan.step(inputs, first, state), gradient);
    for (size_t i = 0; i < state.size(); ++i) add(state[i], state_gradients[i]);
  }
  if (results.empty()) {
    state_gradients.assign(state.size(), Tensor());
    return std::vector<Tensor>(inputs.size());
  }
  variable_list found = torch::autograd::grad(results, wanted, gradients, /*retain_graph=*/false,
                                              /*create_graph=*/false, /*allow_unused=*/true);
  const auto middle = found.begin() + static_cast<std::ptrdiff_t>(inputs.size());
  state_gradients.assign(middle, found.end());
  return {found.begin(), middle};
}

class ScanTiles : public torch::autograd::Function<ScanTiles> {
 public:
  static variable_list forward(AutogradContext* context, const c10::intrusive_ptr<Plan>& plan,
                               at::TensorList inputs) {
    const auto middle = inputs.begin() + plan->sequences;
    const std::vector<Tensor> sequences(inputs.begin(), middle);
    std::vector<Tensor> state(middle, inputs.end()), edges;
    const Tensor output = run(plan->step, sequences, state, plan->tiling, &edges);
    plan->has_output = output.defined();
    variable_list saved = sequences;
    saved.insert(saved.end(), edges.begin(), edges.end());
    context->save_for_backward(saved);
    context->saved_data["plan"] = torch::IValue::make_capsule(plan);
    context->set_materialize_grads(false);
    if (output.defined()) state.insert(state.begin(), output);
    return state;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    require<Error>(!torch::GradMode::is_enabled(),
                   "the tiled backward pass has no second derivative (create_graph = true)");
    // The tiles are run again as in Mechanism::forward.
    const c10::impl::ExcludeDispatchKeyGuard without_autocast(c10::autocast_dispatch_keyset);
    const auto plan =
        c10::static_intrusive_pointer_cast<Plan>(context->saved_data["plan"].toCapsule());
    const variable_list saved = context->get_saved_variables();
    const std::vector<Tensor> sequences(saved.begin(), saved.begin() + plan->sequences);
    Tensor of_output;
    if (plan->has_output) {
      of_output = gradients.front();
      gradients.erase(gradients.begin());
    }
    std::vector<Tensor> results;
    for (const Tensor& x : sequences) results.push_back(torch::empty_like(x));
    const std::vector<Tile> tiles = cut(sequences[0].size(2), plan->tiling);
    const size_t held = gradients.size();  // tensors of state
    for (size_t i = tiles.size(); i-- > 0;) {
      const Tile& tile = tiles[i];
      const auto edge = saved.begin() + plan->sequences + i * held;
      const Tensor of_tile =
          of_output.defined() ? of_output.narrow(2, tile.first, tile.length) : Tensor();
      const std::vector<Tensor> found = tile_backward(*plan, tiles_of(sequences, tile), tile.first,
                                                      {edge, edge + held}, of_tile, gradients);
      for (size_t s = 0; s < found.size(); ++s) {
        Tensor target = results[s].narrow(2, tile.first, tile.length);
        found[s].defined() ? target.copy_(found[s]) : target.zero_();
      }
    }
    results.insert(results.begin(), Tensor());  // of the plan
    results.insert(results.end(), gradients.begin(), gradients.end());
    return results;
  }
};

bool requires_grad(const std::vector<Tensor>& tensors) {
  return std::ranges::any_of(tensors, [](const Tensor& x) { return x.requires_grad(); });
}

}  // namespace

Tensor scan_tiles(const TileStep& step, const std::vector<Tensor>& sequences,
                  std::vector<Tensor>& state, const Tiling& tiling) {
  if (!torch::GradMode::is_enabled() || !(requires_grad(sequences) || requires_grad(state))) {
    return run(step, sequences, state, tiling);
  }
  const auto plan = c10::make_intrusive<Plan>(step, tiling, sequences.size());
  std::vector<Tensor> inputs = sequences;
  inputs.insert(inputs.end(), state.begin(), state.end());
  variable_list results = ScanTiles::apply(plan, at::TensorList(inputs));
  Tensor output;
  if (plan->has_output) {
    output = results.front();
    results.erase(results.begin());
  }
  state = results;
  return output;
}

}  // namespace lavo
