#include <algorithm>
#include <deprov/runtime/event_thread.hpp>
#include <iostream>
#include <optional>
#include "cli/activity.hpp"
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

constexpr Duration activity_poll = std::chrono::milliseconds(300);

struct ActivityOptions {
  std::optional<std::uint64_t> after;
  std::size_t limit = 100;
  bool follow = false;
};

Result<std::vector<std::string>> paths_of(Api& api, const Session& session) {
  std::vector<std::string> paths;
  if (!session.integration.empty()) {
    DEPROV_TRY(id, find_integration(api, session.integration));
    paths.push_back("/integrations/" + id + "/activity");
    return paths;
  }
  paths.emplace_back("/activity");
  DEPROV_TRY(found, api.call("GET", "/integrations"));
  for (const auto& i : found.at("items").as_array())
    paths.push_back("/integrations/" + cell(i, "id") + "/activity");
  return paths;
}

/// Where reading begins: after what was named, else so that the newest `limit` records are shown.
Result<std::uint64_t> start_of(Api& api, const std::string& path, const ActivityOptions& o) {
  if (o.after) return *o.after;
  DEPROV_TRY(page, api.call("GET", path + "?limit=1"));
  const auto head = page.at("head").to_number<std::uint64_t>();
  return head > o.limit ? head - o.limit : 0;
}

/// Chains that came into being since are read from their beginning.
Result<void> add_new_chains(Api& api, const Session& session, std::vector<Chain>& chains) {
  if (!session.integration.empty()) return {};
  DEPROV_TRY(paths, paths_of(api, session));
  for (auto& path : paths) {
    const bool known = std::any_of(chains.begin(), chains.end(), [&](const Chain& c) { return c.path == path; });
    if (!known) chains.push_back({std::move(path), 0});
  }
  return {};
}

Result<int> show_activity(const Session& session, const ActivityOptions& o) {
  DEPROV_TRY(api, session.open());
  if (o.follow && !api->remote()) {
    return Error(Errc::invalid_argument, "nothing can happen in a data directory that no server uses", "--follow",
                 "follow a running server with --server URL --token TOKEN");
  }
  DEPROV_TRY(paths, paths_of(*api, session));
  std::vector<Chain> chains;
  for (auto& path : paths) {
    DEPROV_TRY(after, start_of(*api, path, o));
    chains.push_back({std::move(path), after});
  }
  for (;;) {
    DEPROV_TRY(records, read_chains(*api, chains, o.follow ? 1000 : o.limit));
    for (const auto& r : records) {
      if (session.as_json) {
        print_json(r);
      } else {
        std::cout << activity_line(r) << "\n";
      }
    }
    std::cout.flush();
    // A reader that went away ends it.
    if (!o.follow || !std::cout) return exit_ok;
    (void)runtime::Event().wait_for(activity_poll);
    DEPROV_CHECK(add_new_chains(*api, session, chains));
  }
}

}  // namespace

Result<json::array> read_chains(Api& api, std::vector<Chain>& chains, std::size_t limit) {
  json::array all;
  for (auto& chain : chains) {
    DEPROV_TRY(page, api.call("GET", chain.path + "?after=" + std::to_string(chain.after) +
                                         "&limit=" + std::to_string(limit)));
    for (auto& r : page.at("items").as_array()) {
      chain.after = r.at("seq").to_number<std::uint64_t>();
      all.push_back(std::move(r));
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const json::value& a, const json::value& b) { return cell(a, "at") < cell(b, "at"); });
  return all;
}

std::string activity_line(const json::value& record) {
  std::string line = cell(record, "at") + "  " + cell(record, "event");
  line.resize(std::max<std::size_t>(line.size(), 52), ' ');
  line += "  " + cell(record, "actor");
  if (!record.at("subject").is_null()) line += "  subject " + cell(record, "subject");
  if (!record.at("job").is_null()) line += "  job " + cell(record, "job");
  if (const auto* detail = record.at("detail").if_object(); detail != nullptr && !detail->empty())
    line += "  " + cell(record, "detail");
  return safe(line);
}

void add_activity_command(CLI::App& program, Session& session) {
  const auto options = std::make_shared<ActivityOptions>();
  auto* command = add_command(program, session, "activity",
                              "What happened: in one integration, or in all of them and the workspace",
                              [&session, options] { return show_activity(session, *options); });
  command->add_option("--integration", session.integration, "Only this one, by id or name");
  command->add_flag("--follow", options->follow, "Go on as things happen");
  command->add_option("--after", options->after, "Only records with a higher seq; left out: the newest")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--limit", options->limit, "Of each chain, 1 to 1000")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

}  // namespace deprov::cli
