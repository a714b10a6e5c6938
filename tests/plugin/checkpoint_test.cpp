// What connectors keep, in this process and in one of their own: for how long, within which bounds, and what they
// are told.
#include <deprov/port/checkpoints.hpp>
#include <deprov_connector.hpp>
#include <functional>
#include "plugin/frames.hpp"
#include "plugin/host.hpp"
#include "plugin/memory_checkpoints.hpp"
#include "plugin/zoo.hpp"

using namespace deprov;
using namespace deprov::test;
using connector::Effect;
using zoo::Cage;

namespace {

/// Keeps at once, and tells when the test says.
class Late final : public port::Checkpoints {
 public:
  explicit Late(port::Executor& executor) : kept_(executor) {}
  void get(std::string name, port::UniqueFunction<void(Result<std::string>)> done) override {
    hold([this, name = std::move(name), done = std::move(done)]() mutable {
      kept_.get(std::move(name), std::move(done));
    });
  }
  void set(std::string name, std::string value, port::UniqueFunction<void(Result<void>)> done) override {
    hold([this, name = std::move(name), value = std::move(value), done = std::move(done)]() mutable {
      kept_.set(std::move(name), std::move(value), std::move(done));
    });
  }
  void go_on() {
    std::vector<port::Task> waiting;
    {
      const std::lock_guard lock(mutex_);
      holds_ = false;
      waiting.swap(waiting_);
    }
    for (auto& task : waiting) task();
  }
  bool waits_for(std::size_t count) {
    const runtime::Event moment;
    for (int i = 0; i < 12'000; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= count) return true;
      }
      (void)moment.wait_for(std::chrono::milliseconds(5));
    }
    return false;
  }

 private:
  void hold(port::Task task) {
    {
      const std::lock_guard lock(mutex_);
      if (holds_) {
        waiting_.push_back(std::move(task));
        return;
      }
    }
    task();
  }
  std::mutex mutex_;
  bool holds_ = true;
  std::vector<port::Task> waiting_;
  plugin::MemoryCheckpoints kept_;
};

struct Asked {
  runtime::Event ended;
  Reply reply;
  connector::CallId id = 0;
};

/// The keeper in this process or in a worker, with an executor of its own.
struct Kept {
  explicit Kept(bool in_worker) : cage("keeper", cli::slurp(source_dir() + "/tests/plugin/zoo/keeper.json")) {
    auto options = in_worker ? cage.in_workers() : cage.allowed();
    options.worker.calls = 200;
    auto kinds = plugin::load_plugins(options, *crypto::make_crypto());
    INFO((kinds ? std::string() : kinds.error().message()));
    REQUIRE(kinds);
    kind = kinds->at("keeper");
  }
  void open(std::shared_ptr<port::Checkpoints> checkpoints) {
    app.reset();
    auto host = bench.host();
    host.checkpoints = std::move(checkpoints);
    auto made = kind->open({{"token", "hunter2-hunter2"}}, host);
    REQUIRE(made);
    app = std::move(*made);
  }
  static Call setting(const std::string& what) {
    auto c = make_call(Operation::grant_entitlement, "u0");
    c.entitlement = what;
    return c;
  }
  Reply set(const std::string& name, const std::string& value) {
    return Bench::call(*app, setting(name + "=" + value));
  }
  Reply get(const std::string& name) {
    auto c = make_call(Operation::poll, "u0");
    c.handle = name;
    return Bench::call(*app, c);
  }
  std::shared_ptr<Asked> begin(const std::string& what) {
    auto answer = std::make_shared<Asked>();
    answer->id = app->start(setting(what), [answer](Reply r) {
      answer->reply = std::move(r);
      answer->ended.set();
    });
    return answer;
  }
  std::shared_ptr<port::Checkpoints> memory() {
    return std::make_shared<plugin::MemoryCheckpoints>(bench.executor);
  }

  Cage cage;
  Bench bench;
  std::shared_ptr<const port::ConnectorKind> kind;
  std::unique_ptr<connector::Connector> app;
};

void check_told(const Reply& r, std::int32_t status) {
  check_outcome(r, Outcome::conflict_state);
  CHECK(r.detail == "told " + std::to_string(status));
}

void check_at_once(const Reply& r, std::int32_t status) {
  check_outcome(r, Outcome::invalid_request);
  CHECK(r.detail == "at once " + std::to_string(status));
}

