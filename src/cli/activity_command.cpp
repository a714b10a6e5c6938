#include <algorithm>
#include <deprov/runtime/event_thread.hpp>
#include <iostream>
#include "cli/activity.hpp"
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

constexpr Duration poll_interval = std::chrono::milliseconds(300);

struct ActivityOptions {
  std::uint64_t after = 0;
  std::size_t limit = 100;
  bool follow = false;
};

Result<std::vector<Chain>> chains_of(Api& api, const Session& session, std::uint64_t after) {
  std::vector<Chain> chains;
  if (!session.integration.empty()) {
    DEPROV_TRY(id, find_integration(api, session.integration));
    chains.push_back({"/integrations/" + id + "/activity", after});
    return chains;
  }
  chains.push_back({"/activity", after});
  DEPROV_TRY(found, api.call("GET", "/integrations"));
  for (const auto& i : found.at("items").as_array())
    chains.push_back({"/integrations/" + cell(i, "id") + "/activity", after});
  return chains;
}

Result<int> show(const Session& session, const ActivityOptions& o) {
  DEPROV_TRY(api, session.open());
  if (o.follow && !api->remote()) {
    return Error(Errc::invalid_argument, "nothing can happen in a data directory that no server uses", "--follow",
                 "follow a running server with --server URL --token TOKEN");
  }
  DEPROV_TRY(chains, chains_of(*api, session, o.after));
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
    (void)runtime::Event().wait_for(poll_interval);
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
                              [&session, options] { return show(session, *options); });
  command->add_option("--integration", session.integration, "Only this one, by id or name");
  command->add_flag("--follow", options->follow, "Go on as things happen");
  command->add_option("--after", options->after, "Only records with a higher seq")->capture_default_str();
  command->add_option("--limit", options->limit, "Of each chain, 1 to 1000")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

}  // namespace deprov::cli
