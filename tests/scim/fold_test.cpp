#include <deprov/scim/fold.hpp>
#include "catch.hpp"

using namespace deprov::scim;

TEST_CASE("text without case") {
  CHECK(fold("BJensen@Example.COM") == "bjensen@example.com");
  CHECK(fold("\xC3\x84\xC3\x96\xC3\x9C\xC3\x9F") == "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F");
  CHECK(fold("\xC5\x81ukasz") == "\xC5\x82ukasz");
  CHECK(fold("\xCE\x91\xCE\xA9") == "\xCE\xB1\xCF\x89");
  CHECK(fold("\xD0\x96\xD0\x81") == "\xD0\xB6\xD1\x91");
  CHECK(fold("\xE6\x97\xA5") == "\xE6\x97\xA5");
  CHECK(equal_folded("J\xC3\x9CRGEN", "j\xC3\xBCrgen"));
  CHECK_FALSE(equal_folded("a", "ab"));
  CHECK_FALSE(equal_folded("ab", "a"));
  CHECK(equal_folded("", ""));
}

TEST_CASE("folding twice is folding once, and equality is equality of folds") {
  for (unsigned c = 1; c < 0x2000; ++c) {
    std::string s;
    if (c < 0x80) {
      s.push_back(static_cast<char>(c));
    } else if (c < 0x800) {
      s.push_back(static_cast<char>(0xC0U | (c >> 6U)));
      s.push_back(static_cast<char>(0x80U | (c & 0x3FU)));
    } else {
      s.push_back(static_cast<char>(0xE0U | (c >> 12U)));
      s.push_back(static_cast<char>(0x80U | ((c >> 6U) & 0x3FU)));
      s.push_back(static_cast<char>(0x80U | (c & 0x3FU)));
    }
    const auto folded = fold(s);
    if (fold(folded) != folded) FAIL("code point " << c << " folds twice");
    if (!equal_folded(s, folded)) FAIL("code point " << c << " differs from its fold");
  }
}

TEST_CASE("invalid UTF-8 is kept as it is and equals only itself") {
  CHECK(fold("A\xFF\xC3") == "a\xFF\xC3");
  CHECK(equal_folded("A\xFF", "a\xFF"));
  CHECK_FALSE(equal_folded("\xFF", "\xC3\xBF"));
  CHECK_FALSE(equal_folded("\xC3\xBF", "\xFF"));
}
