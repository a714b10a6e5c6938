#include <iostream>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

struct JobOptions {
  std::string job, state, subject, before, reason, reference;
  std::size_t limit = 100;
  bool unfinished = false;
};

Result<int> list_jobs(const Session& session, const JobOptions& o) {
  DEPROV_TRY(api, session.open());
  std::string query = "?limit=" + std::to_string(o.limit);
  if (!session.integration.empty()) {
    DEPROV_TRY(id, find_integration(*api, session.integration));
    query += "&integration=" + id;
  }
  if (!o.state.empty()) query += "&state=" + url_encoded(o.state);
  if (!o.subject.empty()) query += "&subject=" + url_encoded(o.subject);
  if (!o.before.empty()) query += "&before=" + url_encoded(o.before);
  if (o.unfinished) query += "&unfinished=true";
  DEPROV_TRY(found, api->call("GET", "/jobs" + query));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& j : found.at("items").as_array()) {
    rows.push_back({cell(j, "id"), cell(j, "user_name"), cell(j, "kind"), cell(j, "state"), cell(j, "cause"),
                    cell(j, "attempts"), cell(j, "created"), duration_text(j.at("time_to_deprovision_ms"))});
  }
  print_table({"ID", "USER NAME", "KIND", "STATE", "CAUSE", "RETRIES", "CREATED", "TOOK"}, rows);
  if (!found.at("next").is_null()) std::cout << "more: --before " << cell(found, "next") << "\n";
  return exit_ok;
}

Result<int> show_job(const Session& session, const JobOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(found, api->call("GET", "/jobs/" + url_encoded(o.job)));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  auto job = found.at("job");
  const auto steps = job.at("steps");
  job.as_object().erase("steps");
  print_members(job);
  std::vector<std::vector<std::string>> rows;
  for (const auto& s : steps.as_array()) {
    const auto deletes = s.as_object().if_contains("delete_account");
    const auto name = cell(s, "kind") == "verify"                ? std::string("read back")
                      : deletes != nullptr && deletes->as_bool() ? std::string("delete")
                                                                 : cell(s, "operation");
    rows.push_back({name, cell(s, "state"), cell(s, "not_before"), cell(s, "approval"), cell(s, "attempts"),
                    cell(s, "outcome"), cell(s, "detail")});
  }
  std::cout << "\n";
  print_table({"STEP", "STATE", "NOT BEFORE", "APPROVAL", "ATTEMPTS", "OUTCOME", "DETAIL"}, rows);
  rows.clear();
  for (const auto& a : found.at("activity").as_array())
    rows.push_back({cell(a, "seq"), cell(a, "at"), cell(a, "event"), cell(a, "actor"), cell(a, "detail")});
  std::cout << "\n";
  print_table({"SEQ", "AT", "EVENT", "ACTOR", "DETAIL"}, rows);
  return exit_ok;
}

Result<int> act(const Session& session, const JobOptions& o, const std::string& what, const json::value& body) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(answer, api->call("POST", "/jobs/" + url_encoded(o.job) + "/" + what, body));
  if (session.as_json) {
    print_json(answer.is_null() ? json::value(json::object{{"job", o.job}}) : answer);
  } else if (answer.is_object()) {
    print_members(answer);
  } else {
    std::cout << "done\n";
  }
  return exit_ok;
}

}  // namespace

void add_job_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("jobs", "Jobs: plans being carried out");
  group->require_subcommand(1);
  const auto options = std::make_shared<JobOptions>();
  const auto add = [&](const std::string& name, const std::string& text, std::function<Result<int>()> action) {
    auto* command = add_command(*group, session, name, text, std::move(action));
    command->add_option("--job,job", options->job, "Id of the job")->required();
    return command;
  };
  auto* listing = add_command(*group, session, "list", "The newest first",
                              [&session, options] { return list_jobs(session, *options); });
  listing->add_option("--integration", session.integration, "Only those of this one, by id or name");
  listing->add_option("--state", options->state, "Only those in this state");
  listing->add_option("--subject", options->subject, "Only those of this subject, by id");
  listing->add_flag("--unfinished", options->unfinished, "Only those that are not over");
  listing->add_option("--before", options->before, "Where the page before ended");
  listing->add_option("--limit", options->limit, "1 to 1000")->check(CLI::Range(1, 1000))->capture_default_str();
  add("show", "One with its steps and attempts", [&session, options] { return show_job(session, *options); });
  add("retry", "A new job for what failed, died, is held or was only observed",
      [&session, options] { return act(session, *options, "retry", {}); });
  auto* approve = add("approve", "Let the step be taken that a job waits with", [&session, options] {
    return act(session, *options, "approve", json::object{{"reason", options->reason}});
  });
  approve->add_option("--reason", options->reason, "Why; it goes on the activity")->required();
  auto* attest = add("attest", "Say that it was done by hand; never called verified", [&session, options] {
    return act(session, *options, "attest",
               json::object{{"reason", options->reason}, {"reference", options->reference}});
  });
  attest->add_option("--reason", options->reason, "What was done, by whom; it goes on the activity")->required();
  attest->add_option("--reference", options->reference, "Where it can be looked up: a ticket, say");
  auto* cancel = add("cancel", "End an unfinished job", [&session, options] {
    return act(session, *options, "cancel", json::object{{"reason", options->reason}});
  });
  cancel->add_option("--reason", options->reason, "Why; it goes on the activity")->required();
}

}  // namespace deprov::cli
