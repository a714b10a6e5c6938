// Evidence is checked without its store: each kind of tampering is planted, found, and named (R20).
#include <vector>
#include "c_api.hpp"

using namespace deprov::test;

namespace {

using VerifierPtr = std::unique_ptr<deprov_verifier, Freer<deprov_verifier, deprov_verifier_free>>;

std::string exported(const World& world) {
  deprov_request r{};
  r.struct_size = sizeof r;
  r.as = DEPROV_AS_LOCAL;
  r.method = str("GET");
  r.target = str("/api/v1/evidence");
  r.workspace = str(world.workspace);
  deprov_response* response = nullptr;
  REQUIRE(deprov_engine_call(world.engine.get(), &r, &response, nullptr) == DEPROV_OK);
  const ResponsePtr owned(response);
  REQUIRE(deprov_response_is_streaming(response) == 1);
  std::string all;
  deprov_str piece{};
  while (deprov_response_read(response, 60'000, &piece, nullptr) == DEPROV_OK) all += text(piece);
  return all;
}

std::vector<std::string> lines_of(const std::string& all) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  for (auto end = all.find('\n'); end != std::string::npos; end = all.find('\n', at)) {
    lines.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const auto& line : lines) all += line + "\n";
  return all;
}

VerifierPtr verifier(std::string_view noted = {}, std::string_view earlier = {}) {
  const deprov_verifier_options o{sizeof o, str(noted), str(earlier)};
  deprov_verifier* made = nullptr;
  REQUIRE(deprov_verifier_new(&o, &made, nullptr) == DEPROV_OK);
  return VerifierPtr(made);
}

json::value verdict(deprov_verifier* v, const std::string& bytes, std::size_t piece = 1U << 20U) {
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    REQUIRE(deprov_verifier_feed(v, str(std::string_view(bytes).substr(at, piece)), nullptr) == DEPROV_OK);
  int32_t holds = -1;
  deprov_buffer* report = nullptr;
  REQUIRE(deprov_verifier_finish(v, &holds, &report, nullptr) == DEPROV_OK);
  const BufferPtr owned(report);
  auto found = json::parse(text(deprov_buffer_get(report)));
  CHECK(found.at("holds").as_bool() == (holds == 1));
  return found;
}

json::value verdict(const std::string& bytes) { return verdict(verifier().get(), bytes); }

/// "kind seq" of the first problem.
std::string first_problem(const json::value& found) {
  const auto& p = found.at("problems").as_array().at(0);
  return std::string(p.at("kind").as_string()) + " " + json::serialize(p.at("seq"));
}

/// The line of a record of the integration.
std::size_t line_of(const std::vector<std::string>& lines, const World& world, int seq) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto o = json::parse(lines[i]);
    if (o.at("type").as_string() == "record" && o.at("integration") == json::value(world.integration) &&
        o.at("seq").to_number<int>() == seq)
      return i;
  }
  FAIL("no record " << seq);
  return 0;
}

}  // namespace

TEST_CASE("evidence as it was exported holds, in pieces of any size [R20]", "[R20]") {
  const World world;
  world.deactivate(world.add_user("ann@example.com"));
  const auto all = exported(world);
  const auto whole = verdict(all);
  CHECK(whole.at("holds").as_bool());
  CHECK(whole.at("chains").to_number<int>() == 2);
  CHECK(whole.at("records").to_number<std::size_t>() + 4 == lines_of(all).size());  // header, two chains, manifest
  CHECK(verdict(verifier().get(), all, 7) == whole);
  const auto hash = std::string(whole.at("manifest_sha256").as_string());
  CHECK(verdict(verifier(hash).get(), all).at("holds").as_bool());
  CHECK(first_problem(verdict(verifier(std::string(64, 'a')).get(), all)) == "manifest null");
  // What was there once has to be there later, unchanged.
  const auto earlier = lines_of(all).back();
  world.add_user("bob@example.com");
  CHECK(verdict(verifier({}, earlier).get(), exported(world)).at("holds").as_bool());
  const World other;
  CHECK_FALSE(verdict(verifier({}, earlier).get(), exported(other)).at("holds").as_bool());
}

TEST_CASE("a record that is edited, removed, inserted or reordered is named [R20]", "[R20]") {
  const World world;
  world.add_user("ann@example.com");
  const auto lines = lines_of(exported(world));
  const auto at = line_of(lines, world, 2);
  auto bad = lines;
  SECTION("edited") {
    bad[at].replace(bad[at].find("connection.made"), 15, "connection.lost");
    CHECK(first_problem(verdict(joined(bad))) == "edited 2");
  }
  SECTION("removed") {
    bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(at));
    const auto found = verdict(joined(bad));
    CHECK(first_problem(found) == "removed 2");
    CHECK(found.at("problems").as_array().at(0).at("chain").as_string() == "Wiki");
    CHECK(found.at("problems").as_array().at(0).at("integration").as_string() == world.integration);
  }
  SECTION("inserted") {
    bad.insert(bad.begin() + static_cast<std::ptrdiff_t>(at), lines[at]);
    CHECK(first_problem(verdict(joined(bad))) == "inserted 2");
  }
  SECTION("reordered") {
    std::swap(bad[at], bad[at + 1]);
    CHECK(first_problem(verdict(joined(bad))) == "reordered 2");
  }
  SECTION("cut off") {
    bad.pop_back();
    CHECK(first_problem(verdict(joined(bad))).rfind("truncated", 0) == 0);
  }
  SECTION("no record at all") {
    bad[at] = std::string((16U << 20U) + 5, 'x');
    const auto found = verdict(joined(bad));
    CHECK_FALSE(found.at("holds").as_bool());
    CHECK(found.at("problems").as_array().at(0).at("kind").as_string() == "unreadable");
    CHECK(found.at("problems").as_array().at(0).at("line").to_number<std::size_t>() == at + 1);
  }
}

TEST_CASE("a verifier is used once, and refuses what it cannot hold an export against") {
  const auto v = verifier();
  CHECK(deprov_verifier_finish(v.get(), nullptr, nullptr, nullptr) == DEPROV_OK);
  CHECK(deprov_verifier_finish(v.get(), nullptr, nullptr, nullptr) == DEPROV_ERR_CLOSED);
  CHECK(deprov_verifier_feed(v.get(), str("{}"), nullptr) == DEPROV_ERR_CLOSED);
  deprov_verifier_options o{sizeof o, str("ab"), {}};
  deprov_verifier* made = nullptr;
  deprov_error* error = nullptr;
  const auto status = deprov_verifier_new(&o, &made, &error);
  CHECK(made == nullptr);
  CHECK(said(status, error).where.find("options.manifest_sha256") != std::string::npos);
  CHECK(status != DEPROV_OK);
  o.manifest_sha256 = {};
  o.earlier = str("{");
  CHECK(deprov_verifier_new(&o, &made, nullptr) == DEPROV_ERR_INVALID_SYNTAX);
  CHECK(deprov_verifier_new(nullptr, &made, nullptr) == DEPROV_OK);
  deprov_verifier_free(made);
  deprov_verifier_free(nullptr);
}
