// SPDX-License-Identifier: MIT
// A kernel and all that is asked of it, in one file cases/NAME_case.cpp, which every program finds:
// values and bits by the host and by a GPU, planted bugs under sanitizers, spills by nvcc.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lavo::cuda::test {

/// Runs kernels; what is wrong with what they give, in words, or nothing.
using Verdict = std::function<std::string()>;

/// Kernels for bugs to be planted in. `first` makes the first launches of `all`.
struct Planted {
  std::string name;
  Verdict first, all;
  bool only_right = false;  ///< too slow for every bug: right and without a report as it is
};

class KernelCase {
 public:
  explicit KernelCase(const char* name);  ///< enters it into cases(); NAME of its file
  virtual ~KernelCase() = default;
  const std::string& name() const { return name_; }

#ifdef LAVO_PLANTED_BUGS  // those programs have few instances
  virtual std::vector<Planted> planted() = 0;
#else
  /// Against float64, in several thread orders: report() for each, whether all are good.
  virtual bool values() = 0;
  /// Everything that a run gives: the order of threads decides on no bit of it.
  virtual std::vector<double> bits() = 0;
#endif

 private:
  std::string name_;
};

std::vector<KernelCase*>& cases();

/// In which order threads run from now on, see lavo/kernels/cuda/host/emulation.h; a GPU has its
/// own.
void set_order(unsigned order);

/// Prints one line; whether nothing is wrong.
bool report(const std::string& name, const char* what, unsigned order, const std::string& wrong);

}  // namespace lavo::cuda::test
