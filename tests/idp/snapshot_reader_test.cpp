#include <deprov/idp/snapshot_reader.hpp>
#include <string>
#include <vector>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::idp;

namespace {

struct Outcome {
  std::vector<std::string> users;  ///< id|externalId|userName|email|active
  std::optional<Error> error;
  std::optional<std::uint64_t> counted;
};

Outcome read_cut(SnapshotFormat format, const SnapshotMapping& mapping, std::string_view bytes, std::size_t cut,
                 std::optional<std::uint64_t> count, SnapshotReaderLimits limits) {
  Outcome out;
  auto reader = make_snapshot_reader(format, mapping, limits, [&](const SnapshotUser& u) -> Result<void> {
    std::string line(u.id);
    for (const auto text : {u.external_id, u.user_name, u.email}) line.append("|").append(text);
    out.users.push_back(line + (u.active ? "|in" : "|out"));
    return {};
  });
  REQUIRE(reader.has_value());
  for (std::size_t i = 0; i < bytes.size() && !out.error; i += cut) {
    // A copy of its own, so that reading past the end of a piece is found.
    const std::vector<char> piece(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), i + cut)));
    if (auto r = (*reader)->feed({piece.data(), piece.size()}); !r) out.error = r.error();
  }
  const auto end = (*reader)->end(count);
  if (out.error) {
    CHECK(end.error().message() == out.error->message());
  } else if (!end) {
    out.error = end.error();
  } else {
    out.counted = end->users();
  }
  CHECK((*reader)->records() >= out.users.size());
  return out;
}

/// However the bytes are cut, the outcome is the same.
Outcome read(SnapshotFormat format, const SnapshotMapping& mapping, std::string_view bytes,
             std::optional<std::uint64_t> count = {}, SnapshotReaderLimits limits = {}) {
  const auto whole = read_cut(format, mapping, bytes, bytes.size() + 1, count, limits);
  for (const std::size_t cut : {1U, 2U, 3U, 7U, 64U}) {
    const auto pieces = read_cut(format, mapping, bytes, cut, count, limits);
    INFO("cut into " << cut);
    CHECK(pieces.users == whole.users);
    CHECK(pieces.error.has_value() == whole.error.has_value());
    if (pieces.error && whole.error) CHECK(pieces.error->message() == whole.error->message());
    CHECK(pieces.counted == whole.counted);
  }
  return whole;
}

SnapshotMapping mapping_of() {
  SnapshotMapping m;
  m.external_id = "ext";
  m.user_name = "login";
  m.email = "mail";
  m.active = "status";
  m.whole = true;
  return m;
}
using Users = std::vector<std::string>;

void refuses(const Outcome& o, Errc code, std::string_view text) {
  REQUIRE(o.error.has_value());
  CHECK(o.error->code() == code);
  INFO(o.error->message());
  CHECK(o.error->message().find(text) != std::string::npos);
}

}  // namespace

TEST_CASE("CSV: columns by name, quotes, both line ends, a byte order mark", "[idp][snapshot]") {
  const auto m = mapping_of();
  const auto csv = [&](std::string_view text) { return read(SnapshotFormat::csv, m, text); };
  CHECK(csv("\xEF\xBB\xBFlogin,id,other,status,ext,mail\r\n"
            "ann,1,x,active,e1,a@x\r\n"
            "\"b,\"\"ob\",2,\"two\nlines\",Inactive,,\r\n"
            "\r\n"
            "\"\",3,,,,\n")
            .users == Users{"1|e1|ann|a@x|in", "2||b,\"ob||out", "3||||in"});
  refuses(csv("id,login\n1,ann\n"), Errc::invalid_value, "there is no column \"ext\"");
  refuses(csv("id,ext,login,mail,status,id\n"), Errc::invalid_value, "\"id\" stands in it twice");
  const std::string header = "id,ext,login,mail,status\n";
  refuses(csv(header + "1,,ann,,true\n2,,bob,,maybe\n"), Errc::invalid_value, "record 2: \"status\" is \"maybe\"");
  refuses(csv(header + "1,,ann\n"), Errc::invalid_syntax, "record 1: it has 3 fields, the header has 5");
  refuses(csv(header + ",,ann,,true\n"), Errc::invalid_value, "record 1: its \"id\" is missing");
  refuses(csv(header + "1,,an\"n,,true\n"), Errc::invalid_syntax, "record 1: a quote stands within");
  refuses(csv(header + "1,,\"an\"n,,true\n"), Errc::invalid_syntax, "closing quote");
  refuses(csv(header + "1,,a\rn,,true\n"), Errc::invalid_syntax, "carriage return");
  refuses(csv(""), Errc::protocol, "no header line");
}

