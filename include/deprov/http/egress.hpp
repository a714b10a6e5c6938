// Which addresses outbound requests may reach.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace deprov::http {

/// Who may manage integrations names the URLs that deprov calls; what those may be is for whoever runs it to say.
/// The rule is about the address that is connected to, after names are resolved, that of a proxy included.
enum class Egress : std::uint8_t {
  any,
  /// Not link-local (where clouds keep the credentials of their machines), multicast or unspecified addresses.
  own_networks,
  /// Besides, not loopback, private and shared networks (RFC 1918, 4193, 6598).
  internet
};

[[nodiscard]] std::string_view to_string(Egress rule) noexcept;
/// `any`, `own_networks` or `internet`.
[[nodiscard]] std::optional<Egress> egress_from(std::string_view name) noexcept;

/// An IPv4 address is given as the IPv6 address that it is mapped to (`::ffff:a.b.c.d`, RFC 4291). An IPv4 address
/// within one of the other forms (RFC 6052, 3056) counts as itself.
[[nodiscard]] bool allows(Egress rule, const std::array<std::uint8_t, 16>& address) noexcept;

}  // namespace deprov::http
