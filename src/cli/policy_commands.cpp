// `policy` and `plan`: what an integration does by which rule, and what that would come to.
#include <boost/json/serialize.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/policy/preview.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/time.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

constexpr std::size_t most_of_a_state = 16U << 20U;  // what the admin API takes
constexpr std::size_t most_of_a_plan = 256U << 20U;  // compared here, whatever a server takes

struct PolicyOptions {
  std::string file, hash, policy, state, out, before, after;
};

Result<int> show_policy(const Session& session) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(row, api->call("GET", "/integrations/" + id));
  // Every member with what it is where the document does not say.
  auto parsed = policy::parse_policy(row.at("policy"));
  if (!parsed) return parsed.error();
  const json::object shown{{"policy_version", row.at("policy_version")}, {"policy", policy::to_json(*parsed)}};
  if (session.as_json) {
    print_json(shown);
  } else {
    print_members(shown.at("policy"));
    std::cout << "\nversion " << json::serialize(row.at("policy_version")) << "\n";
  }
  return exit_ok;
}

Result<int> set(Session& session, PolicyOptions o) {
  json::object body;
  // One word alone may be the file: the integration may be left out where there is one.
  std::error_code ec;
  if (o.file.empty() && (session.integration == "-" || std::filesystem::is_regular_file(session.integration, ec)))
    o.file = std::exchange(session.integration, {});
  if (o.file.empty()) {
    print_error({Errc::invalid_argument, "it is not said which file has the policy", "--file",
                 "usage: deprov policy set [INTEGRATION] FILE; - for stdin"},
                session.as_json);
    return exit_usage;
  }
  DEPROV_TRY(document, read_json_file(o.file, "--file"));
  body["policy"] = std::move(document);
  if (!o.hash.empty()) body["plan_hash"] = o.hash;
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(row, api->call("PATCH", "/integrations/" + id, body));
  const json::object shown{{"id", id}, {"policy_version", row.at("policy_version")}};
  if (session.as_json) {
    print_json(shown);
  } else {
    print_members(shown);
  }
  return exit_ok;
}

Result<int> validate(const Session& session, const PolicyOptions& o) {
  DEPROV_TRY(document, read_json_file(o.file, "--file"));
  auto parsed = policy::parse_policy(document);
  if (!parsed) return parsed.error();
  if (session.as_json) {
    print_json(policy::to_json(*parsed));
  } else {
    std::cout << "good\n";
  }
  // A policy that is in use may keep them; a new one is refused with them, and exempts nobody by them.
  const auto now = runtime::SystemClock().wall();
  for (std::size_t i = 0; i < parsed->protection.exemptions.size(); ++i) {
    const auto until = parsed->protection.exemptions[i].until;
    if (until > now) continue;
    const auto where = "/exemptions/" + std::to_string(i) + "/until";
    const auto what = "the exemption has ended, at " + to_rfc3339(until);
    if (session.as_json) {
      std::cerr << json::serialize(json::object{{"warning", {{"message", what}, {"where", where}}}}) << "\n";
    } else {
      std::cerr << "deprov: warning: " << where << ": " << what
                << "; `policy set` refuses it unless the policy in use has it already\n";
    }
  }
  return exit_ok;
}

Result<void> write_file(const std::string& path, const json::value& value) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << json::serialize(value) << "\n";
  out.flush();
  if (!out) return Error(Errc::io, "the file cannot be written", "--out " + path);
  return {};
}

void print_changes(const json::array& changes) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& c : changes) {
    std::string steps;
    for (const auto& s : c.at("steps").as_array()) {
      steps += (steps.empty() ? "" : ", ") + cell(s, "step");
      if (const auto* after = s.as_object().if_contains("after_ms")) steps += " after " + duration_text(*after);
      if (s.as_object().contains("approval")) steps += " with the approval of " + cell(s, "approval");
    }
    if (const auto* why = c.as_object().if_contains("why")) {
      steps = std::string(why->as_string()) + ": " + cell(c, "reason");
      if (!c.at("until").is_null())
        steps += (why->as_string() == "protected" ? "; to be reviewed at " : "; until ") + cell(c, "until");
    }
    rows.push_back({cell(c, "user_name"), cell(c, "subject"), cell(c, "change"), cell(c, "cause"), steps});
  }
  print_table({"USER NAME", "SUBJECT", "CHANGE", "CAUSE", "STEPS"}, rows);
}

