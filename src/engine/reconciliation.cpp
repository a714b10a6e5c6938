#include "engine/reconciliation.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/policy/plan.hpp>
#include <deprov/scim/fold.hpp>
#include <functional>
#include "engine/chores.hpp"
#include "engine/job_priority.hpp"
#include "engine/management.hpp"

namespace deprov::engine {

namespace {

constexpr std::uint32_t accounts_a_page = 100;
constexpr std::uint32_t max_failures = 5;       // in a row
constexpr std::uint32_t max_waits = 10'000;     // for an app that throttles
constexpr std::size_t findings_removed = 1000;  // of the runs before, with each transaction
constexpr Duration longest_rest = std::chrono::minutes(5);

std::string note_of(const policy::Retention& why) {
  auto note = std::string(policy::to_string(why.kind)) + ": " + why.reason;
  if (!why.until) return note;
  const bool protects = why.kind == policy::Retention::Kind::protected_subject;
  return note + (protects ? "; to be reviewed at " : "; until ") + to_rfc3339(*why.until);
}

}  // namespace

Reconciliation::Reconciliation(std::shared_ptr<Engine::Impl> impl, ReconcileTask task, Done<json::object> done)
    : impl_(std::move(impl)),
      task_(std::move(task)),
      done_(std::move(done)),
      run_(impl_->new_id<WorkId>()),
      started_(impl_->now()) {
  evidence_.actor = task_.actor;
  evidence_.source = "reconciliation";
  evidence_.request = run_.str();
  evidence_.at = started_;
}

json::object Reconciliation::report() const {
  json::object findings;
  for (const auto kind :
       {port::FindingKind::leftover, port::FindingKind::drift, port::FindingKind::orphan,
        port::FindingKind::missing_account, port::FindingKind::ambiguous, port::FindingKind::retained}) {
    const auto it = counts_.findings.find(kind);
    findings[port::to_string(kind)] = it == counts_.findings.end() ? 0 : it->second;
  }
  return {{"run", run_.str()},
          {"state", !failed_.empty() ? "failed"
                    : over_          ? "done"
                                     : "running"},
          {"mode", task_.queue ? "queue" : "propose"},
          {"by", task_.actor},
          {"started", to_rfc3339(started_)},
          {"finished", over_ ? json::value(to_rfc3339(finished_)) : json::value(nullptr)},
          {"complete", over_ && incomplete_.empty()},
          {"why_incomplete", incomplete_.empty() ? json::value(nullptr) : json::value(incomplete_)},
          {"accounts", accounts_},
          {"pages", pages_},
          {"subjects", subjects_},
          {"findings", std::move(findings)},
          {"in_progress", counts_.in_progress},
          {"queued", counts_.queued},
          {"looked_up", counts_.looked_up}};
}

bool Reconciliation::stopped() {
  if (!impl_->closing) return false;
  fail(Error(Errc::closed, "the engine is shutting down", {}, "it is reconciled again at the next start"));
  return true;
}

void Reconciliation::fail(Error error) {
  over_ = true;
  finished_ = impl_->now();
  incomplete_ = failed_ = error.message();
  auto self = shared_from_this();
  const bool quietly = error.code() == Errc::closed || error.code() == Errc::not_found;
  if (quietly) return answer(std::move(error));
  impl_->decide(
      [self](port::Reader&) -> Result<port::Transaction> {
        port::Transaction txn;
        txn.id = self->impl_->new_id<TxnId>();
        self->record_end(txn, "reconciliation.failed");
        return txn;
      },
      [self, error = std::move(error)](const Result<port::Committed>&) {
        self->impl_->notify(self->task_.scope);
        self->answer(error);
      });
}

void Reconciliation::answer(Result<json::object> result) {
  auto done = std::move(done_);
  done_ = {};
  if (done) done(std::move(result));
  auto stopped = std::move(stopped_);
  stopped_ = {};
  if (stopped) stopped();
}

void Reconciliation::stop(port::UniqueFunction<void()> ended) {
  if (!done_) return ended();
  stopped_ = std::move(ended);
  if (call_) return app_->cancel(*call_);
  if (timer_ == 0) return;  // the store's answer comes
  impl_->ports.executor.cancel(timer_);
  timer_ = 0;
  (void)stopped();
}

/// One call at a time; what comes back is handled on the executor.
void Reconciliation::call(connector::Call call, port::UniqueFunction<void(connector::Reply)> then) {
  auto self = shared_from_this();
  auto shared = std::make_shared<port::UniqueFunction<void(connector::Reply)>>(std::move(then));
  const auto id = app_->start(std::move(call), [self, shared](connector::Reply reply) {
    self->impl_->ports.executor.post([self, shared, reply = std::move(reply)]() mutable {
      self->call_.reset();
      (*shared)(std::move(reply));
    });
  });
  call_ = id;
}

void Reconciliation::record_end(port::Transaction& txn, std::string event) const {
  const auto end = report();
  port::ChoreRow row;
  row.scope = task_.scope;
  row.name = reconcile_chore;
  row.due = task_.next;
  row.state = json::serialize(end);
  txn.ops.emplace_back(port::op::PutChore{std::move(row)});
  txn.ops.emplace_back(port::op::RemoveFindings{task_.scope, run_, findings_removed});
  txn.ops.emplace_back(impl_->activity(task_.scope, std::move(event), task_.actor, end));
}

void Reconciliation::start() {
  auto self = shared_from_this();
  auto row = std::make_shared<std::optional<port::IntegrationRow>>();
  impl_->ports.store.view(
      [self, row](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(found, reader.integration(self->task_.scope));
        if (!found || found->state == port::IntegrationState::deleted)
          return Error(Errc::not_found, "there is no such integration",
                       "integration " + self->task_.scope.integration.str());
        *row = std::move(found);
        return {};
      },
      [self, row](Result<void> read) {
        self->impl_->ports.executor.post([self, row, read = std::move(read)] {
          if (!read) return self->fail(read.error());
          if (!*row) return self->fail(Error(Errc::internal, "no integration was read"));
          auto context = make_context(**row, self->impl_->options.connectors);
          if (!context) return self->fail(context.error());
          self->context_ = std::move(*context);
          auto app = self->impl_->open_connector(self->context_->row);
          if (!app) return self->fail(app.error());
          self->app_ = std::move(*app);
          if (!self->app_->describe().of(connector::Operation::list).supported) {
            return self->fail(Error(Errc::unsupported, "this app cannot list its accounts",
                                    "connector " + self->context_->row.connector,
                                    "compare by hand, or use a connector that offers list"));
          }
          self->impl_->decide(
              [self](port::Reader&) -> Result<port::Transaction> {
                port::Transaction txn;
                txn.id = self->impl_->new_id<TxnId>();
                txn.ops.emplace_back(self->impl_->activity(
                    self->task_.scope, "reconciliation.started", self->task_.actor,
                    {{"run", self->run_.str()}, {"mode", self->task_.queue ? "queue" : "propose"}}));
                return txn;
              },
              [self](Result<port::Committed> committed) {
                if (!committed) return self->fail(committed.error());
                self->impl_->notify(self->task_.scope);
                self->list_page();
              });
        });
      });
}

void Reconciliation::again(Duration wait) {
  auto self = shared_from_this();
  timer_ = impl_->ports.executor.post_at(impl_->ports.clock.mono() + std::min(wait, longest_rest), [self] {
    self->timer_ = 0;
    self->list_page();
  });
}

// ---- the accounts of the app

void Reconciliation::list_page() {
  if (stopped()) return;
  connector::Call page;
  page.operation = connector::Operation::list;
  page.cursor = cursor_;
  page.page_size = accounts_a_page;
  call(std::move(page), [self = shared_from_this()](connector::Reply reply) { self->listed(std::move(reply)); });
}

// R6: a page that failed, came twice, or did not end leaves a listing that proves nobody's absence.
void Reconciliation::listed(connector::Reply reply) {
  if (stopped()) return;
  const auto why =
      std::string(connector::to_string(reply.outcome)) + (reply.detail.empty() ? "" : ": " + reply.detail);
  if (reply.outcome == connector::Outcome::throttled && ++waits_ <= max_waits)
    return again(reply.retry_after.value_or(std::chrono::seconds(1)));
  if (reply.outcome != connector::Outcome::ok) {
    const auto disposition = connector::disposition(reply.outcome);
    const bool passes =
        disposition == connector::Disposition::retry || disposition == connector::Disposition::read_back;
    if (passes && ++failures_ < max_failures) return again(std::chrono::seconds(std::int64_t{1} << failures_));
    incomplete_ = "page " + std::to_string(pages_ + 1) + " failed: " + why;
    return end_of_listing();
  }
  failures_ = 0;
  ++pages_;
  accounts_ += reply.accounts.size();
  for (const auto& a : reply.accounts) seen_.push_back(hash_of(a.id));
  empty_pages_ = reply.accounts.empty() ? empty_pages_ + 1 : 0;
  if (accounts_ > max_accounts) {
    incomplete_ = "the app has more than " + std::to_string(max_accounts) + " accounts";
  } else if (!reply.next_cursor.empty() && !cursors_.insert(hash_of(reply.next_cursor)).second) {
    incomplete_ = "page " + std::to_string(pages_) + " leads back to one before it";
  } else if (!reply.next_cursor.empty() && empty_pages_ > 3) {
    incomplete_ = "the app answers empty pages without an end";
  }
  auto next = incomplete_.empty() ? std::move(reply.next_cursor) : std::string{};
  compare(std::make_shared<const std::vector<connector::Account>>(std::move(reply.accounts)), std::move(next));
}

void Reconciliation::compare(std::shared_ptr<const std::vector<connector::Account>> accounts, std::string next) {
  auto self = shared_from_this();
  impl_->decide(
      [self, accounts](port::Reader& reader) -> Result<port::Transaction> {
        // A policy that changed meanwhile counts from the next page on.
        if (auto current = self->impl_->directory.find(self->task_.scope.integration)) self->context_ = current;
        self->page_ = self->counts_;
        self->page_subjects_.clear();
        Decision decision(reader, *self->context_, self->evidence_, self->impl_->ports.random, self->impl_->now());
        for (const auto& account : *accounts) DEPROV_CHECK(self->look_at(decision, reader, account));
        return decision.take();
      },
      [self, accounts, next = std::move(next)](Result<port::Committed> committed) mutable {
        if (!committed) return self->fail(committed.error());
        self->counts_ = self->page_;
        if (!committed->activity_seqs.empty()) self->impl_->notify(self->task_.scope);
        if (self->impl_->started) self->impl_->poke(self->task_.scope);  // there may be jobs
        if (next.empty()) return self->end_of_listing();
        self->cursor_ = std::move(next);
        self->list_page();
      });
}

Result<std::vector<port::ResourceRow>> Reconciliation::match(port::Reader& reader,
                                                             const connector::Account& account) const {
  using Attribute = port::ResourceKey::Attribute;
  const auto& scope = task_.scope;
  std::vector<port::ResourceRow> rows;
  if (!account.external_id.empty()) {
    DEPROV_TRY(live, reader.resources_by_key(scope, "User", {Attribute::external_id, account.external_id}, 2));
    if (!live.empty()) return std::move(live);
    DEPROV_TRY(gone, reader.tombstones_by_external_id(scope, "User", account.external_id));
    if (!gone.empty()) {
      rows.push_back(std::move(gone.front()));  // the newest
      return rows;
    }
  }
  if (!account.user_name.empty()) {
    DEPROV_TRY(live,
               reader.resources_by_key(scope, "User", {Attribute::user_name, scim::fold(account.user_name)}, 2));
    if (!live.empty()) return std::move(live);
  }
  for (const auto& email : account.emails) {
    if (email.empty()) continue;
    DEPROV_TRY(live, reader.resources_by_key(scope, "User", {Attribute::email, scim::fold(email)}, 2));
    for (auto& row : live) {
      const bool known = std::any_of(rows.begin(), rows.end(), [&](const auto& r) { return r.id == row.id; });
      if (!known) rows.push_back(std::move(row));
    }
  }
  return rows;
}

void Reconciliation::found(Decision& decision, port::FindingKind kind, ResourceId subject,
                           const connector::Account& account, std::string note) {
  ++page_.findings[kind];
  port::FindingRow row;
  row.scope = task_.scope;
  row.run = run_;
  row.n = ++page_.number;
  row.kind = kind;
  row.subject = subject;
  row.account_id = account.id.substr(0, 1024);
  row.account_login = account.user_name.substr(0, 1024);
  row.note = std::move(note);
  decision.transaction().ops.emplace_back(port::op::PutFinding{std::move(row)});
}

Result<void> Reconciliation::look_at(Decision& decision, port::Reader& reader, const connector::Account& account) {
  const bool active = account.active.value_or(true);
  DEPROV_TRY(binding, reader.binding_by_account(task_.scope, account.id));
  ResourceId subject;
  if (binding) {
    subject = binding->subject;
  } else {
    DEPROV_TRY(rows, match(reader, account));
    if (rows.size() > 1) {
      if (active)
        found(decision, port::FindingKind::ambiguous, {}, account,
              "matches subjects " + rows[0].id.str() + " and " + rows[1].id.str());
      return {};
    }
    if (!rows.empty()) {
      DEPROV_TRY(own, reader.binding(task_.scope, rows.front().id));
      if (own && own->state == port::BindingState::bound && own->account_id != account.id) {
        if (active)
          found(decision, port::FindingKind::orphan, {}, account,
                "matches subject " + rows.front().id.str() + ", who is bound to account " + own->account_id);
        return {};
      }
      binding = std::move(own);
      subject = rows.front().id;
    }
  }
  if (subject.is_nil()) {
    if (!active) return {};
    const auto why = policy::retained_account(context_->policy.protection, account.id, account.user_name);
    if (why)
      found(decision, port::FindingKind::retained, {}, account, note_of(*why));
    else
      found(decision, port::FindingKind::orphan, {}, account, "no subject matches it");
    return {};
  }
  DEPROV_TRY(state, decision.load(subject));
  DEPROV_TRY(access, decision.has_access(state));
  if (access) {
    // R13: what was not found when it was looked up is looked up again.
    const bool unbound =
        !binding || binding->state == port::BindingState::unknown || binding->state == port::BindingState::absent;
    return unbound ? look_up_again(decision, reader, subject) : Result<void>();
  }
  if (!active) return {};
  return without_access(decision, reader, state, account, binding);
}

Result<void> Reconciliation::look_up_again(Decision& decision, port::Reader& reader, ResourceId subject) {
  if (!context_->connector || !context_->connector->of(connector::Operation::find).supported) return {};
  port::JobFilter filter;
  filter.subject = subject;
  filter.finished = false;
  DEPROV_TRY(jobs, reader.jobs(task_.scope, filter, std::nullopt, 100));
  for (const auto& j : jobs.rows)
    if (j.kind == port::JobKind::bind) return {};
  port::JobRow job;
  job.scope = task_.scope;
  job.id = decision.new_id<JobId>();
  job.subject = subject;
  job.kind = port::JobKind::bind;
  job.priority = bind_priority;
  job.created = job.due = job.evidence_at = impl_->now();
  job.deadline = job.created + context_->policy.deadline;
  job.cause = idp::Cause::provisioned;
  job.plan = policy::to_text(policy::plan_bind());
  decision.transaction().ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  ++page_.looked_up;
  return {};
}

Result<void> Reconciliation::without_access(Decision& decision, port::Reader& reader, SubjectState& state,
                                            const connector::Account& account,
                                            const std::optional<port::BindingRow>& binding) {
  auto& s = state.subject;
  const bool ours = binding && binding->last_set == port::AccountState::disabled;
  if (!account.active && ours) return {};  // the app does not say, and we know no better
  DEPROV_TRY(due, reader.due(task_.scope, s.id, retained_kind));
  std::optional<policy::Retention> why;
  if (due) {
    DEPROV_TRY(stored, policy::parse_retention(due->payload));
    why = std::move(stored);
  } else {  // it never had access, so that nothing was decided yet
    DEPROV_TRY(now, decision.retention_of(state));
    why = std::move(now);
  }
  if (!why) why = policy::retained_account(context_->policy.protection, account.id, account.user_name);
  if (why) {  // it keeps its account (R9, R7), and is shown so
    found(decision, port::FindingKind::retained, s.id, account, note_of(*why));
    return {};
  }
  if (!s.job.is_nil()) {
    DEPROV_TRY(job, reader.job(task_.scope, s.job));
    if (job && job->kind == port::JobKind::remove_access) {
      // What is under way, held or waiting is in hand already; what was done a moment ago may not be shown yet.
      const auto lag = app_->describe().of(connector::Operation::disable).verification_lag;
      auto ended = port::is_finished(job->state) ? job->finished : WallTime{};
      if (job->state == port::JobState::in_grace || job->state == port::JobState::awaiting_approval) {
        DEPROV_TRY(plan, policy::parse_plan(job->plan));
        ended = plan.secured;  // access had ended, and what cannot be undone is still to come
      }
      if (ended.micros == 0 || ended + lag > started_) {
        ++page_.in_progress;
        return {};
      }
    }
  }
  if (!page_subjects_.insert(s.id).second) {  // which of the two is meant is for a person to say (R12)
    found(decision, port::FindingKind::ambiguous, s.id, account, "a second account that matches this subject");
    return {};
  }
  const auto kind = ours ? port::FindingKind::drift : port::FindingKind::leftover;
  std::string note = ours ? "it was re-enabled after our disable" : "its subject has no access";
  if (!account.active) note += "; the app does not say whether it is active";
  if (task_.queue) {
    const bool counted = s.counted_at.micros != 0 && impl_->now() - s.counted_at < std::chrono::hours(24);
    DEPROV_TRY(counts, decision.counts(s.id));
    if (!counted) ++(counts ? page_.worsen : page_.late);
    ++page_.to_queue;
  }
  found(decision, kind, s.id, account, std::move(note));
  return {};
}

void Reconciliation::finish() {
  over_ = true;
  finished_ = impl_->now();
  auto self = shared_from_this();
  impl_->decide(
      [self](port::Reader&) -> Result<port::Transaction> {
        port::Transaction txn;
        txn.id = self->impl_->new_id<TxnId>();
        self->record_end(txn, "reconciliation.done");
        return txn;
      },
      [self](Result<port::Committed> committed) {
        if (!committed) return self->fail(committed.error());
        self->impl_->notify(self->task_.scope);
        self->answer(self->report());
      });
}

// ---- who may, and what came of it

Result<WorkId> start_reconciliation(const std::shared_ptr<Engine::Impl>& impl, ReconcileTask task,
                                    Done<json::object> ended) {
  const auto key = task.scope.integration.value;
  if (const auto it = impl->reconciliations.find(key); it != impl->reconciliations.end()) {
    return Error(Errc::conflict, "run " + it->second->run().str() + " is under way",
                 "integration " + task.scope.integration.str(), "wait for its end");
  }
  auto run = std::make_shared<Reconciliation>(
      impl, std::move(task), [impl, key, ended = std::move(ended)](Result<json::object> report) mutable {
        impl->reconciliations.erase(key);
        ended(std::move(report));
      });
  impl->reconciliations.emplace(key, run);
  run->start();
  return run->run();
}

void Engine::reconcile(Principal by, IntegrationId id, bool queue, Done<WorkId> started,
                       Done<json::object> ended) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<WorkId>(impl, std::move(started), ok.error());
  const port::Scope scope{by.workspace, id};
  view(
      [by, id](port::Reader& reader) -> Result<void> {
        DEPROV_CHECK(load_integration(reader, by, id));
        return {};
      },
      [impl, by, scope, queue, started = std::move(started), ended = std::move(ended)](Result<void> read) mutable {
        if (!read) return started(read.error());
        const auto context = impl->directory.find(scope.integration);
        const auto next = impl->now() + reconcile_interval(context);
        auto run = start_reconciliation(impl, {scope, by.actor(), queue, next}, std::move(ended));
        started(std::move(run));
      });
}

void Engine::reconciliation(Principal by, IntegrationId id, Done<json::object> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<json::object>(impl, std::move(done), ok.error());
  auto last = std::make_shared<std::optional<port::ChoreRow>>();
  const port::Scope scope{by.workspace, id};
  view(
      [by, id, scope, last](port::Reader& reader) -> Result<void> {
        DEPROV_CHECK(load_integration(reader, by, id));
        DEPROV_TRY(chore, reader.chore(scope, reconcile_chore));
        *last = std::move(chore);
        return {};
      },
      [impl, scope, last, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        if (const auto it = impl->reconciliations.find(scope.integration.value); it != impl->reconciliations.end())
          return done(it->second->report());
        boost::system::error_code ec;
        if (*last) {
          auto state = json::parse((*last)->state, ec);
          if (!ec && state.is_object()) return done(std::move(state.get_object()));
        }
        done(json::object{{"state", "never"}});
      });
}

}  // namespace deprov::engine
