// The configuration of a connection to a directory; ldap.json has its schema, README.md says what it means.
#pragma once

#include <cstdint>
#include <deprov_connector.hpp>
#include <memory>
#include <optional>
#include <string>
#include "common/authorities.hpp"

namespace deprov_ldap {

struct Groups {
  std::string base_dn, filter, member_attribute, name_attribute;
  bool members_are_names = false;  ///< memberUid and the like: the user name in place of the DN
};

/// How an account is disabled: an attribute that takes a value, or a bit of a number.
struct Switch {
  std::string attribute;
  std::string disabled;
  std::optional<std::string> enabled;  ///< nothing: the attribute is taken away
  std::int64_t bit = 0;                ///< not 0: that bit is set, and the texts are not used
};

struct Config {
  std::string url, bind_dn;
  std::shared_ptr<const deprov_connectors::Authorities> authorities;
  bool start_tls = false;  ///< ldap://, on which nothing is sent before TLS stands
  std::string base_dn, account_filter;
  int scope = 0;
  std::string id_attribute, external_id_attribute, user_name_attribute, email_attribute;
  bool id_is_guid = false;
  Switch state;
  Groups groups;
  int connect_timeout_ms = 10'000;
  std::size_t connections = 2;
};

/// Throws std::invalid_argument, with the member's name and what to do.
Config parse_config(const deprov_sdk::Connection& connection);

}  // namespace deprov_ldap
