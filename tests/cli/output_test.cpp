// What commands print, piece by piece.
#include "cli/output.hpp"
#include "catch.hpp"

using namespace deprov;

TEST_CASE("a text in XML stays one text, whatever is in it", "[cli]") {
  CHECK(cli::xml_escaped("") == "");
  CHECK(cli::xml_escaped("caf\xC3\xA9 1 + 1") == "caf\xC3\xA9 1 + 1");
  CHECK(cli::xml_escaped(R"(<a b='c' d="e">&amp;)") == "&lt;a b=&apos;c&apos; d=&quot;e&quot;&gt;&amp;amp;");
  CHECK(cli::xml_escaped(std::string_view("a\0b\x1B[31m\n\t\x1F", 11)) == "a b [31m   ");
  CHECK(cli::xml_escaped("\xFF<\xC3\"") == "\xEF\xBF\xBD&lt;\xEF\xBF\xBD&quot;");
  CHECK(cli::xml_escaped("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  CHECK(cli::xml_escaped("\xEF\xBF\xBE\xEF\xBF\xBF\xEF\xBF\xBD") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}
