#include <algorithm>
#include <deprov/idp/grants.hpp>
#include <set>
#include <string>
#include <vector>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::idp;

namespace {

WallTime at(std::int64_t minute) { return {minute * 60'000'000}; }

Statement granted(std::string source, std::int64_t minute, std::string idp = "okta") {
  return {std::move(source), std::move(idp), Says::granted, Reach::own, Cause::none, at(minute), at(minute)};
}
Statement ended(std::string source, std::int64_t minute, Cause cause = Cause::deactivated,
                std::int64_t since = -1) {
  return {std::move(source), "okta", Says::ended, Reach::own, cause, at(minute), at(since < 0 ? minute : since)};
}
Statement absent(std::string source, std::int64_t minute, Reach reach = Reach::whole) {
  return {std::move(source), "okta", Says::absent, reach, Cause::unassigned, at(minute), at(minute)};
}
Statement hint(std::string source, std::int64_t minute) {
  return {std::move(source), "okta", Says::hint, Reach::own, Cause::suspended, at(minute), at(minute)};
}

using Names = std::vector<std::string>;
Verdict judge(const Grants& g, const std::set<std::string, std::less<>>& failing = {}) {
  return g.judge([&](std::string_view source) { return failing.count(source) != 0; });
}
Grants of(const std::vector<Statement>& statements) {
  Grants g;
  for (const auto& s : statements) (void)g.take(s);
  return g;
}
Names sources_of(const Verdict& v) {
  Names names;
  for (const auto& s : v.evidence) names.push_back(s.source);
  return names;
}

}  // namespace

TEST_CASE("nobody's word keeps things as they are", "[idp][grants][R16]") {
  CHECK(judge({}).access == Access::keep);
  CHECK(judge(of({hint("events", 1)})).access == Access::keep);
}

TEST_CASE("a subject has access as long as one grant stands", "[idp][grants][R1]") {
  CHECK(judge(of({granted("scim", 1)})).access == Access::granted);
  CHECK(judge(of({granted("group A", 1), absent("group B", 9, Reach::own)})).access == Access::granted);
  CHECK(judge(of({granted("scim", 1), ended("scim", 2)})).access == Access::ended);
  // Another IdP's end is not this one's.
  CHECK(judge(of({granted("scim", 1), granted("other", 1, "entra"), ended("scim", 2)})).access == Access::granted);
}

TEST_CASE("a list without a subject ends what it says it ends", "[idp][grants][R6]") {
  // The IdP never pushed the suspension; its full list of assignments shows it.
  CHECK(judge(of({granted("scim", 1), granted("list", 2), absent("list", 5)})).access == Access::ended);
  // What began to be read before the grant was pushed cannot know of it.
  CHECK(judge(of({granted("list", 2), granted("scim", 6), absent("list", 5)})).access == Access::granted);
  // A list of one group is no reason to end what another source grants.
  CHECK(judge(of({granted("scim", 1), granted("group", 2), absent("group", 5, Reach::own)})).access ==
        Access::granted);
  CHECK(judge(of({granted("group", 2), absent("group", 5, Reach::own)})).access == Access::ended);
}

TEST_CASE("an authoritative end ends the IdP's earlier grants, and only a read begun later restores them",
          "[idp][grants][R16]") {
  auto g = of({granted("scim", 1), granted("list", 3), ended("read", 5)});
  CHECK(judge(g).access == Access::ended);

  SECTION("not one that began before, whenever it is told") {
    CHECK(g.take(granted("list", 4)));
    CHECK(judge(g).access == Access::ended);
    CHECK(!g.take(granted("scim", 0)));
    CHECK(judge(g).access == Access::ended);
  }
  SECTION("not one of the same moment") {
    CHECK(!g.take(granted("read", 5)));
    CHECK(g.take(granted("list", 5)));
    CHECK(judge(g).access == Access::ended);
  }
  SECTION("one that began later") {
    CHECK(g.take(granted("list", 6)));
    CHECK(judge(g).access == Access::granted);
  }
  SECTION("not because the source that showed it says less now") {
    CHECK(!g.take(absent("read", 7, Reach::own)));
    CHECK(judge(g).access == Access::ended);
    CHECK(judge(g).cause == Cause::deactivated);
  }
  SECTION("not because its source fails now") {
    CHECK(judge(g, {"read", "scim", "list"}).access == Access::ended);
  }
}

