// SPDX-License-Identifier: MIT
// Memory that kernels see: the host's own under emulation, a GPU's when built with
// LAVO_TEST_ON_GPU.
#pragma once

#include <cstring>
#include <vector>

#ifdef LAVO_TEST_ON_GPU
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#endif

namespace lavo::cuda::test {

template <class T>
class DeviceVector {
 public:
#ifdef LAVO_TEST_ON_GPU
  explicit DeviceVector(const std::vector<T>& values) : size_(values.size()) {
    require(cudaMalloc(&data_, size_ * sizeof(T) + 1));
    require(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~DeviceVector() { cudaFree(data_); }
  DeviceVector(const DeviceVector&) = delete;
  DeviceVector& operator=(const DeviceVector&) = delete;
  T* data() { return static_cast<T*>(data_); }
  std::vector<T> host() const {
    std::vector<T> values(size_);
    require(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  static void require(cudaError_t error) {
    if (error == cudaSuccess) return;
    std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
    std::exit(1);
  }
  void* data_ = nullptr;
  std::size_t size_;
#else
  explicit DeviceVector(const std::vector<T>& values) : values_(values) {}
  T* data() { return values_.data(); }
  const std::vector<T>& host() const { return values_; }

 private:
  std::vector<T> values_;  // of its exact size, so that AddressSanitizer sees what lies beyond
#endif
};

}  // namespace lavo::cuda::test
