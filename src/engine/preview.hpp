// The present state of one integration, as a policy is held against it (R22).
#pragma once

#include <deprov/policy/preview.hpp>
#include "engine/management.hpp"

namespace deprov::engine {

/// Errors: `limit_exceeded`.
[[nodiscard]] Result<policy::RecordedState> read_state(port::Reader& reader, const port::Scope& scope);
/// What the policy would do, with the SHA-256 by which it is approved.
[[nodiscard]] json::object preview_document(const port::Crypto& crypto, const policy::Policy& policy,
                                            const policy::RecordedState& state, const connector::Description& app);

}  // namespace deprov::engine
