// What a person decides about a hold (R7): `allow` releases exactly the listing that was seen, `reject` keeps
// access.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <deprov/policy/protection.hpp>
#include "engine/decision.hpp"
#include "engine/management.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t items_a_transaction = 250;
constexpr Duration longest_rejection = std::chrono::hours(24 * 366);

struct Deciding {
  Principal by;
  IntegrationId integration;
  HoldId hold;
  HoldDecision what;
  std::uint64_t after = 0;
  std::uint64_t up_to = 0;  ///< the newest item of the listing; 0: not looked up yet
  std::uint64_t decided = 0;
  bool over = false;
  Done<std::uint64_t> done;
};

std::optional<port::Sha256> parse_listing(std::string_view hex) {
  port::Sha256 hash{};
  if (hex.size() != hash.size() * 2) return std::nullopt;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const int high = digit(hex[2 * i]);
    const int low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return hash;
}

Error nothing_waits(HoldId hold) {
  return {Errc::conflict, "nothing of that waits any more", "hold " + hold.str(),
          "look at it again with `deprov holds show`"};
}

Result<void> find_listing(port::Reader& reader, const port::Scope& scope, Deciding& d) {
  if (d.what.subject) {
    DEPROV_TRY(item, reader.hold_item_of(scope, *d.what.subject));
    if (!item || item->hold != d.hold)
      return Error(Errc::not_found, "the subject is not in this hold", "subject " + d.what.subject->str());
    if (item->state != port::HoldItemState::held) return nothing_waits(d.hold);
    d.after = item->seq - 1;
    d.up_to = item->seq;
    return {};
  }
  const auto listing = parse_listing(d.what.listing);
  if (!listing)
    return Error(Errc::invalid_argument, "not the hash of a listing", "listing",
                 "give the 64 hexadecimal digits that `deprov holds show` prints");
  DEPROV_TRY(item, reader.hold_item_at(scope, d.hold, *listing));
  if (!item)
    return Error(Errc::conflict, "no listing of this hold has that hash", "hold " + d.hold.str(),
                 "look at it again with `deprov holds show`, and decide on what it shows now");
  d.after = 0;
  d.up_to = item->seq;
  return {};
}

/// One item; false where it had left meanwhile.
Result<bool> decide_item(Engine::Impl& impl, port::Reader& reader, const IntegrationContext& context,
                         const Deciding& d, port::HoldItemRow item, port::Transaction& txn) {
  const auto& scope = context.row.scope;
  const auto now = impl.now();
  DEPROV_TRY(job, reader.job(scope, item.job));
  item.decided = now;
  item.by = d.by.actor();
  if (!job || job->state != port::JobState::held) {
    item.state = port::HoldItemState::left;
    txn.ops.emplace_back(port::op::PutHoldItem{std::move(item)});
    return false;
  }
  json::object detail{{"hold", d.hold.str()}, {"reason", d.what.reason}, {"cause", idp::to_string(item.cause)}};
  job->lease = {};
  if (d.what.allow) {
    item.state = port::HoldItemState::allowed;
    job->state = port::JobState::ready;
    job->due = now;
    job->deadline = now + context.policy.deadline;  // waiting for a person is no failure of the job
    job->reason.clear();
    txn.ops.emplace_back(impl.activity(scope, "removal.released", d.by.actor(), detail, item.subject, item.job));
  } else {
    item.state = port::HoldItemState::rejected;
    job->state = port::JobState::cancelled;
    job->finished = now;
    job->reason = ("access kept by decision: " + d.what.reason).substr(0, 1000);
    auto retention = policy::to_json(policy::Retention{
        policy::Retention::Kind::kept_by_decision, d.what.reason, {}, d.what.until, d.by.actor()});
    retention["cause"] = idp::to_string(item.cause);
    if (!item.via_group.is_nil()) retention["via"] = item.via_group.str();
    detail["until"] = to_rfc3339(d.what.until);
    port::DueRow due;
    due.scope = scope;
    due.subject = item.subject;
    due.kind = std::string(retained_kind);
    due.at = d.what.until;
    due.since = job->evidence_at;
    due.payload = json::serialize(retention);
    txn.ops.emplace_back(port::op::RemoveDue{scope, item.subject, due.kind});
    txn.ops.emplace_back(port::op::PutDue{std::move(due)});
    txn.ops.emplace_back(impl.activity(scope, "removal.kept", d.by.actor(), detail, item.subject, item.job));
  }
  txn.ops.emplace_back(port::op::PutJob{std::move(*job), std::nullopt});
  txn.ops.emplace_back(port::op::PutHoldItem{std::move(item)});
  return true;
}

