#include "engine/sources/feed_run.hpp"
#include <algorithm>
#include <utility>
#include "jobs/backoff.hpp"

namespace deprov::engine {

namespace {
using Kind = idp::FeedFailureKind;
constexpr policy::Retry within_round{std::chrono::seconds(2), std::chrono::minutes(1)};

idp::FeedFailure protocol(std::string detail) { return {Kind::protocol, std::move(detail), {}, {}}; }
}  // namespace

Duration wait_for_quota(const idp::FeedQuota& quota, std::uint32_t reserve_percent, WallTime now) {
  if (!quota.remaining || !quota.reset_at || *quota.reset_at <= now) return Duration{0};
  // Without a limit nobody can say what a share of it is: then the last request is left.
  const auto reserve = quota.limit ? std::max<std::uint64_t>(1, *quota.limit / 100 * reserve_percent +
                                                                    *quota.limit % 100 * reserve_percent / 100)
                                   : std::uint64_t{1};
  // A limit of concurrency is told as none at all (Okta: 0); its reset is only a hint.
  if (quota.limit && *quota.limit == 0) return Duration{0};
  return *quota.remaining > reserve ? Duration{0} : *quota.reset_at - now;
}

FeedRun::FeedRun(std::shared_ptr<Engine::Impl> engine, std::shared_ptr<const FeedConfig> config,
                 std::shared_ptr<FeedAuth> auth, std::unique_ptr<idp::FeedRound> round, Sink sink)
    : engine_(std::move(engine)),
      config_(std::move(config)),
      auth_(std::move(auth)),
      round_(std::move(round)),
      sink_(std::move(sink)) {}

void FeedRun::start(port::UniqueFunction<void(FeedOutcome)> done) {
  done_ = std::move(done);
  step();
}

void FeedRun::abandon() {
  done_ = {};
  if (call_) engine_->ports.http.cancel(*call_);
  if (timer_ != 0) engine_->ports.executor.cancel(timer_);
  call_.reset();
  timer_ = 0;
}

void FeedRun::finish(std::optional<idp::FeedFailure> failure) {
  if (!done_) return;
  outcome_.failure = std::move(failure);
  if (!outcome_.failure) outcome_.checkpoint = round_->checkpoint();
  auto done = std::move(done_);
  done_ = {};
  done(std::move(outcome_));
}

void FeedRun::step() {
  request_ = round_->next();
  if (!request_) return finish({});
  attempt_ = 0;
  renewed_ = nonced_ = false;
  throttled_since_.reset();
  const auto origin = idp::feed_origin(request_->url);
  const auto& origins = config_->feed->traits().origins;
  // The credential goes nowhere else, whatever a link says.
  if (!origin || std::find(origins.begin(), origins.end(), *origin) == origins.end())
    return finish(protocol("the source names a next page elsewhere than at " +
                           (origins.empty() ? std::string("its address") : origins.front())));
  if (outcome_.pages == config_->max_pages)
    return finish(
        protocol("the round has more pages than max_pages (" + std::to_string(config_->max_pages) + ")"));
  const auto mark =
      request_->mark.empty() ? request_->method + " " + request_->url + "\n" + request_->body : request_->mark;
  if (auto fresh = sink_.page(mark); !fresh) return finish(protocol(fresh.error().detail()));
  ++outcome_.pages;
  send();
}

void FeedRun::wait(Duration span) {
  timer_ = engine_->ports.executor.post_at(engine_->ports.clock.mono() + span, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->done_) return;
    self->timer_ = 0;
    self->send();
  });
}

Duration FeedRun::quota_wait() const {
  return wait_for_quota(outcome_.quota, config_->quota_reserve_percent, engine_->now());
}

void FeedRun::send() {
  if (const auto span = quota_wait(); span.count() > 0) {
    outcome_.quota.remaining.reset();  // what comes next says it anew
    if (span > longest_wait || ++waits_ > most_waits) {
      idp::FeedFailure f{
          Kind::throttled, "no more of its quota is left than is kept for others", engine_->now() + span, {}};
      return finish(std::move(f));
    }
    return wait(span);
  }
  auth_->get([weak = weak_from_this()](FeedAuth::Ready ready) {
    const auto self = weak.lock();
    if (!self || !self->done_) return;
    if (ready.failure) return self->failed(std::move(*ready.failure), {});
    self->exchange(ready.header);
  });
}

