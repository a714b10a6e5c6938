// A running `deprov serve` with one integration, and short ways to ask it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include "support/program.hpp"

namespace deprov::test {

inline constexpr std::string_view scim_json = "Content-Type: application/scim+json\r\n";

/// `{"schemas": [...PatchOp], "Operations": [...]}`
[[nodiscard]] std::string patch_of(std::string_view operations);
/// A User with that name, active.
[[nodiscard]] std::string user_of(std::string_view name);
/// Retries and breaker in milliseconds instead of minutes.
[[nodiscard]] boost::json::value impatient_policy();

class Running {
 public:
  /// On a sandbox with the accounts user0 to user<accounts - 1>, each with the id acct<n>.
  explicit Running(std::size_t accounts, const std::string& idp = "okta", boost::json::object sandbox = {});
  /// On an app that is reached by the scim connector, with `more` in the connection's settings.
  Running(const std::string& app_url, std::string_view app_token, const boost::json::object& more = {});

  void serve(const Serve::Options& options = {});
  [[nodiscard]] Serve& server() const { return *server_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const TempDir& dir() const { return dir_; }
  [[nodiscard]] const std::string& data() const { return data_; }
  [[nodiscard]] const std::string& owner() const { return owner_; }
  [[nodiscard]] const Integration& integration() const { return integration_; }

  /// Below the integration's SCIM base URL, with its token.
  Reply scim(std::string_view method, std::string_view path, std::string_view body = {},
             std::string_view more_fields = {}) const;
  /// Below /api/v1, as the owner.
  Reply api(std::string_view method, std::string_view path, std::string_view body = {}) const;
  /// The SCIM id; fails the test unless it is made.
  std::string add_user(std::string_view name) const;
  Reply set_active(const std::string& id, bool active) const;
  /// The newest removal of the user; null where there is none.
  boost::json::value removal(const std::string& user) const;
  bool removal_reaches(const std::string& user, std::string_view state,
                       std::chrono::milliseconds limit = std::chrono::minutes(2)) const;
  /// All records of the integration's chain.
  boost::json::array activity() const;
  [[nodiscard]] bool healthy() const;

 private:
  TempDir dir_;
  std::string data_;
  std::string owner_;
  Integration integration_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Serve> server_;
};

}  // namespace deprov::test