void decide_some(const std::shared_ptr<Engine::Impl>& impl, const std::shared_ptr<Deciding>& d) {
  struct Step {
    std::uint64_t after = 0;
    std::uint64_t decided = 0;
    bool over = false;
  };
  auto step = std::make_shared<Step>();
  impl->decide(
      [impl, d, step](port::Reader& reader) -> Result<port::Transaction> {
        *step = {};
        DEPROV_TRY(row, load_integration(reader, d->by, d->integration));
        DEPROV_TRY(context, make_context(row, impl->options.connectors));
        const auto& scope = row.scope;
        DEPROV_TRY(hold, reader.hold(scope, d->hold));
        if (!hold)
          return Error(Errc::not_found, "there is no such hold in this integration", "hold " + d->hold.str(),
                       "list them with `deprov holds list`");
        if (d->up_to == 0) DEPROV_CHECK(find_listing(reader, scope, *d));
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.reads.integrations.push_back({scope, row.version});
        DEPROV_TRY(page, reader.hold_items(scope, d->hold, d->after, items_a_transaction));
        step->over = !page.more;
        step->after = d->after;
        for (auto& item : page.rows) {
          if (item.seq > d->up_to) {
            step->over = true;
            break;
          }
          step->after = item.seq;
          if (item.state != port::HoldItemState::held) continue;
          DEPROV_TRY(decided, decide_item(*impl, reader, *context, *d, std::move(item), txn));
          step->decided += decided ? 1 : 0;
        }
        if (step->after >= d->up_to) step->over = true;
        if (step->decided != 0) {
          json::object detail{{"hold", d->hold.str()}, {"subjects", step->decided}, {"reason", d->what.reason}};
          if (!d->what.listing.empty()) detail["listing"] = d->what.listing;
          if (!d->what.allow) detail["until"] = to_rfc3339(d->what.until);
          txn.ops.emplace_back(
              impl->activity(scope, d->what.allow ? "hold.allowed" : "hold.rejected", d->by.actor(), detail));
        }
        return txn;
      },
      [impl, d, step](Result<port::Committed> done) {
        if (!done) return d->done(done.error());
        d->after = step->after;
        d->decided += step->decided;
        const port::Scope scope{d->by.workspace, d->integration};
        impl->notify(scope);
        if (impl->started) impl->poke(scope);
        if (!step->over) return decide_some(impl, d);
        if (d->decided == 0) return d->done(nothing_waits(d->hold));
        d->done(d->decided);
      });
}

}  // namespace

void Engine::decide_hold(Principal by, IntegrationId id, HoldId hold, HoldDecision what,
                         Done<std::uint64_t> done) {
  const auto impl = impl_;
  const auto refuse = [&](Error error) { finish<std::uint64_t>(impl, std::move(done), std::move(error)); };
  if (auto ok = require_integrations(by); !ok) return refuse(ok.error());
  if (what.listing.empty() == !what.subject)
    return refuse({Errc::invalid_argument, "says not what is decided on", "listing",
                   "give the hash of the listing, or one subject of it"});
  if (what.reason.size() > 1000)
    return refuse({Errc::invalid_argument, "the reason is longer than 1000 bytes", "reason", "shorten it"});
  if (!what.allow) {
    const auto now = impl->now();
    if (auto ok = check_reason(what.reason); !ok) return refuse(ok.error());
    if (what.until <= now || what.until > now + longest_rejection)
      return refuse({Errc::invalid_argument, "the end has to lie within the next 366 days", "until",
                     "write it as in 2027-01-31T00:00:00Z"});
  }
  auto d = std::make_shared<Deciding>();
  d->by = std::move(by);
  d->integration = id;
  d->hold = hold;
  d->what = std::move(what);
  d->done = std::move(done);
  decide_some(impl, d);
}

Result<void> leave_hold(port::Reader& reader, const port::JobRow& job, WallTime now, std::string by,
                        port::Transaction& txn) {
  if (job.state != port::JobState::held) return {};
  DEPROV_TRY(item, reader.hold_item_of(job.scope, job.subject));
  if (!item || item->state != port::HoldItemState::held || item->job != job.id) return {};
  item->state = port::HoldItemState::left;
  item->decided = now;
  item->by = std::move(by);
  txn.ops.emplace_back(port::op::PutHoldItem{std::move(*item)});
  return {};
}

namespace {

void reconsider_some(const std::shared_ptr<Engine::Impl>& impl, const port::Scope& scope,
                     std::optional<ResourceId> after) {
  constexpr std::size_t a_piece = 500;
  auto last = std::make_shared<std::optional<ResourceId>>();
  impl->decide(
      [impl, scope, after, last](port::Reader& reader) -> Result<port::Transaction> {
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        DEPROV_TRY(page, reader.dues_of_kind(scope, retained_kind, after, a_piece));
        *last = page.more && !page.rows.empty() ? std::optional(page.rows.back().subject) : std::nullopt;
        for (auto& due : page.rows) {
          DEPROV_TRY(retention, policy::parse_retention(due.payload));
          if (retention.rule.empty()) continue;
          txn.ops.emplace_back(port::op::RemoveDue{scope, due.subject, due.kind});
          due.at = impl->now();
          txn.ops.emplace_back(port::op::PutDue{std::move(due)});
        }
        return txn;
      },
      [impl, scope, last](const Result<port::Committed>& done) {
        if (impl->started) impl->poke(scope);
        if (done && *last) reconsider_some(impl, scope, *last);
      });
}

}  // namespace

void reconsider_retained(const std::shared_ptr<Engine::Impl>& impl, const port::Scope& scope) {
  reconsider_some(impl, scope, std::nullopt);
}

}  // namespace deprov::engine
