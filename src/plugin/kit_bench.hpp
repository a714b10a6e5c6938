// Where the kit works: a connector opened by an executor of its own, and what is said meanwhile.
#pragma once

#include <deprov/connector/connector.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/plugin/plugins.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>
#include "plugin/host.hpp"
#include "plugin/kit.hpp"
#include "plugin/library.hpp"
#include "plugin/memory_checkpoints.hpp"
#include "plugin/worker_session.hpp"

namespace deprov::plugin::kit {

using connector::Account;
using connector::Call;
using connector::Effect;
using connector::Match;
using connector::Operation;
using connector::Outcome;
using connector::Reply;

inline constexpr Duration call_time = std::chrono::seconds(5);
inline constexpr Duration patience = call_time + worker_overdue_after + std::chrono::seconds(5);

/// Ends a check.
struct Failed {
  std::string detail;
};
struct Skipped {
  std::string detail;
  Verdict::Lacks lacks;
};

inline std::string text_of(const Reply& r) {
  std::string out(to_string(r.outcome));
  if (r.effect != Effect::none) out.append(" (").append(to_string(r.effect)).append(")");
  if (!r.detail.empty()) out.append(": ").append(r.detail);
  return out;
}

/// A connector that is opened by an executor of its own, and everything that was said meanwhile.
class Bench {
 public:
  Bench(const std::string& library, const Fixture& fixture, port::HttpTransport& http, const port::Crypto& crypto,
        std::string worker)
      : worker_(std::move(worker)),
        library_(library),
        fixture_(fixture),
        http_(http),
        crypto_(crypto),
        executor_("kit") {}
  ~Bench() {
    close();
    executor_.stop();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void load() {
    auto copy = SealedCopy::of(library_);
    if (!copy) throw Failed{copy.error().message()};
    Options options;
    options.files = {{library_, hash_of(*copy, crypto_)}};
    if (!worker_.empty()) {
      options.placement = port::Placement::worker;
      options.worker.program = worker_;
    }
    options.log = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(mutex_);
      said_.append(message).append("\n");
    };
    options.record = record;
    auto kinds = load_plugins(options, crypto_);
    if (!kinds) throw Failed{kinds.error().message()};
    kind_ = kinds->begin()->second;
  }
  void open() {
    if (!kind_) load();
    if (auto ok = validate_json(kind_->describe().config_schema, fixture_.config); !ok) {
      if (fixture_.config.empty())
        throw Skipped{"needs a configuration: give one with --fixture (" + ok.error().message() + ")",
                      Verdict::Lacks::not_given};
      throw Failed{"the config of the fixture does not fit the manifest: " + ok.error().message()};
    }
    auto opened =
        kind_->open(fixture_.config, {executor_, clock_, random_, http_, port::Placement::by_default, kept_});
    if (!opened) throw Failed{"the connection cannot be opened: " + opened.error().message()};
    app_ = std::move(*opened);
  }
  void close() { app_.reset(); }

  [[nodiscard]] const connector::Description& describe() const { return kind_->describe(); }
  [[nodiscard]] bool has(Operation o) const { return describe().of(o).supported; }
  void need(Operation o) const {
    if (!has(o))
      throw Skipped{"the manifest does not name " + std::string(to_string(o)), Verdict::Lacks::not_offered};
  }
  [[nodiscard]] bool in_worker() const noexcept { return !worker_.empty(); }
  [[nodiscard]] connector::Connector& app() const { return *app_; }
  [[nodiscard]] const Fixture& fixture() const noexcept { return fixture_; }
  [[nodiscard]] const std::string& library() const noexcept { return library_; }

  struct Waiting {
    runtime::Event ended;
    Reply reply;
    connector::CallId id = 0;
  };
  [[nodiscard]] std::shared_ptr<Waiting> start(Call call, Duration time = call_time) {
    call.timeout = time;
    auto waiting = std::make_shared<Waiting>();
    waiting->id = app_->start(std::move(call), [waiting](Reply r) {
      waiting->reply = std::move(r);
      waiting->ended.set();
    });
    return waiting;
  }
  [[nodiscard]] Reply wait(Waiting& waiting) {
    if (!waiting.ended.wait_for(patience)) throw Failed{"a call came to no end"};
    no_faults();
    return waiting.reply;
  }
  [[nodiscard]] Reply ask(Call call) {
    const auto waiting = start(std::move(call));
    return wait(*waiting);
  }
  [[nodiscard]] Reply ask(Operation o, const std::string& account = {}) {
    Call c;
    c.operation = o;
    c.account_id = account;
    return ask(std::move(c));
  }
  [[nodiscard]] Reply find(const Match& match) {
    Call c;
    c.operation = Operation::find;
    c.match = match;
    return ask(std::move(c));
  }

  [[nodiscard]] std::string said() const {
    const std::lock_guard lock(mutex_);
    return said_;
  }
  void no_faults() const {
    const auto text = said();
    const auto at = text.find(std::string(": ") + std::string(fault_mark));
    if (at == std::string::npos) return;
    throw Failed{text.substr(at + 2, text.find('\n', at) - at - 2)};
  }

  std::function<void(const RecordedExchange&)> record{};

 private:
  const std::string worker_;
  const std::string library_;
  const Fixture& fixture_;
  port::HttpTransport& http_;
  const port::Crypto& crypto_;
  runtime::SystemClock clock_;
  runtime::SeededRandom random_{1};
  runtime::ThreadedExecutor executor_;
  std::shared_ptr<port::Checkpoints> kept_ = std::make_shared<MemoryCheckpoints>(executor_);
  std::shared_ptr<const port::ConnectorKind> kind_;
  std::unique_ptr<connector::Connector> app_;
  mutable std::mutex mutex_;
  std::string said_;
};

}  // namespace deprov::plugin::kit
