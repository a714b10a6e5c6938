// HTTP to any SCIM service provider, as little as a check needs.
#pragma once

#include <boost/json/value.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deprov::conformance {

struct Reply {
  int status = 0;                              ///< 0: no answer came; `body` says why
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  boost::json::value json;  ///< null where the body is none

  [[nodiscard]] std::string header(const std::string& lower_case_name) const;
};

using Fields = std::vector<std::pair<std::string, std::string>>;

class Client {
 public:
  /// `base`: what stands before "/Users".
  Client(std::string base, std::string token);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// `path` stands behind the base. A body goes out as application/scim+json unless a field says otherwise; a
  /// field with an empty value is not sent at all.
  Reply send(const std::string& method, const std::string& path, const std::string& body = {},
             const Fields& fields = {});
  [[nodiscard]] const std::string& base() const noexcept { return base_; }
  [[nodiscard]] std::size_t requests() const noexcept { return requests_; }

 private:
  struct Handle;
  std::string base_;
  std::string token_;
  std::unique_ptr<Handle> handle_;
  std::size_t requests_ = 0;
};

/// For use in a query.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace deprov::conformance
