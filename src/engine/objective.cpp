#include "engine/objective.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/engine/notification.hpp>
#include <deprov/policy/plan.hpp>
#include <deque>
#include <utility>

namespace deprov::engine {

namespace {

constexpr Duration longest_pause = std::chrono::minutes(15);
constexpr Duration shortest_pause = std::chrono::seconds(1);
/// What came due while nobody was there waits a little, so that a start is not a stampede.
constexpr Duration first_look = std::chrono::minutes(1);
constexpr std::size_t jobs_a_page = 500;
constexpr std::size_t named = 20;

std::int64_t number(const json::object& o, const char* name) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_int64() ? v->get_int64() : 0;
}

}  // namespace

struct Objectives::Look {
  Context context;
  WallTime at;
  std::optional<JobId> before;
  bool over = false;
  bool failed = false;
  std::optional<port::ChoreRow> chore;
  // told before: the evidence of half and all up to here, of jobs that were there then
  WallTime half_until, all_until, looked;
  struct Stage {
    std::uint64_t count = 0;
    std::uint64_t waiting = 0;  ///< of these, those that wait for a person
    WallTime oldest;
    std::deque<port::JobRow> jobs;  ///< the oldest
  };
  Stage half, all;

  void add(Stage& stage, const port::JobRow& job) const {
    ++stage.count;
    if (job.state == port::JobState::held || job.state == port::JobState::awaiting_approval) ++stage.waiting;
    if (stage.oldest.micros == 0 || job.evidence_at < stage.oldest) stage.oldest = job.evidence_at;
    stage.jobs.push_back(job);  // the newest come first
    if (stage.jobs.size() > named) stage.jobs.pop_front();
  }
};

Duration Objectives::every(Duration objective) {
  return std::clamp<Duration>(objective / 48, shortest_pause, longest_pause);
}

Objectives::~Objectives() {
  if (timer_ != 0) engine_.ports.executor.cancel(timer_);
}

void Objectives::watch(const Context& context) {
  if (stopped_) return;
  const auto at = engine_.now() + first_look;
  const auto [it, added] = due_.emplace(context->row.scope.integration, at);
  if (!added) it->second = std::min(it->second, at);
  arm();
}

void Objectives::forget(IntegrationId id) { due_.erase(id); }

void Objectives::stop() {
  stopped_ = true;
  if (timer_ != 0) engine_.ports.executor.cancel(timer_);
  timer_ = 0;
  due_.clear();
}

void Objectives::arm() {
  if (timer_ != 0) engine_.ports.executor.cancel(timer_);
  timer_ = 0;
  if (stopped_ || running_ || due_.empty()) return;
  auto next = due_.begin()->second;
  for (const auto& [id, at] : due_) next = std::min(next, at);
  const auto wait = std::clamp<Duration>(next - engine_.now(), Duration{0}, longest_pause);
  timer_ = engine_.ports.executor.post_at(engine_.ports.clock.mono() + wait, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->timer_ = 0;
    self->fire();
  });
}

void Objectives::fire() {
  if (stopped_ || running_ || engine_.closing) return;
  const auto now = engine_.now();
  for (auto it = due_.begin(); it != due_.end();) {
    if (it->second > now) {
      ++it;
      continue;
    }
    auto context = engine_.directory.find(it->first);
    if (!context) {
      it = due_.erase(it);
      continue;
    }
    running_ = std::make_shared<Look>();
    running_->context = std::move(context);
    running_->at = now;
    return page(running_);
  }
  arm();
}

