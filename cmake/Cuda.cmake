# SPDX-License-Identifier: MIT
# nvcc and our own kernels, which include no torch header and so compile in seconds.
set(LAVO_CUDA_ARCHITECTURES 80-real 90-real 100-real 100-virtual
    CACHE STRING "GPU architectures of our kernels, as CUDA_ARCHITECTURES names them")
set(CMAKE_CUDA_ARCHITECTURES ${LAVO_CUDA_ARCHITECTURES})
enable_language(CUDA)
add_subdirectory(lavo/kernels/cuda)
