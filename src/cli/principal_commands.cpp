// `workspace` and `principal`: who may act.
#include <iostream>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

struct PrincipalOptions {
  std::string name, role, owner = "owner", id, reason;
};

Result<int> create_workspace(const Session& session, const PrincipalOptions& o) {
  DEPROV_TRY(api, session.open(true));
  DEPROV_TRY(made, api->call("POST", "/workspaces", json::object{{"name", o.name}, {"owner", o.owner}}));
  print_json(made);
  return exit_ok;
}

Result<int> list_principals(const Session& session, const std::string& path, bool any_workspace,
                            const std::vector<std::string>& members) {
  DEPROV_TRY(api, session.open(any_workspace));
  DEPROV_TRY(found, api->call("GET", path));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  std::vector<std::string> heading;
  for (auto name : members) {
    for (auto& c : name) c = static_cast<char>(c - 32);
    heading.push_back(name);
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : found.at("items").as_array()) {
    rows.emplace_back();
    for (const auto& member : members) rows.back().push_back(cell(item, member));
  }
  print_table(heading, rows);
  return exit_ok;
}

Result<int> workspace_act(const Session& session, std::string_view method, const std::string& path,
                          const json::value& body = {}) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(row, api->call(method, path, body));
  if (session.as_json) {
    print_json(row);
  } else {
    print_members(row);
  }
  return exit_ok;
}

Result<int> add_principal(const Session& session, const PrincipalOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(made, api->call("POST", "/principals", json::object{{"name", o.name}, {"role", o.role}}));
  print_json(made);
  return exit_ok;
}

Result<int> remove_principal(const Session& session, const PrincipalOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_CHECK(api->call("DELETE", "/principals/" + url_encoded(o.id)));
  if (session.as_json) {
    print_json(json::object{{"id", o.id}});
  } else {
    std::cout << "removed\n";
  }
  return exit_ok;
}

}  // namespace

void add_principal_commands(CLI::App& program, Session& session) {
  const auto options = std::make_shared<PrincipalOptions>();
  auto* workspaces = program.add_subcommand("workspace", "Workspaces: one customer each");
  workspaces->require_subcommand(1);
  auto* make = add_command(*workspaces, session, "create",
                           "Make one with its first owner; on a server, owners of the first one may",
                           [&session, options] { return create_workspace(session, *options); });
  make->add_option("--name,name", options->name, "Name of the workspace")->required();
  make->add_option("--owner", options->owner, "Name of its first owner")->capture_default_str();
  add_command(*workspaces, session, "list", "The workspaces that you see", [&session] {
    return list_principals(session, "/workspaces", true, {"id", "name", "created"});
  });

  add_command(*workspaces, session, "show", "Yours, and whether it is stopped",
              [&session] { return workspace_act(session, "GET", "/workspace"); });
  auto* stop = add_command(
      *workspaces, session, "stop", "The kill switch: send nothing more to any app", [&session, options] {
        return workspace_act(session, "POST", "/workspace/stop", json::object{{"reason", options->reason}});
      });
  stop->add_option("--reason", options->reason, "Why; it goes on the activity")->required();
  auto* resume = add_command(*workspaces, session, "resume", "End the stop of the workspace", [&session, options] {
    return workspace_act(session, "POST", "/workspace/resume", json::object{{"reason", options->reason}});
  });
  resume->add_option("--reason", options->reason, "Why; it goes on the activity")->required();

  auto* principals = program.add_subcommand("principal", "Principals: who may manage this workspace");
  principals->require_subcommand(1);
  auto* adding = add_command(*principals, session, "add", "Add one; its token is shown this once",
                             [&session, options] { return add_principal(session, *options); });
  adding->add_option("--name,name", options->name, "Name for people")->required();
  adding->add_option("--role", options->role, "owner, super_admin, admin or member")
      ->required()
      ->check(CLI::IsMember({"owner", "super_admin", "admin", "member"}));
  add_command(*principals, session, "list", "Who may act", [&session] {
    return list_principals(session, "/principals", false, {"id", "name", "role", "created"});
  });
  auto* removing = add_command(*principals, session, "remove", "Take one away; the last owner stays",
                               [&session, options] { return remove_principal(session, *options); });
  removing->add_option("--id,id", options->id, "Id of the principal")->required();
}

}  // namespace deprov::cli
