// A client's own private key and its certificate, as PEM text.
#pragma once

#include <deprov/error.hpp>
#include <deprov/port/crypto.hpp>
#include <string>
#include <string_view>

namespace deprov::crypto {

/// See `port::Crypto::private_key`, `sign`, `make_key` and `certificate`.
[[nodiscard]] Result<idp::Jwk::Type> private_key_type(std::string_view pem);
[[nodiscard]] Result<std::string> sign_with(idp::JwsAlgorithm algorithm, std::string_view key_pem,
                                            std::string_view input);
[[nodiscard]] Result<port::KeyPair> make_p256_key();
[[nodiscard]] Result<port::CertificateFacts> certificate_facts(std::string_view pem, std::string_view key_pem);

}  // namespace deprov::crypto
