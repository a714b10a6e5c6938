#include <algorithm>
#include <boost/json/serialize.hpp>
#include <deprov/idp/dialect.hpp>
#include <iostream>
#include "cli/commands.hpp"
#include "cli/evidence.hpp"

namespace deprov::cli {

namespace {

struct IntegrationOptions {
  std::string name, idp, connector, config, policy, settings, schemas, resource_types, patch_answer,
      unknown_members, placement, reason;
  bool no_check = false;
  bool abandon = false;
  bool deleted = false;
  std::int64_t overlap = 0;
  std::string from, to;
};

Result<void> add_file(json::object& body, const char* member, const std::string& path, bool list = false) {
  if (path.empty()) return {};
  std::string option = std::string("--") + member;
  std::replace(option.begin(), option.end(), '_', '-');
  DEPROV_TRY(value, read_json_file(path, option, list));
  body[member] = std::move(value);
  return {};
}

/// A file of authorities is read here: the server may be on another machine, and does not open files for whoever
/// manages integrations.
Result<void> add_authorities(json::object& config) {
  const auto* file = config.if_contains("ca_file");
  if (file == nullptr || !file->is_string() || config.contains("ca_pem")) return {};
  DEPROV_TRY(pem, read_text_file(std::string(file->get_string()), "config/ca_file"));
  config["ca_pem"] = pem;
  config.erase("ca_file");
  return {};
}

Result<void> add_files(json::object& body, const IntegrationOptions& o) {
  DEPROV_CHECK(add_file(body, "config", o.config));
  if (auto* config = body.if_contains("config"); config != nullptr && config->is_object())
    DEPROV_CHECK(add_authorities(config->get_object()));
  DEPROV_CHECK(add_file(body, "policy", o.policy));
  DEPROV_CHECK(add_file(body, "settings", o.settings));
  DEPROV_CHECK(add_file(body, "schemas", o.schemas, true));
  return add_file(body, "resource_types", o.resource_types, true);
}

/// `--patch-answer` and the like as a member of the settings that are to be sent; `none` takes it out of them.
Result<void> add_setting(json::object& body, const char* member, const std::string& word, const char* none,
                         const json::value& present) {
  if (word.empty()) return {};
  auto& settings = body.emplace("settings", present).first->value();
  if (!settings.is_object())
    return Error(Errc::invalid_argument, "has to be a JSON object", "--settings", "see the OpenAPI document");
  if (word == none) {
    settings.get_object().erase(member);
  } else {
    settings.get_object()[member] = word;
  }
  return {};
}

Result<void> add_words(json::object& body, const IntegrationOptions& o, const json::value& present) {
  DEPROV_CHECK(add_setting(body, "patch_answer", o.patch_answer, "idp", present));
  DEPROV_CHECK(add_setting(body, "unknown_members", o.unknown_members, "idp", present));
  return add_setting(body, "placement", o.placement, "server", present);
}

json::object why(const IntegrationOptions& o) {
  return o.reason.empty() ? json::object{} : json::object{{"reason", o.reason}};
}

std::string known_idps() {
  std::string idps;
  for (const auto& d : idp::dialects()) idps += (idps.empty() ? "" : ", ") + std::string(d.name);
  return idps;
}

Result<int> create(const Session& session, const IntegrationOptions& o) {
  if (idp::find_dialect(o.idp) == nullptr)
    return Error(Errc::invalid_argument, "there is no IdP \"" + o.idp + "\"", "--idp",
                 "use one of " + known_idps());
  json::object body{{"name", o.name}, {"idp", o.idp}, {"connector", o.connector}, {"check", !o.no_check}};
  DEPROV_CHECK(add_files(body, o));
  DEPROV_CHECK(add_words(body, o, json::object{}));
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(made, api->call("POST", "/integrations", body));
  print_json(json::object{{"id", made.at("id")},
                          {"scim_base_path", made.at("scim_base_path")},
                          {"scim_token", made.at("scim_token")}});
  return exit_ok;
}

Result<int> update(const Session& session, const IntegrationOptions& o) {
  json::object body;
  if (!o.name.empty()) body["name"] = o.name;
  DEPROV_CHECK(add_files(body, o));
  const bool words = !o.patch_answer.empty() || !o.unknown_members.empty() || !o.placement.empty();
  if (body.empty() && !words) {
    return Error(Errc::invalid_argument, "nothing to change is given",
                 "--name, --config, --policy, --settings, --schemas, --resource-types, --patch-answer, "
                 "--unknown-members, --placement",
                 "give at least one");
  }
  if (o.no_check) body["check"] = false;
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  if (words) {  // settings are replaced as a whole
    DEPROV_TRY(present, api->call("GET", "/integrations/" + id));
    DEPROV_CHECK(add_words(body, o, present.at("settings")));
  }
  DEPROV_TRY(row, api->call("PATCH", "/integrations/" + id, body));
  if (session.as_json) {
    print_json(row);
  } else {
    print_members(row);
  }
  return exit_ok;
}

Result<int> list_integrations(const Session& session, const IntegrationOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(found, api->call("GET", o.deleted ? "/integrations?deleted=true" : "/integrations"));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& i : found.at("items").as_array()) {
    auto state = cell(i, "state");
    if (cell(i.at("status"), "workspace_stopped") != "-") state += ", workspace stopped";
    if (cell(i.at("status"), "lane_paused") != "-") state += ", lane paused";
    if (cell(i.at("policy"), "mode") == "observe") state += ", observing";
    if (cell(i, "fault") != "-") state += ", UNUSABLE (see `deprov integration show`)";
    rows.push_back({cell(i, "id"), cell(i, "name"), cell(i, "idp"), cell(i, "connector"), state,
                    cell(i.at("status"), "status"),
                    i.at("status").at("held").is_null() ? "-" : cell(i.at("status").at("held"), "waiting")});
  }
  print_table({"ID", "NAME", "IDP", "CONNECTOR", "STATE", "STATUS", "HELD"}, rows);
  return exit_ok;
}

/// One integration by a request of its own; prints what comes back.
Result<int> act(const Session& session, std::string_view method, const std::string& below,
                const json::value& body = {}) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(row, api->call(method, "/integrations/" + id + below, body));
  if (session.as_json) {
    print_json(row.is_null() ? json::value(json::object{{"id", id}}) : row);
  } else if (row.is_object()) {
    print_members(row);
  } else {
    std::cout << "done\n";
  }
  return exit_ok;
}

