#include <iostream>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

struct SubjectOptions {
  std::string subject, user_name, external_id, after, account, reason;
  std::size_t limit = 100;
};

std::string yes_no(const json::value& object, const char* name) {
  return object.at(name).as_bool() ? "yes" : "no";
}

Result<int> list_subjects(const Session& session, const SubjectOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  std::string query = "?limit=" + std::to_string(o.limit);
  if (!o.user_name.empty()) query += "&user_name=" + url_encoded(o.user_name);
  if (!o.external_id.empty()) query += "&external_id=" + url_encoded(o.external_id);
  if (!o.after.empty()) query += "&after=" + url_encoded(o.after);
  DEPROV_TRY(found, api->call("GET", "/integrations/" + id + "/subjects" + query));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& s : found.at("items").as_array()) {
    rows.push_back(
        {cell(s, "id"), cell(s, "user_name"), yes_no(s, "active"), yes_no(s, "access"),
         cell(s.at("binding"), "state"), s.at("job").is_null() ? "-" : cell(s.at("job"), "state"),
         s.at("retained").is_null()
             ? "-"
             : cell(s.at("retained"), "why") + ": " + cell(s.at("retained"), "reason") +
                   (s.at("retained").at("until").is_null() ? "" : " (" + cell(s.at("retained"), "until") + ")")});
  }
  print_table({"ID", "USER NAME", "ACTIVE", "ACCESS", "BINDING", "JOB", "RETAINED"}, rows);
  if (!found.at("next").is_null()) std::cout << "more: --after " << cell(found, "next") << "\n";
  return exit_ok;
}

/// "/integrations/{id}/subjects/{id}" of a subject given by id or userName.
Result<std::string> path_of(Api& api, const Session& session, const std::string& subject) {
  DEPROV_TRY(id, find_integration(api, session.integration));
  const auto base = "/integrations/" + id + "/subjects";
  if (parse_uuid(subject)) return base + "/" + subject;
  DEPROV_TRY(found, api.call("GET", base + "?user_name=" + url_encoded(subject)));
  if (found.at("items").as_array().empty()) {
    return Error(Errc::not_found, "there is no subject of this user name", subject,
                 "list them with `deprov subjects list`");
  }
  return base + "/" + cell(found.at("items").at(0), "id");
}

Result<int> show_subject(const Session& session, const SubjectOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(path, path_of(*api, session, o.subject));
  DEPROV_TRY(found, api->call("GET", path));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  print_members(found.at("subject"));
  std::vector<std::vector<std::string>> rows;
  for (const auto& g : found.at("groups").as_array()) rows.push_back({cell(g, "id"), cell(g, "display_name")});
  if (!rows.empty()) {
    std::cout << "\n";
    print_table({"GROUP", "NAME"}, rows);
  }
  rows.clear();
  for (const auto& j : found.at("jobs").as_array()) {
    rows.push_back({cell(j, "id"), cell(j, "kind"), cell(j, "state"), cell(j, "cause"), cell(j, "via_group_name"),
                    cell(j, "created"), duration_text(j.at("time_to_deprovision_ms"))});
  }
  if (!rows.empty()) {
    std::cout << "\n";
    print_table({"JOB", "KIND", "STATE", "CAUSE", "VIA GROUP", "CREATED", "TOOK"}, rows);
  }
  return exit_ok;
}

Result<int> act(const Session& session, const SubjectOptions& o, const std::string& what,
                const json::value& body) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(path, path_of(*api, session, o.subject));
  DEPROV_TRY(answer, api->call("POST", path + "/" + what, body));
  if (session.as_json) {
    print_json(answer.is_null() ? json::value(json::object{{"subject", o.subject}}) : answer);
  } else if (answer.is_object()) {
    print_members(answer);
  } else {
    std::cout << "done\n";
  }
  return exit_ok;
}

}  // namespace

void add_subject_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("subjects", "Subjects: people as the IdP presents them");
  group->require_subcommand(1);
  const auto options = std::make_shared<SubjectOptions>();
  const auto add = [&](const std::string& name, const std::string& text, std::function<Result<int>()> action) {
    auto* command = add_command(*group, session, name, text, std::move(action));
    add_integration_option(*command, session);
    return command;
  };
  const auto add_one = [&](const std::string& name, const std::string& text, std::function<Result<int>()> action) {
    auto* command = add(name, text, std::move(action));
    command->add_option("--subject,subject", options->subject, "Id or userName")->required();
    return command;
  };
  auto* listing = add("list", "Who there is", [&session, options] { return list_subjects(session, *options); });
  listing->add_option("--user-name", options->user_name, "Only who has this userName");
  listing->add_option("--external-id", options->external_id, "Only who has this externalId");
  listing->add_option("--after", options->after, "Where the page before ended");
  listing->add_option("--limit", options->limit, "1 to 1000")->check(CLI::Range(1, 1000))->capture_default_str();
  add_one("show", "Access, intent, binding, groups and jobs of one person",
          [&session, options] { return show_subject(session, *options); });
  auto* bind = add_one("bind", "Bind to an account of the app, or look it up anew", [&session, options] {
    return act(session, *options, "bind", json::object{{"account", options->account}});
  });
  bind->add_option("--account", options->account, "The app's immutable id; left out: look it up");
  add_one("unbind", "Forget the account", [&session, options] { return act(session, *options, "unbind", {}); });
  auto* off = add_one("offboard", "End access by your decision", [&session, options] {
    return act(session, *options, "offboard", json::object{{"reason", options->reason}});
  });
  off->add_option("--reason", options->reason, "Why; it goes on the activity")->required();
}

}  // namespace deprov::cli
