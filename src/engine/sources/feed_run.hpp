// One round of a feed over HTTP: its requests one after the other, waits and repetitions among them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include "engine/impl.hpp"
#include "engine/sources/feed_auth.hpp"
#include "engine/sources/feed_config.hpp"

namespace deprov::engine {

/// What came of a round.
struct FeedOutcome {
  std::optional<idp::FeedFailure> failure{};  ///< nothing: the end marker was seen
  std::uint64_t records = 0;
  std::optional<std::uint64_t> total{};  ///< as the source says
  std::uint64_t pages = 0;
  idp::FeedQuota quota{};
  std::string checkpoint{};
};

/// Keeps one page at a time. A request is repeated where nobody was handed on of its page: after throttling as
/// often as the source wants within `longest_wait`, after an outage `attempts` times by R17, after a refused
/// access token once. *Thread safety*: the executor only.
class FeedRun : public std::enable_shared_from_this<FeedRun> {
 public:
  static constexpr std::uint32_t attempts = 5;
  /// For quota or throttling at once, and for one request that is throttled again and again in all.
  static constexpr Duration longest_wait = std::chrono::minutes(15);
  static constexpr std::uint32_t most_waits = 1000;
  static constexpr std::size_t most_bytes = std::size_t{16} << 20U;  ///< of one answer

  struct Sink {
    /// A page is about to be read: its mark, which must not have come before. An error ends the round.
    std::function<Result<void>(std::string_view mark)> page;
    std::function<Result<void>(const idp::FeedUser&)> user;
    /// Between two pages.
    std::function<void()> between = [] {};
  };

  FeedRun(std::shared_ptr<Engine::Impl> engine, std::shared_ptr<const FeedConfig> config,
          std::shared_ptr<FeedAuth> auth, std::unique_ptr<idp::FeedRound> round, Sink sink);
  void start(port::UniqueFunction<void(FeedOutcome)> done);
  /// `done` is not called any more.
  void abandon();

 private:
  void step();
  void send();
  void exchange(const std::string& authorization);
  void answered(port::HttpResult result, const std::string& authorization);
  void failed(idp::FeedFailure failure, const std::string& authorization);
  void wait(Duration span);
  void finish(std::optional<idp::FeedFailure> failure);
  [[nodiscard]] Duration quota_wait() const;

  std::shared_ptr<Engine::Impl> engine_;
  std::shared_ptr<const FeedConfig> config_;
  std::shared_ptr<FeedAuth> auth_;
  std::unique_ptr<idp::FeedRound> round_;
  Sink sink_;
  port::UniqueFunction<void(FeedOutcome)> done_;
  FeedOutcome outcome_;
  std::optional<idp::FeedRequest> request_;
  std::uint32_t attempt_ = 0, waits_ = 0;
  std::optional<MonoTime> throttled_since_;  ///< this request
  bool renewed_ = false;                     ///< the access token, for this request
  bool nonced_ = false;                      ///< it was sent again, with a nonce
  std::optional<port::HttpCallId> call_;
  port::TimerId timer_ = 0;
};

/// How long until the quota is there again, where no more than the reserve of it is left; otherwise zero.
[[nodiscard]] Duration wait_for_quota(const idp::FeedQuota& quota, std::uint32_t reserve_percent, WallTime now);

}  // namespace deprov::engine
