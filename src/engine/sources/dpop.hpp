// Access tokens that are of no use to whoever has no key (DPoP, RFC 9449).
#pragma once

#include <deprov/idp/feed_wire.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/time.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::engine {

/// Proves for each request that whoever sends it has the key. The key is made when it is first needed, lives in
/// memory, and is another one than that by which the client names itself. *Thread safety*: the executor only.
class DpopProver {
 public:
  explicit DpopProver(const port::Crypto& crypto) : crypto_(crypto) {}

  /// The value of the `DPoP` header. `token`: the access token that goes with it; empty: one is asked for. `id`:
  /// of this proof alone.
  [[nodiscard]] Result<std::string> proof(std::string_view method, std::string_view url, std::string_view token,
                                          std::string_view id, WallTime now);
  /// Keeps the nonce that an answer gives for what is asked next of that server. Whether the answer is that the
  /// request lacked it: then it is to be sent again, once.
  bool answered(std::string_view url, const idp::FeedResponse& response);

 private:
  static constexpr std::size_t longest_nonce = 1024;

  const port::Crypto& crypto_;
  port::KeyPair key_;
  std::map<std::string, std::string> nonces_;  ///< by origin: each server has its own (section 8)
};

}  // namespace deprov::engine
