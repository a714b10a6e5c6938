// How a webhook's message is signed, after the Standard Webhooks specification, and how a receiver checks it.
#pragma once

#include <cstdint>
#include <deprov/port/crypto.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::engine {

/// HMAC-SHA256 (RFC 2104).
[[nodiscard]] port::Sha256 hmac_sha256(const port::Crypto& crypto, std::string_view key, std::string_view text);
/// RFC 4648 section 4, with padding.
[[nodiscard]] std::string to_base64(std::string_view bytes);
/// Nothing where it is no base64 with padding.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

/// A secret as it is shown: "whsec_" and the base64 of its bytes.
[[nodiscard]] std::string webhook_secret_text(std::string_view bytes);

/// "v1," and the base64 of the HMAC-SHA256 over `id.seconds.body` under the secret's bytes.
[[nodiscard]] std::string webhook_signature(const port::Crypto& crypto, std::string_view secret,
                                            std::string_view id, std::int64_t seconds, std::string_view body);
/// For receivers: whether one of the signatures in `header` is right under `secret` as it was shown, and the
/// timestamp within `tolerance` of `now`. Time depends on lengths only.
[[nodiscard]] bool verify_webhook(const port::Crypto& crypto, std::string_view secret, std::string_view id,
                                  std::string_view timestamp, std::string_view header, std::string_view body,
                                  WallTime now, Duration tolerance = std::chrono::minutes(5));

}  // namespace deprov::engine