Result<int> plan(const Session& session, const PolicyOptions& o) {
  json::object body;
  if (!o.policy.empty()) {
    DEPROV_TRY(document, read_json_file(o.policy, "--policy"));
    body["policy"] = std::move(document);
  }
  if (!o.state.empty()) {
    DEPROV_TRY(document, read_json_file(o.state, "--state", false, most_of_a_state));
    body["state"] = std::move(document);
  }
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(found, api->call("POST", "/integrations/" + id + "/plan", body));
  if (!o.out.empty()) DEPROV_CHECK(write_file(o.out, found));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  print_changes(found.at("changes").as_array());
  std::cout << "\n";
  print_members(found.at("counts"));
  std::cout << "\nhash " << cell(found, "hash") << "\n";
  return exit_ok;
}

Result<int> record(const Session& session, const PolicyOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(found, api->call("GET", "/integrations/" + id + "/state"));
  if (o.out.empty()) {
    print_json(found);
  } else {
    DEPROV_CHECK(write_file(o.out, found));
  }
  return exit_ok;
}

Result<int> diff(const Session& session, const PolicyOptions& o) {
  DEPROV_TRY(before, read_json_file(o.before, "before", false, most_of_a_plan));
  DEPROV_TRY(after, read_json_file(o.after, "after", false, most_of_a_plan));
  DEPROV_TRY(found, policy::preview_diff(before, after));
  const bool same = found.at("same").as_bool();
  if (session.as_json) {
    print_json(found);
    return same ? exit_ok : exit_failure;
  }
  const auto part = [&](const char* title, const json::array& changes) {
    if (changes.empty()) return;
    std::cout << title << "\n";
    print_changes(changes);
  };
  part("only in the first", found.at("only_before").as_array());
  part("only in the second", found.at("only_after").as_array());
  json::array firsts, seconds;
  for (const auto& d : found.at("different").as_array()) {
    firsts.push_back(d.at("before"));
    seconds.push_back(d.at("after"));
  }
  part("otherwise in the first", firsts);
  part("otherwise in the second", seconds);
  const auto hash = [](const json::value& plan) {
    const auto* members = plan.if_object();
    return members != nullptr && members->contains("hash") ? members->at("hash") : json::value();
  };
  if (same) {
    std::cout << (hash(before) == hash(after)
                      ? "the same\n"
                      : "the same changes; policy or counts differ, and so do the hashes\n");
  }
  return same ? exit_ok : exit_failure;
}

}  // namespace

void add_policy_commands(CLI::App& program, Session& session) {
  const auto options = std::make_shared<PolicyOptions>();
  auto* group = program.add_subcommand("policy", "Policies: what follows from which cause");
  group->require_subcommand(1);
  const auto which = [&](CLI::App* command) {
    command->add_option("--integration,integration", session.integration,
                        "Id or name; may be left out where there is one alone");
    return command;
  };
  which(add_command(*group, session, "show", "The present one, with every default",
                    [&session] { return show_policy(session); }));
  auto* setting = which(add_command(*group, session, "set", "Replace it; the activity has before and after",
                                    [&session, options] { return set(session, *options); }));
  setting->add_option("--file,file", options->file, "JSON file with the policy; - for stdin");
  setting->add_option("--plan-hash", options->hash, "Only where `deprov plan` still shows this hash");
  auto* check = add_plain_command(*group, session, "validate", "Look at a file, without a store",
                                  [&session, options] { return validate(session, *options); });
  check->add_option("--file,file", options->file, "JSON file with the policy; - for stdin")->required();
  add_plain_command(*group, session, "schema", "The JSON Schema of a policy", []() -> Result<int> {
    print_json(policy::policy_schema());
    return exit_ok;
  });

  auto* plans = add_command(program, session, "plan", "What a policy would do; nothing is done",
                            [&session, options] { return plan(session, *options); });
  add_integration_option(*plans, session);
  plans->add_option("--policy", options->policy, "JSON file with a policy, in place of the present one");
  plans->add_option("--state", options->state,
                    "JSON file that `plan record` wrote, in place of the present state");
  plans->add_option("--out", options->out, "Write the plan to this file");
  auto* recording = add_command(*plans, session, "record", "Write the present state down, for later plans",
                                [&session, options] { return record(session, *options); });
  add_integration_option(*recording, session);
  recording->add_option("--out", options->out, "File to write to, in place of the standard output");
  auto* diffing = add_plain_command(*plans, session, "diff", "What two plans differ in; exit code 1 where they do",
                                    [&session, options] { return diff(session, *options); });
  diffing->add_option("before", options->before, "The first plan")->required();
  diffing->add_option("after", options->after, "The second plan")->required();
  // The callback of a group comes after those of its commands.
  plans->callback([plans, &session, options] {
    if (plans->get_subcommands().empty()) session.chosen = [&session, options] { return plan(session, *options); };
  });
}

}  // namespace deprov::cli
