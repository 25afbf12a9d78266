// SPDX-License-Identifier: MIT
#include "lavo/core/sha256.h"

#include "tests/support/catch.h"

using namespace lavo;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples") {
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a text in pieces has the digest of the whole, whatever its length") {
  for (size_t length = 0; length < 200; ++length) {
    const std::string text(length, 'x');
    for (const size_t cut : {size_t{1}, size_t{63}, size_t{64}, size_t{65}}) {
      Sha256 pieces;
      for (size_t begin = 0; begin < length; begin += cut) pieces.update(text.substr(begin, cut));
      REQUIRE(pieces.hex() == sha256(text));
    }
  }
}
