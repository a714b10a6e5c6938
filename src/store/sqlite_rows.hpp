// How records lie in the columns of `sqlite_queries.hpp`.
#pragma once

#include <deprov/port/records.hpp>
#include <deprov/port/source_records.hpp>
#include <string>
#include <vector>
#include "sqlite_db.hpp"

namespace deprov::store {

/// The key of an activity record: 23 bits of scope, 40 bits of seq, so that a chain lies in one piece.
inline constexpr int activity_seq_bits = 40;
inline constexpr std::int64_t max_scope = (std::int64_t{1} << 23) - 1;
[[nodiscard]] constexpr std::int64_t activity_key(std::int64_t scope, std::uint64_t seq) noexcept {
  return (scope << activity_seq_bits) | static_cast<std::int64_t>(seq);
}
[[nodiscard]] constexpr std::uint64_t activity_seq(std::int64_t key) noexcept {
  return static_cast<std::uint64_t>(key) & ((std::uint64_t{1} << activity_seq_bits) - 1);
}
/// What a scope that nobody wrote to stands as: no row has it.
inline constexpr std::int64_t no_scope = -1;

/// The kinds of `history`: what happened to one subject lies together.
enum class HistoryKind : std::uint8_t { change = 1, job = 2, activity = 3 };
/// Big-endian, so that the order of bytes is the order of numbers.
using SeqRef = std::array<std::uint8_t, 8>;
[[nodiscard]] SeqRef seq_ref(std::uint64_t seq) noexcept;
[[nodiscard]] std::uint64_t seq_of(std::string_view ref) noexcept;

/// Texts as one blob: each with its length before it.
[[nodiscard]] std::string pack_texts(const std::vector<std::string>& texts);
[[nodiscard]] std::vector<std::string> unpack_texts(std::string_view blob);

[[nodiscard]] port::WorkspaceRow read_workspace(Use& use);
[[nodiscard]] port::PrincipalRow read_principal(Use& use);
[[nodiscard]] port::IntegrationRow read_integration(Use& use);
[[nodiscard]] port::GatewayTokenRow read_token(Use& use);
[[nodiscard]] port::ResourceRow read_resource(Use& use, const port::Scope& scope);
[[nodiscard]] port::SubjectRow read_subject(Use& use, const port::Scope& scope, ResourceId id);
[[nodiscard]] port::BindingRow read_binding(Use& use, const port::Scope& scope);
[[nodiscard]] port::ChangeRow read_change(Use& use, const port::Scope& scope, ResourceId subject);
[[nodiscard]] port::JobRow read_job(Use& use, const port::Scope& scope);
[[nodiscard]] port::DueRow read_due(Use& use, const port::Scope& scope);
[[nodiscard]] port::HoldRow read_hold(Use& use, const port::Scope& scope);
[[nodiscard]] port::HoldItemRow read_hold_item(Use& use, const port::Scope& scope);
[[nodiscard]] port::SourceRow read_source(Use& use, const port::Scope& scope);
[[nodiscard]] port::WebhookRow read_webhook(Use& use);
[[nodiscard]] port::DeliveryRow read_delivery(Use& use, WorkspaceId workspace, WebhookId webhook);
[[nodiscard]] port::WorkRow read_work(Use& use, const port::Scope& scope);
[[nodiscard]] port::ActivityRow read_activity(Use& use, const port::Scope& scope);

}  // namespace deprov::store
