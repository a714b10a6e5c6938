// The zoo of connectors, each put where deprov may load it from.
#pragma once

#include <sys/stat.h>
#include <boost/json/object.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/plugin/plugins.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include "catch.hpp"
#include "cli/program.hpp"
#include "connectors/fixture.hpp"
#include "paths.hpp"

namespace deprov::test::zoo {

/// The worker program where nobody else may write; the build's own directory may be a group's.
inline const std::string& worker_program() {
  static const cli::Scratch dir;
  static const std::string copy = [] {
    auto to = dir.path + "/deprov-connector-worker";
    std::filesystem::copy_file(std::filesystem::path(program()).parent_path() / "deprov-connector-worker", to);
    REQUIRE(::chmod(to.c_str(), 0755) == 0);
    return to;
  }();
  return copy;
}

/// A directory with one connector in it. The build's own may be writable by a group, and would be refused.
class Cage {
 public:
  explicit Cage(const std::string& defect, const std::string& manifest = manifest_text()) {
    std::filesystem::copy_file(
        std::filesystem::path(program()).parent_path().parent_path() / "tests/plugin/zoo" / (defect + ".so"),
        library());
    (void)dir_.write("zoo.json", manifest);
    for (const auto& file : {library(), manifest_file()}) REQUIRE(::chmod(file.c_str(), 0644) == 0);
  }
  static std::string manifest_text() { return cli::slurp(source_dir() + "/tests/plugin/zoo/zoo.json"); }
  [[nodiscard]] const cli::Scratch& scratch() const { return dir_; }
  [[nodiscard]] const std::string& path() const { return dir_.path; }
  [[nodiscard]] std::string library() const { return file("zoo.so"); }
  [[nodiscard]] std::string manifest_file() const { return file("zoo.json"); }
  [[nodiscard]] std::string file(const std::string& name) const { return dir_.path + "/" + name; }

  /// What connectors logged.
  [[nodiscard]] std::string log() const {
    const std::lock_guard lock(said_->mutex);
    return said_->text;
  }
  [[nodiscard]] plugin::Options allowed() const {
    plugin::Options o;
    o.directories = {dir_.path};
    o.log = [said = said_](plugin::LogLevel, std::string_view text) {
      const std::lock_guard lock(said->mutex);
      said->text.append(text).append("\n");
    };
    return o;
  }
  /// The same with connectors in workers.
  [[nodiscard]] plugin::Options in_workers() const {
    auto o = allowed();
    o.placement = port::Placement::worker;
    o.worker.program = worker_program();
    return o;
  }
  [[nodiscard]] Result<port::ConnectorKinds> load() const {
    return plugin::load_plugins(allowed(), *crypto::make_crypto());
  }

 private:
  struct Said {
    std::mutex mutex;
    std::string text;
  };
  cli::Scratch dir_;
  std::shared_ptr<Said> said_ = std::make_shared<Said>();
};

inline const json::object good_config{{"token", "hunter2-hunter2"}};

inline Call find(const std::string& user_name) {
  auto c = make_call(Operation::find);
  c.match.user_name = user_name;
  return c;
}

}  // namespace deprov::test::zoo
