#include <deprov/json_schema.hpp>
#include "chains.hpp"

using namespace deprov;
using namespace deprov::test::evidence;
using deprov::evidence::CsvReader;

TEST_CASE("a record is the same after each of its forms, and fits its schema", "[evidence][R20]") {
  for (const auto& where : {scope(0), scope(3)}) {
    port::Sha256 previous{};
    for (const auto& row : chain(where, 1, 20)) {
      const deprov::evidence::Record record{row, previous};
      previous = row.hash;
      const auto line = deprov::evidence::Exporter::record_line(record);
      const auto value = boost::json::parse(line);
      CHECK(validate_json(deprov::evidence::record_schema(), value));
      const auto again = deprov::evidence::parse_record(value);
      REQUIRE(again);
      CHECK(deprov::evidence::Exporter::record_line(*again) == line);

      std::vector<std::vector<std::string>> rows;
      CsvReader reader;
      REQUIRE(reader.feed(deprov::evidence::to_csv(record) + "\r\n", rows));
      REQUIRE(rows.size() == 1);
      const auto cells = deprov::evidence::parse_record(rows.front());
      REQUIRE(cells);
      CHECK(deprov::evidence::Exporter::record_line(*cells) == line);
    }
  }
}

TEST_CASE("the canonical bytes can be made from a line by what the schema says", "[evidence][R20]") {
  const Export e({chain(scope(3), 1, 8)});
  const auto o = boost::json::parse(e.lines.at(9)).as_object();  // seq 8
  const auto unhex = [&](const char* name) {
    std::string out;
    const auto text = std::string(o.at(name).as_string());
    for (std::size_t i = 0; i < text.size(); i += 2)
      out.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
    return out;
  };
  const auto id = [&](const char* name) {
    if (o.at(name).is_null()) return std::string(16, '\0');
    std::string digits;
    for (const char c : o.at(name).as_string())
      if (c != '-') digits.push_back(c);
    std::string out;
    for (std::size_t i = 0; i < digits.size(); i += 2)
      out.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    return out;
  };
  const auto number = [](std::uint64_t v) {
    std::string out;
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>((v >> shift) & 0xFFU));
    return out;
  };
  const auto text = [&](const char* name) {
    const std::string t(o.at(name).as_string());
    return number(t.size()) + t;
  };
  const auto sha = [](const std::string& bytes) {
    const auto h = digests().sha256(port::bytes_of(bytes));
    return deprov::evidence::to_hex({h.data(), h.size()});
  };
  const std::string detail(o.at("detail").as_string());
  CHECK(sha("deprov.detail/1" + unhex("salt") + detail) == o.at("detail_hash").as_string());
  const auto bytes = "deprov.activity/1" + unhex("previous") + id("workspace") + id("integration") +
                     number(static_cast<std::uint64_t>(o.at("seq").as_int64())) +
                     number(std::stoull(std::string(o.at("at_us").as_string()))) + text("event") + text("actor") +
                     id("subject") + id("job") + unhex("detail_hash");
  CHECK(sha(bytes) == o.at("hash").as_string());
}

TEST_CASE("CSV is read the same in pieces of any size", "[evidence]") {
  const std::string text = "a,\"b \"\"c\"\", d\",\"two\r\nlines\"\r\n,,\nlast,\"\",x";
  const std::vector<std::vector<std::string>> expected{
      {"a", "b \"c\", d", "two\r\nlines"}, {"", "", ""}, {"last", "", "x"}};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    CsvReader reader;
    std::vector<std::vector<std::string>> rows;
    for (std::size_t at = 0; at < text.size(); at += piece)
      REQUIRE(reader.feed(std::string_view(text).substr(at, piece), rows));
    reader.finish(rows);
    CHECK(rows == expected);
  }
}

TEST_CASE("a row of CSV without an end is refused at its bound", "[evidence]") {
  CsvReader reader;
  std::vector<std::vector<std::string>> rows;
  const std::string much(CsvReader::max_row, 'x');
  REQUIRE(reader.feed(much, rows));
  const auto more = reader.feed("x", rows);
  REQUIRE_FALSE(more);
  CHECK(more.error().code() == Errc::limit_exceeded);
  CHECK(more.error().detail().find(std::to_string(CsvReader::max_row)) != std::string::npos);
}

TEST_CASE("records through CSV are verified like lines", "[evidence][R20]") {
  const Export e({chain(scope(1), 1, 9), chain(scope(2), 4, 6)});
  const auto check = [&](std::vector<std::string> lines) {
    deprov::evidence::Verifier v(digests());
    v.expect(e.manifest);
    CsvReader reader;
    std::vector<std::vector<std::string>> rows;
    for (const auto& l : lines) REQUIRE(reader.feed(l + "\r\n", rows));
    for (const auto& row : rows) {
      auto record = deprov::evidence::parse_record(row);
      if (record) {
        v.record(*record);
      } else {
        v.unreadable(record.error().message());
      }
    }
    return problems(v.finish());
  };
  CHECK(check(e.csv).empty());
  auto edited = e.csv;
  edited[3].replace(edited[3].find("okta"), 4, "evil");
  CHECK(check(edited) == std::vector<std::string>{"edited 4"});
  auto removed = e.csv;
  removed.erase(removed.begin() + 4);
  CHECK(check(removed) == std::vector<std::string>{"removed 5"});
  auto cut = e.csv;
  cut.pop_back();
  CHECK(check(cut) == std::vector<std::string>{"truncated 6"});
}
