// `init`: a data directory with a store, a master key and a first owner. `key rotate`: another master key.
#include <iostream>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

struct InitOptions {
  std::string workspace = "default";
  std::string owner = "owner";
};

Result<int> init(const Session& session, const InitOptions& options) {
  InstanceOptions instance_options;
  instance_options.directory = session.data;
  instance_options.background = false;
  DEPROV_TRY(instance, open_instance(std::move(instance_options)));
  engine::Principal machine;
  machine.role = port::Role::owner;
  DEPROV_TRY(present, instance->wait<std::vector<port::WorkspaceRow>>(
                          [&](auto done) { instance->engine().list_workspaces(machine, std::move(done)); }));
  if (!present.empty()) {
    return Error(Errc::conflict, "the directory has a store with a workspace already", session.data,
                 "choose another directory; `deprov principal add --data` makes a new token");
  }
  DEPROV_TRY(made, instance->wait<engine::CreatedPrincipal>([&](auto done) {
    instance->engine().create_workspace(machine, options.workspace, options.owner, std::move(done));
  }));
  print_json(json::object{
      {"owner_token", made.token}, {"workspace", made.row.workspace.str()}, {"principal", made.row.id.str()}});
  if (!session.as_json) {
    std::cerr << "The token is shown this once. Start with: deprov serve --data " << safe(session.data)
              << " --listen 127.0.0.1:8080\n";
  }
  return exit_ok;
}

Result<int> rotate_key(const Session& session) {
  InstanceOptions instance_options;
  instance_options.directory = session.data;
  instance_options.create = false;
  instance_options.background = false;
  instance_options.rotate_key = true;
  const auto instance = open_instance(std::move(instance_options));
  if (!instance) return instance.error();
  if (session.as_json) {
    print_json(json::object{{"rotated", true}});
  } else {
    std::cout << "rotated; copies of the directory that were made before open with the key that is in them\n";
  }
  return exit_ok;
}

}  // namespace

void add_init_command(CLI::App& program, Session& session) {
  auto options = std::make_shared<InitOptions>();
  auto* command = add_plain_command(program, session, "init", "Make a data directory and its first owner",
                                    [&session, options] { return init(session, *options); });
  command->add_option("--data", session.data, "The directory")->required();
  command->add_option("--workspace", options->workspace, "Name of the first workspace")->capture_default_str();
  command->add_option("--owner", options->owner, "Name of its first owner")->capture_default_str();

  auto* keys =
      program.add_subcommand("key", "The master key, which seals what is secret of connections and the like");
  keys->require_subcommand(1);
  auto* rotating =
      add_plain_command(*keys, session, "rotate", "Make another one, and seal under it what the old one sealed",
                        [&session] { return rotate_key(session); });
  rotating->add_option("--data", session.data, "Data directory, not in use by a server")->required();
}

}  // namespace deprov::cli
