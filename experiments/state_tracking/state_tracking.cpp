// SPDX-License-Identifier: MIT
#include "experiments/state_tracking/state_tracking.h"

#include <ATen/Parallel.h>

#include "experiments/models/training_record.h"
#include "experiments/place.h"
#include "experiments/state_tracking/state_task.h"

namespace lavo {
namespace {

constexpr auto kStateTracking = "state_tracking";

const Automaton& automaton_of(const StateTrackingAxes& axes) {
  return automata().at(static_cast<size_t>(axes.task));
}

StateTask task_of(const StateTrackingAxes& a) {
  return {automaton_of(a),
          {.seed = static_cast<uint64_t>(a.seed),
           .sequences = a.test_sequences,
           .lengths = a.lengths()}};
}

/// Axes that say how a model is scored: its weights do not depend on them.
json trained_axes(json axes) {
  for (const char* name : {"test_sequences", "test_factor"}) axes.erase(name);
  return axes;
}

}  // namespace

StateTrackingAxes::StateTrackingAxes() {
  width = 32;
  context = 32;
  batch = 32;
  steps = 400;
  warmup = 20;
}

void StateTrackingAxes::visit(OptionVisitor& v) {
  ModelAxes::visit(v);
  v.choice("task", task, automaton_names(), "the automaton whose state is tracked");
  v.integer("test_sequences", test_sequences, between(1, 1e9), "that are scored, of each length");
  v.integer("test_factor", test_factor, between(1, 1 << 20),
            "scored at 1, 2, 4, ... test_factor times the context");
}

std::vector<int64_t> StateTrackingAxes::lengths() const { return doubled(context, test_factor); }

json StateTracking::resolve(const json& given) const {
  auto [a, options] = read_cell<StateTrackingAxes>(name(), given);
  fill_model_axes(name(), a);
  return cell_axes(write_options(a), a, options, a.context * a.test_factor);
}

std::string StateTracking::refused(const json& axes) const {
  const auto [a, options] = read_cell<StateTrackingAxes>(kStateTracking, axes);
  return model_refusal(a, options, "a state after every token");
}

StateUse StateTracking::state_use(const json& axes) const {
  const auto [a, options] = read_cell<StateTrackingAxes>(kStateTracking, axes);
  return state_use_of(a, options);
}

Prediction StateTracking::predict(const json& axes, const json&) const {
  const auto [a, options] = read_cell<StateTrackingAxes>(kStateTracking, axes);
  const std::vector<int64_t> lengths = a.lengths();
  // Every length scores as many sequences: longer ones are more tokens.
  return predict_model(a, options, automaton_of(a).states, a.test_sequences * lengths.back(),
                       lengths);
}

std::string StateTracking::data_digest(const json& axes, const std::string&) const {
  return task_of(read_cell<StateTrackingAxes>(kStateTracking, axes).first).digest();
}

Outcome StateTracking::run(const Case& cell) const {
  const auto [a, options] = read_cell<StateTrackingAxes>(kStateTracking, cell.axes);
  at::set_num_threads(static_cast<int>(a.threads));
  const Automaton& automaton = automaton_of(a);
  const StateTask task = task_of(a);
  Recipe recipe{.identity = {{"axes", trained_axes(lasting_axes(*this, cell.axes))},
                             {"experiment", name()},
                             {"spec", spec_version()},
                             {"data", task.digest()}},
                .data = automaton.name,
                .model = model_of(a),
                .mechanism_options = options,
                .training = training_of(a),
                .device = require_device(name(), a.device)};
  add_module(recipe.identity, cell.axes);
  recipe.model.vocabulary = automaton.tokens;
  recipe.model.head = HeadKind::kClasses;
  recipe.model.outputs = automaton.states;
  const auto prepare = [&](std::optional<Tokenizer>&) { return std::make_unique<StateTask>(task); };
  const Checkpoint checkpoint = obtain_model(recipe, prepare, cell.directory, cell.progress);
  Outcome outcome = task.scores(*checkpoint.model, cell.progress);
  add_training(outcome, recipe, checkpoint, cell.directory, "bit/token");
  return outcome;
}

}  // namespace lavo
