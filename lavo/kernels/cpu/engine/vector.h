// SPDX-License-Identifier: MIT
// Vectors of the instruction set that LAVO_ISA names, and arithmetic on them.
#pragma once

#ifndef LAVO_ISA
#error "kernels are compiled through lavo_add_kernels()"
#endif

#include <stdint.h>

#include <utility>  // integer_sequence, a type: nothing of it that linkers share is called

#if defined(__F16C__)
#include <immintrin.h>
#endif

#define LAVO_INLINE [[gnu::always_inline]] inline

namespace lavo::cpu::LAVO_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class T, int kBytes = kVectorBytes>
struct VectorType {
  typedef T type __attribute__((vector_size(kBytes)));
};
template <class T>
using Vector = typename VectorType<T>::type;

template <class T>
inline constexpr int kLanes = kVectorBytes / int{sizeof(T)};

/// 16-bit storage. bfloat16 is the upper half of a float; float16 is what the hardware calls half.
/// Both by their bits: not every compiler has _Float16 for every machine.
struct BFloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};

/// float for 16-bit storage, the type itself otherwise.
template <class S>
struct ComputeType {
  using type = float;
};
template <>
struct ComputeType<double> {
  using type = double;
};
template <class S>
using Compute = typename ComputeType<S>::type;

template <class T>
LAVO_INLINE Vector<T> broadcast(T x) {
  return Vector<T>{} + x;
}

template <class To, class From>
LAVO_INLINE To bits_of(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To y;
  __builtin_memcpy(&y, &x, sizeof(y));
  return y;
}

// ---- memory: any alignment, storage type on one side, compute type on the other ----

template <class V>
LAVO_INLINE V load_bits(const void* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

LAVO_INLINE Vector<float> load(const float* p) { return load_bits<Vector<float>>(p); }
LAVO_INLINE Vector<double> load(const double* p) { return load_bits<Vector<double>>(p); }
LAVO_INLINE void store(float* p, Vector<float> v) { __builtin_memcpy(p, &v, sizeof(v)); }
LAVO_INLINE void store(double* p, Vector<double> v) { __builtin_memcpy(p, &v, sizeof(v)); }

using HalfWidth = VectorType<uint16_t, kVectorBytes / 2>::type;  // as many lanes as floats

LAVO_INLINE Vector<float> load(const BFloat16* p) {
  const auto half = load_bits<HalfWidth>(p);
  return bits_of<Vector<float>>(__builtin_convertvector(half, Vector<uint32_t>) << 16);
}

LAVO_INLINE void store(BFloat16* p, Vector<float> v) {
  const auto bits = bits_of<Vector<uint32_t>>(v);
  const Vector<uint32_t> nearest_even = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Vector<uint32_t> not_a_number = broadcast<uint32_t>(0x7fc0);
  const HalfWidth half = __builtin_convertvector(v == v ? nearest_even : not_a_number, HalfWidth);
  __builtin_memcpy(p, &half, sizeof(half));
}

LAVO_INLINE Vector<float> load(const Float16* p) {
#if defined(__AVX512F__)
  // With a mask of ones: without one gcc 12 warns of what its own header leaves undefined.
  return _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
  const auto half = __builtin_convertvector(load_bits<HalfWidth>(p), Vector<uint32_t>);
  const Vector<uint32_t> magnitude = half & 0x7fff, shifted = magnitude << 13;
  // The exponent's bias is 112 more in a float; infinity and NaN keep an exponent of ones.
  const Vector<uint32_t> normal = shifted + (magnitude < 0x7c00 ? broadcast<uint32_t>(112u << 23)
                                                                : broadcast<uint32_t>(224u << 23));
  const auto subnormal = bits_of<Vector<uint32_t>>(
      __builtin_convertvector(bits_of<Vector<int32_t>>(magnitude), Vector<float>) * 0x1p-24f);
  return bits_of<Vector<float>>((magnitude < 0x400 ? subnormal : normal) | (half & 0x8000) << 16);
#endif
}

LAVO_INLINE void store(Float16* p, Vector<float> v) {
#if defined(__AVX512F__)
  const __m256i half =
      _mm512_maskz_cvtps_ph(0xffff, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), half);
#elif defined(__F16C__)
  const __m128i half = _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), half);
#else
  const auto bits = bits_of<Vector<uint32_t>>(v);
  const Vector<uint32_t> magnitude = bits & 0x7fffffff;
  const Vector<uint32_t> normal =
      (magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  // Added to 1/2, whose last digit is the smallest subnormal half, a float is rounded as one.
  const auto subnormal =
      bits_of<Vector<uint32_t>>(bits_of<Vector<float>>(magnitude) + 0.5f) - 0x3f000000u;
  const Vector<uint32_t> infinite =
      magnitude > 0x7f800000 ? broadcast<uint32_t>(0x7e00) : broadcast<uint32_t>(0x7c00);
  const Vector<uint32_t> finite = magnitude < 0x38800000 ? subnormal : normal;
  const HalfWidth half = __builtin_convertvector(
      (magnitude < 0x47800000 ? finite : infinite) | (bits & 0x80000000) >> 16, HalfWidth);
  __builtin_memcpy(p, &half, sizeof(half));
#endif
}

// ---- arithmetic ----

