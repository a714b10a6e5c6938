#include <deprov/idp/snapshot.hpp>
#include <map>
#include <string>
#include <vector>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::idp;

namespace {

FingerprintKey key_of(std::uint8_t first = 0) {
  FingerprintKey key;
  for (std::size_t i = 0; i < key.bytes.size(); ++i) key.bytes[i] = static_cast<std::uint8_t>(first + i);
  return key;
}
const FingerprintKey key = key_of();

std::string hex(const Fingerprint& f) {
  std::string out;
  for (const auto word : {f.high, f.low})
    for (unsigned i = 0; i < 8; ++i) {
      const auto byte = static_cast<unsigned>(word >> (8 * i)) & 0xffU;
      out += "0123456789abcdef"[byte >> 4U];
      out += "0123456789abcdef"[byte & 15U];
    }
  return out;
}

struct Person {
  std::string id;
  bool active = true;
  std::string login{};
};
SnapshotUser user_of(const Person& p) { return {p.id, {}, p.login, {}, p.active}; }

Result<CompleteSnapshot> read(const std::vector<Person>& people, const CompleteSnapshot* before = nullptr) {
  SnapshotReading reading(key, {}, before);
  for (const auto& p : people) DEPROV_CHECK(reading.add(user_of(p)));
  return std::move(reading).close(EndOfList::seen());
}

using Differences = std::map<std::string, Difference>;
/// By the ids of `known`, so that who left is named too.
Differences differences(const CompleteSnapshot& before, const CompleteSnapshot& after,
                        const std::vector<std::string>& known) {
  Differences found;
  const auto counts = compare(before, after, [&](Difference d, const UserPrint& u) {
    for (const auto& id : known)
      if (fingerprint(key, id) == u.id) found[id] = d;
  });
  REQUIRE(counts.has_value());
  return found;
}

std::string stored(const CompleteSnapshot& s) {
  std::string bytes;
  s.save([&](std::string_view piece) {
    CHECK(piece.size() <= 65'536);
    bytes += piece;
  });
  return bytes;
}
Result<CompleteSnapshot> load(std::string_view bytes, std::size_t cut, const FingerprintKey& with = key) {
  SnapshotLoader loader(with);
  for (std::size_t i = 0; i < bytes.size(); i += cut) DEPROV_CHECK(loader.feed(bytes.substr(i, cut)));
  return std::move(loader).finish();
}

}  // namespace

TEST_CASE("fingerprints are SipHash-2-4 with 128 bits", "[idp][snapshot]") {
  // The first vectors of the reference implementation, and of `openssl mac SIPHASH` for the others.
  CHECK(hex(fingerprint(key, "")) == "a3817f04ba25a8e66df67214c7550293");
  CHECK(hex(fingerprint(key, std::string_view("\x00", 1))) == "da87c1d86b99af44347659119b22fc45");
  CHECK(hex(fingerprint(key, "user@example.com")) == "c2347567188a54ca5a42ee7669bad79d");
  CHECK(hex(fingerprint(key, "00u1a2b3c4d5e6f7g8h9")) == "b4762d4979e4a81a2704492982914a0d");
  CHECK(fingerprint(key_of(1), "") != fingerprint(key, ""));
}

TEST_CASE("what changed between two complete lists is told by user", "[idp][snapshot][R6]") {
  const auto before =
      read({{"stays"}, {"ends"}, {"comes back", false}, {"renamed", true, "old"}, {"leaves"}, {"out", false}});
  REQUIRE(before);
  const std::vector<Person> now = {{"new"},        {"out", false},  {"renamed", true, "new"},
                                   {"comes back"}, {"ends", false}, {"stays"}};
  const std::vector<std::string> known = {"stays", "ends", "comes back", "renamed", "leaves", "new", "out"};
  const Differences expected = {{"ends", Difference::ended},
                                {"comes back", Difference::restored},
                                {"renamed", Difference::changed},
                                {"leaves", Difference::left},
                                {"new", Difference::appeared}};

  SECTION("while it is read, but for who left") {
    SnapshotReading reading(key, {}, &*before);
    Differences seen;
    for (const auto& p : now) {
      const auto d = reading.add(user_of(p));
      REQUIRE(d);
      if (*d != Difference::same) seen[p.id] = *d;
    }
    auto without_left = expected;
    without_left.erase("leaves");
    CHECK(seen == without_left);
    const auto after = std::move(reading).close(EndOfList::counted(6));
    REQUIRE(after);
    CHECK(differences(*before, *after, known) == expected);
    // The same as without a list before.
    const auto alone = read(now);
    REQUIRE(alone);
    CHECK(alone->users() == after->users());
  }
  SECTION("nothing changed") {
    const auto again =
        read({{"out", false}, {"leaves"}, {"renamed", true, "old"}, {"comes back", false}, {"ends"}, {"stays"}},
             &*before);
    REQUIRE(again);
    CHECK(compare(*before, *again).value() == SnapshotCounts{6, 0, 0, 0, 0, 0});
  }
  SECTION("a name that moves from one attribute to another is a change") {
    SnapshotReading first(key);
    REQUIRE(first.add({"a", "x", "", "", true}));
    const auto one = std::move(first).close(EndOfList::seen());
    SnapshotReading second(key, {}, &*one);
    CHECK(second.add({"a", "", "x", "", true}).value() == Difference::changed);
  }
}

TEST_CASE("a list that is not complete makes nobody absent", "[idp][snapshot][R6]") {
  const auto before = read({{"a"}, {"b"}, {"c"}});
  REQUIRE(before);
  SnapshotLimits limits;
  limits.max_users = 3;
  limits.max_pages = 2;
  SnapshotReading reading(key, limits, &*before);
  const auto refused = [&](Errc code, EndOfList end = EndOfList::seen()) {
    const auto r = std::move(reading).close(end);
    REQUIRE(!r);
    CHECK(r.error().code() == code);
    CHECK(!r.error().advice().empty());
  };

  SECTION("empty") { refused(Errc::protocol); }
  SECTION("the source counts more than it showed") {
    CHECK(reading.add({"a"}));
    refused(Errc::protocol, EndOfList::counted(3));
  }
  SECTION("the source counts fewer than it showed") {
    CHECK(reading.add({"a"}));
    CHECK(reading.add({"b"}));
    refused(Errc::protocol, EndOfList::counted(1));
  }
  SECTION("a page failed, whatever came after it") {
    CHECK(reading.add({"a"}));
    reading.fail(Error(Errc::unavailable, "503", "page 2", "later"));
    CHECK(!reading.add({"b"}));
    CHECK(!reading.begin_page("3"));
    refused(Errc::unavailable);
  }
  SECTION("the first failure is the one that is told") {
    reading.fail(Error(Errc::unavailable, "503", "page 2", "later"));
    reading.fail(Error(Errc::timeout, "none", "page 3", "later"));
    refused(Errc::unavailable);
  }
  SECTION("a page came twice") {
    CHECK(reading.begin_page("?after=1"));
    CHECK(reading.add({"a"}));
    CHECK(!reading.begin_page("?after=1"));
    refused(Errc::protocol);
  }
  SECTION("more pages than the bound") {
    CHECK(reading.begin_page("1"));
    CHECK(reading.begin_page("2"));
    CHECK(!reading.begin_page("3"));
    refused(Errc::limit_exceeded);
  }
  SECTION("more users than the bound") {
    for (const auto* id : {"a", "b", "c"}) CHECK(reading.add({id}));
    CHECK(!reading.add({"d"}));
    refused(Errc::limit_exceeded);
  }
  SECTION("somebody is listed twice who was there before") {
    CHECK(reading.add({"a"}));
    CHECK(!reading.add({"a"}));
    refused(Errc::protocol);
  }
  SECTION("somebody new is listed twice") {
    CHECK(reading.add({"new"}));
    CHECK(reading.add({"new"}));
    refused(Errc::protocol);
  }
  SECTION("somebody without id") {
    CHECK(!reading.add({""}));
    refused(Errc::protocol);
  }
  SECTION("a list that was read under another key") {
    SnapshotReading other(key_of(7), {}, &*before);
    CHECK(other.add({"a"}).error().code() == Errc::conflict);
    CHECK(std::move(other).close(EndOfList::seen()).error().code() == Errc::conflict);
    SnapshotReading alone(key_of(7));
    CHECK(alone.add({"a"}));
    const auto snapshot = std::move(alone).close(EndOfList::seen());
    CHECK(compare(*before, *snapshot).error().code() == Errc::conflict);
  }
}

TEST_CASE("an id with control characters is no id: the list is damaged", "[idp][snapshot][R6]") {
  const auto before = read({{"1"}, {"2"}}).value();
  for (const auto id : {std::string_view("1\0", 2), std::string_view("\0\0\0", 3), std::string_view("1\n"),
                        std::string_view("\t1"), std::string_view("1\x7f")}) {
    SnapshotReading list(key, {}, &before);
    REQUIRE(list.add({"2"}));
    const auto refused = list.add({id});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Errc::protocol);
    CHECK(refused.error().message().find("control characters") != std::string::npos);
    CHECK_FALSE(list.add({"1"}));
    CHECK_FALSE(std::move(list).close(EndOfList::seen()));
    SnapshotChanges changes(before);
    CHECK_FALSE(changes.add({id}));
    CHECK_FALSE(std::move(changes).close(EndOfList::seen()));
  }
  // Names of directories have spaces in them, and letters of all kinds.
  CHECK(read({{"CN=Ann Lee,OU=Caf\xc3\xa9"},
              {"Stra\xdf"
               "e"}})
            .has_value());
}

