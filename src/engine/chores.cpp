#include "engine/chores.hpp"
#include <algorithm>
#include "engine/reconciliation.hpp"
#include "engine/retention.hpp"

namespace deprov::engine {

namespace {

constexpr Duration day = std::chrono::hours(24);
constexpr Duration longest_sleep = std::chrono::hours(1);  // wall time may jump
/// What was due while nobody was there waits a little, so that a start is not a stampede.
constexpr Duration after_start = std::chrono::minutes(1);

const json::object* reconcile_settings(const Context& context) {
  const auto* v = context->settings.if_contains("reconcile");
  return v != nullptr ? v->if_object() : nullptr;
}

std::string_view reconcile_mode(const Context& context) {
  const auto* o = reconcile_settings(context);
  const auto* mode = o != nullptr ? o->if_contains("mode") : nullptr;
  return mode != nullptr && mode->is_string() ? std::string_view(mode->get_string()) : "propose";
}

std::optional<Duration> retention(const Context& context) {
  const auto* days = context->settings.if_contains("retention_days");
  if (days == nullptr || !days->is_int64()) return std::nullopt;
  return day * days->get_int64();
}

}  // namespace

Duration reconcile_interval(const Context& context) {
  const auto* o = context ? reconcile_settings(context) : nullptr;
  const auto* hours = o != nullptr ? o->if_contains("every_hours") : nullptr;
  if (hours == nullptr || !hours->is_int64()) return day;
  return std::chrono::hours(hours->get_int64());
}

Chores::~Chores() {
  if (timer_ != 0) engine_.ports.executor.cancel(timer_);
}

void Chores::stop() {
  stopped_ = true;
  if (timer_ != 0) engine_.ports.executor.cancel(timer_);
  timer_ = 0;
  due_.clear();
  queue_.clear();
}

void Chores::watch(const Context& context) {
  if (stopped_) return;
  const bool can_list =
      context->connector != nullptr && context->connector->of(connector::Operation::list).supported;
  const bool reconciles = can_list && reconcile_mode(context) != "off";
  plan(context, reconcile_chore, reconciles ? std::optional(reconcile_interval(context)) : std::nullopt);
  plan(context, retention_chore, retention(context) ? std::optional(day) : std::nullopt);
}

void Chores::forget(IntegrationId id) {
  std::erase_if(due_, [&](const auto& d) { return d.first.integration == id.value; });
  std::erase_if(asked_, [&](const auto& a) { return a.first.integration == id.value; });
  std::erase_if(queue_, [&](const auto& k) { return k.integration == id.value; });
}

void Chores::plan(const Context& context, std::string_view chore, std::optional<Duration> every) {
  const Key key{context->row.scope.integration.value, std::string(chore)};
  const auto asked = asked_[key] = ++generation_;
  if (!every) {
    due_.erase(key);
    return;
  }
  auto row = std::make_shared<std::optional<port::ChoreRow>>();
  // Changes of the integration do not put its first reconciliation off.
  const auto first = chore == retention_chore ? std::max(context->row.created, context->row.modified) + after_start
                                              : context->row.created + *every;
  const auto at_most = engine_.now() + *every;
  engine_.ports.store.view(
      [row, scope = context->row.scope, name = key.chore](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(found, reader.chore(scope, name));
        *row = std::move(found);
        return {};
      },
      [weak = weak_from_this(), &executor = engine_.ports.executor, key, asked, row, first,
       at_most](const Result<void>& read) {
        executor.post([weak, key, asked, row, first, at_most, ok = read.has_value()] {
          const auto self = weak.lock();
          if (!self || self->stopped_) return;
          const auto it = self->asked_.find(key);
          if (it == self->asked_.end() || it->second != asked) return;
          // A store that cannot be read now is asked again when it would be due by what is known.
          const auto due = ok && *row ? std::min((*row)->due, at_most) : first;
          self->due_[key] = std::max(due, self->engine_.now() + after_start);
          self->arm();
        });
      });
}

void Chores::arm() {
  if (timer_ != 0) engine_.ports.executor.cancel(timer_);
  timer_ = 0;
  if (due_.empty() || stopped_) return;
  auto next = due_.begin()->second;
  for (const auto& [key, at] : due_) next = std::min(next, at);
  const auto wait = std::clamp(next - engine_.now(), Duration{0}, longest_sleep);
  timer_ = engine_.ports.executor.post_at(engine_.ports.clock.mono() + wait, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->timer_ = 0;
      self->fire();
    }
  });
}

void Chores::fire() {
  const auto now = engine_.now();
  for (auto it = due_.begin(); it != due_.end();) {
    if (it->second > now) {
      ++it;
      continue;
    }
    queue_.push_back(it->first);
    it = due_.erase(it);
  }
  arm();
  run_next();
}

void Chores::run_next() {
  while (!busy_ && !queue_.empty() && !stopped_ && !engine_.closing) {
    const auto key = queue_.front();
    queue_.pop_front();
    const auto context = engine_.directory.find(IntegrationId{key.integration});
    if (!context) continue;
    const auto weak = weak_from_this();
    busy_ = true;
    if (key.chore == retention_chore) {
      const auto keep = retention(context);
      const auto before = engine_.now() - keep.value_or(day * 36500);
      run_retention(engine_.shared_from_this(), {context->row.scope, before, "engine", engine_.now() + day, false},
                    [weak, key](const Result<std::uint64_t>& done) {
                      if (const auto self = weak.lock())
                        self->ended(key, day, done ? std::nullopt : std::optional<Error>(done.error()));
                    });
      return;
    }
    const auto every = reconcile_interval(context);
    const auto started = start_reconciliation(
        engine_.shared_from_this(),
        {context->row.scope, "engine", reconcile_mode(context) == "queue", engine_.now() + every},
        [weak, key, every](const Result<json::object>& done) {
          if (const auto self = weak.lock())
            self->ended(key, every, done ? std::nullopt : std::optional<Error>(done.error()));
        });
    if (!started) ended(key, every, std::nullopt);  // a person's run is under way
    return;
  }
}

void Chores::ended(const Key& key, Duration until_next, const std::optional<Error>& error) {
  busy_ = false;
  const auto context = engine_.directory.find(IntegrationId{key.integration});
  if (!stopped_ && context) {
    due_[key] = engine_.now() + until_next;
    arm();
    if (error && error->code() != Errc::closed && key.chore == retention_chore) {
      auto impl = engine_.shared_from_this();
      const auto scope = context->row.scope;
      impl->decide(
          [impl, scope, why = error->message()](port::Reader&) -> Result<port::Transaction> {
            port::Transaction txn;
            txn.id = impl->new_id<TxnId>();
            txn.ops.emplace_back(impl->activity(scope, "retention.failed", "engine", {{"reason", why}}));
            return txn;
          },
          [impl, scope](const Result<port::Committed>&) { impl->notify(scope); });
    }
  }
  // Not from here: what ended may still be on the stack.
  engine_.ports.executor.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run_next();
  });
}

}  // namespace deprov::engine
