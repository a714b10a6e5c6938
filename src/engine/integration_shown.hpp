// What the activity tells of an integration that is made or changed.
#pragma once
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <deprov/port/connector.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/port/records.hpp>

namespace deprov::engine {

namespace json = boost::json;

[[nodiscard]] json::object shown(const port::IntegrationRow& row);

/// What differs of two configs. Of a long text (certificates) only its size and hash are told: the chain keeps
/// them for good, and a person compares them with a file by those.
void keep_differences(const port::Crypto& crypto, json::object& before, json::object& after);

/// Whether a member differs that the kind of connector keeps secret.
[[nodiscard]] bool secrets_differ(const port::ConnectorKind& kind, const json::value& before,
                                  const json::value& after);

}  // namespace deprov::engine
