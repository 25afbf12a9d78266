# SPDX-License-Identifier: MIT
# lavo::torch is LibTorch, whichever way it was found; everything else is a header or a plain library.
if(LAVO_CUDA)
  if(NOT DEFINED ENV{TORCH_CUDA_ARCH_LIST} AND NOT TORCH_CUDA_ARCH_LIST)
    # Torch's own list holds architectures that nvcc 13 refuses where no GPU is present to ask.
    set(TORCH_CUDA_ARCH_LIST "8.0;9.0;10.0+PTX")
  endif()
  find_package(Torch 2.11 REQUIRED)
  add_library(lavo_torch INTERFACE)
  target_link_libraries(lavo_torch INTERFACE ${TORCH_LIBRARIES})
  target_compile_definitions(lavo_torch INTERFACE LAVO_CUDA=1)
  add_library(lavo::torch ALIAS lavo_torch)
else()
  find_package(LibTorchCPU REQUIRED)
  add_library(lavo::torch ALIAS LibTorchCPU)
endif()

find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(tomlplusplus 3.3 REQUIRED)
find_package(benchmark 1.7 REQUIRED)
find_package(Threads REQUIRED)
