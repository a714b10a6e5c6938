// The other way round: subjects with access whose account is not in the app.
#include <algorithm>
#include <utility>
#include "engine/reconciliation.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t subjects_a_page = 250;
constexpr std::size_t max_reads = 1000;  // to see with one's own eyes that an account is not there

}  // namespace

void Reconciliation::end_of_listing() {
  std::sort(seen_.begin(), seen_.end());
  if (incomplete_.empty() && std::adjacent_find(seen_.begin(), seen_.end()) != seen_.end())
    incomplete_ = "an account came twice, so the listing moved while it was read";
  if (incomplete_.empty() && accounts_ == 0)
    incomplete_ = "the app shows no account at all; see what the credential may read";
  if (task_.queue && counts_.to_queue != 0) return judge();
  queued();
}

void Reconciliation::queued() {
  if (!incomplete_.empty()) return finish();
  subjects_page();
}

void Reconciliation::subjects_page() {
  if (stopped()) return;
  auto self = shared_from_this();
  struct Found {
    std::optional<ResourceId> last;
    bool more = false;
    std::uint64_t subjects = 0;
    std::vector<Candidate> candidates;
  };
  auto out = std::make_shared<Found>();
  impl_->ports.store.view(
      [self, out](port::Reader& reader) -> Result<void> {
        const auto& scope = self->task_.scope;
        *out = {};
        Decision decision(reader, *self->context_, self->evidence_, self->impl_->ports.random, self->impl_->now());
        DEPROV_TRY(page, reader.resources(scope, "User", self->after_, subjects_a_page));
        out->more = page.more && !page.rows.empty();
        for (auto& row : page.rows) {
          out->last = row.id;
          ++out->subjects;
          if (!row.active) continue;
          DEPROV_TRY(binding, reader.binding(scope, row.id));
          // Whose account was found while the app was listed may have come after its page.
          if (!binding || binding->state != port::BindingState::bound || binding->checked_at >= self->started_)
            continue;
          if (std::binary_search(self->seen_.begin(), self->seen_.end(), hash_of(binding->account_id))) continue;
          SubjectState state;
          state.subject.scope = scope;
          state.subject.id = row.id;
          state.resource = std::move(row);
          DEPROV_TRY(access, decision.has_access(state));
          if (access) out->candidates.push_back({state.subject.id, binding->account_id, binding->account_login});
        }
        return {};
      },
      [self, out](Result<void> read) {
        self->impl_->ports.executor.post([self, out, read = std::move(read)] {
          if (!read) return self->fail(read.error());
          if (out->last) self->after_ = out->last;
          self->subjects_over_ = !out->more;
          self->subjects_ += out->subjects;
          self->candidates_ = std::move(out->candidates);
          self->confirm();
        });
      });
}

// The app is asked for the account itself where it can be: a listing that moved must not make anybody missing.
void Reconciliation::confirm() {
  if (stopped()) return;
  if (candidates_.empty()) return subjects_over_ ? finish() : subjects_page();
  if (!app_->describe().of(connector::Operation::read).supported || reads_ >= max_reads)
    return confirmed(true, "not in the listing; not asked for one by one");
  ++reads_;
  connector::Call one;
  one.operation = connector::Operation::read;
  one.account_id = candidates_.back().account;
  call(std::move(one), [self = shared_from_this()](const connector::Reply& reply) {
    if (self->stopped()) return;
    if (reply.outcome == connector::Outcome::not_found)
      return self->confirmed(true, "neither in the listing nor by its id");
    self->confirmed(false, {});
  });
}

void Reconciliation::confirmed(bool missing, std::string note) {
  auto candidate = std::make_shared<const Candidate>(std::move(candidates_.back()));
  candidates_.pop_back();
  if (!missing) return confirm();
  auto self = shared_from_this();
  impl_->decide(
      [self, candidate, note = std::move(note)](port::Reader& reader) -> Result<port::Transaction> {
        self->page_ = self->counts_;
        Decision decision(reader, *self->context_, self->evidence_, self->impl_->ports.random, self->impl_->now());
        connector::Account account;
        account.id = candidate->account;
        account.user_name = candidate->login;
        self->found(decision, port::FindingKind::missing_account, candidate->subject, account, note);
        return decision.take();
      },
      [self](Result<port::Committed> committed) {
        if (!committed) return self->fail(committed.error());
        self->counts_ = self->page_;
        self->confirm();
      });
}

}  // namespace deprov::engine