void print_figures(const json::value& f) {
  const auto range = "time to deprovision, evidence from " + cell(f, "from") + " to " + cell(f, "to");
  std::cout << "\n" << safe(range) << "\n";
  print_table({"P50", "P95", "P99", "WITHIN OBJECTIVE", "OBJECTIVE", "COUNTED", "MISSED", "OVERDUE", "FAILED"},
              {{duration_text(f.at("p50_ms")), duration_text(f.at("p95_ms")), duration_text(f.at("p99_ms")),
                share_text(f.at("share_within_objective")), duration_text(f.at("objective_ms")),
                cell(f, "counted"), cell(f, "missed"), cell(f, "overdue"), cell(f, "failed")}});
  std::cout << "not counted:";
  for (const auto* name : {"pending", "in_grace", "protected", "exempt", "kept_by_decision", "unverified",
                           "no_account", "attested", "cancelled", "superseded"})
    std::cout << " " << name << " " << cell(f, name);
  std::cout << "; waiting for a person: " << cell(f, "held")
            << "; failed after access had ended: " << cell(f, "failed_afterwards") << "\n";
}

/// What the last comparison with the app found: one runs daily, and nobody is asked to look.
void print_last_reconciliation(const json::value& last) {
  if (cell(last, "state") == "never") return;
  std::string line = "last reconciliation: " + cell(last, "state") + " " + cell(last, "finished") + ", " +
                     cell(last, "mode") + " by " + cell(last, "by");
  if (cell(last, "complete") == "false") line += ", incomplete: " + cell(last, "why_incomplete");
  line += ";";
  for (const auto& [name, count] : last.at("findings").as_object())
    line.append(" ").append(name).append(" ").append(json::serialize(count));
  std::cout << "\n" << safe(line) << "\n";
}

/// One integration with its figures, and what the last reconciliation found.
Result<int> show_integration(const Session& session, const IntegrationOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(row, api->call("GET", "/integrations/" + id));
  std::string query;
  if (!o.from.empty()) {
    DEPROV_TRY(from, moment(o.from, "--from"));
    query = "?from=" + url_encoded(from);
  }
  if (!o.to.empty()) {
    DEPROV_TRY(to, moment(o.to, "--to"));
    query += (query.empty() ? "?to=" : "&to=") + url_encoded(to);
  }
  DEPROV_TRY(figures, api->call("GET", "/integrations/" + id + "/report" + query));
  DEPROV_TRY(last, api->call("GET", "/integrations/" + id + "/reconciliation"));
  if (session.as_json) {
    row.as_object()["time_to_deprovision"] = std::move(figures);
    row.as_object()["reconciliation"] = std::move(last);
    print_json(row);
    return exit_ok;
  }
  print_members(row);
  print_figures(figures);
  print_last_reconciliation(last);
  return exit_ok;
}

Result<int> check(const Session& session) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(found, api->call("POST", "/integrations/" + id + "/check"));
  if (session.as_json) {
    print_json(found);
  } else {
    const auto detail = cell(found, "detail");
    std::cout << safe(cell(found, "outcome") + (detail == "-" ? "" : ": " + detail)) << "\n";
  }
  return found.at("ok").as_bool() ? exit_ok : exit_failure;
}

