// Who is not in a polled list any more is asked for alone before that counts (R6).
#include <algorithm>
#include <utility>
#include "engine/sources/source_poll.hpp"
#include "engine/sources/source_sync.hpp"

namespace deprov::engine {

void PollRound::confirm(std::vector<std::string> ids, Done<SourceSync::Confirmed> done) {
  if (!done_) return;
  unconfirmed_ = std::move(ids);
  said_ = {};
  unsaid_.clear();
  confirmed_ = std::move(done);
  confirm_next();
}

void PollRound::confirm_next() {
  if (unconfirmed_.empty()) return all_asked();
  const auto id = unconfirmed_.back();
  unconfirmed_.pop_back();
  auto round = feed_->feed->reread(id, engine_->now());
  if (!round) return confirm_next();
  FeedRun::Sink sink;
  sink.page = [](std::string_view) { return Result<void>(); };
  auto said = std::make_shared<bool>(false);
  sink.user = [self = shared_from_this(), id, said](const idp::FeedUser& user) -> Result<void> {
    if (user.id != id) return {};
    *said = true;
    if (user.state == idp::FeedState::granted) self->said_.there.push_back(id);
    const bool gone = user.state == idp::FeedState::removed && self->feed_->feed->traits().not_found_is_gone;
    if (user.state == idp::FeedState::ended || gone) self->said_.ended.emplace(id, user.cause);
    return {};
  };
  run(std::move(round), std::move(sink), [self = shared_from_this(), id, said](const FeedOutcome& outcome) {
    if (outcome.failure) return std::exchange(self->confirmed_, {})(error_of(*outcome.failure, self->row_.name));
    if (!*said) self->unsaid_.push_back(id);
    self->confirm_next();
  });
}

/// Of whom the source says nothing when asked there is the list alone, and one list alone ends nobody's access:
/// another one has to leave the same people out (R6).
void PollRound::all_asked() {
  std::sort(unsaid_.begin(), unsaid_.end());
  const auto& before = state_.unsaid;
  const bool doubt =
      said_.there.empty() && !std::includes(before.begin(), before.end(), unsaid_.begin(), unsaid_.end());
  if (!doubt) return std::exchange(confirmed_, {})(std::exchange(said_, {}));
  after_failure_.unsaid = unsaid_;
  sync_->after_failure(retry_at_, to_text(after_failure_));
  std::exchange(confirmed_, {})(
      Error(Errc::protocol,
            "of " + std::to_string(unsaid_.size()) + " users who are not in the list, such as " +
                unsaid_.front().substr(0, 100) + ", the source does not say when asked whether they have access",
            "the list", "it is read again, and counts if it leaves them out once more"));
}

}  // namespace deprov::engine
