#include "sandbox_connector.hpp"
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <cmath>
#include <deprov/json_schema.hpp>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>
#include "sandbox_app.hpp"

namespace deprov::connectors {

namespace json = boost::json;

namespace {

using connector::Call;
using connector::CallId;
using connector::Completion;
using connector::Description;
using connector::Idempotency;
using connector::Operation;
using connector::Outcome;
using connector::Reply;
using connector::Verification;

constexpr std::string_view sandbox_schema_text = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "An app in a JSON-lines file",
  "type": "object",
  "required": ["file"],
  "additionalProperties": false,
  "properties": {
    "file": {"type": "string", "minLength": 1,
      "description": "A line per account: {\"id\", \"externalId\", \"userName\", \"emails\", \"active\", \"groups\"}"},
    "effect_log": {"type": "string", "minLength": 1,
      "description": "Gets a line per effect before it is answered; default: the file's name and .effects"},
    "durable": {"type": "boolean", "default": false, "description": "Flush the log to the disk at each effect"},
    "latency_ms": {"type": "object", "additionalProperties": false,
      "properties": {"min": {"type": "number", "minimum": 0, "maximum": 600000},
                     "max": {"type": "number", "minimum": 0, "maximum": 600000}}},
    "seed": {"type": "integer", "minimum": 0, "default": 1, "description": "Of all chance in here"},
    "failures": {"type": "object",
      "description": "By operation, or * for all that are not named: outcome to probability; nothing is done then",
      "additionalProperties": {"type": "object",
        "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}},
    "lost_answers": {"type": "number", "minimum": 0, "maximum": 1, "default": 0,
      "description": "Probability that a change is done and answered UNKNOWN_OUTCOME"},
    "throttle": {"type": "object", "required": ["per_second"], "additionalProperties": false,
      "properties": {"per_second": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000000},
                     "retry_after_s": {"type": "number", "minimum": 0, "maximum": 86400}}},
    "lag_ms": {"type": "number", "minimum": 0, "maximum": 86400000, "default": 0,
      "description": "How long reads show the state before a change"},
    "own_account": {"type": "string", "minLength": 1, "maxLength": 1024,
      "description": "Login or id of the account that deprov itself would use in a real app: it is never taken away"},
    "max_concurrency": {"type": "integer", "minimum": 1, "maximum": 4096, "default": 16}
  }
})json";

struct Failure {
  Outcome outcome;
  double rate;
};

struct SandboxConfig {
  std::string file;
  std::string log;
  bool durable = false;
  Duration min_latency{0};
  Duration max_latency{0};
  std::uint64_t seed = 1;
  std::array<std::vector<Failure>, connector::operation_count> failures;
  double lost_answers = 0;
  double per_second = 0;  ///< 0: no throttling
  Duration retry_after = std::chrono::seconds(1);
  Duration lag{0};
  std::uint32_t max_concurrency = 16;
};

const json::value& sandbox_schema() {
  static const json::value schema = json::parse({sandbox_schema_text.data(), sandbox_schema_text.size()});
  return schema;
}

Duration milliseconds(const json::value& v) {
  return Duration(static_cast<std::int64_t>(std::llround(v.to_number<double>() * 1000)));
}

Result<std::vector<Failure>> parse_failures(const std::string& where, const json::object& rates) {
  std::vector<Failure> out;
  double sum = 0;
  for (const auto& [name, rate] : rates) {
    const auto outcome = connector::parse_outcome(name);
    if (!outcome || *outcome == Outcome::ok)
      return Error(Errc::invalid_argument, "is no outcome of a failure", where + "/" + std::string(name),
                   "use one such as UNAVAILABLE, NOT_SENT, UNKNOWN_OUTCOME, AUTH_FAILED, PROTOCOL");
    out.push_back({*outcome, rate.to_number<double>()});
    sum += out.back().rate;
  }
  if (sum > 1.0 + 1e-9)
    return Error(Errc::invalid_argument, "has probabilities that add up to more than 1", where);
  return out;
}

Result<void> parse_all_failures(const json::object& failures, SandboxConfig& out) {
  if (const auto* all = failures.if_contains("*")) {
    DEPROV_TRY(list, parse_failures("/failures/*", all->as_object()));
    for (auto& of : out.failures) of = list;
  }
  for (const auto& [name, rates] : failures) {
    if (name == "*") continue;
    const auto where = "/failures/" + std::string(name);
    const auto operation = connector::parse_operation(name);
    if (!operation)
      return Error(Errc::invalid_argument, "is no operation", where, "use one such as disable, read, find");
    DEPROV_TRY(list, parse_failures(where, rates.as_object()));
    out.failures[static_cast<std::size_t>(*operation)] = std::move(list);
  }
  return {};
}

Result<SandboxConfig> parse_sandbox_config(const json::object& config) {
  DEPROV_CHECK(validate_json(sandbox_schema(), config));
  SandboxConfig out;
  out.file = std::string(config.at("file").as_string());
  out.log = out.file + ".effects";
  if (const auto* v = config.if_contains("effect_log")) out.log = std::string(v->as_string());
  if (out.log == out.file)
    return Error(Errc::invalid_argument, "has to be another file than \"file\"", "/effect_log");
  if (const auto* v = config.if_contains("durable")) out.durable = v->as_bool();
  if (const auto* v = config.if_contains("latency_ms")) {
    const auto& o = v->as_object();
    if (const auto* n = o.if_contains("min")) out.min_latency = out.max_latency = milliseconds(*n);
    if (const auto* n = o.if_contains("max")) out.max_latency = milliseconds(*n);
    if (out.max_latency < out.min_latency)
      return Error(Errc::invalid_argument, "has to be at least \"min\"", "/latency_ms/max");
  }
  if (const auto* v = config.if_contains("seed")) out.seed = v->to_number<std::uint64_t>();
  if (const auto* v = config.if_contains("failures")) DEPROV_CHECK(parse_all_failures(v->as_object(), out));
  if (const auto* v = config.if_contains("lost_answers")) out.lost_answers = v->to_number<double>();
  if (const auto* v = config.if_contains("throttle")) {
    const auto& o = v->as_object();
    out.per_second = o.at("per_second").to_number<double>();
    if (const auto* n = o.if_contains("retry_after_s")) out.retry_after = milliseconds(*n) * 1000;
  }
  if (const auto* v = config.if_contains("lag_ms")) out.lag = milliseconds(*v);
  if (const auto* v = config.if_contains("max_concurrency")) out.max_concurrency = v->to_number<std::uint32_t>();
  return out;
}

/// Runs on the executor. Each call is carried out after half of its latency and answered after the other
/// half, so that a process that dies in between leaves behind what a real app would.
class SandboxCore : public std::enable_shared_from_this<SandboxCore> {
 public:
  SandboxCore(SandboxConfig config, std::unique_ptr<SandboxApp> app, port::ConnectorHost host)
      : config_(std::move(config)), app_(std::move(app)), host_(host), chance_(config_.seed) {}

