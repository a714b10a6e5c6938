// How a client with a key of its own names itself to a token endpoint: an assertion that it signs (RFC 7523).
#pragma once

#include <deprov/error.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/time.hpp>
#include <string>
#include <string_view>
#include "engine/sources/feed_config.hpp"

namespace deprov::engine {

/// Whether key, certificate and algorithm are such, and belong together. Errors: `invalid_argument`, `where`
/// naming the member of the config; nothing of the key is in them.
[[nodiscard]] Result<void> check_client_key(const port::Crypto& crypto, const FeedCredential& credential,
                                            WallTime now);

/// A JWT by which the client is known for five minutes. `id` has to be another one each time (`jti`).
///
/// With a certificate the header is what Microsoft documents: PS256 with `x5t#S256`, or RS256 with `x5t`. Without
/// one it has `kid`, as Okta wants it.
[[nodiscard]] Result<std::string> client_assertion(const port::Crypto& crypto, const FeedCredential& credential,
                                                   std::string_view id, WallTime now);

}  // namespace deprov::engine
