// Connectors in files of their own, loaded where whoever embeds deprov allows it.
#pragma once

#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/plugin/recording.hpp>
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

/// Worker processes, each for one connection: what crashes, hangs or grows in there ends no other.
struct WorkerOptions {
  /// Absolute: `deprov-connector-worker`, which comes with deprov. Empty: nothing runs in a worker.
  std::string program{};
  // What the kernel ends a worker for, or refuses to it; 0 is no bound.
  std::uint64_t memory_bytes = std::uint64_t{4} << 30U;  ///< address space
  std::uint64_t cpu_seconds = 60;                        ///< without a new call in between
  std::uint64_t files = 256;                             ///< open descriptors
  std::uint32_t calls = 64;                              ///< in flight at once; the others wait in the host
};

/// What may be loaded. Empty: nothing.
struct Options {
  std::vector<std::string> directories{};  ///< absolute; every `*.so` in them, but not below
  std::vector<AllowedFile> files{};
  /// What connectors log, with the secrets of their configuration taken out, and faults of theirs. Any thread.
  std::function<void(LogLevel level, std::string_view message)> log{};
  /// Is told of each HTTP exchange of theirs that has ended, whatever came of it; an exchange that the connection
  /// was closed before as well. The thread that starts calls; it waits meanwhile. What it
  /// throws is logged, and has no other consequence.
  std::function<void(const RecordedExchange&)> record{};
  /// Where connectors run whose integration does not say. With `worker` no code of theirs is loaded into this
  /// process.
  port::Placement placement = port::Placement::in_process;
  WorkerOptions worker{};
  [[nodiscard]] bool empty() const noexcept { return directories.empty() && files.empty(); }
};

/// Loads what `options` allows, and answers with the kinds of connectors, by id. All or none: a file that cannot
/// be loaded is an error that names it, and what to do about it.
///
/// Where `placement` is `worker`, or an integration says so, a connection has a process of its own, started by its
/// first call and started again by the first after its end; see `WorkerOptions`. It gets the same sealed copy, no
/// environment but the language, the time zone and search paths, and speaks to the host alone, which carries out
/// its HTTP, gives secrets by name, and takes its logs. Calls that are in flight when it ends, by itself or
/// because one of them was not complete when its time was long over, end as UNKNOWN_OUTCOME. Each has a thread of
/// ours in this process, also where the host drives the engine. Closing such a connection waits at most two
/// seconds for its worker.
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
