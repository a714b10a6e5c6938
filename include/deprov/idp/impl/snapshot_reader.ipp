#pragma once
#include <deprov/idp/impl/snapshot_csv.ipp>
#include <deprov/idp/impl/snapshot_json.ipp>
#include <deprov/idp/snapshot_reader.hpp>
#include <utility>

namespace deprov::idp {

DEPROV_INLINE std::string_view to_string(SnapshotFormat f) noexcept {
  switch (f) {
    case SnapshotFormat::csv: return "csv";
    case SnapshotFormat::json: return "json";
    case SnapshotFormat::json_lines: return "jsonl";
  }
  return "unknown";
}

DEPROV_INLINE std::optional<SnapshotFormat> parse_snapshot_format(std::string_view text) noexcept {
  for (const auto f : {SnapshotFormat::csv, SnapshotFormat::json, SnapshotFormat::json_lines})
    if (to_string(f) == text) return f;
  return std::nullopt;
}

DEPROV_INLINE SnapshotMapping scim_snapshot_mapping() {
  SnapshotMapping m;
  m.list = "Resources";
  m.external_id = "externalId";
  m.user_name = "userName";
  m.active = "active";
  return m;
}

DEPROV_INLINE Result<std::unique_ptr<SnapshotReader>> make_snapshot_reader(SnapshotFormat format,
                                                                           SnapshotMapping mapping,
                                                                           SnapshotReaderLimits limits,
                                                                           SnapshotUserSink sink) {
  const auto wrong = [](std::string detail, std::string where, std::string advice) {
    return Error(Errc::invalid_argument, std::move(detail), std::move(where), std::move(advice));
  };
  if (mapping.id.empty())
    return wrong("it is empty", "id", "name the member or column that holds the source's immutable id");
  const bool lines = format != SnapshotFormat::json;
  if (!lines && !mapping.end_marker.empty())
    return wrong("JSON has an end of its own", "end_marker", "leave it out");
  if (format != SnapshotFormat::json && !mapping.list.empty())
    return wrong("only one JSON document has it", "list", "leave it out");
  if (mapping.end_marker.find_first_of("\r\n") != std::string::npos ||
      mapping.end_marker.find_first_of("{\" \t") == 0)
    return wrong("it is no line that a record cannot be", "end_marker", "take one such as #end");
  if (format == SnapshotFormat::csv) {
    if (mapping.delimiter == '"' || mapping.delimiter == '\r' || mapping.delimiter == '\n' ||
        mapping.delimiter == '\0')
      return wrong("it cannot separate fields", "delimiter", "take a comma, a semicolon or a tab");
    return std::unique_ptr<SnapshotReader>(
        std::make_unique<detail::CsvSnapshotReader>(std::move(mapping), limits, std::move(sink)));
  }
  DEPROV_TRY(shape, detail::JsonShape::of(mapping, lines));
  return std::unique_ptr<SnapshotReader>(
      std::make_unique<detail::JsonSnapshotReader>(std::move(shape), std::move(mapping), limits, std::move(sink)));
}

}  // namespace deprov::idp
