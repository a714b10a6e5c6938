// One integration, ready to be used: its row with policy, dialect and settings parsed.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <deprov/idp/dialect.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/port/records.hpp>
#include <deprov/scim/schema.hpp>
#include <memory>
#include <mutex>
#include <optional>

namespace deprov::engine {

namespace json = boost::json;

/// How many had access when the guard's windows began, as last worked out. *Thread safety*: any thread.
class GuardCache {
 public:
  [[nodiscard]] std::optional<policy::GuardBase> get(std::int64_t minute) const {
    const std::lock_guard lock(mutex_);
    if (minute != minute_) return std::nullopt;
    return base_;
  }
  void put(std::int64_t minute, const policy::GuardBase& base) {
    if (!base.lasting) return;
    const std::lock_guard lock(mutex_);
    minute_ = minute;
    base_ = base;
  }

 private:
  mutable std::mutex mutex_;
  std::int64_t minute_ = -1;
  policy::GuardBase base_;
};

/// Immutable; shared by whoever works for the integration at that version.
struct IntegrationContext {
  port::IntegrationRow row;
  policy::Policy policy;
  const idp::Dialect* dialect = nullptr;           ///< never null
  const scim::SchemaRegistry* registry = nullptr;  ///< never null
  /// What `registry` points at where the integration has schemas of its own.
  std::shared_ptr<const scim::SchemaRegistry> own_registry;
  const connector::Description* connector = nullptr;  ///< null where the kind is not known to this program
  json::object settings;
  std::shared_ptr<GuardCache> guard_cache = std::make_shared<GuardCache>();  ///< never null
};
using Context = std::shared_ptr<const IntegrationContext>;

/// What the settings of an integration may hold, as a JSON Schema.
[[nodiscard]] const json::value& settings_schema();

}  // namespace deprov::engine
