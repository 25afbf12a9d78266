// SPDX-License-Identifier: MIT
#pragma once

namespace lavo {

/// How this program was built. Written by cmake/build_info.cmake at every build, into a source of
/// its own: a commit recompiles that one file.
struct BuildInfo {
  const char* version;
  const char* commit;  ///< "unknown" outside a git checkout
  bool dirty;          ///< tracked files differed from the commit
  const char* compiler;
  const char* flags;
  const char* type;  ///< Release, Debug ...
  const char* cuda;  ///< version of the toolkit; "" in a build for the CPU
};
extern const BuildInfo kBuildInfo;

}  // namespace lavo
