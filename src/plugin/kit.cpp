#include "plugin/kit.hpp"
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <cstdio>
#include <deprov/json_schema.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>
#include "plugin/elf.hpp"
#include "plugin/host.hpp"
#include "plugin/kit_bench.hpp"
#include "plugin/library.hpp"

namespace deprov::plugin {

namespace {

using connector::Account;
using connector::Call;
using connector::Effect;
using connector::Match;
using connector::Operation;
using connector::Outcome;
using connector::Reply;
using namespace kit;  // NOLINT(google-build-using-namespace): the other half of this file

constexpr std::size_t most_pages = 100'000;
constexpr const char* nobody = "deprov-kit-no-such-account";

void expect(bool holds, const std::string& detail) {
  if (!holds) throw Failed{detail};
}

void expect_ok(const Reply& r, const std::string& what) {
  expect(r.outcome == Outcome::ok, what + " answered " + text_of(r) + ", and OK is due");
}

/// The one account that the fixture names.
Account account_of(Bench& b, const std::optional<Match>& match, const char* member) {
  b.need(Operation::find);
  if (!match) throw Skipped{std::string("needs \"") + member + "\" in the fixture", Verdict::Lacks::not_given};
  const auto r = b.find(*match);
  expect_ok(r, std::string("find of \"") + member + "\"");
  expect(r.accounts.size() == 1, std::string("find of \"") + member + "\" shows " +
                                     std::to_string(r.accounts.size()) + " accounts, and one is due");
  return r.accounts.front();
}

/// Reads until the account is as wanted, within the lag that the operation declares.
void verify_state(Bench& b, Operation change, const std::string& id, bool active) {
  if (!b.has(Operation::read)) return;
  const auto lag = b.describe().of(change).verification_lag;
  const Duration step = std::chrono::milliseconds(200);
  for (auto left = lag;; left -= step) {
    const auto r = b.ask(Operation::read, id);
    expect_ok(r, "read after " + std::string(to_string(change)));
    expect(r.accounts.size() == 1, "read shows no account");
    if (!r.accounts.front().active || *r.accounts.front().active == active) return;
    if (left <= Duration(0)) {
      throw Failed{std::string(to_string(change)) + " answered OK, and read shows the account still " +
                   (active ? "disabled" : "active")};
    }
    (void)runtime::Event().wait_for(step);
  }
}

void change_twice(Bench& b, Operation o, const std::string& id) {
  const auto name = std::string(to_string(o));
  const auto first = b.ask(o, id);
  expect_ok(first, name);
  expect(first.effect != Effect::none, name + " answered OK and says neither done nor already nor accepted");
  const auto second = b.ask(o, id);
  expect(second.outcome == Outcome::ok && second.effect != Effect::none,
         "a second " + name + " answered " + text_of(second) + "; twice is once: OK (already) is due");
}

/// Calls of every operation, none of which changes anything.
std::vector<Call> harmless(const Bench& b) {
  std::vector<Call> out;
  for (std::size_t i = 0; i < connector::operation_count; ++i) {
    Call c;
    c.operation = static_cast<Operation>(i);
    if (!b.has(c.operation) || c.operation == Operation::poll) continue;
    c.account_id =
        c.operation == Operation::check || c.operation == Operation::find || c.operation == Operation::list
            ? ""
            : nobody;
    c.match.user_name = nobody;
    c.entitlement = nobody;
    c.idempotency_key = "kit";
    c.timeout = call_time;
    out.push_back(std::move(c));
  }
  return out;
}

void cycle(Bench& b) {
  b.open();
  std::vector<std::shared_ptr<Bench::Waiting>> all;
  for (auto& call : harmless(b)) all.push_back(b.start(std::move(call)));
  for (const auto& w : all)
    if (!w->ended.wait_for(patience)) throw Failed{"a call came to no end"};
  b.close();
}

// ---- loading

void loads(Bench& b) { b.load(); }

void exports(Bench& b) {
  auto copy = SealedCopy::of(b.library());
  if (!copy) throw Failed{copy.error().message()};
  std::string more;
  for (const auto& symbol : exported_symbols(copy->bytes()))
    if (symbol != entry_name) more.append(more.empty() ? "" : ", ").append(symbol.substr(0, 200));
  expect(more.empty(), "the library exports more than its entry: " + more.substr(0, 600) +
                           "; compile with -fvisibility=hidden, and link with a version script");
}

// ---- contract

void opens(Bench& b) {
  for (int i = 0; i < 2; ++i) {
    b.close();
    b.open();
    if (!b.in_worker()) continue;
    // The process starts, and opens the connection, with the first call.
    auto calls = harmless(b);
    if (!calls.empty()) (void)b.ask(std::move(calls.front()));
  }
}

void completes(Bench& b) {
  b.open();
  std::vector<std::pair<Operation, std::shared_ptr<Bench::Waiting>>> all;
  for (auto& call : harmless(b)) {
    const auto o = call.operation;
    all.emplace_back(o, b.start(std::move(call)));
  }
  for (const auto& [o, waiting] : all) {
    const auto name = std::string(to_string(o));
    const auto r = b.wait(*waiting);
    expect(r.outcome != Outcome::unsupported, name + " is in the manifest, and answered " + text_of(r));
    expect(r.outcome != Outcome::internal, name + " answered " + text_of(r));
    if (connector::is_change(o)) {
      expect(r.outcome != Outcome::ok || r.effect != Effect::none,
             name + " answered OK, and does not say what it did");
    } else {
      expect(r.effect == Effect::none, name + " changes nothing, and answered " + text_of(r));
    }
    if (o == Operation::read)
      expect(r.outcome == Outcome::not_found, "read of an account that is not there answered " + text_of(r));
    if (o == Operation::find)
      expect(r.outcome == Outcome::not_found || (r.outcome == Outcome::ok && r.accounts.empty()),
             "find of somebody who is not there answered " + text_of(r) + " with " +
                 std::to_string(r.accounts.size()) + " accounts");
  }
}

void sees_accounts(Bench& b) {
  b.open();
  b.need(Operation::check);
  const auto r = b.ask(Operation::check);
  expect_ok(r, "check");
  if (!b.fixture().account) throw Skipped{"needs \"account\" in the fixture", Verdict::Lacks::not_given};
  expect(!r.accounts.empty(),
         "check shows no account, though there is one; \"no account found\" is believed only of "
         "a credential that can see accounts");
}

// ---- semantics

void finds_exactly(Bench& b) {
  b.open();
  const auto a = account_of(b, b.fixture().account, "account");
  if (b.has(Operation::read)) {
    const auto r = b.ask(Operation::read, a.id);
    expect_ok(r, "read of what find shows");
    expect(r.accounts.size() == 1 && r.accounts.front().id == a.id, "read shows another account than find");
    expect(r.effect == Effect::none, "read changes nothing, and answered " + text_of(r));
  }
  auto part = *b.fixture().account;
  const auto cut = [](std::string& s) {
    if (!s.empty()) s.pop_back();
  };
  cut(part.external_id);
  cut(part.user_name);
  for (auto& email : part.emails) cut(email);
  const auto r = b.find(part);
  const bool other = r.outcome == Outcome::not_found || std::none_of(r.accounts.begin(), r.accounts.end(),
                                                                     [&](const auto& x) { return x.id == a.id; });
  expect(other, "find shows the account for a name that is only a part of its own; a match has to be exact");
}

void disables(Bench& b) {
  b.open();
  b.need(Operation::disable);
  const auto a = account_of(b, b.fixture().account, "account");
  if (a.active && !*a.active && b.has(Operation::enable)) expect_ok(b.ask(Operation::enable, a.id), "enable");
  change_twice(b, Operation::disable, a.id);
  verify_state(b, Operation::disable, a.id, false);
  const auto r = b.find(*b.fixture().account);
  expect(r.outcome == Outcome::ok && r.accounts.size() == 1, "find does not show the account once it is disabled");
  if (b.has(Operation::enable)) (void)b.ask(Operation::enable, a.id);
}

void enables(Bench& b) {
  b.open();
  b.need(Operation::disable);
  b.need(Operation::enable);
  const auto a = account_of(b, b.fixture().account, "account");
  expect_ok(b.ask(Operation::disable, a.id), "disable");
  change_twice(b, Operation::enable, a.id);
  verify_state(b, Operation::enable, a.id, true);
}

void revokes(Bench& b) {
  b.open();
  b.need(Operation::revoke_sessions);
  change_twice(b, Operation::revoke_sessions, account_of(b, b.fixture().account, "account").id);
}

void lists(Bench& b) {
  b.open();
  b.need(Operation::list);
  std::set<std::string> ids;
  Call c;
  c.operation = Operation::list;
  c.page_size = 50;
  for (std::size_t page = 0;; ++page) {
    expect(page < most_pages, "the listing has more than 100,000 pages");
    const auto r = b.ask(c);
    expect_ok(r, "list");
    bool more = false;
    for (const auto& a : r.accounts) {
      expect(ids.insert(a.id).second, "the listing shows the account " + a.id + " twice");
      more = true;
    }
    if (r.next_cursor.empty()) break;
    expect(more || page == 0 || r.next_cursor != c.cursor, "the listing comes to no end");
    c.cursor = r.next_cursor;
  }
  if (!b.fixture().account) return;
  const auto a = account_of(b, b.fixture().account, "account");
  expect(ids.contains(a.id), "the listing does not show the account that find shows");
}

void removes(Bench& b) {
  b.open();
  b.need(Operation::remove);
  const auto a = account_of(b, b.fixture().removable, "removable");
  const auto first = b.ask(Operation::remove, a.id);
  expect_ok(first, "remove");
  expect(first.effect != Effect::none, "remove answered OK, and does not say what it did");
  if (b.has(Operation::list_entitlements)) {
    // An app that tells memberships apart from accounts may go on showing the account.
    const auto r = b.ask(Operation::list_entitlements, a.id);
    const bool none = r.outcome == Outcome::ok && !r.accounts.empty() && r.accounts.front().groups.empty();
    expect(r.outcome == Outcome::not_found || none,
           "remove answered OK, and list_entitlements does not show an account without memberships, but " +
               (r.outcome == Outcome::ok ? "others" : text_of(r)));
  } else if (b.has(Operation::read)) {
    const auto r = b.ask(Operation::read, a.id);
    expect(r.outcome == Outcome::not_found, "remove answered OK, and read still answers " + text_of(r));
  }
  const auto second = b.ask(Operation::remove, a.id);
  expect(second.outcome == Outcome::not_found || second.outcome == Outcome::ok,
         "a second remove answered " + text_of(second) + "; NOT_FOUND, or OK (already), is due");
}

// ---- faults

void is_cancelled(Bench& b) {
  b.open();
  std::vector<std::shared_ptr<Bench::Waiting>> all;
  for (auto& call : harmless(b)) {
    all.push_back(b.start(std::move(call), std::chrono::seconds(1)));
    b.app().cancel(all.back()->id);
  }
  for (const auto& waiting : all) (void)b.wait(*waiting);
}

void is_closed(Bench& b) {
  for (int i = 0; i < 3; ++i) {
    b.open();
    for (auto& call : harmless(b)) (void)b.start(std::move(call));
    b.close();
  }
}

// ---- hygiene and leaks

void is_silent(Bench& b) {
  const int memory = ::memfd_create("kit-output", MFD_CLOEXEC);
  if (memory < 0 || ::dup2(memory, STDOUT_FILENO) < 0 || ::dup2(memory, STDERR_FILENO) < 0)
    throw Skipped{"the output cannot be caught", Verdict::Lacks::not_here};
  cycle(b);
  (void)std::fflush(nullptr);
  struct stat s {};
  (void)::fstat(memory, &s);
  expect(s.st_size == 0, "it writes to standard output or error, which belong to the host; use the host's log");
}

void keeps_signals(Bench& b) {
  struct Before {
    struct sigaction action;
    bool known;
  };
  std::array<Before, 65> before{};
  for (int i = 1; i < 65; ++i)
    before[static_cast<std::size_t>(i)].known =
        ::sigaction(i, nullptr, &before[static_cast<std::size_t>(i)].action) == 0;
  cycle(b);
  for (int i = 1; i < 65; ++i) {
    const auto& was = before[static_cast<std::size_t>(i)];
    struct sigaction now {};
    if (!was.known || ::sigaction(i, nullptr, &now) != 0) continue;
    expect(now.sa_handler == was.action.sa_handler,
           "it changed what happens on signal " + std::to_string(i) + "; signals belong to the host");
  }
}

void keeps_secrets(Bench& b) {
  b.open();
  if (b.describe().secret_paths.empty())
    throw Skipped{"the manifest names no secrets", Verdict::Lacks::not_offered};
  std::vector<std::shared_ptr<Bench::Waiting>> all;
  for (auto& call : harmless(b)) all.push_back(b.start(std::move(call)));
  for (const auto& waiting : all) {
    const auto r = b.wait(*waiting);
    expect(r.detail.find("***") == std::string::npos, "a detail had a secret in it: " + r.detail);
  }
  expect(b.said().find("***") == std::string::npos, "the log had a secret in it");
}

std::size_t entries(const char* directory) {
  std::error_code ec;
  std::size_t n = 0;
  for (auto it = std::filesystem::directory_iterator(directory, ec);
       !ec && it != std::filesystem::directory_iterator(); it.increment(ec))
    ++n;
  return n;
}

constexpr std::size_t cycles = 20;

void keeps_count(Bench& b, const char* directory, const char* what) {
  for (int i = 0; i < 3; ++i) cycle(b);
  const auto before = entries(directory);
  for (std::size_t i = 0; i < cycles; ++i) cycle(b);
  const auto after = entries(directory);
  expect(after < before + cycles / 2, std::string(what) + " grew from " + std::to_string(before) + " to " +
                                          std::to_string(after) + " while it was opened and closed " +
                                          std::to_string(cycles) + " times");
}

void keeps_descriptors(Bench& b) { keeps_count(b, "/proc/self/fd", "the number of open files"); }
void keeps_threads(Bench& b) { keeps_count(b, "/proc/self/task", "the number of threads"); }

void frees_handles(Bench& b) {
  cycle(b);
  const auto left = live();
  const auto say = [](std::int64_t n, const char* what) {
    expect(n == 0,
           std::to_string(n) + " " + what + " of the host were not let go of when the connection was closed");
  };
  say(left.calls, "calls");
  say(left.texts, "texts");
  say(left.documents, "JSON documents");
}

void frees_memory(Bench& b) {
  constexpr std::size_t rounds = 100, most_each = 512;
  for (std::size_t i = 0; i < rounds; ++i) cycle(b);
  const auto before = ::mallinfo2().uordblks;
  if (before == 0) throw Skipped{"this build does not count memory", Verdict::Lacks::not_here};
  for (std::size_t i = 0; i < rounds; ++i) cycle(b);
  const auto after = ::mallinfo2().uordblks;
  expect(after < before + rounds * most_each, "memory in use grew by " +
                                                  std::to_string((after - before) / rounds) +
                                                  " bytes each time that it was opened, asked and closed");
}

struct KitEntry {
  Check check;
  void (*run)(Bench&);
};

constexpr std::array entries_of_kit{
    KitEntry{{"loading.loads", "the library and its manifest are loaded"}, loads},
    KitEntry{{"loading.exports", "nothing but the entry is exported"}, exports},
    KitEntry{{"contract.opens", "a connection is opened, closed, and opened again", true}, opens},
    KitEntry{{"contract.completes", "every declared operation answers once, in time, and sensibly", true},
             completes},
    KitEntry{{"contract.check", "check proves that accounts can be seen", true}, sees_accounts},
    KitEntry{{"semantics.find", "an account is found exactly, and read by its id", true}, finds_exactly},
    KitEntry{{"semantics.disable", "disable disables; twice is once; the account is still found", true}, disables},
    KitEntry{{"semantics.enable", "enable undoes disable; twice is once", true}, enables},
    KitEntry{{"semantics.revoke_sessions", "sessions are revoked; twice is once", true}, revokes},
    KitEntry{{"semantics.list", "a listing ends, shows everybody, and nobody twice", true}, lists},
    // Once: a real app has nobody left to remove the second time.
    KitEntry{{"semantics.remove", "remove removes; twice is once"}, removes},
    KitEntry{{"faults.cancel", "a call that is cancelled ends", true}, is_cancelled},
    KitEntry{{"faults.close", "a connection can be closed while calls are under way", true}, is_closed},
    KitEntry{{"hygiene.output", "standard output and error are left alone"}, is_silent},
    KitEntry{{"hygiene.signals", "signals are left alone"}, keeps_signals},
    KitEntry{{"hygiene.secrets", "no secret is in a detail or a log", true}, keeps_secrets},
    KitEntry{{"hygiene.descriptors", "no open file is left behind"}, keeps_descriptors},
    KitEntry{{"hygiene.threads", "no thread is left behind"}, keeps_threads},
    KitEntry{{"leaks.handles", "every handle of the host is let go of"}, frees_handles},
    KitEntry{{"leaks.memory", "memory does not grow"}, frees_memory},
};

constexpr auto listed = [] {
  std::array<Check, entries_of_kit.size()> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = entries_of_kit[i].check;
  return out;
}();

constexpr std::string_view fixture_schema = R"({
  "type": "object", "additionalProperties": false, "properties": {
    "config": {"type": "object"},
    "account": {"type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
      "user_name": {"type": "string", "minLength": 1}, "external_id": {"type": "string", "minLength": 1},
      "emails": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}}},
    "removable": {"type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
      "user_name": {"type": "string", "minLength": 1}, "external_id": {"type": "string", "minLength": 1},
      "emails": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}}}}
})";