/// NaN in `b` is passed over.
template <class V>
LAVO_INLINE V larger(V a, V b) {
  return b > a ? b : a;
}

template <class T>
LAVO_INLINE auto lane_numbers() {
  using Index = decltype(Vector<T>{} < Vector<T>{});
  Index index{};
  for (int i = 0; i < kLanes<T>; ++i) index[i] = i;
  return index;
}

template <class T>
using LaneSequence = std::make_integer_sequence<int, kLanes<T>>;

// Exchanges are said to gcc in its own words: with clang's it makes one instruction of other
// products and sums around them, and last digits change.

/// Lanes a step apart, exchanged.
template <int kStep, class V, int... kLane>
LAVO_INLINE V exchange_lanes(V v, std::integer_sequence<int, kLane...>) {
#if defined(__clang__)
  return __builtin_shufflevector(v, v, (kLane ^ kStep)...);
#else
  return __builtin_shuffle(v, lane_numbers<decltype(v[0] + 0)>() ^ kStep);
#endif
}

/// `combine` over all lanes, in every lane.
template <int kStep, class V, class Combine>
LAVO_INLINE V reduce_lanes(V v, Combine combine) {
  using T = decltype(v[0] + 0);
  v = combine(v, exchange_lanes<kStep>(v, LaneSequence<T>()));
  if constexpr (kStep > 1) v = reduce_lanes<kStep / 2>(v, combine);
  return v;
}

template <class T>
LAVO_INLINE T sum_of_lanes(Vector<T> v) {
  return reduce_lanes<kLanes<T> / 2>(v, [](auto a, auto b) { return a + b; })[0];
}

template <class T>
LAVO_INLINE T largest_lane(Vector<T> v) {
  return reduce_lanes<kLanes<T> / 2>(v, [](auto a, auto b) { return larger(a, b); })[0];
}

template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  using Bits = uint32_t;  // what is added to the exponent of numbers out of range may overflow
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  static constexpr float kRound =
      12582912.f;  // 1.5 2^23: adding it leaves an integer in the mantissa
  static constexpr float kSmallest = -86.f;  // e^-86 is still a normal number
  static constexpr int kMantissa = 23, kTerms = 7;
};
template <>
struct ExpConstants<double> {
  using Bits = uint64_t;
  static constexpr double kLn2High = 6.93147180369123816490e-01;
  static constexpr double kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kRound = 6755399441055744.0;  // 1.5 2^52
  static constexpr double kSmallest = -707.0;
  static constexpr int kMantissa = 52, kTerms = 13;
};

template <class T>
constexpr T inverse_factorial(int k) {
  double product = 1;
  for (int i = 2; i <= k; ++i) product *= i;
  return T(1 / product);
}

/// e^x for x <= 0 (and up to about 80); 0 below kSmallest, NaN for NaN.
///
/// x = n ln 2 + f, |f| <= ln(2)/2; e^f by its Taylor series, whose first missing term is less than
/// 6e-9 (float) and 5e-18 (double); n is added to the exponent's bits.
template <class T>
LAVO_INLINE Vector<T> exp(Vector<T> x) {
  using C = ExpConstants<T>;
  using Bits = Vector<typename C::Bits>;
  const Vector<T> shifted = x * T(1.44269504088896340736) + C::kRound;
  const Vector<T> n = shifted - C::kRound;
  const Vector<T> f = (x - n * C::kLn2High) - n * C::kLn2Low;
  Vector<T> series = broadcast(inverse_factorial<T>(C::kTerms));
#pragma GCC unroll 16
  for (int k = C::kTerms - 1; k >= 0; --k) series = series * f + inverse_factorial<T>(k);
  const Bits scaled = bits_of<Bits>(series) + (bits_of<Bits>(shifted) << C::kMantissa);
  return x < C::kSmallest ? Vector<T>{} : bits_of<Vector<T>>(scaled);
}

/// Of two rows: the blocks of kStep lanes that stand right in one and left in the other, exchanged.
template <int kStep, class V, int... kLane>
LAVO_INLINE void exchange_blocks(V& a, V& b, std::integer_sequence<int, kLane...>) {
  constexpr int kCount = sizeof...(kLane);
#if defined(__clang__)
  const V first =
      __builtin_shufflevector(a, b, (kLane & kStep ? (kLane ^ kStep) + kCount : kLane)...);
  b = __builtin_shufflevector(a, b, (kLane & kStep ? kLane + kCount : kLane ^ kStep)...);
#else
  const auto lane = lane_numbers<decltype(a[0] + 0)>();
  const auto right = (lane & kStep) != 0;
  const V first = __builtin_shuffle(a, b, right ? (lane ^ kStep) + kCount : lane);
  b = __builtin_shuffle(a, b, right ? lane + kCount : lane ^ kStep);
#endif
  a = first;
}

/// rows[i][j] -> rows[j][i], by exchanging blocks of half, a quarter, ... of the side.
template <class T, int kStep = kLanes<T> / 2>
LAVO_INLINE void transpose(Vector<T> (&rows)[kLanes<T>]) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<T>; ++i) {
    if (i & kStep) continue;
    exchange_blocks<kStep>(rows[i], rows[i + kStep], LaneSequence<T>());
  }
  if constexpr (kStep > 1) transpose<T, kStep / 2>(rows);
}

}  // namespace lavo::cpu::LAVO_ISA
