// One integration, ready to be used: its row with policy, dialect and settings parsed.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <deprov/idp/dialect.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/port/records.hpp>
#include <deprov/scim/schema.hpp>
#include <memory>

namespace deprov::engine {

namespace json = boost::json;

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
};
using Context = std::shared_ptr<const IntegrationContext>;

/// What the settings of an integration may hold, as a JSON Schema.
[[nodiscard]] const json::value& settings_schema();

}  // namespace deprov::engine
