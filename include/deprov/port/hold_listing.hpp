// What a listing of a hold is named by: a hash over its items, in the order in which they arrived.
#pragma once

#include <cstdint>
#include <deprov/port/crypto.hpp>
#include <deprov/port/records.hpp>

namespace deprov::port {

/// Over the listing before, and hold, seq, subject, job, generation, cause and whether it had been sent.
[[nodiscard]] Sha256 hold_listing(const Crypto& crypto, const Sha256& before, const HoldItemRow& row);

}  // namespace deprov::port
