// `person report`: when somebody lost access, in which apps, who decided, and what proves it.
#include <iostream>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

std::string words(const std::string& matched_by) {
  if (matched_by == "subject_id") return "named by its id";
  if (matched_by == "external_id") return "named by its externalId";
  if (matched_by == "joined_external_id") return "joined by externalId, same IdP";
  if (matched_by == "external_id_not_declared") return "same externalId, which is not declared immutable";
  if (matched_by == "user_name") return "same userName";
  return "same e-mail address";
}

void print_removal(const json::value& r) {
  std::string line = "  removal " + cell(r, "id") + ": " + cell(r, "cause");
  if (!r.at("via_group_name").is_null()) line += " via \"" + cell(r, "via_group_name") + "\"";
  if (r.at("via_inferred").as_bool()) line += ", inferred";
  std::cout << safe(line) << "\n";
  std::cout << safe("    first evidence " + cell(r, "evidence_at") + ", decided by " + cell(r, "decided_by") +
                    " at " + cell(r, "decided_at"))
            << "\n";
  line = "    " + cell(r, "state");
  if (!r.at("verified_at").is_null()) line += " at " + cell(r, "verified_at");
  if (!r.at("time_to_deprovision_ms").is_null())
    line += ", after " + duration_text(r.at("time_to_deprovision_ms"));
  if (cell(r, "reason") != "-") line += ": " + cell(r, "reason");
  std::cout << safe(line) << "\n";
  for (const auto& p : r.at("proof").as_array()) {
    line = "      seq " + cell(p, "seq") + "  " + cell(p, "at") + "  " + cell(p, "event") + "  " +
           cell(p, "actor") + "  " + cell(p, "hash").substr(0, 16);
    if (p.at("detail_deleted").as_bool()) line += "  (detail deleted by retention)";
    std::cout << safe(line) << "\n";
  }
}

void print_app(const json::value& app) {
  const auto& i = app.at("integration");
  const auto& s = app.at("subject");
  std::string line = cell(i, "name") + " (" + cell(i, "idp") + " to " + cell(i, "connector") + ")";
  if (i.at("deleted").as_bool()) line += ", deleted";
  std::cout << safe(line) << "\n";
  std::cout << safe("  subject " + cell(s, "id") + "  " + cell(s, "user_name") + "  " +
                    words(cell(app, "matched_by")))
            << "\n";
  line = s.at("access").as_bool() ? "  has access" : "  no access";
  if (!app.at("lost_access_at").is_null()) line += " since " + cell(app, "lost_access_at");
  const auto& b = s.at("binding");
  line +=
      "; account " + cell(b, "account") + " (" + cell(b, "login") + "), last set by us: " + cell(b, "last_set");
  std::cout << safe(line) << "\n";
  if (const auto& r = s.at("retained"); !r.is_null()) {
    line = "  retained: " + cell(r, "why") + ": " + cell(r, "reason");
    if (!r.at("until").is_null())
      line += (cell(r, "why") == "protected" ? ", to be reviewed at " : ", until ") + cell(r, "until");
    if (!r.at("by").is_null()) line += ", by " + cell(r, "by");
    std::cout << safe(line) << "\n";
  }
  for (const auto& r : app.at("removals").as_array()) print_removal(r);
  std::cout << "\n";
}

Result<int> report(const Session& session, const std::string& key) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(found, api->call("GET", "/person-report?key=" + url_encoded(key)));
  const auto& apps = found.at("apps").as_array();
  const auto& candidates = found.at("candidates").as_array();
  if (session.as_json) {
    print_json(found);
    return apps.empty() ? exit_not_found : exit_ok;
  }
  for (const auto& app : apps) print_app(app);
  if (apps.empty()) std::cout << "No subject is declared to be this person.\n";
  if (!candidates.empty()) {
    std::cout << "Candidates, who may be the same person or another:\n";
    std::vector<std::vector<std::string>> rows;
    for (const auto& c : candidates) {
      const auto& s = c.at("subject");
      rows.push_back({cell(c.at("integration"), "name"), cell(s, "id"), cell(s, "user_name"),
                      s.at("deleted").as_bool()  ? "deleted " + cell(s, "modified")
                      : s.at("access").as_bool() ? "yes"
                                                 : "no",
                      words(cell(c, "matched_by"))});
    }
    print_table({"INTEGRATION", "SUBJECT", "USER NAME", "ACCESS", "WHY"}, rows);
    std::cout << "Each of them: deprov person report SUBJECT\n";
  }
  if (found.at("more").as_bool()) std::cout << "There are more than are shown.\n";
  return apps.empty() ? exit_not_found : exit_ok;
}

}  // namespace

void add_person_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("person", "One person over all integrations of a workspace");
  group->require_subcommand(1);
  const auto key = std::make_shared<std::string>();
  auto* command = add_command(*group, session, "report",
                              "When somebody lost access, in which apps, who decided, and what proves it",
                              [&session, key] { return report(session, *key); });
  command
      ->add_option(
          "key", *key,
          "A subject's id or externalId; userName (of deleted ones, too) or e-mail address for candidates")
      ->required();
  command->footer("Exit codes: 0 found, 3 nobody, or candidates only.");
}

}  // namespace deprov::cli
