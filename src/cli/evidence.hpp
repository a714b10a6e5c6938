// Evidence between the admin API, files and the verifier.
#pragma once

#include <deprov/evidence/manifest.hpp>
#include <deprov/evidence/verifier.hpp>
#include <functional>
#include <string>
#include <string_view>
#include "cli/api.hpp"

namespace deprov::cli {

struct ExportRange {
  std::string from, to;     ///< RFC 3339, or empty
  std::string integration;  ///< an id, or empty: all chains
};

/// Gets what an export is made of, a line at a time. Errors end the export.
struct ExportSink {
  std::function<Result<void>(std::string_view)> line;           ///< of JSON Lines
  std::function<Result<void>(const evidence::Record&)> record;  ///< besides, where it is set
  std::function<void(std::uint64_t, std::uint64_t)> progress;   ///< records done, of how many
};

/// Fetches chains page by page. Memory: one page. Answers with the manifest.
[[nodiscard]] Result<evidence::Manifest> export_evidence(Api& api, const port::Crypto& crypto,
                                                         const ExportRange& range, const ExportSink& sink);

/// Verifies a file of JSON Lines, or of CSV where `manifest` says what it has to be. Memory: a few records.
[[nodiscard]] Result<evidence::Report> verify_lines(const std::string& path, evidence::Verifier& verifier);
[[nodiscard]] Result<evidence::Report> verify_csv(const std::string& path, evidence::Verifier& verifier);
/// A file that holds a manifest: manifest.json, or an export, of which it is the last line. `alone`: and nothing
/// else.
[[nodiscard]] Result<evidence::Manifest> read_manifest(const std::string& path, const port::Crypto& crypto,
                                                       bool alone = false);

/// A moment as people write it: RFC 3339, or a date alone, which is its beginning in UTC. Errors:
/// `invalid_argument`.
[[nodiscard]] Result<std::string> moment(const std::string& text, std::string_view option);

}  // namespace deprov::cli