TEST_CASE("lists of lines show that they are whole, or make nobody absent", "[idp][snapshot][R6]") {
  SnapshotMapping m;
  const std::string csv = "id\n1\n2\n";
  const std::string lines = "{\"id\":1}\n{\"id\":2}\n";
  for (const auto& [format, text] : {std::pair{SnapshotFormat::csv, csv}, {SnapshotFormat::json_lines, lines}}) {
    const auto get = [&, f = format](const std::string& bytes, std::optional<std::uint64_t> count = {}) {
      return read(f, m, bytes, count);
    };
    m.end_marker.clear();
    m.whole = false;
    refuses(get(text), Errc::protocol, "nothing shows that this is the whole list");
    CHECK(get(text, 2).counted == 2U);
    m.whole = true;
    CHECK(!get(text).error);
    CHECK(get(text).users == Users{"1||||in", "2||||in"});
    refuses(get(text.substr(0, text.size() - 1)), Errc::protocol, "does not end in a line break");
    refuses(get(text.substr(0, text.size() - 1), 2), Errc::protocol, "does not end in a line break");
    m.whole = false;
    m.end_marker = "#end,of,list";
    refuses(get(text), Errc::protocol, "ends without the line \"#end,of,list\"");
    refuses(get(text, 2), Errc::protocol, "ends without the line");
    CHECK(!get(text + "#end,of,list\r\n").error);
    CHECK(!get(text + "#end,of,list\n\n").error);
    refuses(get(text + "#end,of,list"), Errc::protocol, "");
    CHECK(get(text + "#end,of\n").error);
    refuses(get(text + "#end,of,list\n" + text), Errc::protocol, "a record follows the end marker");
  }
  refuses(read(SnapshotFormat::csv, m, "id\n1\n\"2"), Errc::protocol, "within a quoted field");
}

TEST_CASE("JSON: the list at its path, values at theirs, everything else passed over", "[idp][snapshot]") {
  auto m = mapping_of();
  m.list = "data.users";
  m.email = "profile.mail";
  m.external_id = "/urn:x:2.0:User/a~1b";
  const auto get = [&](std::string_view text) { return read(SnapshotFormat::json, m, text); };
  CHECK(get(R"( {"id":"no","users":[{"id":"no"}],"data":{"n":1.5,"users":[
      {"id":"1","login":"a\u00e9\n","profile":{"mail":"m@x","deep":{"mail":"no","id":"no"}},"status":true,
       "urn:x:2.0:User":{"a/b":"E"},"list":[{"id":"no","login":"no"},[1,"x"]]},
      {"status":false,"id":18446744073709551615,"profile":{},"login":null},
      {"id":-7,"status":null,"profile":null,"x":1e3}],"id":"no"}} )")
            .users == Users{"1|E|a\u00e9\n|m@x|in", "18446744073709551615||||out", "-7||||in"});
  CHECK(!get(R"({"data":{"users":[]}})").error);
  refuses(get(R"({"data":{"users":{}}})"), Errc::invalid_value, "the list is no array");
  refuses(get(R"({"data":{"users":[{"id":1},2]}})"), Errc::invalid_value, "record 2: it is no object");
  refuses(get(R"({"data":{"users":[[]]}})"), Errc::invalid_value, "it is no object");
  refuses(get(R"({"data":{"users":[null]}})"), Errc::invalid_value, "it is no object");
  refuses(get(R"({"data":{"users":[{"id":[1]}]}})"), Errc::invalid_value, "\"id\" is neither");
  refuses(get(R"({"data":{"users":[{"id":1.5}]}})"), Errc::invalid_value, "\"id\" is neither");
  refuses(get(R"({"data":{"users":[{"id":{}}]}})"), Errc::invalid_value, "\"id\" is neither");
  refuses(get(R"({"data":{"users":[{"login":"x"}]}})"), Errc::invalid_value, "\"id\" is missing");
  refuses(get(R"({"data":{"users":[{"id":1,"status":true,"status":false}]}})"), Errc::invalid_syntax,
          "\"status\" stands in it twice");
  refuses(get(R"({"data":{"users":[{"id":1,"status":null,"status":false}]}})"), Errc::invalid_syntax, "twice");
  refuses(get(R"({"data":{"users":[{"id":1}],"users":[]}})"), Errc::invalid_syntax, "in the document twice");
  refuses(get(R"({"data":{"users":[{"id":1]}})"), Errc::invalid_syntax, "record 1: it is no JSON");
  refuses(get(R"({"data":{"users":[{"id":1}]}}x)"), Errc::invalid_syntax, "it is no JSON");

  SECTION("the document itself is the list") {
    m.list.clear();
    CHECK(get("\xEF\xBB\xBF[{\"id\":\"1\"},{\"id\":\"2\"}]").users == Users{"1||||in", "2||||in"});
    refuses(get("{\"id\":1}"), Errc::invalid_value, "the list is no array");
    refuses(get("7"), Errc::invalid_value, "the list is no array");
  }
}

TEST_CASE("JSON that was cut off anywhere makes nobody absent", "[idp][snapshot][R6]") {
  const std::string text = R"({"totalResults":2,"Resources":[{"id":"1","active":true},{"id":"2"}],"x":"y"})";
  const auto m = scim_snapshot_mapping();
  CHECK(!read(SnapshotFormat::json, m, text).error);
  for (std::size_t n = 0; n < text.size(); ++n) {
    const auto o = read_cut(SnapshotFormat::json, m, std::string_view(text).substr(0, n), 5, {}, {});
    INFO(n);
    REQUIRE(o.error.has_value());
    REQUIRE(o.error->code() == Errc::protocol);
  }
  refuses(read(SnapshotFormat::json, m, R"({"totalResults":0})"), Errc::protocol,
          "there is no array at \"Resources\"");
}

