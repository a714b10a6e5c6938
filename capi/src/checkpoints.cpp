// What connectors of the host keep, until they were told what became of it.
#include <algorithm>
#include <deprov/utf8.hpp>
#include <utility>
#include "calls.hpp"
#include "guard.hpp"

namespace deprov::capi {

Result<void> Calls::checkpoint(const std::shared_ptr<Calls>& self, const std::shared_ptr<const Keeping>& keeping,
                               std::string name, std::optional<std::string> value, CheckpointTold done) {
  DEPROV_CHECK(port::check_checkpoint(name, value ? std::string_view(*value) : std::string_view()));
  if (value && !is_utf8(*value)) return Error(Errc::invalid_argument, "is not UTF-8", "checkpoint " + name);
  const auto has_secret = [&](std::string_view text) {
    return std::any_of(keeping->secrets.begin(), keeping->secrets.end(),
                       [&](const auto& secret) { return text.find(secret) != std::string_view::npos; });
  };
  if (value && (has_secret(name) || has_secret(*value))) {
    return Error(Errc::invalid_argument, "a secret of the configuration is in it", "checkpoint",
                 "keep what the app gave, and not what opens it");
  }
  if (!keeping->checkpoints) return Error(Errc::unsupported, "this engine keeps nothing", "checkpoint");
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!open_) return Error(Errc::closed, "the engine of the call is closed", "call");
    const auto under_way = std::count_if(checkpoints_.begin(), checkpoints_.end(),
                                         [&](const auto& kept) { return kept.second.keeping == keeping; });
    if (under_way >= DEPROV_CHECKPOINTS_AT_ONCE)
      return Error(Errc::busy, "64 checkpoints are under way", "checkpoint", "wait until they were told");
    number = ++last_;
    checkpoints_.emplace(number, Kept{keeping, std::move(done)});
  }
  // Weak: what the store still has in hand does not keep what is over.
  const auto told = [weak = std::weak_ptr(self), number](deprov_status status, std::string found) {
    if (const auto calls = weak.lock()) calls->kept(calls, number, status, std::move(found));
  };
  try {
    if (value) {
      keeping->checkpoints->set(std::move(name), std::move(*value), [told](Result<void> r) {
        told(r ? DEPROV_OK : static_cast<deprov_status>(r.error().code()), {});
      });
    } else {
      keeping->checkpoints->get(std::move(name), [told](Result<std::string> r) {
        if (!r) return told(static_cast<deprov_status>(r.error().code()), {});
        told(DEPROV_OK, std::move(*r));
      });
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (checkpoints_.erase(number) == 0) return {};  // it was told meanwhile, and may not be refused as well
    throw;
  }
  return {};
}

void Calls::kept(const std::shared_ptr<Calls>& self, std::uint64_t number, deprov_status status,
                 std::string value) {
  // The lock is held while the executor is told: `shut` comes before the executor goes.
  const std::lock_guard lock(mutex_);
  const auto it = checkpoints_.find(number);
  if (it == checkpoints_.end()) return;
  it->second.keeping->executor.post(
      [self, number, status, value = std::move(value)] { self->tell(number, status, value); });
}

void Calls::tell(std::uint64_t number, deprov_status status, const std::string& value) {
  CheckpointTold done;
  {
    const std::lock_guard lock(mutex_);
    const auto it = checkpoints_.find(number);
    if (it == checkpoints_.end()) return;
    done = std::move(it->second.done);
    checkpoints_.erase(it);
  }
  done(status, value);
}

static_assert(DEPROV_CHECKPOINT_NAME_BYTES == port::Checkpoints::max_name_bytes &&
              DEPROV_CHECKPOINT_VALUE_BYTES == port::Checkpoints::max_value_bytes &&
              DEPROV_CHECKPOINT_NAMES == port::Checkpoints::max_names);

}  // namespace deprov::capi

deprov_status deprov_call_checkpoint_get(deprov_call* call, deprov_str name, void* user,
                                         void (*done)(void* user, deprov_status status, deprov_str value),
                                         deprov_error** error) {
  using namespace deprov;
  return capi::guard(error, [&]() -> Result<void> {
    if (call == nullptr) return capi::null_argument("call");
    if (done == nullptr) return capi::null_argument("done");
    DEPROV_TRY(key, capi::text(name, "name"));
    return call->calls->checkpoint(
        call->calls, call->keeping, std::move(key), std::nullopt,
        [user, done](deprov_status status, const std::string& value) { done(user, status, capi::str(value)); });
  });
}

deprov_status deprov_call_checkpoint_set(deprov_call* call, deprov_str name, deprov_str value, void* user,
                                         void (*done)(void* user, deprov_status status), deprov_error** error) {
  using namespace deprov;
  return capi::guard(error, [&]() -> Result<void> {
    if (call == nullptr) return capi::null_argument("call");
    if (done == nullptr) return capi::null_argument("done");
    DEPROV_TRY(key, capi::text(name, "name"));
    DEPROV_TRY(kept, capi::text(value, "value"));
    return call->calls->checkpoint(call->calls, call->keeping, std::move(key), std::move(kept),
                                   [user, done](deprov_status status, const std::string&) { done(user, status); });
  });
}