TEST_CASE("a snapshot is taken up again as it was stored, or not at all", "[idp][snapshot][R6]") {
  SnapshotReading reading(key);
  for (int i = 0; i < 9'000; ++i) {
    const auto id = "user" + std::to_string(i);
    REQUIRE(reading.add({id, {}, {}, {}, i % 3 != 0}));
  }
  const auto snapshot = std::move(reading).close(EndOfList::counted(9'000));
  REQUIRE(snapshot);
  for (int i = 0; i < 9'000; ++i) {
    const auto* found = snapshot->find(fingerprint(key, "user" + std::to_string(i)));
    REQUIRE(found != nullptr);
    REQUIRE(found->active() == (i % 3 != 0));
    REQUIRE(snapshot->find(fingerprint(key, "other" + std::to_string(i))) == nullptr);
  }
  CHECK(snapshot->find({0, 0}) == nullptr);
  CHECK(snapshot->find({~std::uint64_t{0}, ~std::uint64_t{0}}) == nullptr);

  const auto bytes = stored(*snapshot);
  CHECK(bytes.size() == 24 * 9'001);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{24}, std::size_t{1'000}, bytes.size()}) {
    const auto again = load(bytes, cut);
    REQUIRE(again);
    CHECK(again->users() == snapshot->users());
    CHECK(compare(*snapshot, *again).value().same == 9'000);
  }
  const auto is_corrupt = [&](std::string_view text, const FingerprintKey& with = key) {
    return load(text, 1'000, with).error().code() == Errc::store_corrupt;
  };
  CHECK(is_corrupt(""));
  CHECK(is_corrupt(std::string_view(bytes).substr(0, bytes.size() - 1)));
  CHECK(is_corrupt(std::string_view(bytes).substr(0, bytes.size() - 24)));
  CHECK(is_corrupt(std::string_view(bytes).substr(0, 24)));
  CHECK(is_corrupt(bytes + std::string(24, '\xff')));
  CHECK(is_corrupt(bytes + "x"));
  CHECK(is_corrupt(bytes, key_of(7)));
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{9}, std::size_t{17}, std::size_t{40}, bytes.size() - 1}) {
    auto altered = bytes;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    CHECK(is_corrupt(altered));
  }
}

