// SPDX-License-Identifier: MIT
#include "lavo/parts/slot_attention.h"

#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr int64_t kSlotHeads = 2, kSlots = 6, kSlotKeyWidth = 5, kSlotValueWidth = 7;

SlotAttention random_slots(int64_t T, bool decays, at::Generator& generator) {
  const auto draw = [&](int64_t width) {
    return torch::randn({2, kSlotHeads, T, width}, generator, torch::kFloat64);
  };
  SlotAttention call{.query = draw(kSlotKeyWidth),
                     .key = draw(kSlotKeyWidth),
                     .value = draw(kSlotValueWidth),
                     .slots = draw(kSlots)};
  call.scale = 0.5;
  if (decays) call.log_decay = -draw(kSlots).square();
  return call;
}

/// Token by token, as the formula stands.
Tensor slots_by_tokens(const SlotAttention& call) {
  Tensor K = torch::zeros({2, kSlotHeads, kSlots, kSlotKeyWidth}, torch::kFloat64);
  Tensor V = torch::zeros({2, kSlotHeads, kSlots, kSlotValueWidth}, torch::kFloat64);
  std::vector<Tensor> rows;
  for (int64_t t = 0; t < call.query.size(2); ++t) {
    const auto token = [t](const Tensor& x) { return x.narrow(2, t, 1); };
    if (call.log_decay.defined()) {
      const Tensor kept = token(call.log_decay).exp().transpose(2, 3);
      K = K * kept;
      V = V * kept;
    }
    const Tensor s = token(call.slots).transpose(2, 3);
    K = K + s * token(call.key);
    V = V + s * token(call.value);
    const Tensor p = (call.scale * (K * token(call.query)).sum(3)).softmax(2);
    rows.push_back((p.unsqueeze(3) * V).sum(2));
  }
  return torch::stack(rows, 2);
}

}  // namespace

TEST_CASE("slots in chunks give what the recurrence gives, with decays and without") {
  auto generator = make_generator(8);
  for (const int64_t T : {1, 2, 15, 16, 17, 63, 64, 65, 200, 300}) {
    for (const bool decays : {false, true}) {
      const SlotAttention call = random_slots(T, decays, generator);
      CAPTURE(T, decays);
      CHECK(worst_row_error(slot_attention(call, nullptr), slots_by_tokens(call)) < 1e-11);
    }
  }
}

TEST_CASE("decays of slots of 0, of -30 in a row of 26, of -1e30 and -infinity stay right") {
  auto generator = make_generator(9);
  SlotAttention call = random_slots(150, true, generator);
  call.log_decay.narrow(2, 0, 5).zero_();
  call.log_decay.narrow(2, 20, 26).fill_(-30);
  call.log_decay.select(2, 60).fill_(-std::numeric_limits<double>::infinity());
  call.log_decay.select(2, 64).fill_(-1e30);
  call.log_decay.select(2, 101).fill_(-1e30);
  const std::vector<Tensor> leaves = {call.query, call.key, call.value, call.slots, call.log_decay};
  for (const Tensor& leaf : leaves) leaf.requires_grad_();
  const Tensor actual = slot_attention(call, nullptr), expected = slots_by_tokens(call);
  CHECK(worst_row_error(actual.detach(), expected.detach()) < 1e-11);
  const Tensor weight = torch::randn(actual.sizes(), generator, torch::kFloat64);
  const auto chunked = torch::autograd::grad({actual}, leaves, {weight});
  const auto recurrent = torch::autograd::grad({expected}, leaves, {weight});
  for (size_t i = 0; i < leaves.size(); ++i) {
    CAPTURE(i);
    CHECK(chunked[i].isfinite().all().item<bool>());
    CHECK((chunked[i] - recurrent[i]).norm().item<double>() <=
          1e-11 * recurrent[i].norm().item<double>());
  }
}

TEST_CASE("a float32 memory of slots keeps its digits beside decays that cancel") {
  auto generator = make_generator(10);
  SlotAttention call = random_slots(200, true, generator);
  // A difference of sums from the chunk's begin would be off by 1e4 times the roundoff here.
  call.log_decay.mul_(0.01).select(2, 3).fill_(-1e5);
  call.slots = call.slots.abs();
  const Tensor expected = slots_by_tokens(call);
  for (Tensor* x : {&call.query, &call.key, &call.value, &call.slots, &call.log_decay}) {
    *x = x->to(torch::kFloat32);
  }
  CHECK(worst_row_error(slot_attention(call, nullptr), expected) < 2e-5);
}

TEST_CASE("slots that are packed at once are those of one softmax a slot") {
  auto generator = make_generator(11);
  const SlotAttention call = random_slots(9, false, generator);
  Tensor logits = call.slots.clone();
  logits.select(2, 4).fill_(-std::numeric_limits<double>::infinity());  // a token
  logits.select(3, 1).fill_(-std::numeric_limits<double>::infinity());  // a slot
  const PackedSlots packed = pack_slots(call.key, call.value, logits);
  const Tensor weight = logits.exp() / logits.exp().sum(2, true).clamp_min(1e-300);
  const auto sum = [&](const Tensor& x) {
    return (weight.unsqueeze(4) * x.unsqueeze(3)).sum(2);  // (B,H,M,.)
  };
  CHECK(packed.key.transpose(2, 3).allclose(sum(call.key), 1e-12, 1e-14));
  CHECK(packed.value.allclose(sum(call.value), 1e-12, 1e-14));
  CHECK(packed.value.select(2, 1).count_nonzero().item<int64_t>() == 0);
}
