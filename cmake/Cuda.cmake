# SPDX-License-Identifier: MIT
# nvcc and our own kernels, which include no torch header and so compile in seconds.
set(architectures 80-real 90-real 100-real 100-virtual)
if(DEFINED ENV{LAVO_CUDA_ARCHITECTURES})
  set(architectures $ENV{LAVO_CUDA_ARCHITECTURES})
endif()
set(LAVO_CUDA_ARCHITECTURES ${architectures}
    CACHE STRING "GPU architectures of our kernels, as CUDA_ARCHITECTURES names them")
set(CMAKE_CUDA_ARCHITECTURES ${LAVO_CUDA_ARCHITECTURES})
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # the same one as LibTorch's
enable_language(CUDA)
add_subdirectory(lavo/kernels/cuda)