void check_kept(const Reply& r, const std::string& value) {
  check_outcome(r, Outcome::ok);
  CHECK(r.detail == value);
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("a connector finds what it kept, after its connection and its worker ended") {
  for (const bool in_worker : {false, true}) {
    CAPTURE(in_worker);
    Kept k(in_worker);
    const auto mine = k.memory();
    k.open(mine);
    check_told(k.get("cursor"), DEPROV_ERR_NOT_FOUND);
    CHECK(k.set("cursor", "page 7").effect == Effect::done);
    check_kept(k.get("cursor"), "page 7");
    check_outcome(k.set("cursor", "page 8"), Outcome::ok);
    k.open(mine);
    check_kept(k.get("cursor"), "page 8");
    if (in_worker) {
      check_outcome(Bench::call(*k.app, make_call(Operation::disable, "crash")), Outcome::unknown_outcome);
      check_kept(k.get("cursor"), "page 8");
    }
    k.open(k.memory());  // of another integration
    check_told(k.get("cursor"), DEPROV_ERR_NOT_FOUND);
    k.open(mine);
    check_outcome(k.set("cursor", ""), Outcome::ok);  // forgets it
    check_told(k.get("cursor"), DEPROV_ERR_NOT_FOUND);
    k.app.reset();
    CHECK(k.cage.log().find("inside") == std::string::npos);
  }
}

TEST_CASE("checkpoints are bounded, and the bound is named") {
  for (const bool in_worker : {false, true}) {
    CAPTURE(in_worker);
    Kept k(in_worker);
    k.open(k.memory());
    const std::string longest(100, 'n');
    const std::string largest(std::size_t{64} << 10U, 'v');
    check_outcome(k.set(longest, largest), Outcome::ok);
    check_kept(k.get(longest), "65536 bytes");
    check_at_once(k.set(longest + "n", "1"), DEPROV_ERR_LIMIT_EXCEEDED);
    check_at_once(k.get(longest + "n"), DEPROV_ERR_LIMIT_EXCEEDED);
    CHECK(k.cage.log().find("100 bytes") != std::string::npos);
    check_at_once(k.set("n", largest + "v"), DEPROV_ERR_LIMIT_EXCEEDED);
    CHECK(k.cage.log().find("64 KiB") != std::string::npos);
    for (const char* name : {"", "a b", "a\x7F"}) check_at_once(k.set(name, "1"), DEPROV_ERR_INVALID_ARGUMENT);
    for (int i = 1; i < 32; ++i) check_outcome(k.set("n" + std::to_string(i), "1"), Outcome::ok);
    check_told(k.set("one-more", "1"), DEPROV_ERR_LIMIT_EXCEEDED);
    CHECK(count(k.cage.log(), "may have 32 names") == 1);
    check_outcome(k.set("n1", "2"), Outcome::ok);
    check_outcome(k.set("n1", ""), Outcome::ok);
    check_outcome(k.set("one-more", "1"), Outcome::ok);
  }
}

TEST_CASE("a secret of the configuration is not kept") {
  for (const bool in_worker : {false, true}) {
    CAPTURE(in_worker);
    Kept k(in_worker);
    k.open(k.memory());
    check_told(k.set("session", "Bearer hunter2-hunter2"), DEPROV_ERR_INVALID_ARGUMENT);
    check_told(k.set("hunter2-hunter2", "1"), DEPROV_ERR_INVALID_ARGUMENT);
    check_told(k.get("session"), DEPROV_ERR_NOT_FOUND);
    CHECK(k.cage.log().find("a secret of the configuration is in it") != std::string::npos);
    CHECK(k.cage.log().find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a host that keeps nothing says so at once") {
  for (const bool in_worker : {false, true}) {
    CAPTURE(in_worker);
    Kept k(in_worker);
    k.open(nullptr);
    check_at_once(k.set("cursor", "1"), DEPROV_ERR_UNSUPPORTED);
    check_at_once(k.get("cursor"), DEPROV_ERR_UNSUPPORTED);
    CHECK(k.cage.log().empty());
  }
}

TEST_CASE("no more checkpoints than 64 are under way for one connection") {
  for (const bool in_worker : {false, true}) {
    CAPTURE(in_worker);
    Kept k(in_worker);
    const auto late = std::make_shared<Late>(k.bench.executor);
    k.open(late);
    std::vector<std::shared_ptr<Asked>> answers;
    answers.reserve(64);
    for (int i = 0; i < 64; ++i) answers.push_back(k.begin("cursor=" + std::to_string(i)));
    REQUIRE(late->waits_for(64));
    check_at_once(k.set("cursor", "one more"), DEPROV_ERR_UNAVAILABLE);
    late->go_on();
    for (const auto& answer : answers) {
      REQUIRE(answer->ended.wait_for(std::chrono::minutes(1)));
      check_outcome(answer->reply, Outcome::ok);
    }
    check_kept(k.get("cursor"), "63");
  }
}

TEST_CASE("a call that is cancelled is told what became of what it keeps") {
  for (const bool in_worker : {false, true}) {
    CAPTURE(in_worker);
    Kept k(in_worker);
    const auto late = std::make_shared<Late>(k.bench.executor);
    k.open(late);
    const auto answer = k.begin("cursor=9");
    REQUIRE(late->waits_for(1));
    k.app->cancel(answer->id);
    late->go_on();
    REQUIRE(answer->ended.wait_for(std::chrono::minutes(1)));
    check_outcome(answer->reply, Outcome::ok);
    check_kept(k.get("cursor"), "9");
  }
}

TEST_CASE("whoever asked is told before the connection closes, and only once") {
  const auto before = plugin::live();
  for (const bool in_worker : {false, true}) {
    CAPTURE(in_worker);
    Kept k(in_worker);
    const auto late = std::make_shared<Late>(k.bench.executor);
    k.open(late);
    (void)k.begin("cursor=9");
    REQUIRE(late->waits_for(1));
    k.app.reset();
    const auto log = k.cage.log();
    CHECK(log.find("set 74\n") != std::string::npos);
    CHECK(log.find("set 74\n") < log.find("closed\n"));
    late->go_on();
    k.open(late);
    check_kept(k.get("cursor"), "9");  // what had begun went on
    CHECK(count(k.cage.log(), "set ") == 1);
  }
  CHECK(plugin::live().calls == before.calls);
}

TEST_CASE("a worker that dies while something is kept loses that for nobody") {
  Kept k(true);
  const auto late = std::make_shared<Late>(k.bench.executor);
  k.open(late);
  const auto answer = k.begin("cursor=9");
  REQUIRE(late->waits_for(1));
  check_outcome(Bench::call(*k.app, make_call(Operation::disable, "crash")), Outcome::unknown_outcome);
  REQUIRE(answer->ended.wait_for(std::chrono::minutes(1)));
  check_outcome(answer->reply, Outcome::unknown_outcome);
  late->go_on();
  check_kept(k.get("cursor"), "9");  // by the next worker
  CHECK(count(k.cage.log(), "set ") == 0);
}

TEST_CASE("what is no checkpoint is no frame") {
  const auto refused = [](const plugin::wire::Message& message) {
    const auto frame = plugin::wire::encode(message);
    REQUIRE(frame);
    return !plugin::wire::decode(std::string_view(*frame).substr(4));
  };
  CHECK_FALSE(refused(plugin::wire::Checkpoint{1, true, "a", "b"}));
  CHECK_FALSE(refused(plugin::wire::Checkpoint{1, false, "a", ""}));
  CHECK(refused(plugin::wire::Checkpoint{1, false, "a", "b"}));
  CHECK(refused(plugin::wire::Checkpoint{1, true, "", "b"}));
  CHECK(refused(plugin::wire::Checkpoint{1, true, "a", std::string(65537, 'v')}));
  CHECK_FALSE(refused(plugin::wire::CheckpointTold{1, DEPROV_ERR_INTERNAL, ""}));
  CHECK(refused(plugin::wire::CheckpointTold{1, 76, ""}));
  CHECK(refused(plugin::wire::CheckpointTold{1, -1, ""}));
}

TEST_CASE("a host of ABI 1.0 has no checkpoints, which a connector sees by the size of its table") {
  auto old = plugin::host_table();
  old.struct_size = offsetof(deprov_connector_host_v1, checkpoint_get);
  old.abi_minor = 0;
  deprov_sdk::detail::host() = &old;
  CHECK_FALSE(deprov_sdk::Call::has_checkpoints());
  const deprov_connector_request request{};
  const deprov_sdk::Call call(nullptr, &request);
  CHECK(call.checkpoint_get("cursor", {}) == DEPROV_ERR_UNSUPPORTED);
  CHECK(call.checkpoint_set("cursor", "1", {}) == DEPROV_ERR_UNSUPPORTED);
  deprov_sdk::detail::host() = &plugin::host_table();
  CHECK(deprov_sdk::Call::has_checkpoints());
}
