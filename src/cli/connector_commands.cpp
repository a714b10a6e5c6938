// `connector`: for those who write one.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include "cli/commands.hpp"
#include "cli/connector_check.hpp"
#include "cli/connector_template.hpp"
#include "plugin/manifest.hpp"

namespace deprov::cli {

namespace {

struct NewOptions {
  std::string name;
  std::string directory;
  std::string language = "cpp";
};

/// Every `acme` becomes the name; as the name of a class it begins with a capital.
std::string filled(std::string_view text, const std::string& name) {
  auto capital = name;
  capital.front() = static_cast<char>(capital.front() - 32);
  std::string out(text);
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"acme", name}, {"Acme", capital}})
    for (auto at = out.find(from); at != std::string::npos; at = out.find(from, at + to.size()))
      out.replace(at, from.size(), to);
  return out;
}

Result<void> write_new(const std::string& path, std::string_view text) {
  const auto failed = [&] {
    return Error(Errc::io, std::string("cannot be written: ") + std::strerror(errno), path,
                 "name another directory with --directory");
  };
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return failed();
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const auto error = failed();
      ::close(fd);
      return error;
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  ::close(fd);
  return {};
}

Result<int> make_new(const Session& session, const NewOptions& o) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const bool good = !o.name.empty() && o.name.size() <= 64 && letter(o.name.front()) &&
                    std::all_of(o.name.begin(), o.name.end(),
                                [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; });
  if (!good) {
    return Error(Errc::invalid_argument, "is no name for a connector", "NAME",
                 "take a to z, 0 to 9 and _, a letter first, at most 64 of them");
  }
  const std::filesystem::path root = o.directory.empty() ? o.name : o.directory;
  std::error_code ec;
  if (std::filesystem::exists(root, ec) && !std::filesystem::is_empty(root, ec)) {
    return Error(Errc::conflict, "is there already, and not empty", root.string(),
                 "name another directory with --directory");
  }
  json::array written;
  for (const auto& file : connector_template()) {
    if (!file.language.empty() && file.language != o.language) continue;
    if (o.language == "c" && file.path == "sdk/deprov_connector.hpp") continue;
    const auto path = root / (file.language.empty() ? std::string(file.path) : filled(file.path, o.name));
    std::filesystem::create_directories(path.parent_path(), ec);
    if (ec) return Error(Errc::io, "cannot be made: " + ec.message(), path.parent_path().string());
    DEPROV_CHECK(
        write_new(path.string(), file.language.empty() ? std::string(file.text) : filled(file.text, o.name)));
    written.emplace_back(path.string());
  }
  if (session.as_json) {
    print_json(json::object{{"directory", root.string()}, {"files", std::move(written)}});
  } else {
    std::cout << "The connector is in " << root.string() << ". Build and check it:\n\n  cmake -S " << root.string()
              << " -B " << (root / "build").string() << " && cmake --build " << (root / "build").string()
              << " && ctest --test-dir " << (root / "build").string() << "\n";
  }
  return exit_ok;
}

}  // namespace

void add_connector_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("connector", "Write and check connectors in files of their own");
  group->require_subcommand(1);
  auto made = std::make_shared<NewOptions>();
  auto* command =
      add_plain_command(*group, session, "new", "Write a connector to begin with, that builds and passes",
                        [&session, made] { return make_new(session, *made); });
  command->add_option("NAME", made->name, "Its id: a to z, 0 to 9 and _")->required();
  command->add_option("--directory", made->directory, "Where to; the name by default");
  command->add_option("--language", made->language, "cpp or c")
      ->check(CLI::IsMember({"cpp", "c"}))
      ->capture_default_str();

  auto check = std::make_shared<CheckOptions>();
  command =
      add_plain_command(*group, session, "check", "Judge a connector: loading, contract, semantics, faults, leaks",
                        [&session, check] { return check_connector(session, *check); });
  command->add_option("LIB", check->library, "The library, *.so, with its manifest beside it")->required();
  command->add_option("--fixture", check->fixture,
                      "JSON file: config, and the accounts of a test tenant that may be changed");
  command->add_option("--only", check->only, "A check, or a group of them; more than once for several")
      ->allow_extra_args(false);
  command->add_option("--junit", check->junit, "File to write the report to besides, as JUnit's XML");
  command->add_option("--record", check->record,
                      "File to write what it exchanges over HTTP to, without credentials, as JSON Lines");
  command->add_flag("--require-all", check->require_all,
                    "Fail where a check was skipped for want of anything but the connector's own choice");
  command->add_option("--time-limit", check->time_limit, "Seconds for each check")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  command
      ->add_option("--placement", check->placement, "Only in this process, or only in a worker; both by default")
      ->check(CLI::IsMember({"in_process", "worker"}));
  command->add_option("--plugin-worker", check->worker,
                      "deprov-connector-worker, absolute; by default the one beside "
                      "this program or installed with it");
  command->add_option("--verdict-to", check->verdict_to, "")->group("");  // for the processes of the checks

  add_plain_command(*group, session, "schema", "The JSON Schema of manifests", []() -> Result<int> {
    print_json(plugin::manifest_schema());
    return exit_ok;
  });
}

}  // namespace deprov::cli
