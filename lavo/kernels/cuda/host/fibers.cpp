// SPDX-License-Identifier: MIT
// Built without sanitizers, so that they see the kernel and not the scheduler; what they must know
// goes through weak functions, which are there only in a program built with one.
#include "lavo/kernels/cuda/host/fibers.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>

extern "C" {
[[gnu::weak]] void __tsan_acquire(void*);
[[gnu::weak]] void __tsan_release(void*);
[[gnu::weak]] void __tsan_read_range(void*, std::size_t);
[[gnu::weak]] void __tsan_write_range(void*, std::size_t);
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void* __tsan_create_fiber(unsigned);
[[gnu::weak]] void __tsan_switch_to_fiber(void*, unsigned);
[[gnu::weak]] void* __asan_region_is_poisoned(void*, std::size_t);

// Saves what the ABI says a callee keeps, and goes on with another stack.
void emulation_switch(void** save, void* to);
asm(R"(.text
.globl emulation_switch
emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
}

namespace emulation {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;
constexpr unsigned kNoSynchronisation = 1;  // ThreadSanitizer: a switch orders nothing

struct Scheduler {
  Fiber main, *running = nullptr;
  std::vector<Fiber*> ring;
  std::size_t position = 0, idle = 0;
  const std::function<void()>* kernel = nullptr;
  char started = 0, ended = 0;
  std::vector<std::unique_ptr<char[]>> stacks;
  std::vector<void*> sanitizers;  ///< as many; they are expensive to make
  unsigned order = 0;
  Fault fault;
  std::vector<Met> met;  ///< of each launch
};
Scheduler scheduler;

void acquire(void* address) {
  if (__tsan_acquire) __tsan_acquire(address);
}

void release(void* address) {
  if (__tsan_release) __tsan_release(address);
}

void switch_to(Fiber& next) {
  Fiber& last = *scheduler.running;
  if (&last == &next) return;
  scheduler.running = &next;
  if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(next.sanitizer, kNoSynchronisation);
  emulation_switch(&last.stack_pointer, next.stack_pointer);
}

[[noreturn]] void report_deadlock() {
  std::fputs("emulation: deadlock, a barrier is not reached by all its threads\n", stderr);
  int lines = 0;
  for (const Fiber* fiber : scheduler.ring)
    if (!fiber->done && lines++ < 8)
      std::fprintf(stderr, "  block (%u, %u, %u), thread %d waits at %s\n", fiber->block->index.x,
                   fiber->block->index.y, fiber->block->index.z, fiber->index, fiber->place);
  std::_Exit(3);
}

bool go_on_with_next() {
  for (std::size_t i = 1; i <= scheduler.ring.size(); ++i) {
    const std::size_t next = (scheduler.position + i) % scheduler.ring.size();
    if (scheduler.ring[next]->done) continue;
    scheduler.position = next;
    switch_to(*scheduler.ring[next]);
    return true;
  }
  return false;
}

void wait(Barrier& barrier, int needed, const char* place, bool orders_memory) {
  const unsigned generation = barrier.generation;
  char* address = &barrier.synchronised[generation & 1];
  if (orders_memory) release(address);
  scheduler.running->place = place;
  if (++barrier.arrived >= needed) {
    barrier.arrived = 0;
    ++barrier.generation;
    scheduler.idle = 0;
  }
  while (barrier.generation == generation) {
    if (++scheduler.idle > 2 * scheduler.ring.size() + 8) report_deadlock();
    go_on_with_next();
  }
  if (orders_memory) acquire(address);
}

void thread_body() {
  acquire(&scheduler.started);
  (*scheduler.kernel)();
  release(&scheduler.ended);
  Fiber& me = *scheduler.running;
  Block& block = *me.block;
  if (!me.copies.empty()) fail("a thread ends before its asynchronous copies have arrived");
  me.done = true;
  me.met.shared_bytes = static_cast<int>(block.shared_bytes);
  if (me.met.barriers >= scheduler.met.back().barriers) scheduler.met.back() = me.met;
  --block.alive;
  scheduler.idle = 0;
  if (block.alive > 0 && block.barrier.arrived == block.alive) {  // threads that ended have arrived
    block.barrier.arrived = 0;
    ++block.barrier.generation;
  }
  if (!go_on_with_next()) switch_to(scheduler.main);
  std::abort();  // nobody goes on with a fiber that has ended
}

void prepare_stack(Fiber& fiber, char* stack) {
  auto top = reinterpret_cast<std::uintptr_t>(stack + kStackBytes) & ~std::uintptr_t{15};
  auto* slot = reinterpret_cast<void**>(top);
  *--slot = nullptr;  // the return address of thread_body, which never returns
  *--slot = reinterpret_cast<void*>(&thread_body);
  for (int saved = 0; saved < 6; ++saved) *--slot = nullptr;
  fiber.stack_pointer = slot;
}

void prepare(Block& block) {
  const unsigned threads = block.size.x * block.size.y * block.size.z;
  block.alive = static_cast<int>(threads);
  block.warps = std::vector<Warp>((threads + 31) / 32);
  block.fibers = std::vector<Fiber>(threads);
  if (block.shared_bytes > 0) {
    block.shared.reset(static_cast<unsigned char*>(std::malloc(block.shared_bytes)));
    std::memset(block.shared.get(), 0xFF, block.shared_bytes);
  }
  scheduler.ring.clear();
  while (scheduler.stacks.size() < threads) {
    scheduler.stacks.push_back(std::make_unique<char[]>(kStackBytes));
    scheduler.sanitizers.push_back(__tsan_create_fiber ? __tsan_create_fiber(0) : nullptr);
  }
  for (unsigned i = 0; i < threads; ++i) {
    Fiber& fiber = block.fibers[i];
    fiber.block = &block;
    fiber.index = static_cast<int>(i);
    fiber.thread = {i % block.size.x, i / block.size.x % block.size.y,
                    i / (block.size.x * block.size.y)};
    fiber.sanitizer = scheduler.sanitizers[i];
    prepare_stack(fiber, scheduler.stacks[i].get());
    scheduler.ring.push_back(&fiber);
  }
}

void run(Block& block) {
  prepare(block);
  std::mt19937 random(scheduler.order + block.index.x);
  if (scheduler.order == 1) std::reverse(scheduler.ring.begin(), scheduler.ring.end());
  if (scheduler.order > 1) std::shuffle(scheduler.ring.begin(), scheduler.ring.end(), random);
  if (__tsan_get_current_fiber) scheduler.main.sanitizer = __tsan_get_current_fiber();
  release(&scheduler.started);
  scheduler.running = &scheduler.main;
  scheduler.idle = scheduler.position = 0;
  switch_to(*scheduler.ring[0]);
  acquire(&scheduler.ended);
}

}  // namespace

void FreeMemory::operator()(unsigned char* memory) const { std::free(memory); }

Fiber& current() { return *scheduler.running; }
Warp& current_warp() {
  return current().block->warps[static_cast<std::size_t>(current().index) / 32];
}

void fail(const char* what) {
  std::fprintf(stderr, "emulation: %s, block (%u, %u, %u), thread %d\n", what,
               current().block->index.x, current().block->index.y, current().block->index.z,
               current().index);
  std::_Exit(3);
}

void announce(const void* memory, std::size_t bytes, bool write) {
  void* address = const_cast<void*>(memory);
  if (write && __tsan_write_range) __tsan_write_range(address, bytes);
  if (!write && __tsan_read_range) __tsan_read_range(address, bytes);
  if (__asan_region_is_poisoned && __asan_region_is_poisoned(address, bytes))
    fail("a matrix load or an asynchronous copy outside its memory");
}

uint3 thread_index() { return current().thread; }
uint3 block_index() { return current().block->index; }
dim3 block_size() { return current().block->size; }
dim3 grid_size() { return current().block->grid; }
unsigned char* shared_memory() { return current().block->shared.get(); }

void block_barrier() {
  if (is_planted(Fault::kNoBarrier, current().met.barriers)) return;
  wait(current().block->barrier, current().block->alive, "__syncthreads", true);
}

void warp_barrier() {
  if (is_planted(Fault::kNoWarpBarrier, current().met.warp_barriers)) return;
  wait(current_warp().barrier, 32, "__syncwarp", true);
}

void meet(const char* place) { wait(current_warp().barrier, 32, place, false); }

bool is_planted(Fault::Kind kind, int& met) {
  const Fault& fault = scheduler.fault;
  const int launch = static_cast<int>(scheduler.met.size()) - 1;
  return met++ == fault.index && fault.kind == kind && fault.launch == launch;
}

void plant(const Fault& fault) {
  scheduler.fault = fault;
  scheduler.met.clear();
}

const std::vector<Met>& met() { return scheduler.met; }

void set_thread_order(unsigned order) { scheduler.order = order; }

void launch(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& kernel) {
  scheduler.kernel = &kernel;
  scheduler.met.emplace_back();
  const Fault& fault = scheduler.fault;
  if (fault.kind == Fault::kLessMemory &&
      fault.launch == static_cast<int>(scheduler.met.size()) - 1)
    shared_bytes -= 16;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        Block one;
        one.index = {x, y, z};
        one.size = block;
        one.grid = grid;
        one.shared_bytes = shared_bytes;
        run(one);
      }
}

}  // namespace emulation
