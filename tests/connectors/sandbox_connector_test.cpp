#include <sys/wait.h>
#include <unistd.h>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <deprov/runtime/virtual_executor.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include "fixture.hpp"

using namespace std::chrono_literals;
using namespace deprov::test;
namespace fs = std::filesystem;
using deprov::connector::Effect;
using deprov::runtime::VirtualClock;
using deprov::runtime::VirtualExecutor;

namespace {

struct Directory {
  Directory() {
    std::string name = (fs::temp_directory_path() / "deprov-sandbox-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path); }
  [[nodiscard]] std::string file() const { return path + "/app.jsonl"; }
  [[nodiscard]] std::string log() const { return file() + ".effects"; }
  void write(const std::string& lines) const { std::ofstream(file()) << lines; }
  [[nodiscard]] std::vector<json::object> effects() const {
    std::vector<json::object> out;
    std::ifstream in(log());
    for (std::string line; std::getline(in, line);) out.push_back(json::parse(line).as_object());
    return out;
  }
  std::string path;
};

constexpr auto three =
    R"({"id":"1","externalId":"x1","userName":"Ann","emails":["ann@a.example"],"active":true,"groups":["g1","g2"]}
{"id":"2","externalId":"x2","userName":"bob","emails":["bob@a.example","shared@a.example"]}

{"id":"3","userName":"cy","emails":["SHARED@a.example"],"active":false}
)";

/// The sandbox in virtual time.
class App {
 public:
  explicit App(const Directory& d, json::object config = {}) {
    config["file"] = d.file();
    auto opened = kinds.at("sandbox")->open(config, {executor, clock, random, *http});
    REQUIRE(opened);
    connector = std::move(*opened);
  }
  Reply call(Call c) {
    std::optional<Reply> reply;
    connector->start(std::move(c), [&](Reply r) { reply = std::move(r); });
    CHECK_FALSE(reply.has_value());  // completions are posted
    executor.run_for(1h);
    REQUIRE(reply.has_value());
    return std::move(*reply);
  }
  Reply call(Operation o, const std::string& account) { return call(make_call(o, account)); }

