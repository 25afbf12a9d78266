// SPDX-License-Identifier: MIT
// LibTorch, where a test uses it, comes first (as its headers do in alphabetical order): both
// define CHECK, and a test means Catch2's. Nothing else includes Catch2.
//
// A guard and no #pragma once: that one goes by the file's time, which differs between clones that
// share a precompiled header through ccache.
#ifndef LAVO_TESTS_SUPPORT_CATCH_H
#define LAVO_TESTS_SUPPORT_CATCH_H
#undef CHECK
#undef CHECK_EQ
#undef CHECK_NE
#undef CHECK_LE
#undef CHECK_LT
#undef CHECK_GE
#undef CHECK_GT
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif
#endif
