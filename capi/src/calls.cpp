#include "calls.hpp"
#include <utility>
#include "connector.hpp"

namespace deprov::capi {

namespace {
/// One more owner, unless the last one is about to go.
bool retain_if_owned(deprov_call& call) noexcept {
  auto n = call.owners.load(std::memory_order_relaxed);
  while (n != 0)
    if (call.owners.compare_exchange_weak(n, n + 1, std::memory_order_acquire)) return true;
  return false;
}
}  // namespace

deprov_call* Calls::add(const std::shared_ptr<Calls>& self, std::shared_ptr<const Keeping> keeping,
                        HostConnector& owner, std::shared_ptr<const ConnectorKind> kind, connector::Call call,
                        connector::Completion& done) {
  auto made = std::make_unique<deprov_call>();
  made->call = std::move(call);
  made->calls = self;
  auto& executor = keeping->executor;
  made->keeping = std::move(keeping);
  made->kind = std::move(kind);
  const std::lock_guard lock(mutex_);
  if (!open_) return nullptr;
  made->id = ++last_;
  pending_.emplace(made->id, Pending{made.get(), &owner, &executor, std::move(done)});
  return made.release();
}

Result<void> Calls::finish(std::uint64_t id, connector::Reply reply) {
  // The lock is held while the executor is told: `shut` comes before the executor goes.
  const std::lock_guard lock(mutex_);
  const auto it = pending_.find(id);
  if (it == pending_.end()) {
    if (!open_) return Error(Errc::closed, "the engine of the call is closed", "call");
    return Error(Errc::conflict, "the call was completed before", "call");
  }
  it->second.executor->post(
      [done = std::move(it->second.done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
  pending_.erase(it);
  return {};
}

void Calls::forget(deprov_call& call) {
  connector::Reply reply;
  reply.outcome = connector::is_change(call.call.operation) ? connector::Outcome::unknown_outcome
                                                            : connector::Outcome::internal;
  reply.detail = "the connector let go of the call without completing it";
  if (!finish(call.id, std::move(reply))) return;
  (*log_)(DEPROV_LOG_ERROR, "connector " + call.kind->description.id + " let go of a call (" +
                                std::string(connector::to_string(call.call.operation)) +
                                ") without completing it");
}

void Calls::cancel(std::uint64_t id) { ask_to_end(id); }

void Calls::cancel_all() {
  std::vector<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, pending] : pending_) ids.push_back(id);
  }
  for (const auto id : ids) ask_to_end(id);
}

void Calls::ask_to_end(std::uint64_t id) {
  deprov_call* call = nullptr;
  HostConnector* connector = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto it = pending_.find(id);
    if (it == pending_.end() || !retain_if_owned(*it->second.call)) return;
    call = it->second.call;
    connector = it->second.connector;
  }
  if (!call->cancelled.exchange(true)) connector->ask_to_end(call);
  deprov_call_free(call);
}

std::vector<Calls::Straggler> Calls::stragglers() const {
  const std::lock_guard lock(mutex_);
  std::vector<Straggler> out;
  for (const auto& [id, pending] : pending_) {
    const auto& call = *pending.call;
    out.push_back(
        {call.kind->description.id, std::string(connector::to_string(call.call.operation)), call.call.account_id});
  }
  return out;
}

void Calls::shut() {
  std::map<std::uint64_t, Kept> left;
  {
    const std::lock_guard lock(mutex_);
    open_ = false;
    left.swap(checkpoints_);
  }
  for (const auto& [number, kept] : left) kept.done(DEPROV_ERR_CLOSED, {});
  const std::lock_guard lock(mutex_);
  // What they hold belongs to the executor's tasks, and goes where those go.
  for (auto& [id, pending] : pending_) pending.executor->post([done = std::move(pending.done)] {});
  pending_.clear();
}

}  // namespace deprov::capi

// ---- the handle

using deprov::capi::guard;
using deprov::capi::str;

namespace {
/// What is asked; nothing, for NULL.
const deprov::connector::Call& asked(const deprov_call* call) {
  static const deprov::connector::Call nothing{};
  return call == nullptr ? nothing : call->call;
}
}  // namespace

int32_t deprov_call_get_operation(const deprov_call* call) {
  return call == nullptr ? -1 : static_cast<int32_t>(call->call.operation);
}
deprov_str deprov_call_get_account(const deprov_call* call) { return str(asked(call).account_id); }
deprov_str deprov_call_get_external_id(const deprov_call* call) { return str(asked(call).match.external_id); }
deprov_str deprov_call_get_user_name(const deprov_call* call) { return str(asked(call).match.user_name); }
size_t deprov_call_get_email_count(const deprov_call* call) { return asked(call).match.emails.size(); }
deprov_str deprov_call_get_email(const deprov_call* call, size_t index) {
  const auto& emails = asked(call).match.emails;
  return index < emails.size() ? str(emails[index]) : deprov_str{nullptr, 0};
}
deprov_str deprov_call_get_entitlement(const deprov_call* call) { return str(asked(call).entitlement); }
int32_t deprov_call_get_delete_account(const deprov_call* call) { return asked(call).delete_account ? 1 : 0; }
deprov_str deprov_call_get_cursor(const deprov_call* call) { return str(asked(call).cursor); }
uint32_t deprov_call_get_page_size(const deprov_call* call) { return call == nullptr ? 0 : call->call.page_size; }
deprov_str deprov_call_get_handle(const deprov_call* call) { return str(asked(call).handle); }
deprov_str deprov_call_get_idempotency_key(const deprov_call* call) { return str(asked(call).idempotency_key); }
int64_t deprov_call_get_timeout_ms(const deprov_call* call) {
  return call == nullptr ? 0 : call->call.timeout.count() / 1000;
}
int32_t deprov_call_is_cancelled(const deprov_call* call) {
  return call != nullptr && call->cancelled.load() ? 1 : 0;
}

deprov_status deprov_call_complete(deprov_call* call, const deprov_reply* reply, deprov_error** error) {
  return guard(error, [&]() -> deprov::Result<void> {
    if (call == nullptr) return deprov::capi::null_argument("call");
    DEPROV_TRY(taken, deprov::capi::take_reply(reply));
    return call->calls->finish(call->id, std::move(taken));
  });
}

deprov_call* deprov_call_retain(deprov_call* call) {
  if (call != nullptr) call->owners.fetch_add(1, std::memory_order_relaxed);
  return call;
}

void deprov_call_free(deprov_call* call) {
  if (call == nullptr || call->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  try {
    call->calls->forget(*call);
  } catch (...) {
    std::terminate();  // without memory even for that, nobody would ever be told
  }
  delete call;
}
