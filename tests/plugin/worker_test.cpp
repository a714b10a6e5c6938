// Plugins in a process of their own: what is said between the two, and what becomes of calls when it ends.
#include <sys/wait.h>
#include <cerrno>
#include <deprov/runtime/virtual_executor.hpp>
#include "plugin/frames.hpp"
#include "plugin/host.hpp"
#include "plugin/zoo.hpp"

using namespace deprov;
using namespace deprov::test;
namespace wire = plugin::wire;
using zoo::Cage;
using zoo::find;

namespace {

/// A plugin opened in a worker by an executor of its own.
struct Remote {
  explicit Remote(const std::string& defect) : Remote(defect, [](plugin::Options&) {}) {}
  template <class Change>
  Remote(const std::string& defect, Change change) : cage(defect) {
    auto options = cage.in_workers();
    change(options);
    auto kinds = plugin::load_plugins(options, *crypto::make_crypto());
    INFO((kinds ? std::string() : kinds.error().message()));
    REQUIRE(kinds);
    clock.advance_to(bench.clock.mono());
    auto made = kinds->at("zoo")->open(zoo::good_config, {bench.executor, clock, bench.random, *bench.http});
    REQUIRE(made);
    app = std::move(*made);
  }
  Reply call(Call c) { return Bench::call(*app, std::move(c)); }
  Reply call(Operation o, const std::string& id) { return Bench::call(*app, make_call(o, id)); }

  Cage cage;
  Bench bench;
  runtime::VirtualClock clock;  ///< stands still: pauses between workers do not pass by themselves
  std::unique_ptr<connector::Connector> app;
};

/// Of this process: running ones, and such as nobody reaped.
bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool bounds_memory = false;
#elif defined(__has_feature)
constexpr bool bounds_memory = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool bounds_memory = true;
#endif

}  // namespace

TEST_CASE("a frame that is too long is refused as soon as its length is known, and the bound is named") {
  wire::Frames frames;
  frames.feed(std::string("\x01\x00\x00\x05", 4));  // 80 MiB and one
  const auto r = frames.next();
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::limit_exceeded);
  CHECK(r.error().message().find("max_frame_bytes (83886080)") != std::string::npos);
  wire::HttpDone huge;
  huge.body.assign(wire::max_frame_bytes, 'x');
  CHECK(wire::encode(huge).error().code() == Errc::limit_exceeded);
}

TEST_CASE("what a worker may not say is no frame") {
  const auto refused = [](const wire::Message& message) {
    const auto frame = wire::encode(message);
    REQUIRE(frame);
    return !wire::decode(std::string_view(*frame).substr(4));
  };
  wire::Replied replied;
  CHECK_FALSE(refused(replied));
  replied.reply.handle = "\xFF";
  CHECK(refused(replied));
  replied.reply.handle.clear();
  replied.reply.outcome = Outcome::ok;
  replied.reply.effect = connector::Effect::accepted;  // without a handle to ask for it
  CHECK(refused(replied));
  wire::SendHttp send;
  send.request.url = "https://a.example/";
  CHECK_FALSE(refused(send));
  send.request.headers.push_back({"X", "1\r\nHost: b.example"});
  CHECK(refused(send));
  // Another version is told apart before anything else is read.
  wire::Hello hello;
  hello.version = 7;
  const auto frame = wire::encode(hello);
  const auto read = wire::decode(frame->substr(4) + "and more");
  REQUIRE(read);
  CHECK(std::get<wire::Hello>(*read).version == 7);
}

TEST_CASE("a good plugin does in a worker what it does in this process") {
  const auto before = plugin::live();
  Remote o("good");
  auto r = o.call(make_call(Operation::check));
  check_outcome(r, Outcome::ok);
  CHECK(r.accounts.size() == 1);
  r = o.call(find("ann@example.com"));
  check_outcome(r, Outcome::ok);
  REQUIRE(r.accounts.size() == 1);
  CHECK(r.accounts[0].id == "u0");
  CHECK(r.accounts[0].external_id == "x0");
  CHECK(r.accounts[0].active == true);
  check_outcome(o.call(find("an")), Outcome::not_found);
  CHECK(o.call(Operation::disable, "u0").effect == connector::Effect::done);
  CHECK(o.call(Operation::disable, "u0").effect == connector::Effect::already);
  CHECK(o.call(Operation::read, "u0").accounts.at(0).active == false);
  auto list = make_call(Operation::list);
  std::size_t seen = 0;
  do {
    r = o.call(list);
    check_outcome(r, Outcome::ok);
    seen += r.accounts.size();
    list.cursor = r.next_cursor;
  } while (!list.cursor.empty());
  CHECK(seen == 5);
  check_outcome(o.call(Operation::transfer, "u0"), Outcome::unsupported);
  o.app.reset();
  CHECK(plugin::live().calls == before.calls);
  CHECK(plugin::live().texts == before.texts);
  CHECK(o.cage.log().empty());
  CHECK_FALSE(has_children());
}

TEST_CASE("secrets reach a worker by name, and nobody who reads logs and details") {
  Remote o("tells_secret");
  const auto r = o.call(Operation::read, "u0");
  check_outcome(r, Outcome::ok);
  CHECK(r.detail == "logged in with ***");
}

TEST_CASE("more calls than a worker takes at once wait, and each is answered") {
  Remote o("good", [](plugin::Options& options) { options.worker.calls = 2; });
  std::vector<runtime::Event> ended(50);
  std::vector<std::string> outcomes(ended.size());
  for (std::size_t i = 0; i < ended.size(); ++i)
    o.app->start(find("ann@example.com"), [&, i, event = ended[i]](Reply reply) mutable {
      outcomes[i] = name(reply.outcome);
      event.set();
    });
  for (const auto& event : ended) REQUIRE(event.wait_for(std::chrono::seconds(60)));
  CHECK(outcomes == std::vector<std::string>(ended.size(), "OK"));
}

