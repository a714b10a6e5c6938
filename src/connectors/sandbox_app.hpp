// The app of the sandbox: accounts from a file, and a log of every effect, from which they are rebuilt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/time.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace deprov::connectors {

/// `file` has a JSON object a line: {"id", "externalId", "userName", "emails", "active", "groups"}, all but the
/// first optional. `log` gets one line per effect, appended in one write before the effect is answered:
/// {"seq", "at", "op", "account", "group", "key", "effect"}. It is replayed over the file when it is opened,
/// and what others append to it meanwhile before each operation, so that several openers agree.
class SandboxApp {
 public:
  /// Errors: `not_found`, `io`, `invalid_argument` naming file and line, `limit_exceeded`.
  static Result<std::unique_ptr<SandboxApp>> open(const std::string& file, const std::string& log, bool durable,
                                                  Duration lag);
  ~SandboxApp();
  SandboxApp(const SandboxApp&) = delete;
  SandboxApp& operator=(const SandboxApp&) = delete;

  /// Carries a call out, as an app does that never fails.
  [[nodiscard]] connector::Reply act(const connector::Call& call, WallTime wall, MonoTime now);

 private:
  struct State {
    bool exists = true;
    bool active = true;
    std::vector<std::string> groups;
  };
  struct Entry {
    connector::Account account;  ///< what never changes
    State now;
    State before;  ///< what reads show until `shown_from`
    MonoTime shown_from;
  };
  using Index = std::unordered_map<std::string, std::vector<std::uint32_t>>;

  SandboxApp(std::string log, bool durable, Duration lag)
      : log_path_(std::move(log)), durable_(durable), lag_(lag) {}
  Result<void> load(const std::string& file);
  Result<void> load_line(std::string_view line);
  Result<void> open_log();
  /// Applies what was appended since. Cheap where nothing was.
  Result<void> catch_up();
  Result<void> replay(std::string_view line);
  Result<void> append(const connector::Call& call, connector::Effect effect, WallTime wall);
  /// The effect on the state. False: it was so already.
  static bool apply(Entry& e, connector::Operation op, bool delete_account, const std::string& group);

  [[nodiscard]] Entry* entry(const std::string& id);
  [[nodiscard]] static const State& shown(const Entry& e, MonoTime now);
  [[nodiscard]] static connector::Account shown_account(const Entry& e, MonoTime now);
  [[nodiscard]] connector::Reply find(const connector::Match& match, MonoTime now) const;
  [[nodiscard]] connector::Reply list(const connector::Call& call, MonoTime now) const;
  [[nodiscard]] connector::Reply change(const connector::Call& call, WallTime wall, MonoTime now);

  const std::string log_path_;
  const bool durable_;
  const Duration lag_;
  int log_ = -1;
  std::uint64_t log_offset_ = 0;  ///< up to here the log is in the state
  std::uint64_t log_lines_ = 0;
  std::uint64_t last_seq_ = 0;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::uint32_t> by_id_;
  Index by_external_id_;
  Index by_user_name_;  ///< lower case
  Index by_email_;      ///< lower case
};

}  // namespace deprov::connectors
