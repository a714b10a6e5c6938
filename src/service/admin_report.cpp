// Time to deprovision, in figures: read from the store page by page, in constant memory.
#include <boost/json/parse.hpp>
#include <deprov/evidence/durations.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/policy/protection.hpp>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

constexpr std::size_t jobs_a_page = 500;
constexpr std::size_t dues_a_page = 500;
constexpr Duration usual_range = std::chrono::hours(24 * 30);

/// Walks the removals of one integration, the newest first.
class Figures : public std::enable_shared_from_this<Figures> {
 public:
  Figures(CallPtr call, WallTime from, WallTime to) : call_(std::move(call)), from_(from), to_(to) {}

  void start() {
    now_ = call_->engine.ports().clock.wall();
    next();
  }

 private:
  void next() {
    auto self = shared_from_this();
    call_->engine.view([self](port::Reader& reader) { return self->page(reader); },
                       [self](const Result<void>& read) {
                         if (!read) return fail(self->call_, read.error());
                         if (!self->over_) return self->next();
                         answer(self->call_, 200, self->result());
                       });
  }

  Result<void> page(port::Reader& reader) {
    DEPROV_TRY(integration, integration_of(reader, *call_));
    if (jobs_over_) return retained(reader, integration.scope);
    if (!before_) {
      // A policy that cannot be read is the fault of the integration, and told there; its figures are what they
      // are.
      boost::system::error_code ec;
      const auto document = json::parse(integration.policy.empty() ? "{}" : integration.policy, ec);
      const auto policy = policy::parse_policy(ec ? json::value(json::object{}) : document);
      objective_ = policy ? policy->objective : policy::Policy{}.objective;
    }
    DEPROV_TRY(page, reader.jobs(integration.scope, {}, before_, jobs_a_page));
    jobs_over_ = !page.more || page.rows.empty();
    for (const auto& job : page.rows) {
      before_ = job.id;
      // Evidence is never younger than its job.
      if (job.created < from_) {
        jobs_over_ = true;
        break;
      }
      if (job.kind != port::JobKind::remove_access || job.evidence_at < from_ || job.evidence_at >= to_) continue;
      DEPROV_CHECK(count(reader, job));
    }
    return {};
  }

  /// Whose account stays although access ended, as it is now (R9, R7).
  Result<void> retained(port::Reader& reader, const port::Scope& scope) {
    DEPROV_TRY(page, reader.dues_of_kind(scope, "retained", after_, dues_a_page));
    over_ = !page.more || page.rows.empty();
    for (const auto& due : page.rows) {
      after_ = due.subject;
      if (due.since < from_ || due.since >= to_) continue;
      DEPROV_TRY(subject, reader.subject(scope, due.subject));
      if (subject && subject->access) continue;  // its role is kept, and nothing else is taken from it
      DEPROV_TRY(retention, policy::parse_retention(due.payload));
      switch (retention.kind) {
        case policy::Retention::Kind::protected_subject: ++protected_; break;
        case policy::Retention::Kind::exempt: ++exempt_; break;
        case policy::Retention::Kind::kept_by_decision: ++kept_; break;
      }
    }
    return {};
  }

  void took(Duration time) {
    ++ended_;
    if (time <= objective_) ++within_;
    durations_.add(time);
  }

  /// A failure that was retried, or taken up by a reconciliation, is told by the job that took its place.
  static Result<bool> replaced(port::Reader& reader, const port::JobRow& job) {
    port::JobFilter filter;
    filter.subject = job.subject;
    DEPROV_TRY(page, reader.jobs(job.scope, filter, std::nullopt, 50));
    for (const auto& other : page.rows) {
      if (!(job.id < other.id)) break;
      if (other.kind != job.kind) continue;
      if (other.generation == job.generation || other.evidence_at == job.evidence_at) return true;
    }
    return false;
  }