  void start(CallId id, Call call, Completion done) {
    auto f = std::make_shared<Flight>();
    f->id = id;
    f->call = std::move(call);
    f->done = std::move(done);
    const auto now = host_.clock.mono();
    const auto spread = (config_.max_latency - config_.min_latency).count();
    const auto latency =
        config_.min_latency + Duration(static_cast<std::int64_t>(draw() * static_cast<double>(spread)));
    // Both are drawn whether they are needed or not, so that each call takes the same part of the chance.
    const auto fate = draw();
    f->answer_is_lost = draw() < config_.lost_answers && is_change(f->call.operation);
    f->timed_out = latency > f->call.timeout;
    const auto answer_at = now + std::min<Duration>(latency, f->call.timeout);
    flights_.emplace(id, f);
    if (!admit(now)) {
      f->reply = Reply{};
      f->reply->outcome = Outcome::throttled;
      f->reply->retry_after = config_.retry_after;
      f->reply->detail = "more than " + std::to_string(config_.per_second) + " calls a second";
      f->answer_is_lost = false;
    } else {
      double sum = 0;
      for (const auto& failure : config_.failures[static_cast<std::size_t>(f->call.operation)]) {
        sum += failure.rate;
        if (fate >= sum) continue;
        f->reply = Reply{};
        f->reply->outcome = failure.outcome;
        f->reply->detail = "a failure that the sandbox was told to have";
        f->answer_is_lost = false;
        break;
      }
    }
    if (answer_at <= now) {
      host_.executor.post([self = shared_from_this(), f] {
        self->act(*f);
        self->answer(*f);
      });
      return;
    }
    const auto act_at = now + (answer_at - now) / 2;
    host_.executor.post_at(act_at, [self = shared_from_this(), f] { self->act(*f); });
    host_.executor.post_at(answer_at, [self = shared_from_this(), f] { self->answer(*f); });
  }

  void cancel(CallId id) {
    const auto it = flights_.find(id);
    if (it == flights_.end()) return;
    it->second->cancelled = true;
    host_.executor.post([self = shared_from_this(), f = it->second] { self->answer(*f); });
  }

 private:
  struct Flight {
    CallId id = 0;
    Call call;
    Completion done;
    std::optional<Reply> reply;  ///< once it was carried out, or where it will not be
    bool acted = false;
    bool answer_is_lost = false;
    bool timed_out = false;
    bool cancelled = false;
    bool ended = false;
  };

  /// In [0, 1). The engine's output is fixed by the standard, that of the distributions is not.
  double draw() { return static_cast<double>(chance_() >> 11U) * 0x1.0p-53; }

