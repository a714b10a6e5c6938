// Connectors in files of their own, loaded where whoever embeds deprov allows it.
#pragma once

#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/port/connector.hpp>
#include <deprov/port/crypto.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::plugin {

/// One library, whatever else lies beside it, as long as it is this one.
struct AllowedFile {
  std::string path;    ///< absolute
  std::string sha256;  ///< 64 hexadecimal digits
};

enum class LogLevel : std::uint8_t { info, warning, error };

/// What may be loaded. Empty: nothing.
struct Options {
  std::vector<std::string> directories{};  ///< absolute; every `*.so` in them, but not below
  std::vector<AllowedFile> files{};
  /// What connectors log, with the secrets of their configuration taken out, and faults of theirs. Any thread.
  std::function<void(LogLevel level, std::string_view message)> log{};
  [[nodiscard]] bool empty() const noexcept { return directories.empty() && files.empty(); }
};

/// Loads what `options` allows, and answers with the kinds of connectors, by id. All or none: a file that cannot
/// be loaded is an error that names it, and what to do about it.
///
/// The bytes that are hashed are those that run: a sealed copy in memory. The libraries and their manifests, and
/// each directory above them, have to belong to root or to this user, and be writable by nobody else. What was
/// loaded stays for as long as the process; the same bytes are loaded once.
///
/// *Thread safety*: any thread. *Errors*: `invalid_argument` (a relative path, a manifest that is wrong, a library
/// that does not keep to the interface), `not_found`, `forbidden` (writable by others, another hash),
/// `unsupported` (another ABI, another machine), `limit_exceeded`, `uniqueness` (two with one id), `io`.
[[nodiscard]] Result<port::ConnectorKinds> load_plugins(const Options& options, const port::Crypto& crypto);

}  // namespace deprov::plugin
