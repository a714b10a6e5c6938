// Crypto and randomness of the machine, behind their ports.
#pragma once

#include <deprov/port/crypto.hpp>
#include <deprov/port/random.hpp>
#include <memory>

namespace deprov::crypto {

/// OpenSSL 3: SHA-256, AES-256-GCM, signatures by public keys, comparison in constant time. *Thread safety*: any
/// thread. Throws `std::runtime_error` where this OpenSSL offers one of them not.
[[nodiscard]] std::unique_ptr<port::Crypto> make_crypto();

/// OpenSSL's generator, buffered per thread so that ids are cheap; a forked child never repeats its
/// parent's bytes. *Thread safety*: any thread. `fill` throws `std::runtime_error` where the system gives
/// no randomness, since nothing sensible can be done without.
[[nodiscard]] std::unique_ptr<port::Random> make_system_random();

}  // namespace deprov::crypto
