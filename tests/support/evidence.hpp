// What was left behind when it was over: the store, read directly, and the sandbox's log of effects.
#pragma once

#include <cstdint>
#include <deprov/port/store.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace deprov::test {

/// One line of the sandbox's log.
struct EffectLine {
  WallTime at;
  std::string operation;
  std::string account;
  std::string key;
  std::string effect;
};
[[nodiscard]] std::vector<EffectLine> read_effects(const std::string& path);

/// The store of a data directory that nobody serves any more.
class Evidence {
 public:
  explicit Evidence(const std::string& data_dir);
  ~Evidence();
  Evidence(const Evidence&) = delete;
  Evidence& operator=(const Evidence&) = delete;

  [[nodiscard]] const port::Crypto& crypto() const noexcept { return *crypto_; }
  /// Runs `body` on one view; fails the test where it fails.
  template <class F>
  void read(F body) {
    std::string problem = "the view was never run";
    store_->view([&](port::Reader& reader) -> Result<void> { return body(reader); },
                 [&](const Result<void>& done) { problem = done ? "" : done.error().message(); });
    require_none(problem);
  }
  /// Verifies the chain of every integration and of every workspace; fails the test where one is broken.
  void verify_chains();
  [[nodiscard]] std::vector<port::IntegrationRow> integrations();
  [[nodiscard]] std::vector<port::ActivityRow> activity(const port::Scope& scope);
  /// Newest first.
  [[nodiscard]] std::vector<port::JobRow> jobs(const port::Scope& scope, const port::JobFilter& filter);
  [[nodiscard]] std::map<port::JobState, std::uint64_t> job_counts(const port::Scope& scope);

 private:
  static void require_none(const std::string& problem);
  std::unique_ptr<port::Crypto> crypto_;
  std::unique_ptr<port::Store> store_;
};

}  // namespace deprov::test
