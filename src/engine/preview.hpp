// The present state of one integration, as a policy is held against it (R22).
#pragma once

#include <deprov/policy/preview.hpp>
#include "engine/management.hpp"

namespace deprov::engine {

/// `attributes`: with those of each user. Errors: `limit_exceeded`.
[[nodiscard]] Result<policy::RecordedState> read_state(port::Reader& reader, const port::Scope& scope,
                                                       bool attributes);
/// What the policy would do, with the SHA-256 by which it is approved.
[[nodiscard]] json::object preview_document(const port::Crypto& crypto, const policy::Policy& policy,
                                            const policy::RecordedState& state, const connector::Description& app,
                                            WallTime now);

}  // namespace deprov::engine
