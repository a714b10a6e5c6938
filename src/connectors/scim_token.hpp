// Access tokens by client credentials: fetched once for everybody who waits.
#pragma once

#include <deprov/connector/connector.hpp>
#include <deprov/port/connector.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "scim_config.hpp"

namespace deprov::connectors {

/// What a call gets that waits for a token.
struct TokenAnswer {
  std::string token;                        ///< empty: there is none
  std::optional<connector::Reply> refusal;  ///< why there is none
};

/// RFC 6749 section 4.4. Used on the host's executor only.
class TokenSource : public std::enable_shared_from_this<TokenSource> {
 public:
  using Waiter = port::UniqueFunction<void(TokenAnswer)>;

  TokenSource(ClientCredentials credentials, const ScimConfig& config, port::ConnectorHost host);
  /// A token that is good for a while yet; at once, or once the one request to the token endpoint is
  /// answered, whoever began it.
  void get(Waiter waiter);
  /// The app refused this token: the next `get` fetches another, unless that has happened already.
  void refused(const std::string& token);
  [[nodiscard]] const std::string& current() const noexcept { return token_; }

 private:
  void fetch();
  void fetched(const port::HttpResult& result);
  [[nodiscard]] TokenAnswer read(const port::HttpResult& result);

  const ClientCredentials credentials_;
  const port::HttpPeer peer_;
  const Duration timeout_;
  const Duration max_retry_after_;
  port::ConnectorHost host_;
  std::string token_;
  MonoTime good_until_;
  bool fetching_ = false;
  std::vector<Waiter> waiters_;
};

}  // namespace deprov::connectors