TEST_CASE("what ends a worker ends the calls that it had as UNKNOWN_OUTCOME, and nothing else") {
  struct Bad {
    const char* defect;
    const char* detail;
  };
  for (const auto& bad : {Bad{"crashes", "by a signal: Aborted"}, Bad{"exits", "with the exit code 0"},
                          Bad{"corrupts", "since it broke the protocol"}, Bad{"exhausts_memory", "by a signal"},
                          Bad{"exhausts_descriptors", "by a signal"}}) {
    CAPTURE(bad.defect);
    if (std::string(bad.defect) == "exhausts_memory" && !bounds_memory) continue;  // sanitizers map terabytes
    Remote other("good");
    Remote o(bad.defect, [](plugin::Options& options) {
      options.worker.memory_bytes = std::uint64_t{1} << 30U;
      options.worker.files = 64;
    });
    check_outcome(other.call(Operation::disable, "u0"), Outcome::ok);
    auto r = o.call(Operation::disable, "u0");
    check_outcome(r, Outcome::unknown_outcome);
    CHECK(r.detail.find("the worker process ended: " + std::string(bad.detail)) != std::string::npos);
    // The next call has the next worker; then there is a pause, in which nothing is sent.
    check_outcome(o.call(Operation::read, "u0"), Outcome::unknown_outcome);
    r = o.call(Operation::disable, "u0");
    check_outcome(r, Outcome::not_sent);
    CHECK(r.retry_after.has_value());
    CHECK(r.detail.find("ended 2 times") != std::string::npos);
    o.clock.advance(std::chrono::seconds(1));
    check_outcome(o.call(Operation::read, "u0"), Outcome::unknown_outcome);
    CHECK(other.call(Operation::read, "u0").accounts.at(0).active == false);  // the same worker still
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("a plugin that cannot be loaded or opened in a worker says why, and sends nothing") {
  for (const auto& [defect, why] :
       {std::pair("crashes_on_load", "by a signal: Aborted"), std::pair("open_fails", "there is no weather today"),
        std::pair("no_entry", "does not export"), std::pair("other_id", "its manifest says")}) {
    CAPTURE(defect);
    Remote o(defect);
    const auto r = o.call(Operation::disable, "u0");
    check_outcome(r, Outcome::not_sent);
    CHECK(r.detail.find(why) != std::string::npos);
  }
}

TEST_CASE("a worker that hangs is killed when a call is long over, and one that only forgets is not") {
  for (const bool hangs : {true, false}) {
    const Cage cage(hangs ? "hangs" : "never_completes");
    auto kinds = plugin::load_plugins(cage.in_workers(), *crypto::make_crypto());
    REQUIRE(kinds);
    runtime::VirtualClock clock;
    runtime::VirtualExecutor executor(clock);
    runtime::SeededRandom random{1};
    const auto http = http::make_curl_transport();
    auto opened = kinds->at("zoo")->open(zoo::good_config, {executor, clock, random, *http});
    REQUIRE(opened);
    std::vector<std::string> ended;
    const auto note = [&](const char* what) {
      return [&ended, what](Reply r) { ended.push_back(std::string(what) + " " + name(r.outcome)); };
    };
    auto first = make_call(Operation::disable, "u0");
    auto second = make_call(Operation::read, "u0");
    if (!hangs) first.timeout = second.timeout = std::chrono::milliseconds(1);  // of the worker's own clock
    second.timeout *= 2;
    (*opened)->start(first, note("disable"));
    (*opened)->start(second, note("read"));
    // Whoever hangs is judged by the host's clock, which this test moves once the worker is at work.
    runtime::Event moment;
    const auto until = runtime::SystemClock().mono() + std::chrono::seconds(90);
    bool moved = !hangs;
    while (ended.size() < 2 && runtime::SystemClock().mono() < until) {
      while (executor.run_one()) {
      }
      if (!moved && cage.log().find("nothing is done") != std::string::npos)
        moved = executor.advance_to_next_timer();
      (void)moment.wait_for(std::chrono::milliseconds(5));
    }
    if (hangs) {
      CHECK(ended == std::vector<std::string>{"disable UNKNOWN_OUTCOME", "read UNKNOWN_OUTCOME"});
      CHECK(cage.log().find("that is killed") != std::string::npos);
    } else {
      CHECK(ended == std::vector<std::string>{"disable UNKNOWN_OUTCOME", "read DEADLINE"});
      CHECK(cage.log().find("its worker process ended") == std::string::npos);
    }
    opened->reset();
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("without a worker program nothing is placed in one, and the error says what to do") {
  const Cage cage("good");
  auto options = cage.in_workers();
  options.worker.program.clear();
  auto r = plugin::load_plugins(options, *crypto::make_crypto());
  REQUIRE_FALSE(r);
  CHECK(r.error().message().find("no worker program is given") != std::string::npos);
  options.worker.program = "deprov-connector-worker";
  CHECK(plugin::load_plugins(options, *crypto::make_crypto()).error().message().find("absolute") !=
        std::string::npos);
  options.worker.program = cage.library();  // no program
  CHECK(plugin::load_plugins(options, *crypto::make_crypto()).error().message().find("no program") !=
        std::string::npos);
  r = plugin::load_plugins(cage.allowed(), *crypto::make_crypto());
  REQUIRE(r);
  CHECK(r->at("zoo")->check_placement(port::Placement::in_process));
  CHECK(r->at("zoo")->check_placement(port::Placement::worker).error().where() == "placement");
  CHECK_FALSE(builtin_connectors().at("null")->check_placement(port::Placement::worker));
}
