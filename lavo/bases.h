// SPDX-License-Identifier: MIT
// The rows on which LAVO projects: how they are drawn, and how they stay orthonormal while they are
// trained.
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

enum class BasesInit { kOrthogonal, kGaussian, kHadamard, kDct, kSphere };
inline const std::vector<std::string> kBasesInits = {"orthogonal", "gaussian", "hadamard", "dct",
                                                     "sphere"};

/// B (R, D) in float64, the same bits for a seed. When R > D, ceil(R / D) independent blocks are
/// stacked and cut to R rows.
///
///   orthogonal  rows of the Q of a Gaussian matrix, uniform over the rotations
///   gaussian    entries from N(0, 1 / D): the compression without orthogonality
///   hadamard    rows of the Sylvester matrix times random signs of the columns, over sqrt(D); D a
///               power of 2
///   dct         the R lowest frequencies of the orthonormal DCT-II; blocks after the first with
///               random signs of the columns
///   sphere      random unit vectors, each for itself
///
/// Throws OptionError where D does not suit. Source: arXiv:2312.11135, section 3.2 (orthogonal
/// bases); the others are controls.
Tensor make_bases(BasesInit init, int64_t rows, int64_t width, at::Generator& generator);

/// The nearest matrix in the sense of Gram and Schmidt whose blocks of D rows are orthonormal: Q of
/// the QR decomposition, its signs chosen so that an orthonormal matrix is left as it is. Takes and
/// gives (..., R, D); differentiable, so that a free matrix parametrises the Stiefel manifold.
Tensor orthonormal_blocks(const Tensor& free);

}  // namespace lavo
