// An IdP as the demo plays it: the requests of Okta and of Entra ID in the shapes in which those send them.
#pragma once

#include <boost/json/value.hpp>
#include <deprov/error.hpp>
#include <deprov/port/http_transport.hpp>
#include <map>
#include <string>
#include <vector>

namespace deprov::cli {

namespace json = boost::json;

/// One SCIM endpoint and the token that opens it.
struct ScimEndpoint {
  std::string url;
  std::string token;
};

/// Sends one request. Errors: `unavailable`; `protocol` where the status is not 2xx, with what was answered.
[[nodiscard]] Result<json::value> scim_call(port::HttpTransport& http, const ScimEndpoint& at,
                                            const std::string& method, const std::string& path,
                                            const json::value& body = {},
                                            const std::vector<port::HttpHeader>& headers = {});

class Idp {
 public:
  enum class Kind { okta, entra };
  Idp(port::HttpTransport& http, Kind kind, ScimEndpoint at) : http_(http), kind_(kind), at_(std::move(at)) {}

  /// What the IdP's "test connection" sends.
  Result<void> test_connection();
  /// Looks whether the user is there, then makes it.
  Result<void> provision(const std::string& user);
  /// Makes the group, then puts its members into it.
  Result<void> push_group(const std::string& group, const std::vector<std::string>& users);
  Result<void> set_active(const std::string& user, bool active);
  Result<void> remove_members(const std::string& group, const std::vector<std::string>& users);
  Result<void> delete_group(const std::string& group);

  [[nodiscard]] const std::map<std::string, std::string>& users() const noexcept { return users_; }

 private:
  Result<json::value> send(const std::string& method, const std::string& path, const json::value& body = {});
  [[nodiscard]] json::value patch(json::array operations) const;

  port::HttpTransport& http_;
  Kind kind_;
  ScimEndpoint at_;
  std::map<std::string, std::string> users_;   ///< name -> SCIM id
  std::map<std::string, std::string> groups_;  ///< name -> SCIM id
};

[[nodiscard]] std::string user_name_of(const std::string& user);

}  // namespace deprov::cli
