#include <algorithm>
#include <boost/json/serialize.hpp>
#include <iostream>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

struct HoldOptions {
  std::string hold, listing, subject, reason, until, since;
};

Result<int> list_holds(const Session& session) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(found, api->call("GET", "/integrations/" + id + "/holds"));
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& h : found.at("items").as_array())
    rows.push_back({cell(h, "id"), cell(h, "state"), cell(h, "opened"), cell(h, "waiting"), cell(h, "reason")});
  print_table({"ID", "STATE", "OPENED", "WAITING", "REASON"}, rows);
  return exit_ok;
}

Result<int> show_hold(const Session& session, const HoldOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  const auto path = "/integrations/" + id + "/holds/" + url_encoded(o.hold);
  DEPROV_TRY(found, api->call("GET", path));
  for (auto next = found.at("next"); !next.is_null();) {
    DEPROV_TRY(page, api->call("GET", path + "?after=" + json::serialize(next)));
    for (auto& item : page.at("items").as_array()) found.at("items").as_array().push_back(std::move(item));
    next = page.at("next");
    // What the whole listing is named by is what its last page shows.
    found.at("hold") = page.at("hold");
  }
  found.at("next") = nullptr;
  // Exactly what is shown can be allowed, although more may have arrived between two pages.
  const auto& items = found.at("items").as_array();
  if (!items.empty()) found.at("hold").as_object()["listing"] = items.back().at("listing");
  if (!o.since.empty()) {
    auto& all = found.at("items").as_array();
    const auto* const seen =
        std::find_if(all.begin(), all.end(), [&](const json::value& i) { return cell(i, "listing") == o.since; });
    if (seen == all.end())
      return Error(Errc::not_found, "no listing of this hold has that hash", "--since",
                   "give one that `deprov holds show` printed");
    all.erase(all.begin(), seen + 1);
  }
  if (session.as_json) {
    print_json(found);
    return exit_ok;
  }
  print_members(found.at("hold"));
  std::vector<std::vector<std::string>> rows;
  for (const auto& i : items)
    rows.push_back({cell(i, "user_name"), cell(i, "state"), cell(i, "cause"), cell(i, "at"), cell(i, "by"),
                    cell(i, "subject")});
  std::cout << "\n";
  print_table({"USER NAME", "STATE", "CAUSE", "AT", "DECIDED BY", "SUBJECT"}, rows);
  return exit_ok;
}

Result<int> decide(const Session& session, const HoldOptions& o, bool allow) {
  if (o.listing.empty() && o.subject.empty()) {
    return Error(Errc::invalid_argument, "it is not said what is decided", "--listing, --subject",
                 "give the hash of the listing that `deprov holds show` prints, or one subject of it");
  }
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  json::object body;
  if (!o.listing.empty()) body["listing"] = o.listing;
  if (!o.subject.empty()) body["subject"] = o.subject;
  if (!o.reason.empty()) body["reason"] = o.reason;
  if (!allow) body["until"] = o.until;
  DEPROV_TRY(
      answer,
      api->call("POST", "/integrations/" + id + "/holds/" + url_encoded(o.hold) + (allow ? "/allow" : "/reject"),
                body));
  if (session.as_json) {
    print_json(answer);
  } else {
    print_members(answer);
  }
  return exit_ok;
}

}  // namespace

void add_hold_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("holds", "Removals that the guard made wait for a person");
  group->require_subcommand(1);
  const auto options = std::make_shared<HoldOptions>();
  add_integration_option(
      *add_command(*group, session, "list", "The newest first", [&session] { return list_holds(session); }),
      session);
  const auto add = [&](const std::string& name, const std::string& text, std::function<Result<int>()> action) {
    auto* command = add_command(*group, session, name, text, std::move(action));
    add_integration_option(*command, session);
    command->add_option("--hold,hold", options->hold, "Id of the hold")->required();
    return command;
  };
  auto* showing = add("show", "Who waits, who was sent already, and the hash of this listing",
                      [&session, options] { return show_hold(session, *options); });
  showing->add_option("--since", options->since, "Only who arrived after this listing that you saw");
  const auto add_what = [&](CLI::App* command) {
    auto* listing = command->add_option("--listing", options->listing, "The hash of the listing that you saw");
    command->add_option("--subject", options->subject, "One subject of it instead, by id")->excludes(listing);
  };
  auto* allow = add("allow", "Release exactly that listing; what arrived later stays held",
                    [&session, options] { return decide(session, *options, true); });
  add_what(allow);
  allow->add_option("--reason", options->reason, "Why; it goes on the activity");
  auto* reject = add("reject", "Keep access until a date, or until the subject's grants change",
                     [&session, options] { return decide(session, *options, false); });
  add_what(reject);
  reject->add_option("--reason", options->reason, "Why; it goes on the activity")->required();
  reject->add_option("--until", options->until, "As in 2027-01-31T00:00:00Z")->required();
}

}  // namespace deprov::cli