TEST_CASE("a failing source freezes what is inferred from it, and implies nothing", "[idp][grants][R16]") {
  const auto left = of({granted("list", 2), absent("list", 5)});
  CHECK(judge(left).access == Access::ended);
  const auto frozen = judge(left, {"list"});
  CHECK(frozen.access == Access::keep);
  CHECK(frozen.frozen == Names{"list"});
  CHECK(frozen.evidence.empty());
  // It restores nobody either: what was done before it failed stays done.
  CHECK(judge(left, {"list"}).access != Access::granted);
  // Failing is no end of what it granted.
  CHECK(judge(of({granted("list", 2)}), {"list"}).access == Access::granted);
  // Somebody else's word counts all the same.
  CHECK(judge(of({granted("list", 2), absent("list", 5), ended("scim", 6)}), {"list"}).access == Access::ended);
  CHECK(judge(of({granted("list", 2), absent("list", 5), granted("scim", 6)}), {"list"}).access ==
        Access::granted);
  // A frozen end came after an older one: what the source had granted in between is not known any more.
  CHECK(judge(of({ended("scim", 3), granted("list", 4), absent("list", 5)}), {"list"}).access == Access::keep);
  CHECK(judge(of({granted("group A", 1), absent("group A", 4, Reach::own), absent("group B", 4, Reach::own)}),
              {"group B"})
            .access == Access::keep);
}

TEST_CASE("a hint wants a read, and is no effect by itself", "[idp][grants][R5]") {
  auto g = of({granted("okta", 3), hint("okta", 5)});
  CHECK(judge(g).access == Access::granted);
  CHECK(judge(g).reread == Names{"okta"});
  CHECK(g.take(granted("okta", 5)));  // begun at that moment: it may not have seen it
  CHECK(judge(g).reread == Names{"okta"});
  CHECK(g.take(hint("okta", 2)));  // an older one, late
  CHECK(judge(g).reread == Names{"okta"});
  CHECK(g.take(ended("okta", 6, Cause::suspended)));
  CHECK(judge(g).reread.empty());
  CHECK(judge(g).access == Access::ended);
  CHECK(judge(g).cause == Cause::suspended);
}

TEST_CASE("a leave that three sources see is one, with the first sign as its time", "[idp][grants][R20]") {
  auto g = of({granted("scim", 1), granted("list", 2), granted("read", 2)});
  CHECK(g.take(absent("list", 5)));
  CHECK(judge(g).cause == Cause::unassigned);
  CHECK(g.take(ended("read", 7, Cause::suspended, 4)));
  CHECK(g.take(ended("scim", 9, Cause::deactivated)));
  auto v = judge(g);
  CHECK(v.access == Access::ended);
  CHECK(v.cause == Cause::suspended);  // of what was said of the subject itself, the first
  CHECK(v.evidence_at == at(4));
  CHECK(sources_of(v) == Names{"read", "list", "scim"});
  // Said again, it is no later.
  CHECK(g.take(ended("read", 20, Cause::suspended)));
  CHECK(g.take(absent("list", 21)));
  CHECK(judge(g).evidence_at == at(4));
  CHECK(sources_of(judge(g)) == Names{"read", "list", "scim"});

  // The next leave has nothing to do with it.
  CHECK(g.take(granted("list", 30)));
  CHECK(judge(g).access == Access::granted);
  CHECK(g.take(absent("list", 40)));
  v = judge(g);
  CHECK(v.access == Access::ended);
  CHECK(v.cause == Cause::unassigned);
  CHECK(v.evidence_at == at(40));
  CHECK(sources_of(v) == Names{"list"});
}

