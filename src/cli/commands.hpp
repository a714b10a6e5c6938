// What the groups of commands share: options, the way to the admin API, and how they are put into the program.
#pragma once

#include <CLI/CLI.hpp>
#include <deprov/error.hpp>
#include <deprov/plugin/plugins.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>
#include "cli/api.hpp"
#include "cli/output.hpp"

namespace deprov::cli {

/// Options that many commands have, and the command that was chosen.
struct Session {
  std::string data;
  std::string server;
  std::string token;
  std::string workspace;
  std::string ca_file;
  std::string integration;
  std::vector<std::string> plugin_directories;
  std::vector<std::string> plugin_files;  ///< PATH=SHA-256
  std::string plugin_placement = "in_process";
  plugin::WorkerOptions plugin_worker;
  std::string plugin_record;  ///< a file
  std::uint64_t plugin_memory_mib = plugin::WorkerOptions{}.memory_bytes >> 20U;
  bool as_json = false;
  std::function<Result<int>()> chosen;  ///< answers with the exit code

  /// Opens the API that the options name. Errors: `invalid_argument` where they name none.
  [[nodiscard]] Result<std::unique_ptr<Api>> open(bool any_workspace = false) const;
  /// What --plugins and --plugin-sha256 allow; what connectors log goes to standard error.
  /// Errors: `invalid_argument`; `io` where --plugin-record cannot be written.
  [[nodiscard]] Result<plugin::Options> plugins() const;
};

/// A command that speaks to the admin API: --data or --server, --token, --json.
CLI::App* add_command(CLI::App& group, Session& session, const std::string& name, const std::string& text,
                      std::function<Result<int>()> action);
/// The same without a way to the API.
CLI::App* add_plain_command(CLI::App& group, Session& session, const std::string& name, const std::string& text,
                            std::function<Result<int>()> action);
/// --plugins, --plugin-sha256, and where and within which bounds plugins run.
void add_plugin_options(CLI::App& command, Session& session);
/// --integration, by name or id; may be left out where there is only one.
void add_integration_option(CLI::App& command, Session& session);

/// The id of the integration that is meant. Errors: `not_found`, `invalid_argument`.
[[nodiscard]] Result<std::string> find_integration(Api& api, const std::string& name_or_id);
/// What a file that a command reads may have, where nothing else is said.
inline constexpr std::size_t usual_file_bytes = 4U << 20U;
/// Reads a file, or standard input for "-". Errors: `not_found`, `limit_exceeded`.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path, std::string_view option,
                                                 std::size_t most_bytes = usual_file_bytes);
/// The same without the line breaks at its end: a secret is in a file, so that it is in no list of processes and
/// in no history of a shell. Errors: those, and `invalid_argument` for an empty one.
[[nodiscard]] Result<std::string> read_secret_file(const std::string& path, std::string_view option);
/// Reads a JSON object from a file, or from standard input for "-". Errors: `invalid_syntax` (also for a member
/// that is there twice, with its place), `not_found`, `limit_exceeded`.
[[nodiscard]] Result<json::value> read_json_file(const std::string& path, std::string_view option,
                                                 bool list = false, std::size_t most_bytes = usual_file_bytes);

/// deprov-connector-worker beside this program, or where it is installed with it; empty where it is not there.
[[nodiscard]] std::string find_worker_program();

void add_about_commands(CLI::App& program, Session& session);
void add_init_command(CLI::App& program, Session& session);
void add_serve_command(CLI::App& program, Session& session);
void add_integration_commands(CLI::App& program, Session& session);
void add_policy_commands(CLI::App& program, Session& session);
void add_principal_commands(CLI::App& program, Session& session);
void add_subject_commands(CLI::App& program, Session& session);
void add_hold_commands(CLI::App& program, Session& session);
void add_webhook_commands(CLI::App& program, Session& session);
void add_job_commands(CLI::App& program, Session& session);
void add_activity_command(CLI::App& program, Session& session);
void add_evidence_commands(CLI::App& program, Session& session);
void add_reconcile_command(CLI::App& program, Session& session);
void add_source_commands(CLI::App& program, Session& session);
void add_person_commands(CLI::App& program, Session& session);
void add_connector_commands(CLI::App& program, Session& session);
void add_demo_command(CLI::App& program, Session& session);

/// The whole program.
int run(int argc, char** argv);

}  // namespace deprov::cli
