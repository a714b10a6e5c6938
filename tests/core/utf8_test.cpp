#include <deprov/utf8.hpp>
#include "catch.hpp"

using namespace deprov;

TEST_CASE("bytes are UTF-8 as RFC 3629 has it, and what is not becomes so") {
  for (const std::string_view good : {"", "a", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEF\xBF\xBD",
                                      "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "z\xC3\xA4z"}) {
    CHECK(is_utf8(good));
    CHECK(to_utf8(good) == good);
  }
  for (const std::string_view bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2z", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xEF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "ok\xFE"}) {
    CHECK_FALSE(is_utf8(bad));
    CHECK(is_utf8(to_utf8(bad)));
  }
  CHECK(to_utf8("a\xFF\xC3\xA4\xC3") == "a\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD");
  CHECK(utf8_prefix("ab\xFF"
                    "c") == 2);
}
