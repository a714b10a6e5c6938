#include "ldap/config.hpp"
#include <ldap.h>
#include <algorithm>
#include <stdexcept>
#include "common/text.hpp"
#include "ldap/filter.hpp"

namespace deprov_ldap {

namespace {

using deprov_connectors::Settings;

[[noreturn]] void refuse(const std::string& pointer, const std::string& why) {
  throw std::invalid_argument("config" + pointer + ": " + why);
}

std::string attribute(const Settings& s, const std::string& pointer, const std::string& otherwise) {
  auto name = s.text(pointer, otherwise);
  if (!name.empty() && !is_attribute(name))
    refuse(pointer, "is no name of an attribute; write it without options, like \"uid\"");
  return name;
}

std::string filter(const Settings& s, const std::string& pointer, const std::string& otherwise) {
  auto text = s.text(pointer, otherwise);
  if (!is_one_filter(text))
    refuse(pointer, "is not one filter in parentheses (RFC 4515), like \"(objectClass=person)\"");
  return text;
}

std::string name(const Settings& s, const std::string& pointer) {
  auto dn = s.text(pointer);
  if (!is_name(dn)) refuse(pointer, "is no distinguished name (RFC 4514), like \"ou=people,dc=example,dc=com\"");
  return dn;
}

/// ldap[s]://host[:port], and nothing behind: what else an LDAP URL can say stands in other members.
void check_url(const std::string& url) {
  LDAPURLDesc* parsed = nullptr;
  if (ldap_url_parse(url.c_str(), &parsed) != LDAP_URL_SUCCESS || parsed == nullptr)
    refuse("/url", "is no URL like \"ldaps://ldap.example.com\"");
  const std::string scheme = parsed->lud_scheme != nullptr ? parsed->lud_scheme : "";
  const bool host = parsed->lud_host != nullptr && *parsed->lud_host != '\0';
  const bool more = (parsed->lud_dn != nullptr && *parsed->lud_dn != '\0') || parsed->lud_attrs != nullptr ||
                    parsed->lud_filter != nullptr || parsed->lud_exts != nullptr || parsed->lud_next != nullptr;
  ldap_free_urldesc(parsed);
  if (scheme != "ldaps" && scheme != "ldap")
    refuse("/url", "is neither ldaps:// nor ldap:// (which begins with StartTLS)");
  if (!host) refuse("/url", "names no host");
  if (more || url.find_first_of(" ,") != std::string::npos) refuse("/url", "says more than a host and a port");
}

Switch parse_switch(const Settings& s) {
  Switch out;
  out.attribute = attribute(s, "/disable/attribute", "");
  if (out.attribute.empty()) refuse("/disable/attribute", "names no attribute");
  out.bit = s.number("/disable/bit", 0);
  const bool text = s.find("/disable/disabled").has_value();
  if (text == (out.bit != 0))
    refuse("/disable", "needs either \"disabled\", the value of a disabled account, or \"bit\"");
  if (out.bit != 0 && (out.bit < 0 || (out.bit & (out.bit - 1)) != 0 || out.bit > 0x40000000))
    refuse("/disable/bit", "is no power of two up to 2^30, like 2 for userAccountControl");
  out.disabled = s.text("/disable/disabled");
  if (s.find("/disable/enabled")) out.enabled = s.text("/disable/enabled");
  if (out.bit != 0 && out.enabled) refuse("/disable/enabled", "goes with \"disabled\", not with \"bit\"");
  if (out.enabled && *out.enabled == out.disabled) refuse("/disable/enabled", "is the same as \"disabled\"");
  return out;
}

}  // namespace

Config parse_config(const deprov_sdk::Connection& connection) {
  const Settings s(connection);
  Config c;
  c.url = s.text("/url");
  check_url(c.url);
  c.start_tls = c.url.rfind("ldap:", 0) == 0;
  c.authorities = std::make_shared<const deprov_connectors::Authorities>(s.text("/ca_pem"), s.text("/ca_file"));
  c.bind_dn = name(s, "/bind_dn");
  auto password = connection.secret("bind_password").value_or("");
  const bool empty = password.empty() || password.find('\0') != std::string::npos;
  deprov_connectors::wipe(password);
  // A bind with a name and without a password succeeds as nobody (RFC 4513 section 5.1.2).
  if (empty) refuse("/bind_password", "is empty, or has a zero byte in it");
  c.base_dn = name(s, "/base_dn");
  c.scope = s.text("/scope", "sub") == "one" ? LDAP_SCOPE_ONELEVEL : LDAP_SCOPE_SUBTREE;
  c.account_filter = filter(s, "/account_filter", "(objectClass=inetOrgPerson)");
  c.id_attribute = attribute(s, "/id_attribute", "entryUUID");
  c.id_is_guid = s.text("/id_format", "text") == "guid";
  c.external_id_attribute = attribute(s, "/attributes/external_id", "");
  c.user_name_attribute = attribute(s, "/attributes/user_name", "uid");
  c.email_attribute = attribute(s, "/attributes/email", "mail");
  if (c.id_attribute.empty()) refuse("/id_attribute", "names no attribute");
  if (c.user_name_attribute.empty()) refuse("/attributes/user_name", "names no attribute");
  c.state = parse_switch(s);
  c.groups.base_dn = name(s, "/groups/base_dn");
  c.groups.filter = filter(s, "/groups/filter", "(objectClass=groupOfNames)");
  c.groups.member_attribute = attribute(s, "/groups/member_attribute", "member");
  c.groups.name_attribute = attribute(s, "/groups/name_attribute", "cn");
  c.groups.members_are_names = s.text("/groups/member_value", "dn") == "user_name";
  c.connect_timeout_ms = static_cast<int>(s.number("/connect_timeout_ms", 10'000));
  c.connections = static_cast<std::size_t>(s.number("/connections", 2));
  return c;
}

}  // namespace deprov_ldap
