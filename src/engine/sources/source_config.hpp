// What a source is told about its lists, and what is stored of one in which form.
#pragma once

#include <deprov/engine/sources.hpp>
#include <deprov/idp/snapshot.hpp>
#include <deprov/idp/snapshot_reader.hpp>
#include <map>
#include <string>
#include <vector>

namespace deprov::engine {

struct SourceConfig {
  idp::SnapshotFormat format = idp::SnapshotFormat::csv;
  idp::SnapshotMapping mapping;
  idp::SnapshotLimits limits;
  bool link_by_id = false;                        ///< otherwise by externalId
  std::map<ResourceId, std::string> links;        ///< by a person: which id of the list a subject has
  idp::Cause inactive = idp::Cause::deactivated;  ///< what it means to be listed as not active
};

/// Errors: `invalid_argument`.
[[nodiscard]] Result<SourceConfig> parse_source_config(const json::object& config);

/// The id that a list has of this subject; empty: none.
[[nodiscard]] std::string link_of(const SourceConfig& config, const port::ResourceRow& resource);

/// Whom the id that `link_of` has of a subject names, of those who are here (R12): those that a person linked to
/// it, and otherwise all whom it fits. What it shows of several is nobody's until a person says whose.
enum class Names : std::uint8_t { subject, another, several };
[[nodiscard]] Result<Names> whom_it_names(port::Reader& reader, const port::Scope& scope,
                                          const SourceConfig& config, ResourceId subject, const std::string& id);

/// What the secrets of a source are bound to.
[[nodiscard]] std::string source_seal_context(const port::SourceRow& row);
/// Sealed beside the source: the key of its fingerprints, and what is secret in its config.
[[nodiscard]] Result<std::string> seal_source_key(Engine::Impl& impl, const port::SourceRow& row,
                                                  const idp::FingerprintKey& key,
                                                  const json::object& secrets = {});
[[nodiscard]] Result<idp::FingerprintKey> unseal_source_key(Engine::Impl& impl, const port::SourceRow& row);
/// The config as it was given, secrets in it.
[[nodiscard]] Result<json::object> unseal_source_config(Engine::Impl& impl, const port::SourceRow& row);

/// `SourceRow::header` begins with what a stored snapshot begins with; of a polled source, behind that is what is
/// kept between its rounds, so that both change in one transaction.
inline constexpr std::size_t snapshot_header_bytes = 24;
[[nodiscard]] std::string_view snapshot_header(const port::SourceRow& row);
[[nodiscard]] std::string poll_text(const port::SourceRow& row);
void put_poll_text(port::SourceRow& row, std::string_view text);

/// A subject whose access a list changes.
struct SourceChange {
  ResourceId subject;
  idp::Says says = idp::Says::granted;
  idp::Cause cause = idp::Cause::none;  ///< none: what the source's config says
  WallTime evidence_at;                 ///< when it happened, as the source says; 0: it does not
};
/// How many of them are in one piece.
inline constexpr std::size_t changes_a_piece = 2048;
[[nodiscard]] std::string encode_changes(const SourceChange* begin, const SourceChange* end);
/// Errors: `store_corrupt`.
[[nodiscard]] Result<std::vector<SourceChange>> decode_changes(const std::string& bytes);

/// What the work says that carries a list out.
struct SourceTask {
  SourceId source;
  std::string name, list;
  std::uint64_t generation = 0;
  WallTime begun;
  idp::Cause inactive = idp::Cause::deactivated;
};
[[nodiscard]] std::string to_text(const SourceTask& task);
[[nodiscard]] Result<SourceTask> parse_source_task(const std::string& text);

}  // namespace deprov::engine
