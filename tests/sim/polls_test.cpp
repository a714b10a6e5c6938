// Polled sources in the simulator: one seed is a directory of people who come, go and are suspended, an API that
// fails in every way that is known of one, an engine that is killed in between, and an oracle that knows who was
// in the directory when. No truncated, repeated, empty or broken answer ever ends anybody's access (R6).
#include <deque>
#include <map>
#include <set>
#include "sim/rng.hpp"
#include "support/polled_world.hpp"

using namespace deprov;
using namespace std::chrono_literals;
namespace json = boost::json;
using test::Directory;
using test::Polled;

namespace {

/// What a mistake in the API, or in the feed that reads it, would be: a list that is cut off and says that it is
/// whole, and users who are there and are not found alone either.
enum class Planted { nothing, cut_off_and_denied };

struct Simulation {
  explicit Simulation(std::uint64_t seed, Planted planted)
      : rng(seed),
        w(population,
          {{"scim",
            {{"base_url", "https://idp.example.com/scim"},
             {"page_size", 5},
             {"paging", seed % 2 == 0 ? "index" : "cursor"},
             {"changes", seed % 3 == 0}}},
           {"poll", {{"floor_s", 60}, {"ceiling_s", 300}, {"complete_every_s", 1800}, {"max_pages", 40}}}},
          seed),
        planted_(planted) {
    w.run(1min);
    const auto fault = [this](const std::string& target, std::size_t nth) { return misbehave(target, nth); };
    w.directory.fault = fault;
  }

  static constexpr std::size_t population = 14;

  std::optional<port::HttpResult> misbehave(const std::string& target, std::size_t) {
    if (calm) return std::nullopt;
    if (planted_ != Planted::nothing) {
      if (target.find("/Users/") != std::string::npos) return Directory::answer(404, R"({"status":"404"})");
      if (rng.below(6) != 0) return std::nullopt;
      return Directory::answer(200, w.directory.page(0, 3, 3));
    }
    auto& d = w.directory;
    switch (rng.below(40)) {
      case 0: return Directory::answer(200, R"({"totalResults":0,"Resources":[]})");
      case 1: return Directory::answer(200, d.page(0, 5, {}, d.by_cursor ? "5" : ""));
      case 2: return Directory::answer(200, d.page(5, 5, {}, d.by_cursor ? "5" : ""));
      case 3: return Directory::answer(200, d.page(0, 5).substr(0, 10 + rng.below(80)));
      case 4: return Directory::answer(200, "");
      case 5: return Directory::answer(410, R"({"status":"410"})");
      case 6: return Directory::answer(400, R"({"status":"400","scimType":"expiredCursor"})");
      case 7: return Directory::answer(429, "{}", {{"Retry-After", std::to_string(rng.below(400))}});
      case 8: return Directory::answer(429, "{}");
      case 9: return Directory::answer(503, "", {{"Retry-After", "20"}});
      case 10: return Directory::answer(500, "oops");
      case 11: return Directory::answer(401, "{}");
      case 12: return Directory::answer(200, "<html>maintenance</html>");
      case 13: return Directory::answer(404, "<html>not found</html>");
      case 14: return Directory::broken();
      case 15:
        if (d.by_cursor) return std::nullopt;  // by cursor this would be the whole of it, and nobody could tell
        return Directory::answer(200, d.page(0, 5, d.users.size() + 1));
      case 16:  // cut off, and counted as if it were whole: found by asking for who is missing
      case 17:
        if (target.find("/Users/") != std::string::npos) return std::nullopt;
        return Directory::answer(200, d.page(0, 9, 9));
      default: return std::nullopt;
    }
  }

  /// Somebody leaves, is suspended, or comes back.
  void live() {
    auto& users = w.directory.users;
    const auto who = "ext-u" + std::to_string(rng.below(population));
    const auto at = std::find_if(users.begin(), users.end(), [&](const auto& u) { return u.id == who; });
    if (at == users.end()) {
      users.push_back({who});
    } else if (rng.below(2) == 0) {
      users.erase(at);
      ever_out.insert(who);
    } else {
      at->active = !at->active;
      if (!at->active) ever_out.insert(who);
    }
  }

  bool listed(std::size_t i) const {
    for (const auto& u : w.directory.users)
      if (u.id == "ext-u" + std::to_string(i)) return u.active;
    return false;
  }

  /// Who never was out of the directory was never out of the app.
  std::string judge() {
    for (const auto& entry : w.app->log) {
      if (entry.rfind("disable au", 0) != 0) continue;
      if (!ever_out.contains("ext-u" + entry.substr(10))) return entry + ", who was in the directory all the time";
    }
    return {};
  }

  /// Nothing: no oracle found anything.
  std::string play() {
    for (int turn = 0; turn < 40; ++turn) {
      if (rng.below(3) == 0) live();
      if (rng.below(6) == 0) {
        const auto steps = rng.below(300);
        for (std::uint64_t i = 0; i < steps && w.executor->run_one(); ++i) {
        }
        w.restart();
      }
      w.run(std::chrono::seconds(30 + static_cast<std::int64_t>(rng.below(600))));
      if (auto found = judge(); !found.empty()) return found;
    }
    calm = true;
    w.run(12h);
    if (auto found = judge(); !found.empty()) return found;
    for (std::size_t i = 0; i < population; ++i) {
      // Who came back after the guard had held them, say, waits for a person; nobody who is out is in.
      if (!listed(i) && w.app_active(i) && ever_out.contains("ext-u" + std::to_string(i)) && !held())
        return "u" + std::to_string(i) + " is out of the directory, and in the app";
      if (listed(i) && !w.app_active(i) && !held())
        return "u" + std::to_string(i) + " is in the directory, and out of the app";
    }
    if (!held() && w.row().failing_since.micros != 0) return "the source still fails: " + w.row().failure;
    return {};
  }
  bool held() {
    bool any = false;
    w.read([&](port::Reader& r) { any = r.open_hold(w.c->row.scope).value().has_value(); });
    return any;
  }

  test::sim::Rng rng;
  Polled w;
  Planted planted_;
  bool calm = false;
  std::set<std::string> ever_out;
};

}  // namespace

TEST_CASE("no answer that is not whole ever ends anybody's access, whatever happens around it",
          "[sim][polls][R6]") {
  std::size_t ends = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    Simulation s(seed, Planted::nothing);
    const auto found = s.play();
    CHECK(found.empty());
    if (!found.empty()) WARN(found);
    ends += s.w.disables();
  }
  CHECK(ends > 40);  // it is not for want of leavers that nothing was found
}

TEST_CASE("a list that is cut off, of people who are denied when asked for alone, is found by the oracle",
          "[sim][polls]") {
  std::size_t found = 0;
  for (std::uint64_t seed = 2; seed <= 12; seed += 2) {
    Simulation s(seed, Planted::cut_off_and_denied);
    if (!s.play().empty()) ++found;
  }
  CHECK(found > 0);
}
