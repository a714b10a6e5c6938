// Values that no two resources of a type share, as keys that the store gives to one owner at a time.
#pragma once

#include <boost/json/object.hpp>
#include <deprov/engine/effect.hpp>
#include <deprov/port/store.hpp>
#include <deprov/scim/match.hpp>
#include <deprov/scim/schema.hpp>
#include <optional>
#include <string>
#include <vector>

namespace deprov::service {

/// Whether the type has such attributes besides `userName`, for which the store has an index of its own.
[[nodiscard]] bool has_unique_keys(const scim::TypeDef& type) noexcept;

/// Those of one stored document; each once. Errors: `invalid_value` for a value that is too long to be unique.
[[nodiscard]] Result<std::vector<engine::UniqueKey>> unique_keys(const scim::TypeDef& type,
                                                                 const boost::json::object& document);

/// Whoever matches the filter has one of these keys, each of which has one owner at most; nothing where that
/// cannot be said. With `unknown` as `no_value` an attribute that the type has not matches nobody. At most 100
/// keys.
[[nodiscard]] std::optional<std::vector<std::string>> unique_keys_of(const scim::Filter& filter,
                                                                     const scim::TypeDef& type,
                                                                     scim::UnknownAttribute unknown);

/// Puts into the effect what the resource had and no longer has, and what it has now.
/// Errors: `uniqueness`, naming the attribute, where another resource has it.
[[nodiscard]] Result<void> move_keys(engine::Effect& effect, port::Reader& reader, const port::Scope& scope,
                                     ResourceId owner, const std::vector<engine::UniqueKey>& before,
                                     const std::vector<engine::UniqueKey>& after);

}  // namespace deprov::service