Result<int> rotate(const Session& session, const IntegrationOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(made, api->call("POST", "/integrations/" + id + "/rotate-token",
                             json::object{{"overlap_seconds", o.overlap}}));
  print_json(made);
  return exit_ok;
}

}  // namespace

void add_integration_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("integration", "Integrations: one IdP, one app, one policy each");
  group->require_subcommand(1);
  const auto options = std::make_shared<IntegrationOptions>();
  const auto files = [&](CLI::App* command) {
    command->add_option("--config", options->config, "JSON file for the connector, secrets in clear; - for stdin");
    command->add_option("--policy", options->policy, "JSON file with the policy");
    command->add_option("--settings", options->settings, "JSON file with settings");
    command
        ->add_option("--patch-answer", options->patch_answer,
                     "How a PATCH is answered: resource (200), no_content (204), or as the IdP likes it (idp)")
        ->check(CLI::IsMember({"resource", "no_content", "idp"}));
    command
        ->add_option("--unknown-members", options->unknown_members,
                     "Members of groups that are no resource here: keep (as nobody's grant), refuse, or as it is "
                     "for the IdP (idp)")
        ->check(CLI::IsMember({"keep", "refuse", "idp"}));
    command
        ->add_option(
            "--placement", options->placement,
            "Where the code of a plugin runs: in_process, worker (a process of its own), or as the server "
            "has it (server)")
        ->check(CLI::IsMember({"in_process", "worker", "server"}));
    command->add_option("--schemas", options->schemas, "JSON file with SCIM schemas (RFC 7643 section 7)");
    command->add_option("--resource-types", options->resource_types,
                        "JSON file with SCIM resource types (RFC 7643 section 6), endpoints of their own");
    command->add_flag("--no-check", options->no_check, "Do not ask the app whether the connection works");
  };
  const auto which = [&](CLI::App* command) {
    command->add_option("--integration,integration", session.integration, "Id or name")->required();
    return command;
  };
  const auto add = [&](const std::string& name, const std::string& text, std::function<Result<int>()> action) {
    return which(add_command(*group, session, name, text, std::move(action)));
  };
  auto* make = add_command(*group, session, "create", "Make one; its SCIM token is shown this once",
                           [&session, options] { return create(session, *options); });
  make->add_option("--name", options->name, "Name for people")->required();
  make->add_option("--idp", options->idp, "One of " + known_idps())->required();
  make->add_option("--connector", options->connector, "Kind of connector: scim, sandbox")->required();
  files(make);
  auto* listing = add_command(*group, session, "list", "All of them with their status",
                              [&session, options] { return list_integrations(session, *options); });
  listing->add_flag("--deleted", options->deleted, "With those that were deleted, whose jobs and evidence stay");
  auto* one = add("show", "One with its status, its time to deprovision and its last reconciliation",
                  [&session, options] { return show_integration(session, *options); });
  one->add_option("--from", options->from, "Figures from removals of this time or later (default: 30 days ago)");
  one->add_option("--to", options->to, "And before this one");
  auto* change = add("update", "Change name, config, policy, settings, schemas or resource types",
                     [&session, options] { return update(session, *options); });
  change->add_option("--name", options->name, "The new name");
  files(change);
  add("check", "Ask the app whether the connection works", [&session] { return check(session); });
  auto* pause = add("pause", "Stop all effects; SCIM goes on being accepted",
                    [&session, options] { return act(session, "POST", "/pause", why(*options)); });
  pause->add_option("--reason", options->reason, "Why; it goes on the activity");
  auto* stop =
      add("stop", "The kill switch: send nothing more to the app, over restarts too", [&session, options] {
        return act(session, "POST", "/stop", json::object{{"reason", options->reason}});
      });
  stop->add_option("--reason", options->reason, "Why; it goes on the activity")->required();
  auto* resume = add("resume", "Let its jobs run again after a pause or a stop",
                     [&session, options] { return act(session, "POST", "/resume", why(*options)); });
  resume->add_option("--reason", options->reason, "Why; it goes on the activity");
  auto* token = add("rotate-token", "A new SCIM token, shown this once",
                    [&session, options] { return rotate(session, *options); });
  token->add_option("--overlap", options->overlap, "Seconds for which the old tokens stay good")
      ->check(CLI::Range(0, 2'592'000))
      ->capture_default_str();
  auto* remove = add("delete", "Delete it; nobody loses access by this", [&session, options] {
    return act(session, "DELETE", options->abandon ? "?abandon=true" : "");
  });
  remove->add_flag("--abandon", options->abandon, "Abandon unfinished removals, each by name on the activity");
}

}  // namespace deprov::cli