TEST_CASE("taking a source away ends nothing and restores nothing", "[idp][grants][R8][R16]") {
  SECTION("what it alone had granted is kept, until another source shows an end") {
    auto g = of({granted("list", 2), absent("group", 3, Reach::own)});
    g.forget("list", false);
    CHECK(judge(g).access == Access::keep);
    CHECK(g.take(ended("scim", 4)));
    CHECK(judge(g).access == Access::ended);
  }
  SECTION("what it had ended stays so") {
    for (const auto& end : {ended("read", 5), absent("read", 5)}) {
      auto g = of({granted("scim", 1), end});
      g.forget("read", false);
      CHECK(judge(g).access == Access::ended);
      CHECK(g.take(granted("scim", 6)));
      CHECK(judge(g).access == Access::granted);
    }
  }
  SECTION("what was frozen does not thaw") {
    auto g = of({granted("scim", 1), absent("list", 5)});
    g.forget("list", true);
    CHECK(judge(g).access == Access::granted);
    auto alone = of({granted("list", 1), absent("list", 5)});
    alone.forget("list", true);
    CHECK(judge(alone).access == Access::keep);
  }
  SECTION("its hints go with it") {
    auto g = of({granted("scim", 1), hint("events", 5)});
    g.forget("events", false);
    CHECK(judge(g).reread.empty());
    g.forget("never there", false);
    CHECK(judge(g).access == Access::granted);
  }
}

TEST_CASE("in whatever order the sources are heard, and whoever fails", "[idp][grants][R5][R16]") {
  std::uint32_t dice = 3;
  const auto roll = [&](std::uint32_t n) {
    dice = dice * 1'664'525U + 1'013'904'223U;
    return static_cast<int>((dice >> 8U) % n);
  };
  const Names names = {"scim", "list", "read"};
  int access[3] = {0, 0, 0};
  int frozen = 0;
  for (int round = 0; round < 4'000; ++round) {
    std::vector<std::vector<Statement>> said(3);
    bool direct = false;
    for (std::size_t i = 0; i < 3; ++i)
      for (int minute = 1; minute < 8; minute += 1 + roll(5)) {
        switch (roll(4)) {
          case 0: said[i].push_back(granted(names[i], minute)); break;
          case 1:
            said[i].push_back(ended(names[i], minute));
            direct = true;
            break;
          case 2: said[i].push_back(absent(names[i], minute, roll(2) == 0 ? Reach::own : Reach::whole)); break;
          default: said[i].push_back(hint(names[i], minute)); break;
        }
      }
    Grants in_turn, mixed, without_hints;
    std::size_t next[3] = {0, 0, 0};
    for (std::size_t i = 0; i < 3; ++i)
      for (const auto& s : said[i]) {
        (void)in_turn.take(s);
        if (s.says != Says::hint) (void)without_hints.take(s);
      }
    while (next[0] < said[0].size() || next[1] < said[1].size() || next[2] < said[2].size()) {
      const auto i = static_cast<std::size_t>(roll(3));
      if (next[i] < said[i].size()) (void)mixed.take(said[i][next[i]++]);
    }
    const auto v = judge(in_turn);
    ++access[static_cast<int>(v.access)];
    CHECK(judge(mixed).access == v.access);
    CHECK(judge(mixed).evidence_at == v.evidence_at);
    CHECK(sources_of(judge(mixed)) == sources_of(v));
    CHECK(judge(without_hints).access == v.access);
    const std::set<std::string, std::less<>> all(names.begin(), names.end());
    if (v.access == Access::ended && judge(in_turn, all).access == Access::keep) ++frozen;
    // Failing makes nobody a leaver who was none, and where all fail, only what was read directly ends anything.
    if (v.access != Access::ended) CHECK(judge(in_turn, all).access != Access::ended);
    if (!direct) CHECK(judge(in_turn, all).access != Access::ended);
    if (v.access == Access::ended) CHECK((v.evidence.empty() || v.evidence_at == v.evidence.front().evidence_at));
    for (const auto& gone : names)
      for (const bool fails : {false, true}) {
        auto without = in_turn;
        const auto before = judge(
            in_turn, fails ? std::set<std::string, std::less<>>{gone} : std::set<std::string, std::less<>>{});
        without.forget(gone, fails);
        if (before.access == Access::ended) CHECK(judge(without).access != Access::granted);
        if (before.access != Access::ended) CHECK(judge(without).access != Access::ended);
      }
  }
  for (const auto a : {Access::granted, Access::ended}) CHECK(access[static_cast<int>(a)] > 100);
  CHECK(frozen > 100);
}
