// `webhook`: who is told what happens.
#include <iostream>
#include <vector>
#include "cli/commands.hpp"
#include "cli/evidence.hpp"

namespace deprov::cli {

namespace {

struct WebhookOptions {
  std::string webhook, name, url, ca_file, message, since;
  bool system_ca = false;
  std::vector<std::string> events;
  std::int64_t overlap = 0;
};

/// By name or id. Errors: `not_found`.
Result<std::string> find_webhook(Api& api, const std::string& name_or_id) {
  DEPROV_TRY(found, api.call("GET", "/webhooks"));
  for (const auto& w : found.at("items").as_array()) {
    const auto id = std::string(w.at("id").as_string());
    if (id == name_or_id || w.at("name").as_string() == name_or_id) return id;
  }
  return Error(Errc::not_found, "there is no webhook \"" + name_or_id + "\"", "webhook",
               "list them with `deprov webhook list`");
}

std::string joined(const json::value& names) {
  std::string out;
  for (const auto& name : names.as_array()) {
    if (!out.empty()) out += " ";
    out += name.as_string();
  }
  return out.empty() ? "all" : out;
}

Result<int> list_webhooks(const Session& session) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(found, api->call("GET", "/webhooks"));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& w : found.at("items").as_array()) {
    const auto& last = w.at("last");
    rows.push_back({cell(w, "name"), cell(w, "url"), cell(w, "integration"), joined(w.at("events")),
                    w.at("ca_pem").is_null() ? "system" : "own", last.is_null() ? "-" : cell(last, "state"),
                    cell(w, "id")});
  }
  print_table({"NAME", "URL", "INTEGRATION", "EVENTS", "AUTHORITIES", "LAST MESSAGE", "ID"}, rows);
  return exit_ok;
}

Result<int> show_webhook(const Session& session, const WebhookOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_webhook(*api, o.webhook));
  DEPROV_TRY(found, api->call("GET", "/webhooks/" + id));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  print_members(found.at("webhook"));
  std::vector<std::vector<std::string>> rows;
  for (const auto& d : found.at("deliveries").as_array())
    rows.push_back({cell(d, "created"), cell(d, "id"), cell(d, "state"), cell(d, "events"), cell(d, "attempts"),
                    cell(d, "status"), cell(d, "due"), cell(d, "error")});
  std::cout << "\n";
  print_table({"CREATED", "MESSAGE", "STATE", "EVENTS", "ATTEMPTS", "STATUS", "NEXT", "ERROR"}, rows);
  return exit_ok;
}

Result<int> add_webhook(const Session& session, const WebhookOptions& o) {
  DEPROV_TRY(api, session.open());
  json::object body{{"name", o.name}, {"url", o.url}};
  if (!o.events.empty()) body["events"] = json::array(o.events.begin(), o.events.end());
  if (!o.ca_file.empty()) {
    DEPROV_TRY(pem, read_text_file(o.ca_file, "--receiver-ca-file"));
    body["ca_pem"] = pem;
  }
  if (!session.integration.empty()) {
    DEPROV_TRY(integration, find_integration(*api, session.integration));
    body["integration"] = integration;
  }
  DEPROV_TRY(made, api->call("POST", "/webhooks", body));
  print_json(made);
  return exit_ok;
}

Result<int> test(const Session& session, const WebhookOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_webhook(*api, o.webhook));
  DEPROV_TRY(found, api->call("POST", "/webhooks/" + id + "/test"));
  const bool delivered = found.at("delivered").as_bool();
  if (session.as_json) {
    print_json(found);
  } else {
    std::cout << (delivered ? "delivered, status " + cell(found, "status")
                            : "not delivered: " + safe(cell(found, "error")))
              << "\n";
  }
  return delivered ? exit_ok : exit_failure;
}

Result<int> rotate(const Session& session, const WebhookOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_webhook(*api, o.webhook));
  DEPROV_TRY(
      made, api->call("POST", "/webhooks/" + id + "/rotate-secret", json::object{{"overlap_seconds", o.overlap}}));
  print_json(made);
  return exit_ok;
}

