// `source`: lists of who has access, from elsewhere than SCIM push: kept and followed, or compared once.
#include <algorithm>
#include <deprov/idp/feed.hpp>
#include <fstream>
#include <iostream>
#include <optional>
#include <utility>
#include <vector>
#include "cli/commands.hpp"
#include "cli/source_options.hpp"

namespace deprov::cli {

namespace {

constexpr std::size_t piece = std::size_t{1} << 20U;

/// The source that is meant. Errors: `not_found`.
Result<json::value> find_source(Api& api, const std::string& integration, const std::string& name_or_id) {
  DEPROV_TRY(all, api.call("GET", "/integrations/" + integration + "/sources"));
  for (const auto& s : all.at("items").as_array())
    if (cell(s, "id") == name_or_id || cell(s, "name") == name_or_id) return s;
  return Error(Errc::not_found, "the integration has no such source", name_or_id,
               "list them with `deprov source list`");
}

/// Hands the file in. Where not all of it arrives, the list is given up and never ended: whoever vouched for the
/// whole file would vouch for a part of it (R6).
Result<json::value> hand_in(Api& api, std::istream& in, const std::string& file, const std::string& list,
                            std::optional<std::uint64_t> count) {
  const auto base = "/lists/" + list;
  std::string buffer(piece, '\0');
  std::uint64_t offset = 0;
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto n = static_cast<std::size_t>(in.gcount());
    if (n == 0) break;
    auto fed = api.call_raw("PUT", base + "/bytes?offset=" + std::to_string(offset), buffer.substr(0, n));
    if (!fed) {
      auto given_up = base;
      given_up.append("?failure=").append(url_encoded(fed.error().message().substr(0, 900)));
      if (fed.error().code() != Errc::unavailable) (void)api.call("DELETE", given_up);
      return fed.error().within(file);
    }
    offset += n;
  }
  if (in.bad()) {
    (void)api.call("DELETE", base);
    return Error(Errc::io, "the file could not be read to its end", "--file " + file);
  }
  json::object end;
  if (count) end["count"] = *count;
  auto report = api.call("POST", base + "/end", end);
  if (!report) return report.error().within(file);
  return report;
}

int show_differences(const Session& session, json::value found, std::size_t limit) {
  auto& report = found.as_object();
  if (session.as_json) {
    print_json(report);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& d : report.at("differences").as_array())
    rows.push_back({cell(d, "kind"), d.at("acts").as_bool() ? "yes" : "", cell(d, "user_name"),
                    cell(d, "external_id"), cell(d, "subject"), cell(d, "what")});
  if (!rows.empty()) {
    print_table({"DIFFERENCE", "ACTS", "USER NAME", "EXTERNAL ID", "SUBJECT", "WHAT"}, rows);
    if (report.at("more").as_bool()) std::cout << "more: --limit " << limit * 10 << "\n";
    std::cout << "\n";
  }
  report.erase("differences");
  print_members(report);
  return exit_ok;
}

/// Opens the file before anything else, so that a name that is wrong costs nothing.
Result<std::istream*> open_file(const SourceOptions& o, std::ifstream& file) {
  if (o.file == "-") return &std::cin;
  file.open(o.file, std::ios::binary);
  if (!file) return Error(Errc::not_found, "the file cannot be read", "--file " + o.file);
  return &file;
}

/// Reads a polled source now.
Result<int> poll(const Session& session, const SourceOptions& o, bool dry_run) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(source, find_source(*api, id, o.source));
  const auto& polled = source.as_object();
  if (cell(source, "kind") == "events")
    return Error(Errc::invalid_argument, o.source + " has no list to read: events come to it", "SOURCE",
                 "where they are fetched, `deprov source show` says when next");
  if (polled.contains("poll") && polled.at("poll").is_null())
    return Error(Errc::invalid_argument, "lists are handed in to this source", "--file",
                 "name the file that has the list, or - for standard input");
  DEPROV_TRY(report, api->call("POST", "/integrations/" + id + "/sources/" + cell(source, "id") + "/poll",
                               json::object{{"dry_run", dry_run},
                                            {"complete", o.complete},
                                            {"differences", std::min<std::size_t>(o.limit, 10'000)}}));
  return show_differences(session, std::move(report), o.limit);
}

Result<int> check(const Session& session, const SourceOptions& o) {
  if (!o.source.empty()) return poll(session, o, true);
  if (o.file.empty())
    return Error(Errc::invalid_argument, "nothing says what to compare with", "--file",
                 "name a file with the list, or with --source one that is polled");
  DEPROV_TRY(config, list_config(o, true));
  std::ifstream file;
  DEPROV_TRY(in, open_file(o, file));
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(begun,
             api->call("POST", "/integrations/" + id + "/lists",
                       json::object{{"config", config}, {"differences", std::min<std::size_t>(o.limit, 10'000)}}));
  DEPROV_TRY(report, hand_in(*api, *in, o.file, cell(begun, "list"), o.count));
  return show_differences(session, std::move(report), o.limit);
}

Result<int> sync(const Session& session, const SourceOptions& o) {
  if (o.file.empty()) return poll(session, o, o.dry_run);
  std::ifstream file;
  DEPROV_TRY(in, open_file(o, file));
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(source, find_source(*api, id, o.source));
  json::object how{{"dry_run", o.dry_run}, {"differences", std::min<std::size_t>(o.limit, 10'000)}};
  if (!o.begun.empty()) how["begun"] = o.begun;
  DEPROV_TRY(begun, api->call("POST", "/integrations/" + id + "/sources/" + cell(source, "id") + "/lists", how));
  DEPROV_TRY(report, hand_in(*api, *in, o.file, cell(begun, "list"), o.count));
  return show_differences(session, std::move(report), o.limit);
}

Result<int> add_source(const Session& session, const SourceOptions& o) {
  const bool events = o.kind == "events";
  const bool polled = !events && o.kind != "file" && o.kind != "rows";
  if (polled && idp::find_feed_kind(o.kind) == nullptr)
    return Error(Errc::invalid_argument, "there is no such kind of source", "--kind " + o.kind,
                 "give file, rows, events, or one of what is polled: " + feed_names());
  DEPROV_CHECK(options_fit(o, events, polled));
  if (events && o.events.poll_url.empty() && (o.events.poll_interval || !o.events.poll_authorization_file.empty()))
    return Error(Errc::invalid_argument, "how it is polled is said, and not where", "--poll-url", "give it, too");
  if (events && o.events.verification_url.empty() && !o.events.verification_authorization_file.empty())
    return Error(Errc::invalid_argument, "a secret is given for it, and not where it goes", "--verification-url",
                 "give it, too");
  if (polled && o.config_file.empty())
    return Error(
        Errc::invalid_argument, "a source that is polled needs to be told where and how", "--config",
        "give a JSON file such as {\"scim\":{\"base_url\":..},\"auth\":{\"type\":\"token\",\"token\":..}}");
  DEPROV_TRY(config, events   ? event_config_of(o.events, o.links_file)
                     : polled ? polled_config(o)
                              : list_config(o, false));
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  const auto answer = api->call("POST", "/integrations/" + id + "/sources",
                                json::object{{"name", o.name}, {"kind", o.kind}, {"config", config}});
  if (!answer) return at_option(answer.error(), o, events);
  const auto& made = *answer;
  if (session.as_json) {
    print_json(made);
    return exit_ok;
  }
  if (events) {
    std::cout << "source " << cell(made, "name") << " is " << cell(made, "id") << "\n";
    if (o.events.poll_url.empty()) std::cout << "Its transmitter pushes to: /events/" << cell(made, "id") << "\n";
    return exit_ok;
  }
  std::cout << "source " << cell(made, "name") << " is " << cell(made, "id")
            << "\nIts first list changes nothing: deprov source " << (polled ? "check " : "sync ") << id << " "
            << (polled ? "--source " : "") << cell(made, "name")
            << (polled ? " shows what differs\n" : " --file LIST\n");
  return exit_ok;
}

/// What options say of a member, beside what the file says of it: each member of it for itself.
Result<void> put_beside(json::object& change, std::string_view name, json::value given, const std::string& file) {
  auto* there = change.if_contains(name);
  if (there == nullptr || !given.is_object()) {
    change[name] = std::move(given);
    return {};
  }
  if (!there->is_object())
    return Error(Errc::invalid_argument, "the file gives it otherwise, and options give members of it",
                 "--config " + file + ": config/" + std::string(name), "leave one of both out");
  for (auto& [member, value] : given.get_object()) there->get_object()[member] = std::move(value);
  return {};
}

Result<int> set_source(const Session& session, SourceOptions o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(source, find_source(*api, id, o.source));
  o.kind = cell(source, "kind");
  const bool events = o.kind == "events";
  const bool polled = idp::find_feed_kind(o.kind) != nullptr;
  auto config_file = std::exchange(o.config_file, {});  // of any kind
  json::object change;
  if (!config_file.empty()) {
    DEPROV_TRY(config, read_json_file(config_file, "--config"));
    if (!config.is_object())
      return Error(Errc::invalid_argument, "it is not a JSON object", "--config " + config_file);
    change = std::move(config.get_object());
    DEPROV_CHECK(read_config_files(change));
  }
  DEPROV_CHECK(options_fit(o, events, polled || !config_file.empty()));
  DEPROV_TRY(of_events, event_config_of(o.events, o.links_file));
  for (auto& [name, value] : of_events) {
    const bool by_member = name == "poll" || name == "verification" || name == "links";
    if (by_member) {
      DEPROV_CHECK(put_beside(change, name, std::move(value), config_file));
    } else {
      change[name] = std::move(value);
    }
  }
  if (!o.inactive_cause.empty()) change["inactive_cause"] = o.inactive_cause;
  if (o.max_users) change["max_users"] = *o.max_users;
  if (o.floor || o.ceiling) {
    json::object poll;
    if (o.floor) poll["floor_s"] = *o.floor;
    if (o.ceiling) poll["ceiling_s"] = *o.ceiling;
    DEPROV_CHECK(put_beside(change, "poll", std::move(poll), config_file));
  }
  if (change.empty())
    return Error(Errc::invalid_argument, "nothing is to be changed", "--config",
                 "give a JSON file with the members that are to be different, or an option");
  const auto answer = api->call("PATCH", "/integrations/" + id + "/sources/" + cell(source, "id"),
                                json::object{{"config", std::move(change)}});
  o.config_file = std::move(config_file);
  if (!answer) return at_option(answer.error(), o, events);
  if (session.as_json) {
    print_json(*answer);
  } else {
    print_members(answer->as_object());
  }
  return exit_ok;
}

Result<int> list_sources(const Session& session) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(all, api->call("GET", "/integrations/" + id + "/sources"));
  if (session.as_json) {
    print_json(all);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& s : all.at("items").as_array())
    rows.push_back({cell(s, "name"), cell(s, "kind"), cell(s, "health"), cell(s, "users"), cell(s, "succeeded"),
                    cell(s, "next_poll"), cell(s, "failure"), cell(s, "id")});
  print_table({"NAME", "KIND", "HEALTH", "USERS", "LAST COMPLETE", "NEXT POLL", "FAILURE", "ID"}, rows);
  return exit_ok;
}

Result<int> show_one(const Session& session, const SourceOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(source, find_source(*api, id, o.source));
  if (session.as_json) {
    print_json(source);
  } else {
    print_members(source.as_object());
  }
  return exit_ok;
}

Result<int> remove_source(const Session& session, const SourceOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(source, find_source(*api, id, o.source));
  DEPROV_CHECK(api->call("DELETE", "/integrations/" + id + "/sources/" + cell(source, "id")));
  return exit_ok;
}

Result<int> verify(const Session& session, const SourceOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(source, find_source(*api, id, o.source));
  DEPROV_CHECK(api->call("POST", "/integrations/" + id + "/sources/" + cell(source, "id") + "/verify"));
  if (!session.as_json)
    std::cout << "asked for; its coming is on the activity as source.event, outcome verified\n";
  return exit_ok;
}

Result<int> link(const Session& session, const SourceOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(source, find_source(*api, id, o.source));
  DEPROV_CHECK(api->call("POST", "/integrations/" + id + "/sources/" + cell(source, "id") + "/links",
                         json::object{{"subject", o.subject}, {"identifier", o.identifier}}));
  return exit_ok;
}

Result<int> unlinked(const Session& session, const SourceOptions& o) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(id, find_integration(*api, session.integration));
  DEPROV_TRY(source, find_source(*api, id, o.source));
  DEPROV_TRY(all, api->call("GET", "/integrations/" + id + "/sources/" + cell(source, "id") + "/unlinked"));
  if (session.as_json) {
    print_json(all);
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& u : all.at("items").as_array())
    rows.push_back({cell(u, "why"), cell(u, "event"), cell(u, "count"), cell(u, "last"), cell(u, "subject")});
  print_table({"WHY", "EVENT", "COUNT", "LAST", "SUBJECT AS NAMED"}, rows);
  return exit_ok;
}

/// What is said of a list, whether it is one of a source or is looked at once.
void add_list_options(CLI::App& command, SourceOptions& o, const std::string& format_text) {
  command.add_option("--format", o.format, format_text);
  command.add_option("--id", o.id, "Column or path of what subjects are linked by")->capture_default_str();
  command.add_option("--link", o.link, "What of a subject that is: external_id, or id (of SCIM)")
      ->capture_default_str();
  command.add_option("--links", o.links_file,
                     "JSON file of subjects that you link yourself: {\"SUBJECT\":\"ID IN THE LIST\"}");
  command.add_option("--active", o.active, "Column or path that says whether somebody has access");
  command.add_option("--active-value", o.active_values,
                     "A value of it that means access (default true, 1, yes, active)");
  command.add_option("--inactive-value", o.inactive_values,
                     "A value of it that means none (default false, 0, no, inactive)");
  command.add_option("--list", o.list, "JSON: the path of the array, such as Resources or value");
  command.add_option("--delimiter", o.delimiter, "CSV: between fields")->capture_default_str();
  command.add_option("--end-marker", o.end_marker, "The line that ends a list of lines, such as #end");
  command.add_flag("--whole", o.whole, "You vouch that what is handed in is the whole list (csv, jsonl, rows)");
  command.add_option("--max-users", o.max_users, "A longer list is refused (default 5,000,000)");
}

void add_file_options(CLI::App& command, SourceOptions& o) {
  command.add_option("--file", o.file, "The list; - for standard input. A polled source needs none");
  command.add_option("--count", o.count, "How many users the list has, as its source counts");
  command.add_option("--limit", o.limit, "Differences that are shown, at most 10,000")->capture_default_str();
}

}  // namespace

void add_source_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("source", "Where changes come from, besides SCIM");
  group->require_subcommand(1);
  const auto o = std::make_shared<SourceOptions>();
  const auto named = [&](const char* name, const char* text, std::function<Result<int>()> action, bool one) {
    auto* command = add_command(*group, session, name, text, std::move(action));
    command->add_option("--integration,integration", session.integration, "Id or name")->required();
    if (one) command->add_option("--source,source", o->source, "Id or name")->required();
    return command;
  };
  auto* command = named(
      "check", "Compare a full list of who has access with the subjects here; nothing is changed",
      [&session, o] { return check(session, *o); }, false);
  add_file_options(*command, *o);
  add_list_options(*command, *o, "csv, json or jsonl (default: what the file's name ends with)");
  command->add_option("--source", o->source, "In place of a file: a polled source, by id or name; it is read now");
  command->footer(
      "A path in JSON is profile.login, or a JSON Pointer. A list that does not show its own end, is empty, or "
      "lists\n"
      "somebody twice is refused: nobody is absent from it. Exit codes: 0 the list was whole, whatever differs.");
  command = named(
      "add", "A source whose full lists are followed (the first one changes nothing), or that sends events",
      [&session, o] { return add_source(session, *o); }, false);
  command->add_option("--name", o->name, "For people; unique within the integration")->required();
  command
      ->add_option("--kind", o->kind,
                   "file (lists as bytes), rows (users, from a host), events (security event tokens), or what is "
                   "polled by itself: " +
                       feed_names())
      ->capture_default_str();
  command->add_option("--config", o->config_file,
                      "Polled: JSON file with a member of the kind's name, auth and poll; what is secret in it is "
                      "sealed, and may be in a file of its own, such as auth.private_key_file");
  add_event_options(*command, o->events, false);
  command->add_option("--inactive-cause", o->inactive_cause,
                      "What it means to be listed as not active: deactivated, suspended or soft_deleted");
  add_list_options(*command, *o, "How lists of it are written: csv, json or jsonl (default csv)");
  o->command = command;
  command = named(
      "set", "Another credential, schedule or link; what the source has read stays",
      [&session, o] {
        o->command = o->set;
        return set_source(session, *o);
      },
      true);
  o->set = command;
  command->add_option(
      "--config", o->config_file,
      "JSON file with the members of its config that are to be different, such as auth or poll; null "
      "takes one away, auth and hook are replaced whole, and files are named as for `source add`");
  command->add_option(
      "--links", o->links_file,
      "JSON file of subjects that you link yourself, besides those that are: {\"SUBJECT\":\"ID IN THE "
      "LIST\"}");
  command->add_option("--floor", o->floor, "Polled: seconds between polls at least");
  command->add_option("--ceiling", o->ceiling, "Polled: seconds between polls at most");
  command->add_option("--inactive-cause", o->inactive_cause,
                      "What it means to be listed as not active: deactivated, suspended or soft_deleted");
  command->add_option("--max-users", o->max_users, "A longer list is refused");
  add_event_options(*command, o->events, true);
  command = named(
      "sync", "Hand in a full list, or read a polled source now: who has left since the last one loses access",
      [&session, o] { return sync(session, *o); }, true);
  add_file_options(*command, *o);
  command->add_flag("--dry-run", o->dry_run, "Show what would happen, and change nothing");
  command->add_flag("--complete", o->complete,
                    "Polled: read everybody, also where asking for what changed would do");
  command->add_option("--begun", o->begun,
                      "When the list was exported, such as 2026-11-29T02:00:00Z (default: now): what SCIM showed "
                      "after that counts");
  command->footer(
      "The first list of a source is what later ones are compared with. A list that is cut off, empty or "
      "miscounted\n"
      "is refused: it ends nobody's access, and what was inferred from the source before waits until a list is "
      "whole.\n"
      "Many who leave at once wait for a person: deprov holds list.");
  named(
      "list", "The sources of an integration, with their health", [&session] { return list_sources(session); },
      false);
  named(
      "show", "One source", [&session, o] { return show_one(session, *o); }, true);
  named(
      "unlinked", "Whom the events of a source named that nobody here could be linked to",
      [&session, o] { return unlinked(session, *o); }, true);
  command = named(
      "link", "Say whom an identifier of a transmitter of events means",
      [&session, o] { return link(session, *o); }, true);
  command->add_option("--subject", o->subject, "SCIM id of the subject")->required();
  command->add_option("--as", o->identifier, "Its id at the transmitter; leave it out to end the link");
  named(
      "verify", "Ask the transmitter of events to send a verification event",
      [&session, o] { return verify(session, *o); }, true);
  named(
      "remove", "Forget a source; that ends nobody's access and restores nobody's",
      [&session, o] { return remove_source(session, *o); }, true);
}

}  // namespace deprov::cli
