// `version` and `dialects`: what this program is and understands.
#include <deprov/config.hpp>
#include <deprov/idp/dialect.hpp>
#include <iostream>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

Result<int> version(const Session& session) {
  if (session.as_json) {
    print_json(json::object{{"version", DEPROV_VERSION}});
  } else {
    std::cout << "deprov " << DEPROV_VERSION << "\n";
  }
  return exit_ok;
}

Result<int> dialects(const Session& session) {
  json::array out;
  std::vector<std::vector<std::string>> rows;
  for (const auto& rule : idp::rules()) {
    json::array by;
    std::string names;
    for (const auto& d : idp::dialects()) {
      if (!d.rules.has(rule.id)) continue;
      by.emplace_back(d.name);
      names += (names.empty() ? "" : ", ") + std::string(d.name);
    }
    if (by.size() == idp::dialects().size()) names = "all";
    rows.push_back({std::string(rule.name), names, std::string(rule.text)});
    out.push_back(json::object{{"rule", rule.name}, {"idps", std::move(by)}, {"text", rule.text}});
  }
  if (session.as_json) {
    json::array idps;
    for (const auto& d : idp::dialects())
      idps.push_back(json::object{{"name", d.name},
                                  {"title", d.title},
                                  {"patch_answer", to_string(d.patch_answer)},
                                  {"external_id_immutable", d.external_id_immutable},
                                  {"unknown_members", d.keeps_unknown_members ? "keep" : "refuse"}});
    print_json(json::object{{"idps", std::move(idps)}, {"rules", std::move(out)}});
  } else {
    print_table({"RULE", "IDPS", "WHAT IS UNDERSTOOD"}, rows);
    std::vector<std::vector<std::string>> idps;
    for (const auto& d : idp::dialects())
      idps.push_back({std::string(d.name), std::string(d.title), std::string(to_string(d.patch_answer)),
                      d.external_id_immutable ? "never given to another" : "may change",
                      d.keeps_unknown_members ? "keep" : "refuse"});
    std::cout << "\n";
    print_table({"IDP", "WHO", "PATCH ANSWER", "EXTERNAL ID", "UNKNOWN MEMBERS"}, idps);
  }
  return exit_ok;
}

}  // namespace

void add_about_commands(CLI::App& program, Session& session) {
  add_plain_command(program, session, "dialects", "What is understood of which IdP, rule by rule",
                    [&session] { return dialects(session); });
  add_plain_command(program, session, "version", "The version of this program",
                    [&session] { return version(session); });
}

}  // namespace deprov::cli
