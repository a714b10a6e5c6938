// What the parts of the SQLite reader share, and the reads that stand in files of their own.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deprov/port/store.hpp>
#include <optional>
#include <vector>
#include "sqlite_reader.hpp"
#include "sqlite_rows.hpp"

namespace deprov::store {

/// After every 16-byte id.
inline constexpr std::array<std::uint8_t, 17> past_all_ids = [] {
  std::array<std::uint8_t, 17> a{};
  for (auto& b : a) b = 0xFF;
  return a;
}();

[[nodiscard]] inline std::int64_t sql_limit(std::size_t limit) noexcept {
  constexpr std::size_t most = std::size_t{1} << 40U;
  return static_cast<std::int64_t>(std::min(limit, most));
}

class SqliteReaderBase : public port::Reader {
 public:
  SqliteReaderBase(Connection& connection, Scopes& scopes) : c_(connection), scopes_(scopes) {}

  // sqlite_reader_guard.cpp
  Result<std::optional<port::HoldRow>> open_hold(const port::Scope& scope) override;
  Result<std::optional<port::HoldRow>> hold(const port::Scope& scope, HoldId id) override;
  Result<port::Page<port::HoldRow>> holds(const port::Scope& scope, std::optional<HoldId> before,
                                          std::size_t limit) override;
  Result<port::Page<port::HoldItemRow>> hold_items(const port::Scope& scope, HoldId hold, std::uint64_t after,
                                                   std::size_t limit) override;
  Result<std::optional<port::HoldItemRow>> hold_item_of(const port::Scope& scope, ResourceId subject) override;
  Result<std::optional<port::HoldItemRow>> hold_item_at(const port::Scope& scope, HoldId hold,
                                                        const port::Sha256& listing) override;
  Result<std::vector<port::PopulationRow>> population(const port::Scope& scope, WallTime now) override;
  Result<port::ReservedCounts> reserved(const port::Scope& scope, std::string_view counter, WallTime now) override;
  Result<std::optional<port::ChoreRow>> chore(const port::Scope& scope, std::string_view name) override;
  Result<port::Page<port::FindingRow>> findings(const port::Scope& scope, WorkId run, std::uint64_t after,
                                                std::size_t limit) override;

  // sqlite_reader_sources.cpp
  Result<std::optional<port::SourceRow>> source(const port::Scope& scope, SourceId id) override;
  Result<std::vector<port::SourceRow>> sources(const port::Scope& scope) override;
  Result<port::Page<port::SourcePieceRow>> source_pieces(const port::SourcePieces& which, std::uint32_t from,
                                                         std::size_t limit) override;
  Result<std::vector<port::GrantRow>> grants(const port::Scope& scope, ResourceId subject) override;
  Result<port::Page<ResourceId>> subjects_to_reread(const port::Scope& scope, SourceId source,
                                                    std::optional<ResourceId> after, std::size_t limit) override;
  Result<port::Page<ResourceId>> subjects_with_grants(const port::Scope& scope, std::optional<ResourceId> after,
                                                      std::size_t limit) override;
  Result<std::optional<std::string>> checkpoint(const port::Scope& scope, std::string_view name) override;

  // sqlite_reader_webhooks.cpp
  Result<std::vector<port::WebhookRow>> webhooks(std::optional<WorkspaceId> workspace) override;
  Result<std::vector<port::WebhookCursorRow>> webhook_cursors(WorkspaceId workspace, WebhookId webhook) override;
  Result<port::Page<port::DeliveryRow>> deliveries(WorkspaceId workspace, WebhookId webhook,
                                                   std::optional<port::DeliveryState> state,
                                                   std::optional<DeliveryId> before, std::size_t limit) override;

 protected:
  template <class Row, class F>
  Result<std::optional<Row>> one(Use& use, F&& read) {
    std::optional<Row> row;
    if (use.row()) row = read();
    DEPROV_CHECK(c_.check());
    return row;
  }
  template <class Row, class F>
  Result<std::vector<Row>> all(Use& use, F&& read) {
    std::vector<Row> rows;
    while (use.row()) rows.push_back(read());
    DEPROV_CHECK(c_.check());
    return rows;
  }
  /// Of a statement that asks for one row more than `limit`.
  template <class Row, class F>
  Result<port::Page<Row>> page(Use& use, std::size_t limit, F&& read) {
    port::Page<Row> result;
    while (use.row()) {
      if (result.rows.size() == limit) {
        result.more = true;
        break;
      }
      result.rows.push_back(read());
    }
    DEPROV_CHECK(c_.check());
    return result;
  }

  Connection& c_;
  Scopes& scopes_;
};

}  // namespace deprov::store