void Objectives::page(const std::shared_ptr<Look>& look) {
  engine_.ports.store.view(
      [look](port::Reader& reader) -> Result<void> {
        const auto& scope = look->context->row.scope;
        if (!look->before) {
          DEPROV_TRY(chore, reader.chore(scope, objective_chore));
          look->chore = std::move(chore);
          boost::system::error_code ec;
          const auto state = look->chore ? json::parse(look->chore->state, ec) : json::value(json::object{});
          if (!ec && state.is_object()) {
            look->half_until = {number(state.get_object(), "half_until_us")};
            look->all_until = {number(state.get_object(), "all_until_us")};
            look->looked = {number(state.get_object(), "looked_us")};
          }
        }
        port::JobFilter filter;
        filter.finished = false;
        DEPROV_TRY(page, reader.jobs(scope, filter, look->before, jobs_a_page));
        look->over = !page.more || page.rows.empty();
        const auto objective = look->context->policy.objective;
        for (const auto& job : page.rows) {
          look->before = job.id;
          if (job.kind != port::JobKind::remove_access || job.created > look->at || job.evidence_at.micros == 0)
            continue;
          const bool all = job.evidence_at + objective <= look->at;
          if (!all && job.evidence_at + objective / 2 > look->at) continue;
          const auto told = all ? look->all_until : look->half_until;
          if (job.evidence_at <= told && job.created <= look->looked) continue;
          if (job.plan.find("\"secured\"") != std::string::npos) {
            const auto plan = policy::parse_plan(job.plan);
            if (plan && plan->secured.micros != 0) continue;  // access has ended
          }
          look->add(all ? look->all : look->half, job);
        }
        return {};
      },
      [weak = weak_from_this(), &executor = engine_.ports.executor, look](Result<void> read) {
        executor.post([weak, look, ok = read.has_value()] {
          const auto self = weak.lock();
          if (!self) return;
          look->failed = !ok;
          if (ok && !look->over && !self->stopped_) return self->page(look);
          if (!ok || self->stopped_ || (look->half.count == 0 && look->all.count == 0)) return self->ended(look);
          self->tell(look);
        });
      });
}

void Objectives::tell(const std::shared_ptr<Look>& look) {
  const auto impl = engine_.shared_from_this();
  const auto scope = look->context->row.scope;
  engine_.decide(
      [impl, look, scope](port::Reader& reader) -> Result<port::Transaction> {
        const auto objective = look->context->policy.objective;
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        const auto record = [&](std::string_view event, const Look::Stage& stage) -> Result<void> {
          if (stage.count == 0) return {};
          json::array jobs;
          for (auto it = stage.jobs.rbegin(); it != stage.jobs.rend(); ++it) {
            DEPROV_TRY(resource, reader.resource(scope, it->subject));
            jobs.push_back(
                json::object{{"job", it->id.str()},
                             {"subject", it->subject.str()},
                             {"user_name", resource ? json::value(resource->user_name_key) : json::value()},
                             {"state", port::to_string(it->state)}});
          }
          txn.ops.emplace_back(impl->activity(scope, std::string(event), "engine",
                                              {{"objective_ms", objective.count() / 1000},
                                               {"removals", stage.count},
                                               {"waiting_for_a_person", stage.waiting},
                                               {"oldest_evidence", to_rfc3339(stage.oldest)},
                                               {"oldest", std::move(jobs)}}));
          return {};
        };
        DEPROV_CHECK(record(objective_half_event, look->half));
        DEPROV_CHECK(record(objective_gone_event, look->all));
        port::ChoreRow chore;
        chore.scope = scope;
        chore.name = std::string(objective_chore);
        chore.due = look->at + every(objective);
        chore.state = json::serialize(
            json::object{{"half_until_us", std::max(look->half_until, look->at - objective / 2).micros},
                         {"all_until_us", std::max(look->all_until, look->at - objective).micros},
                         {"looked_us", look->at.micros}});
        txn.ops.emplace_back(port::op::PutChore{std::move(chore)});
        return txn;
      },
      [weak = weak_from_this(), impl, look, scope](const Result<port::Committed>& committed) {
        if (committed) impl->notify(scope);
        const auto self = weak.lock();
        if (!self) return;
        look->failed = !committed;
        self->ended(look);
      });
}

/// What could not be read or stored is looked at again at the next turn.
void Objectives::ended(const std::shared_ptr<Look>& look) {
  running_.reset();
  if (stopped_) return;
  const auto id = look->context->row.scope.integration;
  const auto it = due_.find(id);
  if (it != due_.end()) {
    const auto current = engine_.directory.find(id);
    it->second = engine_.now() + every(current ? current->policy.objective : longest_pause);
  }
  arm();
}

}  // namespace deprov::engine
