#include "sim/app.hpp"
#include <algorithm>
#include <deprov/scim/fold.hpp>

namespace deprov::test::sim {

using connector::Call;
using connector::Effect;
using connector::Operation;
using connector::Outcome;
using connector::Reply;

namespace {

constexpr Duration call_timeout = std::chrono::seconds(60);

Reply failed(Outcome outcome, const char* detail) {
  Reply r;
  r.outcome = outcome;
  r.detail = detail;
  return r;
}

class SimConnector final : public connector::Connector {
 public:
  SimConnector(std::shared_ptr<SimApp> app, std::shared_ptr<SimApp::Calls> calls)
      : app_(std::move(app)), calls_(std::move(calls)) {}
  [[nodiscard]] const connector::Description& describe() const override { return app_->description(); }
  connector::CallId start(Call call, connector::Completion done) override {
    app_->start(calls_, std::move(call), std::move(done));
    return 0;
  }
  void cancel(connector::CallId) override {}

 private:
  std::shared_ptr<SimApp> app_;
  std::shared_ptr<SimApp::Calls> calls_;
};

}  // namespace

Weather weather(std::uint32_t kind) {
  Weather w;
  switch (kind % 10) {
    case 0: w.unavailable = 400; break;
    case 1: w.throttled = 400; break;
    case 2: w.lost = 300, w.unheard = 300; break;
    case 3: w.unheard = 800; break;
    case 4: w.lies = 500; break;
    case 5: w.not_sent = 300, w.slow_ms = 5'000; break;
    case 6: w.denied = 200, w.unavailable = 100; break;
    case 7: w.auth_broken = true; break;
    case 8: w.protocol = 400, w.slow_ms = 1'000; break;
    default: w.unavailable = w.throttled = w.lost = w.unheard = w.lies = w.not_sent = 100; w.slow_ms = 2'000;
  }
  return w;
}

SimApp::SimApp(std::size_t index, const AppPlan& plan, AppWorld world, std::uint64_t seed)
    : index_(index), plan_(plan), world_(world), rng_(seed, 100 + index) {
  description_.id = "sim" + std::to_string(index);
  description_.name = "A simulated app";
  description_.version = "1";
  description_.config_schema = connector::json::object{{"type", "object"}};
  description_.revoke_before_disable = plan.revoke_first;
  const auto offer = [&](Operation o) {
    auto& c = description_.of(o);
    c.supported = true;
    c.reversible = o != Operation::remove;
    c.idempotency = plan.idempotent ? connector::Idempotency::naturally : connector::Idempotency::no;
    if (plan.readable) c.verification = connector::Verification::read;
    c.verification_lag = std::chrono::milliseconds(plan.lag_ms);
    if (plan.asynchronous && connector::is_change(o)) c.asynchrony = connector::Asynchrony::poll;
  };
  for (const auto o : {Operation::check, Operation::find, Operation::disable, Operation::enable,
                       Operation::revoke_sessions, Operation::poll})
    offer(o);
  if (plan.readable) offer(Operation::read);
  if (plan.listable) offer(Operation::list);
  if (plan.deletes || plan.removes) offer(Operation::remove);
  if (plan.removes || plan.roles) offer(Operation::list_entitlements);
  if (plan.roles) {
    offer(Operation::revoke_entitlement);
    offer(Operation::grant_entitlement);
  }
}

SimAccount& SimApp::add(const std::string& id, const std::string& external_id, const std::string& user_name) {
  auto& a = accounts_[id];
  a.shown.id = id;
  a.shown.external_id = external_id;
  a.shown.user_name = user_name;
  if (plan_.removes || plan_.roles) a.shown.groups = {"staff"};
  if (plan_.roles)
    for (std::uint32_t i = 0; i < plan_.groups; ++i) a.shown.groups.push_back("role-" + std::to_string(i));
  return a;
}

void SimApp::heal() { weather_ = {}; }

void SimApp::flip(SimAccount& account, bool active, By by) {
  if (account.active == active) return;
  account.before.emplace_back(world_.clock.mono(), account.active);
  if (account.before.size() > 8) account.before.erase(account.before.begin());
  account.active = active;
  account.flipped = by;
  if (by == By::deprov) {
    account.in_doubt = false;
    account.ours_disabled = !active;
    account.unverified = active;
  }
}

MonoTime SimApp::in_order(const std::string& account, MonoTime at) {
  auto& last = last_[account];
  last = std::max(last, at);
  return last;
}

void SimApp::flip_by_hand(SimAccount& account) {
  flip(account, !account.active, By::hand);
  account.by_hand_at = world_.clock.mono();
}

bool SimApp::shown_active(const SimAccount& account) const {
  if (plan_.lag_ms != 0) {
    const Duration lag = std::chrono::milliseconds(plan_.lag_ms);
    for (const auto& [until, active] : account.before)
      if (world_.clock.mono() < until + lag) return active;
  }
  return account.active;
}

connector::Account SimApp::show(const SimAccount& account) const {
  auto out = account.shown;
  out.active = shown_active(account);
  return out;
}

void SimApp::start(const std::shared_ptr<Calls>& calls, Call call, connector::Completion done) {
  world_.watch.call_begins(index_, call);
  const auto id = calls->next++;
  calls->waiting.emplace(id, std::move(done));
  const auto now = world_.clock.mono();
  const auto on_its_way = std::chrono::microseconds(rng_.below(weather_.slow_ms * 1000 + 1));
  const std::weak_ptr<Calls> weak = calls;
  const bool twice = fault == ConnectorFault::calls_twice && connector::is_change(call.operation);
  if (fault == ConnectorFault::wrong_account && call.operation == Operation::disable && rng_.permille(300)) {
    for (const auto& [other, account] : accounts_)
      if (other != call.account_id && !account.gone) call.account_id = other;
  }
  const auto there = in_order(call.account_id, now + on_its_way);
  if (twice)
    world_.executor.post_at(there, [this, call] {
      world_.watch.change_arrives(index_, call);
      (void)change(call);
    });
  world_.executor.post_at(there, [this, weak, id, call = std::move(call)] { arrive(weak, id, call); });
}

void SimApp::arrive(const std::weak_ptr<Calls>& calls, std::uint64_t id, const Call& call) {
  auto reply = answer(call);
  auto wait = Duration(rng_.below(weather_.slow_ms * 1000 + 1));
  if (weather_.mute) {
    reply = failed(connector::is_change(call.operation) ? Outcome::unknown_outcome : Outcome::deadline,
                   "no answer in time");
    wait = call_timeout;
    if (const auto it = accounts_.find(call.account_id);
        it != accounts_.end() && connector::is_change(call.operation))
      it->second.in_doubt = true;  // also where the app refused it: nobody heard that
  }
  const auto later = world_.clock.mono() + wait;
  world_.executor.post_at(later, [this, calls, id, of = call.account_id, reply = std::move(reply)]() mutable {
    const auto alive = calls.lock();
    const auto it = alive ? alive->waiting.find(id) : decltype(alive->waiting.end()){};
    if (!alive || it == alive->waiting.end()) {  // nobody hears it any more
      if (const auto account = accounts_.find(of); account != accounts_.end()) account->second.in_doubt = true;
      return;
    }
    auto done = std::move(it->second);
    alive->waiting.erase(it);
    done(std::move(reply));
  });
}

Reply SimApp::answer(const Call& call) {
  const auto& w = weather_;
  const bool changes = connector::is_change(call.operation);
  const auto roll = [&](std::uint32_t p) { return p != 0 && rng_.permille(p); };
  if (roll(w.not_sent)) return failed(Outcome::not_sent, "the connection was refused");
  if (changes) world_.watch.change_arrives(index_, call);
  if (w.auth_broken) return failed(Outcome::auth_failed, "the credential is not good any more");
  if (roll(w.unavailable)) return failed(Outcome::unavailable, "503");
  if (roll(w.denied)) return failed(Outcome::permission_denied, "403");
  if (roll(w.throttled)) {
    auto r = failed(Outcome::throttled, "429");
    if (rng_.permille(700)) r.retry_after = std::chrono::seconds(rng_.between(1, 20));
    return r;
  }
  const auto no_answer = changes ? Outcome::unknown_outcome : Outcome::unavailable;
  if (roll(w.lost)) {
    if (const auto it = accounts_.find(call.account_id); it != accounts_.end()) it->second.in_doubt = true;
    return failed(no_answer, "the connection broke");
  }
  if (changes && roll(w.lies)) {
    if (const auto it = accounts_.find(call.account_id); it != accounts_.end()) it->second.in_doubt = true;
    Reply r;
    r.outcome = Outcome::ok;
    r.effect = Effect::done;
    return r;
  }
  auto reply = carry_out(call);
  if (roll(w.unheard) || roll(w.protocol)) {
    if (const auto it = accounts_.find(call.account_id); it != accounts_.end()) it->second.in_doubt = true;
    return failed(roll(500) ? Outcome::protocol : no_answer, "the answer was lost");
  }
  return reply;
}

Reply SimApp::carry_out(const Call& call) {
  Reply r;
  r.outcome = Outcome::ok;
  switch (call.operation) {
    case Operation::check:
      for (const auto& [id, a] : accounts_)
        if (!a.gone && r.accounts.empty()) r.accounts.push_back(show(a));
      return r;
    case Operation::find: {
      const auto search = [&](auto matches) {
        for (const auto& [id, a] : accounts_)
          if (!a.gone && matches(a.shown)) r.accounts.push_back(show(a));
      };
      if (!call.match.external_id.empty())
        search([&](const auto& a) { return a.external_id == call.match.external_id; });
      if (r.accounts.empty() && !call.match.user_name.empty())
        search([&](const auto& a) { return scim::fold(a.user_name) == scim::fold(call.match.user_name); });
      if (r.accounts.empty()) r.outcome = Outcome::not_found;
      return r;
    }
    case Operation::list: {
      auto at = call.cursor.empty() ? accounts_.begin() : accounts_.lower_bound(call.cursor);
      for (; at != accounts_.end() && r.accounts.size() < 3; ++at)
        if (!at->second.gone) r.accounts.push_back(show(at->second));
      if (at != accounts_.end()) r.next_cursor = at->first;
      return r;
    }
    case Operation::poll: return poll(call);
    case Operation::read:
    case Operation::list_entitlements: {
      const auto it = accounts_.find(call.account_id);
      if (it == accounts_.end() || it->second.gone) {
        r.outcome = Outcome::not_found;
        return r;
      }
      r.accounts.push_back(show(it->second));
      if (r.accounts.front().active == true) it->second.unverified = false;
      if (fault == ConnectorFault::reads_what_is_wanted) r.accounts.front().active = false;
      return r;
    }
    default: break;
  }
  if (!plan_.asynchronous || call.operation == Operation::revoke_sessions) return change(call);
  const auto handle = "h" + std::to_string(async_.size() + 1);
  const auto ready = world_.clock.mono() + std::chrono::seconds(rng_.between(1, 30));
  async_[handle] = {call, in_order("job " + call.account_id, ready), false};
  world_.executor.post_at(async_[handle].ready, [this, handle] {
    async_[handle].over = true;
    (void)change(async_[handle].call);
  });
  r.effect = Effect::accepted;
  r.handle = handle;
  if (rng_.permille(500)) r.retry_after = std::chrono::seconds(rng_.between(1, 10));
  return r;
}

Reply SimApp::poll(const Call& call) {
  Reply r;
  const auto it = async_.find(call.handle);
  r.outcome = it == async_.end() ? Outcome::not_found : Outcome::ok;
  if (it != async_.end()) r.effect = it->second.over ? Effect::done : Effect::accepted;
  return r;
}

Reply SimApp::change(const Call& call) {
  Reply r;
  r.outcome = Outcome::ok;
  const auto it = accounts_.find(call.account_id);
  if (it == accounts_.end() || it->second.gone) {
    r.outcome = Outcome::not_found;
    return r;
  }
  auto& a = it->second;
  const auto before = a.flipped;
  bool happened = true;
  switch (call.operation) {
    case Operation::disable:
    case Operation::enable: {
      const bool wanted = call.operation == Operation::enable;
      happened = a.active != wanted;
      // An enable that is read back as not done is a failed attempt (R19), also where somebody had undone it
      // meanwhile.
      if (wanted) a.enabled_for_a_reason = a.ours_disabled || a.in_doubt || a.unverified || plan_.asynchronous;
      flip(a, wanted, By::deprov);
      if (happened && !wanted) ++a.disabled;
      break;
    }
    case Operation::remove:
      if (call.delete_account) {
        a.gone = true;
        ++a.deleted;
      } else {
        happened = !a.shown.groups.empty();
        a.shown.groups.clear();
      }
      break;
    case Operation::revoke_entitlement: happened = std::erase(a.shown.groups, call.entitlement) != 0; break;
    case Operation::grant_entitlement:
      happened = std::find(a.shown.groups.begin(), a.shown.groups.end(), call.entitlement) == a.shown.groups.end();
      if (happened) a.shown.groups.push_back(call.entitlement);
      break;
    default: break;
  }
  r.effect = happened ? Effect::done : Effect::already;
  if (happened) world_.watch.effect(index_, call, a, before);
  return r;
}

Result<std::unique_ptr<connector::Connector>> SimKind::open(const connector::json::object&,
                                                            port::ConnectorHost) const {
  return std::unique_ptr<connector::Connector>(std::make_unique<SimConnector>(app_, calls_));
}

}  // namespace deprov::test::sim