Result<int> update(const Session& session, const WebhookOptions& o) {
  json::object body{{"ca_pem", ""}};
  if (o.system_ca == !o.ca_file.empty())
    return Error(Errc::invalid_argument, "nothing to change is given, or two things at once",
                 "--receiver-ca-file, --system-ca", "give one of them");
  if (!o.ca_file.empty()) {
    DEPROV_TRY(pem, read_text_file(o.ca_file, "--receiver-ca-file"));
    body["ca_pem"] = pem;
  }
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_webhook(*api, o.webhook));
  DEPROV_TRY(row, api->call("PATCH", "/webhooks/" + id, body));
  if (session.as_json) {
    print_json(row);
  } else {
    print_members(row);
  }
  return exit_ok;
}

Result<int> resend(const Session& session, const WebhookOptions& o) {
  json::object body;
  if (o.message.empty() == o.since.empty())
    return Error(Errc::invalid_argument, "one message or a time has to be named", "--message, --since",
                 "give one of them");
  if (!o.message.empty()) {
    body["message"] = o.message;
  } else {
    DEPROV_TRY(since, moment(o.since, "--since"));
    body["since"] = since;
  }
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_webhook(*api, o.webhook));
  DEPROV_TRY(found, api->call("POST", "/webhooks/" + id + "/resend", body));
  if (session.as_json) {
    print_json(found);
  } else {
    std::cout << cell(found, "messages") << " on the way again\n";
  }
  return exit_ok;
}

Result<int> remove_webhook(const Session& session, const WebhookOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_webhook(*api, o.webhook));
  DEPROV_CHECK(api->call("DELETE", "/webhooks/" + id));
  if (session.as_json) {
    print_json(json::object{{"id", id}});
  } else {
    std::cout << "removed\n";
  }
  return exit_ok;
}

}  // namespace

void add_webhook_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("webhook", "Webhooks: addresses that are told what happens, signed");
  group->require_subcommand(1);
  const auto options = std::make_shared<WebhookOptions>();
  auto* adding =
      add_command(*group, session, "add", "Tell an address what happens from now on; its secret is shown once",
                  [&session, options] { return add_webhook(session, *options); });
  adding->add_option("--name,name", options->name, "Name for people")->required();
  adding->add_option("--url", options->url, "Where to; https, or http on localhost")->required();
  adding->add_option("--event", options->events,
                     "What it hears of, such as removal.failed; may be repeated (default: all)");
  adding->add_option("--integration", session.integration,
                     "Of one integration alone, by name or id (default: of all)");
  const auto trust = [&](CLI::App* command) {
    return command->add_option(
        "--receiver-ca-file", options->ca_file,
        "PEM file, read here: its certificate is judged by these authorities, in place of the "
        "system's");
  };
  trust(adding);
  add_command(*group, session, "list", "All of the workspace", [&session] { return list_webhooks(session); });
  const auto one = [&](const std::string& name, const std::string& text, std::function<Result<int>()> action) {
    auto* command = add_command(*group, session, name, text, std::move(action));
    command->add_option("--webhook,webhook", options->webhook, "Its name or id")->required();
    return command;
  };
  one("show", "One of them with its messages, the newest first",
      [&session, options] { return show_webhook(session, *options); });
  one("test", "Send a test event now, once", [&session, options] { return test(session, *options); });
  auto* rotating =
      one("rotate-secret", "A new secret, shown once", [&session, options] { return rotate(session, *options); });
  rotating
      ->add_option("--overlap", options->overlap, "Seconds for which messages are signed with the old one, too")
      ->check(CLI::Range(0, 2'592'000))
      ->capture_default_str();
  auto* changing = one("update", "Other authorities that its certificate is judged by",
                       [&session, options] { return update(session, *options); });
  trust(changing);
  changing->add_flag("--system-ca", options->system_ca, "Those of the system again");
  auto* resending = one("resend", "Send again what was given up, the oldest first; who has seen it knows its id",
                        [&session, options] { return resend(session, *options); });
  resending->add_option("--message", options->message, "This one, as `webhook show` names it");
  resending->add_option("--since", options->since, "All that were made then or later, such as 2026-11-24");
  one("remove", "Tell it nothing any more", [&session, options] { return remove_webhook(session, *options); });
}

}  // namespace deprov::cli