TEST_CASE("lists that change little are followed for many rounds", "[idp][snapshot]") {
  std::map<std::string, Person> people;
  for (int i = 0; i < 400; ++i) people["u" + std::to_string(i)] = {"u" + std::to_string(i)};
  std::optional<CompleteSnapshot> last;
  std::uint32_t dice = 7;
  const auto roll = [&](std::uint32_t n) {
    dice = dice * 1'664'525U + 1'013'904'223U;
    return (dice >> 8U) % n;
  };
  for (int round = 0; round < 60; ++round) {
    SnapshotCounts expected;
    const auto was = people;
    if (last) {
      for (int i = 0; i < 12; ++i) {
        const auto id = "u" + std::to_string(roll(450));
        switch (roll(4)) {
          case 0: people.erase(id); break;
          case 1: people[id] = {id}; break;
          case 2: people[id] = {id, false}; break;
          default:
            people[id].id = id;
            people[id].login = std::to_string(round);
            break;
        }
      }
      for (const auto& [id, p] : people) {
        const auto old = was.find(id);
        if (old == was.end())
          ++expected.appeared;
        else if (old->second.active && !p.active)
          ++expected.ended;
        else if (!old->second.active && p.active)
          ++expected.restored;
        else if (old->second.login != p.login)
          ++expected.changed;
        else
          ++expected.same;
      }
      for (const auto& [id, p] : was) expected.left += people.count(id) == 0 ? 1 : 0;
    }
    SnapshotReading reading(key, {}, last ? &*last : nullptr);
    for (const auto& [id, p] : people) REQUIRE(reading.add(user_of(p)));
    auto now = std::move(reading).close(EndOfList::counted(people.size()));
    REQUIRE(now);
    REQUIRE(now->size() == people.size());
    if (last) {
      REQUIRE(compare(*last, *now).value() == expected);
    }
    last = std::move(*now);
  }
}

