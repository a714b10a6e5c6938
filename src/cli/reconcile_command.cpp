// `reconcile`: who has access, against the accounts that are really in the app.
#include <unistd.h>
#include <algorithm>
#include <deprov/runtime/event_thread.hpp>
#include <iostream>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

constexpr Duration progress_poll = std::chrono::milliseconds(200);

struct ReconcileOptions {
  bool propose = false;
  bool queue = false;
  bool last = false;
  std::size_t limit = 1000;
};

void show_progress(const json::value& report) {
  std::cerr << "\r\x1b[K" << cell(report, "accounts") << " accounts, " << cell(report, "subjects")
            << " subjects looked at" << std::flush;
}

/// Starts a run and waits for its end. Answers with its report.
Result<json::value> run(Api& api, const std::string& base, bool queue) {
  DEPROV_TRY(started, api.call("POST", base + "/reconcile", json::object{{"mode", queue ? "queue" : "propose"}}));
  const auto id = cell(started, "run");
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  for (;;) {
    DEPROV_TRY(report, api.call("GET", base + "/reconciliation"));
    if (cell(report, "run") != id) {
      return Error(Errc::unavailable, "the run ended without a report", "run " + id,
                   "look at `deprov activity`, and repeat");
    }
    if (cell(report, "state") != "running") {
      if (terminal) std::cerr << "\r\x1b[K" << std::flush;
      return std::move(report);
    }
    if (terminal) show_progress(report);
    (void)runtime::Event().wait_for(progress_poll);
  }
}

Result<json::array> findings_of(Api& api, const std::string& base, std::size_t limit, bool& more) {
  json::array all;
  std::string after = "0";
  more = true;
  while (more && all.size() < limit) {
    const auto want = std::min<std::size_t>(limit - all.size(), 500);
    auto path = base;
    path.append("/findings?after=").append(after).append("&limit=").append(std::to_string(want));
    DEPROV_TRY(page, api.call("GET", path));
    for (auto& item : page.at("items").as_array()) all.push_back(std::move(item));
    more = !page.at("next").is_null();
    if (more) after = cell(page, "next");
  }
  return all;
}

Result<int> reconcile(const Session& session, const ReconcileOptions& o) {
  if (o.propose && o.queue) {
    return Error(Errc::invalid_argument, "it either proposes or queues", "--propose, --queue", "give one of them");
  }
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  const auto base = "/integrations/" + id;
  DEPROV_TRY(report, o.last ? api->call("GET", base + "/reconciliation") : run(*api, base, o.queue));
  if (cell(report, "state") == "failed") {
    return Error(Errc::unavailable, "the reconciliation failed: " + cell(report, "why_incomplete"),
                 "integration " + id);
  }
  bool more = false;
  DEPROV_TRY(found, findings_of(*api, base, o.limit, more));
  const bool complete = report.as_object().contains("complete") && report.at("complete").as_bool();
  if (session.as_json) {
    print_json(json::object{{"report", report}, {"findings", std::move(found)}, {"more", more}});
    return complete ? exit_ok : exit_failure;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& f : found) {
    rows.push_back({cell(f, "kind"), cell(f, "user_name"), cell(f, "account"), cell(f, "login"), cell(f, "job"),
                    cell(f, "note")});
  }
  if (!rows.empty()) print_table({"FINDING", "SUBJECT", "ACCOUNT", "LOGIN", "JOB", "WHAT"}, rows);
  if (more) std::cout << "more: --limit " << o.limit * 10 << "\n";
  if (!rows.empty()) std::cout << "\n";
  print_members(report);
  return complete ? exit_ok : exit_failure;
}

}  // namespace

void add_reconcile_command(CLI::App& program, Session& session) {
  const auto options = std::make_shared<ReconcileOptions>();
  auto* command = add_command(program, session, "reconcile",
                              "Compare who has access with the accounts that are really in the app",
                              [&session, options] { return reconcile(session, *options); });
  command->add_option("--integration,integration", session.integration, "Id or name")->required();
  command->add_flag("--propose", options->propose, "Say what would be removed, and remove nothing (the default)");
  command->add_flag("--queue", options->queue, "Queue what the policy says for leftover access");
  command->add_flag("--last", options->last, "Start nothing: show the run under way, or the last one");
  command->add_option("--limit", options->limit, "Findings that are shown")->capture_default_str();
  command->footer("Exit codes: 0 the listing was complete, 1 it was not, so that nobody counts as absent.");
}

}  // namespace deprov::cli
