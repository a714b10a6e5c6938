// Identifiers: UUIDs of version 7 (RFC 9562 section 5.7), one C++ type per kind of thing.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deprov/time.hpp>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace deprov {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  [[nodiscard]] bool is_nil() const noexcept { return *this == Uuid{}; }
};

/// A version 7 UUID of this time and these random bytes (10 are used).
[[nodiscard]] Uuid make_uuid_v7(WallTime now, std::span<const std::uint8_t, 10> random) noexcept;
/// Lower case, `8-4-4-4-12`.
[[nodiscard]] std::string to_string(const Uuid& id);
/// Any case, `8-4-4-4-12` only; nothing otherwise.
[[nodiscard]] std::optional<Uuid> parse_uuid(std::string_view text) noexcept;

/// An id that only compares with its own kind.
template <class Tag>
struct Id {
  Uuid value;
  friend auto operator<=>(const Id&, const Id&) = default;
  [[nodiscard]] bool is_nil() const noexcept { return value.is_nil(); }
  [[nodiscard]] std::string str() const { return to_string(value); }
  [[nodiscard]] static std::optional<Id> parse(std::string_view text) noexcept {
    auto u = parse_uuid(text);
    if (!u) return std::nullopt;
    return Id{*u};
  }
};

using WorkspaceId = Id<struct WorkspaceTag>;
using IntegrationId = Id<struct IntegrationTag>;
using PrincipalId = Id<struct PrincipalTag>;
using ResourceId = Id<struct ResourceTag>;  ///< a SCIM `id`: a subject's or a group's
using JobId = Id<struct JobTag>;
using ChangeId = Id<struct ChangeTag>;
using TxnId = Id<struct TxnTag>;
using LeaseToken = Id<struct LeaseTag>;
using WorkId = Id<struct WorkTag>;
using HoldId = Id<struct HoldTag>;
using WebhookId = Id<struct WebhookTag>;
using DeliveryId = Id<struct DeliveryTag>;
using SourceId = Id<struct SourceTag>;

}  // namespace deprov

template <>
struct std::hash<deprov::Uuid> {
  std::size_t operator()(const deprov::Uuid& u) const noexcept {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::memcpy(&a, u.bytes.data(), 8);
    std::memcpy(&b, u.bytes.data() + 8, 8);
    return static_cast<std::size_t>((a * 0x9E3779B97F4A7C15ULL) ^ b);
  }
};
template <class Tag>
struct std::hash<deprov::Id<Tag>> {
  std::size_t operator()(const deprov::Id<Tag>& i) const noexcept { return std::hash<deprov::Uuid>{}(i.value); }
};

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/impl/uuid.ipp>
#endif