  deprov::port::ConnectorKinds kinds = deprov::builtin_connectors();
  VirtualClock clock;
  deprov::runtime::SeededRandom random{1};
  std::unique_ptr<deprov::port::HttpTransport> http = deprov::http::make_curl_transport();
  VirtualExecutor executor{clock};
  std::unique_ptr<deprov::connector::Connector> connector;
};

std::string refused(const Directory& d, const char* lines, json::object config = {}) {
  d.write(lines);
  Bench b;
  config["file"] = d.file();
  const auto r = b.open("sandbox", config);
  return r ? "good" : r.error().where();
}

}  // namespace

TEST_CASE("sandbox: accounts are found, read and listed") {
  const Directory d;
  d.write(three);
  App app(d);
  auto find = make_call(Operation::find);
  find.match = {"x1", "bob", {}};
  CHECK(app.call(find).accounts.at(0).id == "1");
  find.match = {"nope", "ANN", {}};
  CHECK(app.call(find).accounts.at(0).id == "1");
  find.match = {"", "", {"shared@A.example"}};
  auto r = app.call(find);
  check_outcome(r, Outcome::ambiguous);
  CHECK(r.accounts.size() == 2);
  find.match = {"X1", "nobody", {"no@a.example"}};
  check_outcome(app.call(find), Outcome::not_found);
  r = app.call(Operation::read, "3");
  check_outcome(r, Outcome::ok);
  CHECK(r.accounts.at(0).active == false);
  CHECK(r.effect == Effect::none);
  check_outcome(app.call(Operation::read, "4"), Outcome::not_found);
  auto list = make_call(Operation::list);
  list.page_size = 2;
  r = app.call(list);
  CHECK(r.accounts.size() == 2);
  list.cursor = r.next_cursor;
  r = app.call(list);
  CHECK(r.accounts.size() == 1);
  CHECK(r.next_cursor.empty());
  list.cursor = "x";
  check_outcome(app.call(list), Outcome::invalid_request);
  check_outcome(app.call(Operation::check, ""), Outcome::ok);
  check_outcome(app.call(Operation::transfer, "1"), Outcome::unsupported);
  CHECK(d.effects().empty());
}

TEST_CASE("sandbox: changes are done once, already the second time, and logged with their key") {
  const Directory d;
  d.write(three);
  {
    App app(d);
    auto call = make_call(Operation::disable, "1");
    call.idempotency_key = "job-7/1";
    auto r = app.call(call);
    check_outcome(r, Outcome::ok);
    CHECK(r.effect == Effect::done);
    CHECK(r.accounts.at(0).active == false);
    CHECK(app.call(call).effect == Effect::already);
    CHECK(app.call(Operation::revoke_sessions, "1").effect == Effect::done);
    auto leave = make_call(Operation::revoke_entitlement, "1");
    leave.entitlement = "g1";
    CHECK(app.call(leave).effect == Effect::done);
    CHECK(app.call(leave).effect == Effect::already);
    CHECK(app.call(Operation::read, "1").accounts.at(0).groups == std::vector<std::string>{"g2"});
    auto remove = make_call(Operation::remove, "2");
    remove.delete_account = true;
    CHECK(app.call(remove).effect == Effect::done);
    check_outcome(app.call(remove), Outcome::not_found);
    CHECK(app.call(Operation::enable, "3").effect == Effect::done);
  }
  const auto effects = d.effects();
  REQUIRE(effects.size() == 7);
  CHECK(effects[0].at("seq") == 1);
  CHECK(effects[0].at("op") == "disable");
  CHECK(effects[0].at("account") == "1");
  CHECK(effects[0].at("key") == "job-7/1");
  CHECK(effects[0].at("effect") == "done");
  CHECK(effects[1].at("effect") == "already");
  CHECK(effects[3].at("group") == "g1");
  CHECK(effects[5].at("op") == "delete");

  App again(d);
  CHECK(again.call(Operation::read, "1").accounts.at(0).active == false);
  CHECK(again.call(Operation::read, "1").accounts.at(0).groups == std::vector<std::string>{"g2"});
  check_outcome(again.call(Operation::read, "2"), Outcome::not_found);
  CHECK(again.call(Operation::read, "3").accounts.at(0).active == true);
  again.call(Operation::disable, "3");
  CHECK(d.effects().back().at("seq") == 8);
}

TEST_CASE("sandbox: two that have the same file open agree") {
  const Directory d;
  d.write(three);
  App a(d);
  App b(d);
  a.call(Operation::disable, "1");
  CHECK(b.call(Operation::read, "1").accounts.at(0).active == false);
  CHECK(b.call(Operation::disable, "1").effect == Effect::already);
  b.call(Operation::enable, "1");
  CHECK(a.call(Operation::disable, "1").effect == Effect::done);
  const auto effects = d.effects();
  for (std::size_t i = 0; i < effects.size(); ++i) CHECK(effects[i].at("seq") == i + 1);
}

TEST_CASE("sandbox: half a line at the end of the log did not happen; a broken one in the middle is refused") {
  const Directory d;
  d.write(three);
  App(d).call(Operation::disable, "1");
  std::ofstream(d.log(), std::ios::app) << R"({"seq":2,"op":"disa)";
  App app(d);
  CHECK(app.call(Operation::read, "2").accounts.at(0).active == true);
  app.call(Operation::disable, "2");
  CHECK(d.effects().size() == 2);
  std::ofstream(d.log(), std::ios::app) << "what is this\n";
  CHECK(refused(d, three) == d.log() + ":3");
}

TEST_CASE("sandbox: somebody's file that was named as the log stays as it is") {
  const Directory d;
  d.write(three);
  for (const std::string& content :
       {std::string("\x01\x02\x03\x04 a key of 32 bytes, no line"), std::string("{\"se")}) {
    std::ofstream(d.log(), std::ios::binary | std::ios::trunc) << content;
    const bool ours = content.front() == '{';
    CHECK((refused(d, three) == "good") == ours);
    std::ifstream in(d.log(), std::ios::binary);
    CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == (ours ? "" : content));
  }
}

