# SPDX-License-Identifier: MIT
# LibTorch's CPU libraries from a wheel or a LibTorch archive, without TorchConfig: that one demands a CUDA
# toolkit as soon as the wheel was built with CUDA, even for code that never touches a GPU.
#
#   CMAKE_PREFIX_PATH   site-packages/torch, site-packages, torch/share/cmake (torch.utils.cmake_prefix_path),
#                       or an unpacked libtorch; as a CMake or an environment variable
#   LibTorchCPU         the imported target
file(TO_CMAKE_PATH "$ENV{CMAKE_PREFIX_PATH}" hints)
foreach(prefix IN LISTS CMAKE_PREFIX_PATH hints)
  list(APPEND hints ${prefix} ${prefix}/torch ${prefix}/../.. ${prefix}/../../..)
endforeach()
find_path(LibTorchCPU_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
          HINTS ${hints} PATH_SUFFIXES include)
find_library(LibTorchCPU_LIBRARY torch_cpu HINTS ${hints} PATH_SUFFIXES lib)
find_library(LibTorchCPU_C10_LIBRARY c10 HINTS ${hints} PATH_SUFFIXES lib)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorchCPU
  REQUIRED_VARS LibTorchCPU_LIBRARY LibTorchCPU_C10_LIBRARY LibTorchCPU_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "set CMAKE_PREFIX_PATH to a LibTorch 2.11, or run ./run_all.sh setup")

if(LibTorchCPU_FOUND AND NOT TARGET LibTorchCPU)
  file(GLOB headers ${LibTorchCPU_INCLUDE_DIR}/torch/headeronly/version.h
       ${LibTorchCPU_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h)
  set(numbers "")
  foreach(header IN LISTS headers)  # which of the two holds the numbers has changed over time
    file(STRINGS ${header} lines REGEX "define TORCH_VERSION_(MAJOR|MINOR) ")
    list(APPEND numbers ${lines})
  endforeach()
  if(NOT numbers MATCHES "MAJOR 2;.*MINOR 11$")
    message(FATAL_ERROR "LibTorch 2.11 wanted, ${LibTorchCPU_INCLUDE_DIR} says: ${numbers}")
  endif()
  get_filename_component(libdir ${LibTorchCPU_LIBRARY} DIRECTORY)
  add_library(LibTorchCPU INTERFACE IMPORTED)
  target_include_directories(LibTorchCPU SYSTEM INTERFACE
    ${LibTorchCPU_INCLUDE_DIR} ${LibTorchCPU_INCLUDE_DIR}/torch/csrc/api/include)
  # --no-as-needed: the operators register themselves; nothing else may name a symbol of torch_cpu.
  target_link_libraries(LibTorchCPU INTERFACE
    -Wl,--no-as-needed ${LibTorchCPU_LIBRARY} ${LibTorchCPU_C10_LIBRARY} -Wl,--as-needed)
  target_link_options(LibTorchCPU INTERFACE -Wl,-rpath,${libdir})
endif()