std::optional<Match> match_of(const json::object& fixture, std::string_view member) {
  const auto* v = fixture.if_contains(member);
  if (v == nullptr) return std::nullopt;
  const auto& o = v->get_object();
  Match m;
  if (const auto* s = o.if_contains("user_name")) m.user_name = s->get_string();
  if (const auto* s = o.if_contains("external_id")) m.external_id = s->get_string();
  if (const auto* list = o.if_contains("emails"))
    for (const auto& email : list->get_array()) m.emails.emplace_back(email.get_string());
  return m;
}

}  // namespace

std::span<const Check> checks() noexcept { return listed; }

std::string_view to_string(Verdict::Is is) noexcept {
  return is == Verdict::Is::passed ? "passed" : is == Verdict::Is::failed ? "failed" : "skipped";
}

std::string_view to_string(Verdict::Lacks lacks) noexcept {
  switch (lacks) {
    case Verdict::Lacks::not_given: return "not_given";
    case Verdict::Lacks::not_offered: return "not_offered";
    case Verdict::Lacks::not_here: return "not_here";
    case Verdict::Lacks::nothing: break;
  }
  return "nothing";
}

Result<Fixture> parse_fixture(const json::value& value) {
  static const auto schema = json::parse(fixture_schema);
  if (auto ok = validate_json(schema, value); !ok) return ok.error().within("fixture");
  const auto& o = value.get_object();
  Fixture f;
  if (const auto* config = o.if_contains("config")) f.config = config->get_object();
  f.account = match_of(o, "account");
  f.removable = match_of(o, "removable");
  return f;
}

Verdict run_check(std::string_view name, const std::string& library, const Fixture& fixture,
                  port::HttpTransport& http, const port::Crypto& crypto, const std::string& worker,
                  std::function<void(const RecordedExchange&)> record) {
  const auto it = std::find_if(entries_of_kit.begin(), entries_of_kit.end(),
                               [&](const KitEntry& e) { return e.check.name == name; });
  if (it == entries_of_kit.end()) return {Verdict::Is::failed, "the kit has no such check", {}};
  Bench bench(library, fixture, http, crypto, worker);
  bench.record = std::move(record);
  try {
    it->run(bench);
    bench.no_faults();
    return {};
  } catch (const Failed& failed) {
    return {Verdict::Is::failed, failed.detail, {}};
  } catch (const Skipped& skipped) {
    return {Verdict::Is::skipped, skipped.detail, skipped.lacks};
  }
}

}  // namespace deprov::plugin
