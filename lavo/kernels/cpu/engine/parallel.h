// SPDX-License-Identifier: MIT
#pragma once

#include <stdint.h>

namespace lavo::cpu {

/// A reference to something that is called with a range of jobs [begin, end).
class RangeFunction {
 public:
  template <class Body>
  explicit RangeFunction(const Body& body)
      : body_(&body), call_([](const void* object, int64_t begin, int64_t end) {
          (*static_cast<const Body*>(object))(begin, end);
        }) {}
  void operator()(int64_t begin, int64_t end) const { call_(body_, begin, end); }

 private:
  const void* body_;
  void (*call_)(const void*, int64_t, int64_t);
};

/// Calls the body with ranges that cover [0, count) once, on several threads or on one.
using ParallelFor = void (*)(int64_t count, RangeFunction body);

inline void serial_for(int64_t count, RangeFunction body) { body(0, count); }

}  // namespace lavo::cpu