void FeedRun::exchange(const std::string& authorization) {
  port::HttpRequest request;
  request.method = request_->method;
  request.url = request_->url;
  request.body = request_->body;
  for (const auto& h : request_->headers) request.headers.push_back({h.name, h.value});
  auto headers = auth_->headers(authorization, request.method, request.url);
  if (!headers) return finish(idp::FeedFailure{Kind::auth_failed, headers.error().detail(), {}, {}});
  for (auto& h : *headers) request.headers.push_back(std::move(h));
  request.peer = config_->peer;
  request.timeout = config_->timeout;
  request.max_response_bytes = most_bytes;
  auto& executor = engine_->ports.executor;
  call_ = engine_->ports.http.send(std::move(request),
                                   [weak = weak_from_this(), &executor, authorization](port::HttpResult result) {
                                     executor.post([weak, authorization, result = std::move(result)]() mutable {
                                       const auto self = weak.lock();
                                       if (self) self->answered(std::move(result), authorization);
                                     });
                                   });
}

void FeedRun::answered(port::HttpResult result, const std::string& authorization) {
  call_.reset();
  if (!done_) return;
  if (!result.response) return failed(feed_failure_of(result.failure), authorization);
  const auto response = feed_response_of(std::move(*result.response), engine_->now());
  if (auth_->lacked_nonce(request_->url, response) && !std::exchange(nonced_, true)) return send();
  std::optional<Error> refused;
  std::uint64_t handed_on = 0;
  auto answer = round_->read(response, [&](const idp::FeedUser& user) {
    if (refused) return;
    ++handed_on;
    if (auto taken = sink_.user(user); !taken) refused = taken.error();
  });
  if (refused)
    return finish(protocol(refused->detail() + (refused->where().empty() ? "" : " (" + refused->where() + ")")));
  if (answer.failure) {
    // What was handed on cannot be taken back.
    if (handed_on != 0) answer.failure->kind = Kind::protocol;
    outcome_.quota = answer.failure->quota;
    return failed(std::move(*answer.failure), authorization);
  }
  const auto& page = answer.page;
  outcome_.records += page.records;
  outcome_.quota = page.quota;
  if (page.capped) return finish(protocol("the source says that it has more than it shows"));
  if (page.total) {
    if (outcome_.total && *outcome_.total != *page.total)
      return finish(protocol("the source counted " + std::to_string(*outcome_.total) + " first and " +
                             std::to_string(*page.total) + " later: the list moved while it was read"));
    outcome_.total = page.total;
  }
  // The same page under another mark is a page that did not come; but two groups may have the same members.
  const bool repeats = config_->feed->traits().repeats;
  if (round_->kind() == idp::FeedRoundKind::complete && page.records != 0 && !repeats)
    if (auto fresh = sink_.page("body " + response.body); !fresh) return finish(protocol(fresh.error().detail()));
  sink_.between();
  if (done_) step();
}

void FeedRun::failed(idp::FeedFailure failure, const std::string& authorization) {
  const auto now = engine_->now();
  switch (failure.kind) {
    case Kind::throttled: {
      auto span = failure.retry_at ? *failure.retry_at - now : Duration{0};
      if (!failure.retry_at && failure.quota.reset_at) span = *failure.quota.reset_at - now;
      outcome_.quota.remaining.reset();
      span = jobs::backoff(within_round, ++waits_, std::max(span, Duration{0}), engine_->ports.random);
      // Whoever is always told to come later has to hear that the source is not read (R16).
      const auto mono = engine_->ports.clock.mono();
      if (!throttled_since_) throttled_since_ = mono;
      if (mono - *throttled_since_ + span > longest_wait || waits_ > most_waits) {
        failure.retry_at = now + span;
        return finish(std::move(failure));
      }
      return wait(span);
    }
    case Kind::unavailable: {
      if (++attempt_ >= attempts) return finish(std::move(failure));
      // Later than nothing is no wish of its own.
      const auto wish = failure.retry_at ? *failure.retry_at - now : Duration{0};
      const auto span = jobs::backoff(within_round, attempt_, std::max(wish, Duration{0}), engine_->ports.random);
      if (span > longest_wait) return finish(std::move(failure));
      return wait(span);
    }
    case Kind::auth_failed:
      if (!authorization.empty() && !std::exchange(renewed_, true) && auth_->refused(authorization)) return send();
      return finish(std::move(failure));
    case Kind::permission_denied:
    case Kind::expired_checkpoint:
    case Kind::protocol: return finish(std::move(failure));
  }
}

}  // namespace deprov::engine
