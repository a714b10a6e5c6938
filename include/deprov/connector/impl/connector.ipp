#pragma once
#include <array>
#include <deprov/connector/connector.hpp>

namespace deprov::connector {

namespace detail {
inline constexpr std::array<std::string_view, operation_count> operation_names{"check",
                                                                               "find",
                                                                               "read",
                                                                               "list",
                                                                               "disable",
                                                                               "enable",
                                                                               "remove",
                                                                               "transfer",
                                                                               "revoke_sessions",
                                                                               "list_entitlements",
                                                                               "revoke_entitlement",
                                                                               "grant_entitlement",
                                                                               "poll"};
}  // namespace detail

DEPROV_INLINE std::string_view to_string(Operation o) noexcept {
  return detail::operation_names[static_cast<std::size_t>(o)];
}

DEPROV_INLINE std::optional<Operation> parse_operation(std::string_view text) noexcept {
  for (std::size_t i = 0; i < operation_count; ++i)
    if (detail::operation_names[i] == text) return static_cast<Operation>(i);
  return std::nullopt;
}

DEPROV_INLINE bool is_change(Operation o) noexcept {
  switch (o) {
    case Operation::disable:
    case Operation::enable:
    case Operation::remove:
    case Operation::transfer:
    case Operation::revoke_sessions:
    case Operation::revoke_entitlement:
    case Operation::grant_entitlement: return true;
    default: return false;
  }
}

}  // namespace deprov::connector
