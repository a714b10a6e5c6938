// Signatures of others, by their public keys.
#pragma once

#include <deprov/error.hpp>
#include <deprov/idp/jose.hpp>
#include <string_view>

namespace deprov::crypto {

/// See `port::Crypto::verify`.
[[nodiscard]] Result<void> verify_signature(idp::JwsAlgorithm algorithm, const idp::Jwk& key,
                                            std::string_view input, std::string_view signature);

}  // namespace deprov::crypto