TEST_CASE("JSON Lines: one object a line", "[idp][snapshot]") {
  const auto m = mapping_of();
  const auto get = [&](std::string_view text) { return read(SnapshotFormat::json_lines, m, text); };
  CHECK(get("{\"id\":1,\"login\":\"a\"}\r\n\n  {\"id\":2,\"x\":{\"id\":3}} \n").users ==
        Users{"1||a||in", "2||||in"});
  refuses(get("{\"id\":1}\n{\"id\":\n2}\n"), Errc::invalid_syntax, "record 2: the line ends before its JSON does");
  refuses(get("{\"id\":1} {\"id\":2}\n"), Errc::invalid_syntax, "it is no JSON");
  refuses(get("[{\"id\":1}]\n"), Errc::invalid_value, "it is no object");
  refuses(get("17\n"), Errc::invalid_value, "it is no object");
}

TEST_CASE("records and nesting are bounded, lists are not", "[idp][snapshot]") {
  const SnapshotReaderLimits limits{200, 5};
  SnapshotMapping m;
  m.whole = true;
  const std::string longer(300, 'x');
  std::string csv = "id\n", lines, json = "[";
  for (int i = 0; i < 200; ++i) {
    csv += std::to_string(i) + "\n";
    lines += "{\"id\":" + std::to_string(i) + "}\n";
    json += (i == 0 ? "{\"id\":" : ",{\"id\":") + std::to_string(i) + "}";
  }
  for (const auto& [format, good, bad] :
       {std::tuple{SnapshotFormat::csv, csv, csv + longer + "\n"},
        {SnapshotFormat::csv, csv, csv + "\"" + longer},
        {SnapshotFormat::json_lines, lines, lines + "{\"id\":\"" + longer + "\"}\n"},
        {SnapshotFormat::json_lines, lines, lines + "{\"id\":1,\"" + longer + "\":1}\n"},
        {SnapshotFormat::json, json + "]", json + ",{\"id\":1,\"a\":[" + std::string(200, '[')},
        {SnapshotFormat::json, json + "]", json + ",{\"x\":\"" + longer}}) {
    const auto ok = read(format, m, good, {}, limits);
    CHECK(!ok.error);
    CHECK(ok.users.size() == 200);
    const auto o = read(format, m, bad, {}, limits);
    REQUIRE(o.error.has_value());
    CHECK(o.users.size() == 200);
    CHECK(o.error->where() == "record 201");
  }
}

TEST_CASE("what the receiver of the users refuses ends the reading", "[idp][snapshot]") {
  SnapshotMapping m;
  m.whole = true;
  int got = 0;
  const auto reader = make_snapshot_reader(SnapshotFormat::json, m, {}, [&](const SnapshotUser&) -> Result<void> {
    if (++got == 2) return Error(Errc::limit_exceeded, "enough", "here");
    return {};
  });
  REQUIRE(reader.has_value());
  CHECK((*reader)->feed(R"([{"id":1},{"id":2},{"id":3}])").error().detail() == "enough");
  CHECK((*reader)->feed("]").error().detail() == "enough");
  CHECK((*reader)->end().error().detail() == "enough");
  CHECK(got == 2);
}

TEST_CASE("a mapping that cannot be read by is refused at once", "[idp][snapshot]") {
  const auto make = [](SnapshotFormat f, const SnapshotMapping& m) {
    const auto r = make_snapshot_reader(f, m, {}, [](const SnapshotUser&) { return Result<void>{}; });
    return r.has_value() ? Errc::ok : r.error().code();
  };
  for (const auto f : {SnapshotFormat::csv, SnapshotFormat::json, SnapshotFormat::json_lines}) {
    CHECK(make(f, {}) == Errc::ok);
    CHECK(parse_snapshot_format(to_string(f)) == f);
    SnapshotMapping m;
    m.id = "";
    CHECK(make(f, m) == Errc::invalid_argument);
    m = {};
    m.end_marker = "{}";
    CHECK(make(f, m) == Errc::invalid_argument);
  }
  SnapshotMapping m;
  m.list = "Resources";
  CHECK(make(SnapshotFormat::csv, m) == Errc::invalid_argument);
  CHECK(make(SnapshotFormat::json_lines, m) == Errc::invalid_argument);
  m.end_marker = "#end";
  CHECK(make(SnapshotFormat::json, m) == Errc::invalid_argument);
  m = {};
  m.delimiter = '"';
  CHECK(make(SnapshotFormat::csv, m) == Errc::invalid_argument);
  m = {};
  m.user_name = "name";
  m.email = "name.mail";
  CHECK(make(SnapshotFormat::json, m) == Errc::invalid_argument);
  CHECK(!parse_snapshot_format("xml"));
}
