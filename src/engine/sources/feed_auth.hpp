// The credential of a feed: put into each request, and fetched anew where it is an access token.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "engine/impl.hpp"
#include "engine/sources/dpop.hpp"
#include "engine/sources/feed_config.hpp"

namespace deprov::engine {

/// Tokens live in memory only. *Thread safety*: the executor only.
class FeedAuth : public std::enable_shared_from_this<FeedAuth> {
 public:
  FeedAuth(std::weak_ptr<Engine::Impl> engine, FeedCredential credential, port::HttpPeer peer, Duration timeout)
      : engine_(std::move(engine)),
        credential_(std::move(credential)),
        peer_(std::move(peer)),
        timeout_(timeout) {}
  ~FeedAuth();
  FeedAuth(const FeedAuth&) = delete;
  FeedAuth& operator=(const FeedAuth&) = delete;

  struct Ready {
    std::string header;  ///< the value of Authorization; empty: none
    std::optional<idp::FeedFailure> failure{};
  };
  /// At once, or once the one request to the token endpoint is answered.
  void get(port::UniqueFunction<void(Ready)> done);
  /// The API refused it: the next `get` fetches another. False: it is always the same.
  bool refused(const std::string& header);
  /// The headers of one request; `authorization` is what `get` answered. Errors: those of signing.
  [[nodiscard]] Result<std::vector<port::HttpHeader>> headers(const std::string& authorization,
                                                              std::string_view method, std::string_view url);
  /// See `DpopProver::answered`.
  bool lacked_nonce(std::string_view url, const idp::FeedResponse& response);

 private:
  void fetch();
  [[nodiscard]] Ready read(const port::HttpResult& result);
  void tell(const Ready& ready);
  [[nodiscard]] std::string header() const { return (bound_ ? "DPoP " : "Bearer ") + token_; }

  std::weak_ptr<Engine::Impl> engine_;
  const FeedCredential credential_;
  const port::HttpPeer peer_;
  const Duration timeout_;
  std::optional<DpopProver> prover_;
  std::string token_;
  bool bound_ = false;  ///< the token, to the key of the prover
  bool again_ = false;  ///< it is asked for a second time, with the nonce that the first answer gave
  MonoTime good_until_;
  std::vector<port::UniqueFunction<void(Ready)>> waiters_;
  std::optional<port::HttpCallId> call_;
};

/// Why there is no response, as a failure of the feed.
[[nodiscard]] idp::FeedFailure feed_failure_of(const port::HttpFailure& failure);
/// The same response in the words of feeds.
[[nodiscard]] idp::FeedResponse feed_response_of(port::HttpResponse response, WallTime now);

}  // namespace deprov::engine
