// SPDX-License-Identifier: MIT
// One source, three instruction sets, chosen at run time.
//
// lavo_add_kernels() compiles a kernel's source once for each of them, with LAVO_ISA set to the
// namespace that the code goes to: what is compiled for one can never be called on a machine
// without it. For the same reason kernels keep clear of the standard library's templates, whose
// instances the linker would share between them.
#pragma once

namespace lavo::cpu {

enum class Isa { kPortable, kAvx2, kAvx512 };

bool has_isa(Isa isa);  ///< this machine has it, and this build too

/// The best one that the machine has, or what was selected last.
Isa selected_isa();
/// For tests: what every later call runs on. The machine must have it.
void select_isa(Isa isa);

}  // namespace lavo::cpu

#if defined(__x86_64__)
#define LAVO_ON_X86(code) code
#else
#define LAVO_ON_X86(code)
#endif

/// Declares `void name(const Arguments&)` in each instruction set's namespace, and a function of
/// that name that calls the selected one.
#define LAVO_DECLARE_KERNEL(name, Arguments)                             \
  namespace portable {                                                   \
  void name(const Arguments&);                                           \
  }                                                                      \
  LAVO_ON_X86(                                                           \
      namespace avx2 { void name(const Arguments&); } namespace avx512 { \
        void name(const Arguments&);                                     \
      })                                                                 \
  inline void name(const Arguments& arguments) {                         \
    switch (selected_isa()) {                                            \
      LAVO_ON_X86(case Isa::kAvx512                                      \
                  : return avx512::name(arguments);                      \
                  case Isa::kAvx2                                        \
                  : return avx2::name(arguments);)                       \
      default:                                                           \
        return portable::name(arguments);                                \
    }                                                                    \
  }                                                                      \
  static_assert(true, "asks for a semicolon")