  Result<void> count(port::Reader& reader, const port::JobRow& job) {
    using port::JobState;
    const auto age = now_ - job.evidence_at;
    const auto ended = access_ended(job);  // what cannot be undone may follow long after it
    switch (job.state) {
      case JobState::succeeded_verified: {
        ++verified_;
        took(ended - job.evidence_at);
        return {};
      }
      case JobState::succeeded_unverified: ++unverified_; return {};
      case JobState::succeeded_no_account: ++no_account_; return {};
      case JobState::cancelled: ++cancelled_; return {};
      case JobState::superseded: ++superseded_; return {};
      case JobState::attested: ++attested_; return {};
      case JobState::observed: return {};
      case JobState::failed:
      case JobState::dead: {
        DEPROV_TRY(again, replaced(reader, job));
        if (again) return {};
        if (ended.micros != 0) {  // the app was left in time, or not; what was to follow is another matter
          ++failed_afterwards_;
          took(ended - job.evidence_at);
          return {};
        }
        ++failed_;
        durations_.add(age);
        return {};
      }
      default: break;
    }
    if (ended.micros != 0) {  // what cannot be undone is still to come
      ++in_grace_;
      return {};
    }
    if (port::is_finished(job.state)) {
      ++other_;
      return {};
    }
    if (job.state == JobState::held || job.state == JobState::awaiting_approval) ++held_;
    if (age <= objective_) {
      ++pending_;
      return {};
    }
    ++overdue_;
    durations_.add(age);  // so long at least
    return {};
  }

  [[nodiscard]] json::value result() const {
    const auto missed = (ended_ - within_) + overdue_ + failed_;
    const auto counted = within_ + missed;
    const auto ms = [&](Duration d) -> json::value {
      if (durations_.count() == 0) return nullptr;
      return static_cast<double>(d.count()) / 1000.0;
    };
    return json::object{{"integration", call_->id<IntegrationId>(0).str()},
                        {"from", to_rfc3339(from_)},
                        {"to", to_rfc3339(to_)},
                        {"objective_ms", objective_.count() / 1000},
                        {"counted", counted},
                        {"within_objective", within_},
                        {"missed", missed},
                        {"share_within_objective",
                         counted == 0 ? json::value(nullptr)
                                      : json::value(static_cast<double>(within_) / static_cast<double>(counted))},
                        {"p50_ms", ms(durations_.percentile(0.50))},
                        {"p95_ms", ms(durations_.percentile(0.95))},
                        {"p99_ms", ms(durations_.percentile(0.99))},
                        {"max_ms", ms(durations_.max())},
                        {"verified", verified_},
                        {"overdue", overdue_},
                        {"failed", failed_},
                        {"pending", pending_},
                        {"held", held_},
                        {"failed_afterwards", failed_afterwards_},
                        {"in_grace", in_grace_},
                        {"protected", protected_},
                        {"exempt", exempt_},
                        {"kept_by_decision", kept_},
                        {"unverified", unverified_},
                        {"no_account", no_account_},
                        {"attested", attested_},
                        {"cancelled", cancelled_},
                        {"superseded", superseded_},
                        {"other", other_}};
  }

  CallPtr call_;
  WallTime from_, to_, now_;
  Duration objective_{0};
  std::optional<JobId> before_;
  std::optional<ResourceId> after_;
  bool jobs_over_ = false, over_ = false;
  evidence::Durations durations_;
  std::uint64_t verified_ = 0, ended_ = 0, within_ = 0, overdue_ = 0, failed_ = 0, failed_afterwards_ = 0,
                pending_ = 0, held_ = 0, in_grace_ = 0, protected_ = 0, exempt_ = 0, kept_ = 0, unverified_ = 0,
                no_account_ = 0, attested_ = 0, cancelled_ = 0, superseded_ = 0, other_ = 0;
};

void integration_report(const CallPtr& call) {
  const auto now = call->engine.ports().clock.wall();
  const auto time = [&](std::string_view name, WallTime otherwise) -> Result<WallTime> {
    const auto it = call->query.find(name);
    if (it == call->query.end()) return otherwise;
    auto t = parse_rfc3339(it->second);
    if (!t)
      return Error(Errc::invalid_argument, "not a time", "query parameter " + std::string(name),
                   "give it as 2026-11-24T00:00:00Z");
    return *t;
  };
  const auto to = time("to", now + std::chrono::seconds(1));
  if (!to) return fail(call, to.error());
  const auto from = time("from", *to - usual_range);
  if (!from) return fail(call, from.error());
  std::make_shared<Figures>(call, *from, *to)->start();
}

}  // namespace

void add_report_routes(std::vector<AdminRoute>& routes) {
  routes.push_back(
      {"GET",
       "/integrations/{integration}/report",
       "reportIntegration",
       "reports",
       "Time to deprovision in figures, from the first evidence to the verified result",
       Needs::integrations,
       {{"from", "string", "RFC 3339: removals whose evidence is of this time or later (default: 30 days ago)."},
        {"to", "string", "RFC 3339: and before this one (default: now)."}},
       "",
       200,
       "IntegrationReport",
       integration_report});
  add_person_routes(routes);
}

}  // namespace deprov::service