  /// A bucket that holds one second's worth.
  bool admit(MonoTime now) {
    if (config_.per_second <= 0) return true;
    const auto most = std::max(config_.per_second, 1.0);
    const auto gained =
        bucket_at_ ? static_cast<double>((now - *bucket_at_).count()) * 1e-6 * config_.per_second : most;
    bucket_ = std::min(most, bucket_ + gained);
    bucket_at_ = now;
    if (bucket_ < 1.0) return false;
    bucket_ -= 1.0;
    return true;
  }

  void act(Flight& f) {
    if (f.ended || f.cancelled || f.reply) return;
    f.acted = true;
    f.reply = app_->act(f.call, host_.clock.wall(), host_.clock.mono());
  }

  void answer(Flight& f) {
    if (std::exchange(f.ended, true)) return;
    flights_.erase(f.id);
    const bool change = is_change(f.call.operation);
    Reply reply;
    if (f.cancelled) {
      reply.outcome = f.acted && change ? Outcome::unknown_outcome : Outcome::cancelled;
      reply.detail = "the call was cancelled";
    } else if (f.answer_is_lost && f.reply->outcome == Outcome::ok) {
      reply.outcome = Outcome::unknown_outcome;
      reply.detail = "the answer was lost, as the sandbox was told";
    } else if (f.timed_out) {
      reply.outcome = change ? Outcome::unknown_outcome : Outcome::deadline;
      reply.detail = "no answer within the time for the call";
    } else {
      reply = std::move(*f.reply);
    }
    f.done(std::move(reply));
  }

  const SandboxConfig config_;
  std::unique_ptr<SandboxApp> app_;
  port::ConnectorHost host_;
  std::mt19937_64 chance_;
  double bucket_ = 0;
  std::optional<MonoTime> bucket_at_;
  std::unordered_map<CallId, std::shared_ptr<Flight>> flights_;
};

class SandboxConnector final : public connector::Connector {
 public:
  SandboxConnector(Description description, std::shared_ptr<SandboxCore> core, port::Executor& executor)
      : description_(std::move(description)), core_(std::move(core)), executor_(executor) {}

  [[nodiscard]] const Description& describe() const override { return description_; }

  CallId start(Call call, Completion done) override {
    const auto id = ++last_id_;
    if (executor_.running_here())
      core_->start(id, std::move(call), std::move(done));
    else
      executor_.post([core = core_, id, call = std::move(call), done = std::move(done)]() mutable {
        core->start(id, std::move(call), std::move(done));
      });
    return id;
  }

  void cancel(CallId id) override {
    if (executor_.running_here())
      core_->cancel(id);
    else
      executor_.post([core = core_, id] { core->cancel(id); });
  }

 private:
  const Description description_;
  std::shared_ptr<SandboxCore> core_;
  port::Executor& executor_;
  CallId last_id_ = 0;
};

Description describe_sandbox() {
  Description d;
  d.id = "sandbox";
  d.name = "Sandbox: an app in a file";
  d.version = DEPROV_VERSION;
  d.config_schema = sandbox_schema();
  d.own_account = {"own_account"};
  for (const auto o :
       {Operation::check, Operation::find, Operation::read, Operation::list, Operation::disable, Operation::enable,
        Operation::remove, Operation::revoke_sessions, Operation::list_entitlements, Operation::revoke_entitlement,
        Operation::grant_entitlement}) {
    auto& c = d.of(o);
    c.supported = true;
    c.reversible = o != Operation::remove && o != Operation::revoke_sessions;
    c.idempotency = Idempotency::naturally;
    if (is_change(o) && o != Operation::revoke_sessions) c.verification = Verification::read;
  }
  return d;
}

class SandboxKind final : public port::ConnectorKind {
 public:
  [[nodiscard]] const Description& describe() const override { return description_; }

  [[nodiscard]] Result<void> validate(const json::object& config) const override {
    DEPROV_CHECK(parse_sandbox_config(config));
    return {};
  }

  [[nodiscard]] std::vector<port::ConfigFile> files(const json::object& config) const override {
    const auto parsed = parse_sandbox_config(config);
    if (!parsed) return {};
    return {{"/file", parsed->file}, {"/effect_log", parsed->log}};
  }

  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const json::object& config,
                                                                   port::ConnectorHost host) const override {
    DEPROV_TRY(parsed, parse_sandbox_config(config));
    DEPROV_TRY(app, SandboxApp::open(parsed.file, parsed.log, parsed.durable, parsed.lag));
    auto description = description_;
    description.rate.max_concurrency = parsed.max_concurrency;
    for (auto& c : description.capabilities)
      if (c.verification == Verification::read) c.verification_lag = parsed.lag;
    auto core = std::make_shared<SandboxCore>(std::move(parsed), std::move(app), host);
    return std::unique_ptr<connector::Connector>(
        std::make_unique<SandboxConnector>(std::move(description), std::move(core), host.executor));
  }

 private:
  const Description description_ = describe_sandbox();
};

}  // namespace

std::shared_ptr<const port::ConnectorKind> make_sandbox_kind() { return std::make_shared<SandboxKind>(); }

}  // namespace deprov::connectors
