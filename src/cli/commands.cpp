#include "cli/commands.hpp"
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <csignal>
#include <cstdlib>
#include <deprov/scim/repeated_key.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>
#include "cli/recording_file.hpp"

namespace deprov::cli {

namespace {

constexpr const char* footer = R"(
Commands work on a data directory (--data DIR) that no server uses, or on a running server
(--server URL --token TOKEN, or DEPROV_SERVER and DEPROV_TOKEN in the environment).
The master key is DIR/master.key, unless DEPROV_MASTER_KEY_FILE names another file.

Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  not found
  4  refused: not allowed, or the present state forbids it
  5  the data directory is in use by another process
  6  evidence does not hold)";

/// An option, or what stands without one: NAME.
bool was_typed(std::string_view where) {
  return where.rfind("--", 0) == 0 ||
         (!where.empty() && std::all_of(where.begin(), where.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
}

std::string typed_or_environment(const std::string& typed, const char* variable) {
  if (!typed.empty()) return typed;
  const char* value = std::getenv(variable);
  return value != nullptr ? value : "";
}

}  // namespace

// The environment is asked here and not by the parser: that one would ask it for every command that has the
// option, and what was typed for the chosen one would be overwritten.
Result<std::unique_ptr<Api>> Session::open(bool any_workspace) const {
  if (!data.empty() && !server.empty()) {
    return Error(Errc::invalid_argument, "a data directory and a server are named", "--data, --server",
                 "give one of them");
  }
  if (!data.empty()) {
    DEPROV_TRY(allowed, plugins());
    return open_local(data, workspace, any_workspace, std::move(allowed));
  }
  const auto url = typed_or_environment(server, "DEPROV_SERVER");
  if (url.empty()) {
    return Error(Errc::invalid_argument, "neither a data directory nor a server is named", "--data, --server",
                 "give --data DIR, or --server URL --token TOKEN");
  }
  const auto secret = typed_or_environment(token, "DEPROV_TOKEN");
  if (secret.empty()) {
    return Error(Errc::invalid_argument, "the server wants the token of a principal", "--token",
                 "give --token, or set DEPROV_TOKEN");
  }
  return open_remote(url, secret, ca_file);
}

std::string find_worker_program() {
  std::error_code ec;
  const auto here = std::filesystem::read_symlink("/proc/self/exe", ec).parent_path();
  for (const auto* where : {"deprov-connector-worker", "../libexec/deprov/deprov-connector-worker"}) {
    auto path = (here / where).lexically_normal();
    if (std::filesystem::is_regular_file(path, ec)) return path.string();
  }
  return {};
}

Result<plugin::Options> Session::plugins() const {
  plugin::Options out;
  out.directories = plugin_directories;
  out.placement = plugin_placement == "worker" ? port::Placement::worker : port::Placement::in_process;
  out.worker = plugin_worker;
  out.worker.memory_bytes = plugin_memory_mib << 20U;
  for (const auto& file : plugin_files) {
    const auto at = file.rfind('=');
    if (at == std::string::npos) {
      return Error(Errc::invalid_argument, "has no = between a path and a hash", "--plugin-sha256",
                   "give it as PATH=HASH, the hash being what sha256sum prints");
    }
    out.files.push_back({file.substr(0, at), file.substr(at + 1)});
  }
  if (out.worker.program.empty() && !out.empty()) out.worker.program = find_worker_program();
  out.log = [](plugin::LogLevel, std::string_view message) { std::cerr << (safe(message) + "\n"); };
  if (plugin_record.empty()) return out;
  DEPROV_TRY(file, RecordingFile::open(plugin_record, RecordingFile::Begin::append, "--plugin-record"));
  out.record = [file, path = plugin_record,
                said = std::make_shared<std::once_flag>()](const plugin::RecordedExchange& exchange) {
    if (file->add(exchange)) return;
    std::call_once(*said, [&] {
      std::cerr << (safe("--plugin-record " + path + ": a line cannot be written; nothing more is recorded") +
                    "\n");
    });
  };
  return out;
}

CLI::App* add_plain_command(CLI::App& group, Session& session, const std::string& name, const std::string& text,
                            std::function<Result<int>()> action) {
  auto* command = group.add_subcommand(name, text);
  command->add_flag("--json", session.as_json, "JSON instead of tables");
  command->callback([&session, action = std::move(action)] { session.chosen = action; });
  return command;
}

CLI::App* add_command(CLI::App& group, Session& session, const std::string& name, const std::string& text,
                      std::function<Result<int>()> action) {
  auto* command = add_plain_command(group, session, name, text, std::move(action));
  command->add_option("--data", session.data, "Data directory, not in use by a server");
  command->add_option("--server", session.server, "URL of a running server (or DEPROV_SERVER in the environment)");
  command->add_option("--token", session.token, "Token of a principal there (or DEPROV_TOKEN in the environment)");
  command->add_option("--ca-file", session.ca_file, "PEM file to trust the server by, in place of the system's");
  command->add_option("--workspace", session.workspace, "Id or name, where --data has several");
  add_plugin_options(*command, session);
  return command;
}

void add_plugin_options(CLI::App& command, Session& session) {
  command
      .add_option(
          "--plugins", session.plugin_directories,
          "Directory whose connectors (*.so with their *.json) are loaded; absolute, and writable by nobody "
          "else")
      ->allow_extra_args(false);
  command
      .add_option("--plugin-sha256", session.plugin_files,
                  "PATH=HASH: one connector that is loaded if its file has this SHA-256")
      ->allow_extra_args(false);
  command.add_option("--plugin-record", session.plugin_record,
                     "File that gets a line of JSON for each HTTP exchange of theirs, without credentials but "
                     "with what else bodies "
                     "say of people; appended to, and readable for this user alone");
  command
      .add_option(
          "--plugin-placement", session.plugin_placement,
          "Where plugins run unless their integration says so: in_process, or worker: a process of its own for "
          "each integration")
      ->check(CLI::IsMember({"in_process", "worker"}))
      ->capture_default_str();
  command.add_option(
      "--plugin-worker", session.plugin_worker.program,
      "deprov-connector-worker, absolute; by default the one beside this program or installed with it");
  command
      .add_option("--plugin-memory", session.plugin_memory_mib,
                  "MiB of address space for each worker; 0: unbounded")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  command
      .add_option("--plugin-cpu", session.plugin_worker.cpu_seconds,
                  "Seconds of CPU that a worker may burn without a new call; 0: unbounded")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  command
      .add_option("--plugin-files", session.plugin_worker.files,
                  "Descriptors that a worker may open; 0: unbounded")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
}

void add_integration_option(CLI::App& command, Session& session) {
  command.add_option("--integration", session.integration, "Id or name; may be left out where there is one alone");
}

Result<std::string> find_integration(Api& api, const std::string& name_or_id) {
  if (parse_uuid(name_or_id)) return name_or_id;
  DEPROV_TRY(list, api.call("GET", "/integrations"));
  const auto& items = list.at("items").as_array();
  if (name_or_id.empty()) {
    if (items.size() == 1) return std::string(items.front().at("id").as_string());
    return Error(Errc::invalid_argument,
                 items.empty() ? "there is no integration yet" : "there are several integrations", "--integration",
                 items.empty() ? "make one with `deprov integration create`" : "name one, by id or name");
  }
  for (const auto& item : items)
    if (cell(item, "name") == name_or_id) return cell(item, "id");
  // Names of deleted ones are free; what they left behind is still asked for.
  DEPROV_TRY(ever, api.call("GET", "/integrations?deleted=true"));
  std::string gone;
  for (const auto& item : ever.at("items").as_array()) {
    if (cell(item, "name") != name_or_id) continue;
    if (!gone.empty())
      return Error(Errc::conflict, "several integrations of this name were deleted", name_or_id,
                   "name one by its id: `deprov integration list --deleted` lists them");
    gone = cell(item, "id");
  }
  if (!gone.empty()) return gone;
  return Error(Errc::not_found, "there is no integration of this name", name_or_id,
               "list them with `deprov integration list`");
}

Result<std::string> read_text_file(const std::string& path, std::string_view option, std::size_t most_bytes) {
  const auto where = std::string(option) + " " + path;
  std::string text;
  const auto take = [&](std::istream& in) {
    std::array<char, 1U << 16U> piece{};
    while (text.size() <= most_bytes && in.read(piece.data(), piece.size()).gcount() > 0)
      text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    return !in.bad();
  };
  if (path == "-") {
    (void)take(std::cin);
  } else {
    std::ifstream in(path, std::ios::binary);
    if (!in || !take(in)) return Error(Errc::not_found, "the file cannot be read", where);
  }
  if (text.size() > most_bytes)
    return Error(Errc::limit_exceeded, "the file has more than " + std::to_string(most_bytes) + " bytes", where);
  return text;
}

Result<std::string> read_secret_file(const std::string& path, std::string_view option) {
  DEPROV_TRY(text, read_text_file(path, option));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return Error(Errc::invalid_argument, "the file is empty", std::string(option) + " " + path);
  return std::move(text);
}

Result<json::value> read_json_file(const std::string& path, std::string_view option, bool list,
                                   std::size_t most_bytes) {
  const auto where = std::string(option) + " " + path;
  DEPROV_TRY(text, read_text_file(path, option, most_bytes));
  boost::system::error_code ec;
  auto value = json::parse(text, ec);
  if (ec) return Error(Errc::invalid_syntax, "not JSON: " + ec.message(), where);
  if (!value.is_object() && !(list && value.is_array()))
    return Error(Errc::invalid_syntax, list ? "has to be a JSON object or array" : "has to be a JSON object",
                 where);
  if (const auto twice = scim::repeated_key(text))
    return Error(Errc::invalid_syntax, "is there twice", where + " " + *twice, "name each member once");
  return value;
}

namespace {
/// What was typed where a command belongs, and is none.
std::optional<Error> unknown_command(CLI::App& program, int argc, char** argv) {
  auto* group = &program;
  std::string path = "deprov";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.empty() || word.front() == '-') return std::nullopt;
    std::string known;
    CLI::App* next = nullptr;
    const auto commands = group->get_subcommands([](CLI::App*) { return true; });
    if (commands.empty()) return std::nullopt;
    for (auto* command : commands) {
      if (command->get_name() == word) next = command;
      known += (known.empty() ? "" : ", ") + command->get_name();
    }
    if (known.empty()) return std::nullopt;  // what follows a command is its own to judge
    if (next == nullptr)
      return Error(Errc::invalid_argument, "there is no command \"" + word + "\"", path, "there are: " + known);
    group = next;
    path += " " + word;
  }
  return std::nullopt;
}

/// How the command that was typed is called: what its help begins with.
std::string usage_of(const CLI::App& program) {
  const auto help = program.help();
  const auto begin = help.find("Usage: ");
  if (begin == std::string::npos) return "see --help";
  return "usage: " + help.substr(begin + 7, help.find('\n', begin) - begin - 7) + "; see --help";
}

/// Says what the parser refused; help was asked for where it refused nothing. A program that asks for JSON gets
/// it, though the parser may have stopped before it came to `--json`.
int answer_parser(CLI::App& program, const CLI::ParseError& e, int argc, char** argv) {
  const bool help = e.get_exit_code() == 0;
  const auto unknown = help || dynamic_cast<const CLI::RequiredError*>(&e) != nullptr
                           ? unknown_command(program, argc, argv)
                           : std::nullopt;
  if (help && !unknown) return program.exit(e);
  const bool as_json =
      std::any_of(argv + 1, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
  print_error(unknown.value_or(Error(Errc::invalid_argument, e.what(), "command line", usage_of(program))),
              as_json);
  return exit_usage;
}
}  // namespace

int run(int argc, char** argv) {
  // `deprov help holds allow` is `deprov holds allow --help`.
  std::vector<char*> words(argv, argv + argc);
  std::string help = "--help";
  if (argc > 1 && std::string_view(argv[1]) == "help") {
    words.erase(words.begin() + 1);
    words.push_back(help.data());
    argv = words.data();
  }
  // A reader that goes away early and a file that may not grow show in a failed write, not in a signal.
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)std::signal(SIGXFSZ, SIG_IGN);
  CLI::App program("deprov makes every connected app know, provably, that a person lost access in the IdP.",
                   "deprov");
  program.footer(footer);
  program.require_subcommand(1);
  Session session;
  add_init_command(program, session);
  add_serve_command(program, session);
  add_integration_commands(program, session);
  add_policy_commands(program, session);
  add_principal_commands(program, session);
  add_subject_commands(program, session);
  add_hold_commands(program, session);
  add_webhook_commands(program, session);
  add_job_commands(program, session);
  add_activity_command(program, session);
  add_evidence_commands(program, session);
  add_reconcile_command(program, session);
  add_source_commands(program, session);
  add_person_commands(program, session);
  add_connector_commands(program, session);
  add_demo_command(program, session);
  add_about_commands(program, session);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return answer_parser(program, e, argc, argv);
  }
  if (!session.chosen) return exit_usage;
  const auto result = [&]() -> Result<int> {
    try {
      return session.chosen();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& e) {
      // What a server answered was JSON, and of another shape than ours.
      return Error(Errc::protocol, std::string("the answer is not that of a deprov server: ") + e.what(),
                   "--server", "check the URL, and that both are of one version");
    }
  }();
  if (result) {
    // A token that is shown once, for one, is lost where it cannot be printed.
    if (std::cout.flush() || reader_left()) return *result;
    print_error(Error(Errc::io, "the output cannot be written", "standard output",
                      "what was to be done is done; repeat with an output that takes it"),
                session.as_json);
    return *result == exit_ok ? exit_failure : *result;
  }
  const auto& e = result.error();
  print_error(e, session.as_json);
  if (e.code() == Errc::invalid_argument && was_typed(e.where())) return exit_usage;
  return exit_code(e.code());
}

}  // namespace deprov::cli