TEST_CASE("sandbox: a bad file or configuration is refused with file and line, or the member") {
  const Directory d;
  CHECK(refused(d, "{\"id\":\"1\"}\n{\"id\":1}\n") == d.file() + ":2");
  CHECK(refused(d, "{\"id\":\"1\"}\n{\"id\":\"1\"}\n") == d.file() + ":2");
  CHECK(refused(d, "{\"userName\":\"a\"}") == d.file() + ":1");
  CHECK(refused(d, "{\"id\":\"1\",\"nam\":\"a\"}") == d.file() + ":1");
  CHECK(refused(d, "{\"id\":\"1\",\"active\":\"yes\"}") == d.file() + ":1");
  CHECK(refused(d, "[]") == d.file() + ":1");
  CHECK(refused(d, "{\"id\":") == d.file() + ":1");
  CHECK(refused(d, (std::string(70'000, ' ') + "{}").c_str()) == d.file() + ":1");
  CHECK(refused(d, "") == "good");
  CHECK(refused(d, "{\"id\":\"1\"}") == "good");
  CHECK(refused(d, "", {{"failures", {{"disabel", {{"NOT_SENT", 1}}}}}}) == "/failures/disabel");
  CHECK(refused(d, "", {{"failures", {{"disable", {{"BROKEN", 1}}}}}}) == "/failures/disable/BROKEN");
  CHECK(refused(d, "", {{"failures", {{"disable", {{"NOT_SENT", 0.6}, {"PROTOCOL", 0.6}}}}}}) ==
        "/failures/disable");
  CHECK(refused(d, "", {{"latency_ms", {{"min", 5}, {"max", 4}}}}) == "/latency_ms/max");
  CHECK(refused(d, "", {{"effect_log", d.file()}}) == "/effect_log");
  CHECK(refused(d, "", {{"latency", 5}}) == "/latency");
  Bench b;
  const auto no_file = b.open("sandbox", {{"file", d.path + "/none"}}).error();
  CHECK(no_file.code() == deprov::Errc::not_found);
  CHECK(no_file.advice().starts_with("make the file first"));
}

TEST_CASE("sandbox: latency, and what a call that is cut short answers") {
  const Directory d;
  d.write(three);
  App app(d, {{"latency_ms", {{"min", 1000}, {"max", 1000}}}});
  const auto start = [&](Operation o, std::chrono::seconds timeout, std::optional<Reply>& into) {
    auto c = make_call(o, "1");
    c.timeout = timeout;
    return app.connector->start(std::move(c), [&](Reply r) { into = std::move(r); });
  };
  std::optional<Reply> r;
  start(Operation::disable, 20s, r);
  app.executor.run_for(499ms);
  CHECK(d.effects().empty());
  app.executor.run_for(1ms);
  CHECK(d.effects().size() == 1);  // done and not yet answered
  CHECK_FALSE(r.has_value());
  app.executor.run_for(500ms);
  REQUIRE(r.has_value());
  check_outcome(*r, Outcome::ok);

  std::optional<Reply> before;
  auto id = start(Operation::enable, 20s, before);
  app.executor.run_for(100ms);
  app.connector->cancel(id);
  app.executor.run_for(2s);
  check_outcome(before.value(), Outcome::cancelled);
  CHECK(d.effects().size() == 1);

  std::optional<Reply> after;
  id = start(Operation::enable, 20s, after);
  app.executor.run_for(600ms);
  app.connector->cancel(id);
  app.executor.run_for(2s);
  check_outcome(after.value(), Outcome::unknown_outcome);
  CHECK(d.effects().size() == 2);
  app.connector->cancel(id);

  App slow(d, {{"latency_ms", {{"min", 100'000}}}});
  auto c = make_call(Operation::disable, "1");
  c.timeout = 1s;
  check_outcome(slow.call(c), Outcome::unknown_outcome);
  CHECK(d.effects().size() == 3);
  c.operation = Operation::read;
  check_outcome(slow.call(c), Outcome::deadline);
}

TEST_CASE("sandbox: failures come at their rates, the same ones for the same seed, and change nothing") {
  const Directory d;
  d.write(three);
  const auto run = [&](std::uint64_t seed) {
    App app(d,
            {{"seed", seed},
             {"failures", {{"disable", {{"UNAVAILABLE", 0.2}, {"NOT_SENT", 0.1}}}, {"*", {{"AUTH_FAILED", 1}}}}}});
    std::map<std::string, int> seen;
    std::string all;
    const auto before = d.effects().size();
    for (int i = 0; i < 1000; ++i) {
      const auto outcome = name(app.call(Operation::disable, "1").outcome);
      ++seen[outcome];
      all += outcome[0];
    }
    CHECK(d.effects().size() == before + static_cast<std::size_t>(seen["OK"]));
    CHECK(seen["UNAVAILABLE"] > 150);
    CHECK(seen["UNAVAILABLE"] < 250);
    CHECK(seen["NOT_SENT"] > 70);
    CHECK(seen["NOT_SENT"] < 130);
    check_outcome(app.call(Operation::read, "1"), Outcome::auth_failed);
    return all;
  };
  const auto one = run(7);
  CHECK(one == run(7));
  CHECK(one != run(8));
}

TEST_CASE("sandbox: a lost answer is an effect that happened", "[R18]") {
  const Directory d;
  d.write(three);
  App app(d, {{"lost_answers", 1}});
  check_outcome(app.call(Operation::disable, "1"), Outcome::unknown_outcome);
  CHECK(d.effects().size() == 1);
  CHECK(app.call(Operation::read, "1").accounts.at(0).active == false);
  check_outcome(app.call(Operation::disable, "9"), Outcome::not_found);
}

TEST_CASE("sandbox: throttling lets through what it says") {
  const Directory d;
  d.write(three);
  App app(d, {{"throttle", {{"per_second", 5}, {"retry_after_s", 2.5}}}});
  int through = 0;
  Reply last;
  const auto burst = [&] {
    for (int i = 0; i < 10; ++i)
      app.connector->start(make_call(Operation::read, "1"), [&](Reply r) {
        if (r.outcome == Outcome::ok)
          ++through;
        else
          last = std::move(r);
      });
    app.executor.run_until_idle();
  };
  burst();
  CHECK(through == 5);
  check_outcome(last, Outcome::throttled);
  CHECK(last.retry_after == 2500ms);
  app.executor.run_for(600ms);
  burst();
  CHECK(through == 8);
}

TEST_CASE("sandbox: reads show the old state for the declared lag", "[R19]") {
  const Directory d;
  d.write(three);
  App app(d, {{"lag_ms", 3'600'000 * 2.5}});
  CHECK(app.connector->describe().of(Operation::disable).verification_lag == 150min);
  app.call(Operation::disable, "1");  // each call takes an hour here
  CHECK(app.call(Operation::read, "1").accounts.at(0).active == true);
  app.executor.run_for(1h);
  CHECK(app.call(Operation::read, "1").accounts.at(0).active == false);
}

TEST_CASE("sandbox: an effect that was answered survives kill -9") {
  const Directory d;
  d.write(three);
  int pipes[2];
  REQUIRE(::pipe(pipes) == 0);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    VirtualClock clock;
    deprov::runtime::SeededRandom random{1};
    VirtualExecutor executor(clock);
    struct NoHttp final : deprov::port::HttpTransport {
      deprov::port::HttpCallId send(deprov::port::HttpRequest,
                                    deprov::port::UniqueFunction<void(deprov::port::HttpResult)>) override {
        return 0;
      }
      void cancel(deprov::port::HttpCallId) override {}
    } http;
    const auto kinds = deprov::builtin_connectors();
    auto c = kinds.at("sandbox")->open({{"file", d.file()}}, {executor, clock, random, http});
    if (!c) ::_exit(1);
    (*c)->start(make_call(Operation::disable, "1"), [&](const Reply& r) {
      const char ok = r.outcome == Outcome::ok ? 'y' : 'n';
      if (::write(pipes[1], &ok, 1) == 1) ::raise(SIGKILL);
    });
    executor.run_until_idle();
    ::_exit(2);
  }
  char answer = 0;
  REQUIRE(::read(pipes[0], &answer, 1) == 1);
  CHECK(answer == 'y');
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  ::close(pipes[0]);
  ::close(pipes[1]);
  CHECK(App(d).call(Operation::read, "1").accounts.at(0).active == false);
}

TEST_CASE("sandbox: tens of thousands of accounts") {
  const Directory d;
  {
    std::ofstream out(d.file());
    for (int i = 0; i < 50'000; ++i)
      out << R"({"id":")" << i << R"(","externalId":"x)" << i << R"(","userName":"u)" << i << "\"}\n";
  }
  App app(d);
  auto find = make_call(Operation::find);
  for (int i = 0; i < 50'000; i += 7) {
    find.match = {"x" + std::to_string(i), {}, {}};
    CHECK(app.call(find).accounts.at(0).id == std::to_string(i));
    CHECK(app.call(Operation::disable, std::to_string(i)).effect == Effect::done);
  }
}

TEST_CASE("null: it finds everybody and remembers what it did") {
  Bench b;
  const auto c = b.open("null", {}).value();
  auto find = make_call(Operation::find);
  find.match = {"x1", "ann", {}};
  const auto r = Bench::call(*c, find);
  check_outcome(r, Outcome::ok);
  CHECK(r.accounts.at(0).id == "x1");
  find.match = {};
  check_outcome(Bench::call(*c, find), Outcome::not_found);
  CHECK(Bench::call(*c, make_call(Operation::read, "x1")).accounts.at(0).active == true);
  CHECK(Bench::call(*c, make_call(Operation::disable, "x1")).effect == Effect::done);
  CHECK(Bench::call(*c, make_call(Operation::read, "x1")).accounts.at(0).active == false);
  Bench::call(*c, make_call(Operation::enable, "x1"));
  CHECK(Bench::call(*c, make_call(Operation::read, "x1")).accounts.at(0).active == true);
  check_outcome(Bench::call(*c, make_call(Operation::list)), Outcome::unsupported);
}