TEST_CASE("changes apply to a complete list, make nobody absent, and count once however often they come",
          "[idp][R6][R10]") {
  SnapshotReading reading(key);
  for (const char* id : {"a", "b", "c", "d"}) REQUIRE(reading.add({id, "", id}));
  const auto before = std::move(reading).close(EndOfList::seen()).value();

  SnapshotChanges changes(before);
  CHECK(changes.add({"b", "", "b", "", false, Cause::soft_deleted}).value() == Difference::ended);
  CHECK(changes.add({"b", "", "b", "", false, Cause::soft_deleted}).value() == Difference::ended);  // a replay
  CHECK(changes.add({"c", "", "other"}, false).value() == Difference::changed);
  CHECK(changes.add({"d", "", "d", "", false, Cause::suspended}).value() == Difference::ended);
  CHECK(changes.add({"d", "", "d2"}, false).value() == Difference::ended);  // says nothing of access
  CHECK(changes.add({"e", "", "e"}, false).value() == Difference::appeared);
  const auto after = std::move(changes).close(EndOfList::seen()).value();
  CHECK(after.size() == 5);
  const auto of = [&](const char* id) { return *after.find(fingerprint(key, id)); };
  CHECK(of("a").active());
  CHECK_FALSE(of("b").active());
  CHECK(of("b").cause() == Cause::soft_deleted);
  CHECK(of("c").active());
  CHECK(of("d").cause() == Cause::suspended);
  CHECK(of("e").active());
  const auto counts = compare(before, after).value();
  CHECK(counts == SnapshotCounts{1, 1, 2, 0, 1, 0});

  // The same twice is as once, and what is stored of it can be taken up again.
  SnapshotChanges again(after);
  CHECK(again.add({"b", "", "b", "", false, Cause::soft_deleted}).value() == Difference::same);
  CHECK(std::move(again).close(EndOfList::seen()).value().users() == after.users());
  SnapshotLoader loader(key);
  after.save([&](std::string_view bytes) { REQUIRE(loader.feed(bytes)); });
  CHECK(std::move(loader).finish().value().users() == after.users());

  SnapshotChanges none(before);
  CHECK(std::move(none).close(EndOfList::seen()).value().users() == before.users());
  SnapshotChanges page(before);
  REQUIRE(page.begin_page("1"));
  CHECK_FALSE(page.begin_page("1"));
  CHECK_FALSE(std::move(page).close(EndOfList::seen()));
  SnapshotChanges nameless(before);
  CHECK_FALSE(nameless.add({""}));
  CHECK_FALSE(std::move(nameless).close(EndOfList::seen()));
}

TEST_CASE("where users repeat, one row with access is access", "[idp][R6]") {
  SnapshotReading first(key, {}, nullptr, true);
  for (const auto& [id, active] : std::vector<std::pair<const char*, bool>>{
           {"a", true}, {"b", false}, {"a", false}, {"c", false}, {"c", true}, {"b", false}})
    REQUIRE(first.add({id, "", "", "", active}));
  const auto list = std::move(first).close(EndOfList::counted(6)).value();
  REQUIRE(list.size() == 3);
  const auto active = [&](const CompleteSnapshot& l, const char* id) {
    const auto* u = l.find(fingerprint(key, id));
    return u != nullptr && u->active();
  };
  CHECK(active(list, "a"));
  CHECK_FALSE(active(list, "b"));
  CHECK(active(list, "c"));
  SnapshotReading second(key, {}, &list, true);
  for (const auto& [id, on] :
       std::vector<std::pair<const char*, bool>>{{"a", true}, {"a", false}, {"b", true}, {"b", false}})
    REQUIRE(second.add({id, "", "", "", on}));
  const auto next = std::move(second).close(EndOfList::seen()).value();
  REQUIRE(next.size() == 2);
  CHECK(active(next, "a"));
  CHECK(active(next, "b"));
  const auto counts = compare(list, next).value();
  CHECK(counts.left == 1);
  CHECK(counts.restored == 1);
}
