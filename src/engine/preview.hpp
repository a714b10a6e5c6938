// The present state of one integration, as a policy is held against it (R22).
#pragma once

#include <deprov/policy/preview.hpp>
#include "engine/management.hpp"

namespace deprov::engine {

/// With what the protection asks for of each user: attributes, and the account that it is bound to.
/// Errors: `limit_exceeded`.
[[nodiscard]] Result<policy::RecordedState> read_state(port::Reader& reader, const port::Scope& scope,
                                                       const policy::Protection& protection);
/// What the policy would do, with the SHA-256 by which it is approved.
[[nodiscard]] json::object preview_document(const port::Crypto& crypto, const policy::Policy& policy,
                                            const policy::RecordedState& state, const connector::Description& app,
                                            WallTime now);

}  // namespace deprov::engine
