// Each kind of tampering is planted, found, and named.
#include <algorithm>
#include "chains.hpp"

using namespace deprov;
using namespace deprov::test::evidence;
using deprov::evidence::Verifier;
using Found = std::vector<std::string>;

namespace {

/// The line with some of its text replaced, and all hashes of the record made right again.
std::string rehashed(const std::string& line, const std::string& from, const std::string& to) {
  auto record = *deprov::evidence::parse_record(boost::json::parse(line));
  auto& event = record.row.event;
  const auto at = event.find(from);
  REQUIRE(at != std::string::npos);
  event.replace(at, from.size(), to);
  record.row.hash = port::activity_hash(digests(), record.previous, record.row);
  return deprov::evidence::Exporter::record_line(record);
}

std::string replaced(std::string line, const std::string& from, const std::string& to) {
  const auto at = line.find(from);
  REQUIRE(at != std::string::npos);
  return line.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("an export as it was written holds, and tells what is gone by retention", "[evidence][R20]") {
  const Export e({chain(scope(0), 1, 7), chain(scope(1), 1, 12), chain(scope(2), 5, 9)});
  const auto report = verify(e.lines);
  CHECK(problems(report) == Found{});
  CHECK(report.holds());
  CHECK(report.chains == 3);
  CHECK(report.records == 24);
  CHECK(report.details_deleted == 4);  // 5; 5 and 10; 5
  CHECK(report.details == 20);
  CHECK(report.manifest_sha256 == manifest_hash(e.manifest, digests()));
}

TEST_CASE("an edited record is found, whatever was edited", "[evidence][R20]") {
  const std::vector<std::pair<std::string, std::string>> edits{
      {"removal.verified", "removal.failed"},
      {"idp:okta", "idp:entra"},
      {"deactivated", "reactivated"},
      {"\"at_us\":\"17", "\"at_us\":\"16"},
      {"\"at\":\"2023", "\"at\":\"2022"},
      {"\"type\":\"record\",", "\"type\":\"record\",\"extra\":1,"},
      {"\"type\":\"record\",\"canonical\"",
       "\"canonical\":\"deprov.activity/1\",\"type\":\"record\",\"canonical\""},
      {"\"seq\":4,", "\"seq\": 4,"},
      {"\"job\":\"", "\"job\":\"0"},
  };
  for (const auto& [from, to] : edits) {
    CAPTURE(from, to);
    Export e({chain(scope(1), 1, 9)});
    e.at(4) = replaced(e.at(4), from, to);
    CHECK(problems(verify(e.lines)) == Found{"edited 4"});
  }
}

TEST_CASE("an edited record whose own hash was made right is found by its neighbour", "[evidence][R20]") {
  Export e({chain(scope(1), 1, 9)});
  e.at(4) = rehashed(e.at(4), "verified", "failed");
  CHECK(problems(verify(e.lines)) == Found{"edited 4"});
  SECTION("the first") {
    Export other({chain(scope(1), 1, 9)});
    other.at(1) = rehashed(other.at(1), "requested", "rejected");
    CHECK(problems(verify(other.lines)) == Found{"edited 1"});
  }
  SECTION("the last, by the manifest") {
    Export other({chain(scope(1), 1, 8)});
    other.at(8) = rehashed(other.at(8), "verified", "failed");
    CHECK(problems(verify(other.lines)) == Found{"edited 8"});
  }
  SECTION("one that was chained to another") {
    Export other({chain(scope(1), 4, 8)});
    other.lines[2] = rehashed(other.lines[2], "verified", "failed");
    CHECK(problems(verify(other.lines)) == Found{"edited 4"});
  }
}

TEST_CASE("removed records are found: in the middle, at the beginning, at the end, all", "[evidence][R20]") {
  const Export whole({chain(scope(1), 1, 9)});
  const auto without = [&](std::uint64_t first, std::uint64_t last) {
    auto lines = whole.lines;
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                lines.begin() + static_cast<std::ptrdiff_t>(last) + 2);
    return problems(verify(lines));
  };
  CHECK(without(4, 4) == Found{"removed 4"});
  CHECK(without(3, 6) == Found{"removed 3-6"});
  CHECK(without(1, 2) == Found{"truncated 1-2"});
  CHECK(without(8, 9) == Found{"truncated 8-9"});
  CHECK(without(1, 9) == Found{"truncated 1-9"});
  auto cut = whole.lines;
  cut.resize(6);  // the file ends early: without the manifest
  CHECK(problems(verify(cut)) == Found{"truncated"});
}

TEST_CASE("inserted and reordered records are found", "[evidence][R20]") {
  SECTION("twice the same") {
    Export e({chain(scope(1), 1, 9)});
    e.lines.insert(e.lines.begin() + 6, e.at(4));
    CHECK(problems(verify(e.lines)) == Found{"inserted 4"});
  }
  SECTION("one more at the end") {
    Export e({chain(scope(1), 1, 9)});
    const Export longer({chain(scope(1), 1, 10)});
    e.lines.insert(e.lines.end() - 1, longer.lines.at(11));
    CHECK(problems(verify(e.lines)) == Found{"inserted 10"});
  }
  SECTION("of another chain") {
    Export e({chain(scope(1), 1, 9)});
    e.lines.insert(e.lines.begin() + 5, Export({chain(scope(2), 1, 4)}).at(4));
    CHECK(problems(verify(e.lines)) == Found{"inserted 4"});
  }
  SECTION("two that changed places") {
    Export e({chain(scope(1), 1, 9)});
    std::swap(e.at(5), e.at(6));
    CHECK(problems(verify(e.lines)) == Found{"reordered 5"});
  }
  SECTION("one that was moved to the end") {
    Export e({chain(scope(1), 1, 9)});
    std::rotate(e.lines.begin() + 4, e.lines.begin() + 5, e.lines.end() - 1);
    CHECK(problems(verify(e.lines)) == Found{"reordered 3"});
  }
}

TEST_CASE("the lines between the records are found missing, edited, repeated or moved", "[evidence][R20]") {
  Export e({chain(scope(0), 1, 3), chain(scope(1), 1, 4), chain(scope(2), 3, 6)});
  // 0 header, 1 chain, 2-4, 5 chain, 6-9, 10 chain, 11-14, 15 manifest
  const bool beside = GENERATE(false, true);  // the manifest in a file of its own, known from the beginning
  const auto found = [&] {
    Verifier v(digests());
    if (beside) v.expect(e.manifest);
    for (const auto& l : e.lines) v.line(l);
    return v.finish();
  };
  CAPTURE(beside);
  const auto drop = [&](std::ptrdiff_t at, std::ptrdiff_t n = 1) {
    e.lines.erase(e.lines.begin() + at, e.lines.begin() + at + n);
  };
  CHECK(problems(found()) == Found{});
  SECTION("the header") {
    drop(0);
    CHECK(problems(found()) == Found{"removed"});
  }
  SECTION("what the header says") {
    e.lines[0] = replaced(e.lines[0], "\"from\":null", "\"from\":\"2020-01-01T00:00:00Z\"");
    CHECK(problems(found()) == Found{"edited"});
  }
  SECTION("a chain's line") {
    for (const std::ptrdiff_t at : {1, 5, 10}) {
      auto whole = e.lines;
      drop(at);
      const auto report = found();
      CHECK(problems(report) == Found{"removed"});
      CHECK(report.problems.front().chain_name == "chain");
      e.lines = std::move(whole);
    }
  }
  SECTION("a chain's name or place") {
    e.lines[5] = replaced(e.lines[5], "\"name\":\"chain\"", "\"name\":\"chair\"");
    CHECK(problems(found()) == Found{"edited"});
  }
  SECTION("a chain's line twice") {
    e.lines.insert(e.lines.begin() + 8, e.lines[5]);
    CHECK(problems(found()) == Found{"inserted"});
  }
  SECTION("a chain's line behind its records") {
    std::rotate(e.lines.begin() + 5, e.lines.begin() + 6, e.lines.begin() + 10);
    CHECK(problems(found()) == Found{"reordered"});
  }
  SECTION("a whole chain, with its line") {
    drop(5, 5);
    CHECK(problems(found()) == Found{"truncated 1-4"});
  }
  SECTION("two chains that changed places") {
    std::rotate(e.lines.begin() + 1, e.lines.begin() + 5, e.lines.begin() + 10);
    CHECK(problems(found()) == Found{"reordered"});
  }
  SECTION("a record among those of another chain") {
    std::rotate(e.lines.begin() + 4, e.lines.begin() + 5, e.lines.begin() + 8);  // behind two of the next chain
    CHECK(problems(found()) == Found{"reordered 3"});
  }
  SECTION("the manifest's line") {
    drop(15);
    CHECK(problems(found()) == Found{"truncated"});
  }
  SECTION("the manifest's line, written otherwise") {
    e.lines.back() = replaced(e.lines.back(), "\"type\":", "\"type\": ");
    CHECK(problems(found()) == Found{"manifest"});
  }
}

TEST_CASE("a detail can be deleted by retention, and not by hand", "[evidence][R20]") {
  Export e({chain(scope(1), 1, 9)});
  auto record = *deprov::evidence::parse_record(boost::json::parse(e.at(4)));
  SECTION("both") {
    record.row.detail.reset();
    record.row.salt.reset();
    e.at(4) = deprov::evidence::Exporter::record_line(record);
    // The record's hashes hold without them; the manifest has counted.
    const auto report = verify(e.lines);
    CHECK(problems(report) == Found{"edited"});
    CHECK(report.details_deleted == 2);
  }
  SECTION("one of the two") {
    record.row.salt.reset();
    e.at(4) = deprov::evidence::Exporter::record_line(record);
    CHECK(problems(verify(e.lines)).front() == "edited 4");
  }
}

TEST_CASE("a manifest that was edited, and another one than was noted, are found", "[evidence][R20]") {
  Export e({chain(scope(1), 1, 9)});
  SECTION("edited") {
    auto& manifest = e.lines.back();
    manifest.replace(manifest.find("\"records\":9"), 11, "\"records\":8");
    CHECK(problems(verify(e.lines)).front() == "manifest");
  }
  SECTION("made anew, for a shorter chain") {
    const Export shorter({chain(scope(1), 1, 6)});
    CHECK(verify(shorter.lines).holds());
    Verifier v(digests());
    v.expect_manifest(manifest_hash(e.manifest, digests()));
    for (const auto& l : shorter.lines) v.line(l);
    CHECK(problems(v.finish()) == Found{"manifest"});
  }
  SECTION("against the heads of an earlier one") {
    const auto check = [&](const Export& now) {
      Verifier v(digests());
      v.expect_heads(e.manifest);
      for (const auto& l : now.lines) v.line(l);
      return problems(v.finish());
    };
    CHECK(check(Export({chain(scope(1), 1, 30)})) == Found{});
    CHECK(check(Export({chain(scope(1), 1, 6)})) == Found{"truncated 7-9"});
    auto other = chain(scope(1), 1, 30);
    port::Sha256 previous{};
    for (auto& row : other) {  // a whole chain made anew
      row.actor = "idp:entra";
      row.hash = port::activity_hash(digests(), previous, row);
      previous = row.hash;
    }
    CHECK(check(Export({other})) == Found{"edited 9"});
  }
  SECTION("something behind it") {
    e.lines.push_back(e.at(3));
    CHECK(problems(verify(e.lines)) == Found{"inserted"});
  }
}

TEST_CASE("lines that are no records are named, and bounded in number", "[evidence]") {
  Export e({chain(scope(1), 1, 3)});
  e.lines.insert(e.lines.begin() + 2, "{\"type\":");
  auto report = verify(e.lines);
  CHECK(problems(report) == Found{"unreadable"});
  CHECK(report.problems.front().line == 3);
  for (int i = 0; i < 2000; ++i) e.lines.insert(e.lines.begin() + 2, "[]");
  report = verify(e.lines);
  CHECK(report.problem_count == 2001);
  CHECK(report.problems.size() == Verifier::max_problems);
}
