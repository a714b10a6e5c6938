// `demo`: two servers, two IdPs, 25 people, and whether the app ends up as it has to.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/http/curl_transport.hpp>
#include <deprov/runtime/clock.hpp>
#include <iostream>
#include <set>
#include "cli/activity.hpp"
#include "cli/commands.hpp"
#include "cli/demo_idp.hpp"
#include "cli/demo_process.hpp"

namespace deprov::cli {

namespace {

constexpr auto start_timeout = std::chrono::seconds(10);
constexpr Duration work_timeout = std::chrono::seconds(30);
constexpr Duration look_again = std::chrono::milliseconds(50);

/// A `deprov serve` of our own with its data directory.
struct Node {
  std::unique_ptr<Process> process;
  std::string url;
  std::unique_ptr<Api> api;
};

/// One integration and the app behind it.
struct Pair {
  std::string name;
  std::string id;        ///< of the integration
  ScimEndpoint gateway;  ///< where the IdP sends
  ScimEndpoint app;      ///< where the app's accounts are
};

/// What has to become of somebody who lost access, or got it back.
struct Expected {
  std::string user, app, cause, via_group, state;
};

class Demo {
 public:
  explicit Demo(bool as_json) : as_json_(as_json), colour_(!as_json && on_terminal()) {}
  Result<int> run();

 private:
  Result<Node> start_node(const std::string& name);
  Result<Pair> connect(const std::string& name, const std::string& idp, const json::object& policy,
                       const std::vector<std::string>& users);
  Result<void> play();
  Result<void> show_activity();
  /// Shows the activity until no job is left and everybody expected has theirs. Errors: `timeout`, `cancelled`.
  Result<void> settle(const std::vector<Expected>& expected);
  Result<std::optional<json::value>> job_of(const Expected& e);
  Result<void> report();
  Result<void> read_app(const Pair& pair, const std::set<std::string>& inactive, std::size_t accounts);
  void say(const std::string& text) const;
  void discrepancy(const std::string& text) { discrepancies_.push_back(text); }

  bool as_json_;
  bool colour_;
  runtime::SystemClock clock_;
  std::unique_ptr<TemporaryDirectory> directory_;
  std::unique_ptr<port::HttpTransport> http_;
  Node deprov_, app_;
  Pair crm_, wiki_;
  std::unique_ptr<Idp> okta_, entra_;
  std::vector<Chain> chains_;
  std::vector<Expected> expected_;
  std::map<std::string, std::string> names_;                ///< subject -> userName
  std::map<std::string, std::vector<std::string>> events_;  ///< job -> what happened
  std::vector<std::string> discrepancies_;
  json::array people_;
  json::object apps_;
};

std::vector<std::string> users_between(int first, int last) {
  std::vector<std::string> users;
  for (int i = first; i <= last; ++i) users.push_back((i < 10 ? "user0" : "user") + std::to_string(i));
  return users;
}

void Demo::say(const std::string& text) const {
  if (as_json_) return;
  std::cout << (colour_ ? "\033[1m" : "") << text << (colour_ ? "\033[0m" : "") << std::endl;
}

Result<Node> Demo::start_node(const std::string& name) {
  const auto data = directory_->path() + "/" + name;
  DEPROV_TRY(init, Process::start({"init", "--data", data, "--json"}));
  DEPROV_TRY(first, init->line(start_timeout));
  if (init->wait(start_timeout) != 0) return Error(Errc::internal, "`deprov init` failed", data);
  Node node;
  DEPROV_TRY(process, Process::start({"serve", "--data", data, "--listen", "127.0.0.1:0", "--json"}));
  node.process = std::move(process);
  DEPROV_TRY(listening, node.process->line(start_timeout));
  boost::system::error_code ec;
  const auto token = json::parse(first, ec);
  const auto where = json::parse(listening, ec);
  if (ec) return Error(Errc::protocol, "the process did not say where it listens", data);
  node.url = cell(where, "listening");
  DEPROV_TRY(api, open_remote(node.url, cell(token, "owner_token"), ""));
  node.api = std::move(api);
  return node;
}

Result<Pair> Demo::connect(const std::string& name, const std::string& idp, const json::object& policy,
                           const std::vector<std::string>& users) {
  Pair pair;
  pair.name = name;
  // The app: a SCIM endpoint of the other process, with accounts of its own. Its jobs are nobody's business.
  DEPROV_TRY(target, app_.api->call("POST", "/integrations",
                                    json::object{{"name", name}, {"idp", "generic"}, {"connector", "null"}}));
  DEPROV_CHECK(app_.api->call("POST", "/integrations/" + cell(target, "id") + "/pause"));
  pair.app = {app_.url + cell(target, "scim_base_path"), cell(target, "scim_token")};
  for (const auto& user : users) {
    const json::object account{{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
                               {"userName", user_name_of(user)},
                               {"externalId", "00u-" + user},
                               {"active", true}};
    DEPROV_CHECK(scim_call(*http_, pair.app, "POST", "/Users", account));
  }
  const json::object config{
      {"base_url", pair.app.url}, {"allow_http", true}, {"auth", {{"type", "bearer"}, {"token", pair.app.token}}}};
  DEPROV_TRY(
      made, deprov_.api->call(
                "POST", "/integrations",
                json::object{
                    {"name", name}, {"idp", idp}, {"connector", "scim"}, {"config", config}, {"policy", policy}}));
  pair.id = cell(made, "id");
  pair.gateway = {deprov_.url + cell(made, "scim_base_path"), cell(made, "scim_token")};
  chains_.push_back({"/integrations/" + pair.id + "/activity", 0});
  return pair;
}

Result<void> Demo::show_activity() {
  DEPROV_TRY(records, read_chains(*deprov_.api, chains_, 1000));
  for (const auto* idp : {okta_.get(), entra_.get()})
    if (idp != nullptr)
      for (const auto& [user, id] : idp->users()) names_[id] = user_name_of(user);
  for (const auto& r : records) {
    const auto event = cell(r, "event");
    if (!r.at("job").is_null()) events_[cell(r, "job")].push_back(event);
    if (as_json_) continue;
    const auto app = cell(r, "integration") == crm_.id ? "crm " : "wiki";
    auto line = cell(r, "at").substr(11, 12) + "  " + app + "  " + event;
    line.resize(std::max<std::size_t>(line.size(), 44), ' ');
    const auto subject = cell(r, "subject");
    line += "  " + (names_.count(subject) != 0 ? names_[subject] : subject);
    if (const auto* detail = r.at("detail").if_object()) {
      for (const auto* member : {"cause", "operation", "effect", "outcome", "members", "reason"})
        if (detail->contains(member)) line += "  " + std::string(member) + " " + cell(r.at("detail"), member);
    }
    std::cout << safe(line) << "\n";
  }
  std::cout.flush();
  return {};
}

Result<std::optional<json::value>> Demo::job_of(const Expected& e) {
  const auto& pair = e.app == crm_.name ? crm_ : wiki_;
  const auto& idp = e.app == crm_.name ? *okta_ : *entra_;
  DEPROV_TRY(found,
             deprov_.api->call("GET", "/jobs?integration=" + pair.id + "&subject=" + idp.users().at(e.user)));
  for (const auto& job : found.at("items").as_array())
    if (cell(job, "kind") == "remove_access") return std::optional<json::value>(job);
  return std::optional<json::value>();
}

Result<void> Demo::settle(const std::vector<Expected>& expected) {
  const auto end = clock_.mono() + work_timeout;
  while (clock_.mono() < end) {
    if (interrupted()) return Error(Errc::cancelled, "interrupted");
    DEPROV_CHECK(show_activity());
    DEPROV_TRY(open, deprov_.api->call("GET", "/jobs?unfinished=true&limit=1"));
    bool done = open.at("items").as_array().empty();
    for (const auto& e : expected) {
      if (!done) break;
      DEPROV_TRY(job, job_of(e));
      done = job.has_value();
    }
    if (done) return show_activity();
    (void)runtime::Event().wait_for(look_again);
  }
  return Error(Errc::timeout, "the jobs were not finished in time", "demo");
}

Result<void> Demo::play() {
  const auto crm_users = users_between(1, 10);
  const auto wiki_users = users_between(11, 25);
  say("The app: a SCIM server of its own at " + app_.url + ", with 25 accounts");
  DEPROV_TRY(crm, connect("crm", "okta", {}, crm_users));
  crm_ = crm;
  json::array entitling;
  for (const auto* group : {"Wiki users", "Wiki admins", "Wiki guests"})
    entitling.push_back(json::object{{"display_name", group}});
  DEPROV_TRY(wiki, connect("wiki", "entra",
                           {{"settle_ms", 300},
                            {"entitling_groups", std::move(entitling)},
                            {"guard", {{"small", {{"least", 12}}}}}},
                           wiki_users));
  wiki_ = wiki;
  okta_ = std::make_unique<Idp>(*http_, Idp::Kind::okta, crm_.gateway);
  entra_ = std::make_unique<Idp>(*http_, Idp::Kind::entra, wiki_.gateway);

  say("\nOkta and Entra ID test their connections, and provision 25 users and 4 groups");
  DEPROV_CHECK(okta_->test_connection());
  DEPROV_CHECK(entra_->test_connection());
  for (const auto& user : crm_users) DEPROV_CHECK(okta_->provision(user));
  for (const auto& user : wiki_users) DEPROV_CHECK(entra_->provision(user));
  DEPROV_CHECK(okta_->push_group("Sales", users_between(1, 6)));
  DEPROV_CHECK(entra_->push_group("Wiki users", users_between(11, 18)));
  auto admins = users_between(17, 20);
  admins.push_back("user25");
  DEPROV_CHECK(entra_->push_group("Wiki admins", admins));
  DEPROV_CHECK(entra_->push_group("Wiki guests", users_between(21, 25)));
  DEPROV_CHECK(settle({}));

  say("\nOkta deactivates user03");
  const auto expect = [&](Expected e) {
    expected_.push_back(e);
    return std::vector<Expected>{std::move(e)};
  };
  auto wanted = expect({"user03", "crm", "deactivated", "", "succeeded_verified"});
  DEPROV_CHECK(okta_->set_active("user03", false));
  DEPROV_CHECK(settle(wanted));

  say("\nEntra ID takes user15, user16 and user17 out of \"Wiki users\"; user17 is a \"Wiki admin\" too");
  wanted = expect({"user15", "wiki", "lost_entitling_group", "Wiki users", "succeeded_verified"});
  wanted.push_back(expect({"user16", "wiki", "lost_entitling_group", "Wiki users", "succeeded_verified"}).front());
  DEPROV_CHECK(entra_->remove_members("Wiki users", {"user15", "user16", "user17"}));
  DEPROV_CHECK(settle(wanted));

  say("\nOkta deactivates user05 while crm is paused, and assigns it again before the job could run");
  wanted = expect({"user05", "crm", "deactivated", "", "superseded"});
  DEPROV_CHECK(deprov_.api->call("POST", "/integrations/" + crm_.id + "/pause"));
  DEPROV_CHECK(okta_->set_active("user05", false));
  DEPROV_CHECK(okta_->set_active("user05", true));
  DEPROV_CHECK(deprov_.api->call("POST", "/integrations/" + crm_.id + "/resume"));
  DEPROV_CHECK(settle(wanted));

  say("\nEntra ID deletes \"Wiki guests\"; user25 is a \"Wiki admin\" too");
  wanted.clear();
  for (const auto& user : users_between(21, 24))
    wanted.push_back(expect({user, "wiki", "group_deleted", "Wiki guests", "succeeded_verified"}).front());
  DEPROV_CHECK(entra_->delete_group("Wiki guests"));
  DEPROV_CHECK(settle(wanted));
  return {};
}

Result<void> Demo::report() {
  std::vector<std::vector<std::string>> rows;
  std::set<std::string> counted;
  for (const auto& e : expected_) {
    DEPROV_TRY(job, job_of(e));
    if (!job) {
      discrepancy(e.user + " in " + e.app + " has no job to remove access");
      continue;
    }
    const auto id = cell(*job, "id");
    counted.insert(id);
    const auto via = cell(*job, "via_group_name");
    const auto wanted_via = e.via_group.empty() ? std::string("-") : e.via_group;
    for (const auto& [what, is, ought] :
         {std::tuple{"cause", cell(*job, "cause"), e.cause}, std::tuple{"group", via, wanted_via},
          std::tuple{"state", cell(*job, "state"), e.state}}) {
      if (is == ought) continue;
      auto difference = e.user;
      difference.append(" in ").append(e.app).append(": ").append(what).append(" is ").append(is);
      discrepancy(difference.append(", and ought to be ").append(ought));
    }
    json::array states;
    std::string text;
    for (const auto& event : events_[id]) {
      if (event.rfind("removal.", 0) != 0 && event.rfind("job.", 0) != 0) continue;
      const auto word = event.substr(event.find('.') + 1);
      states.emplace_back(word);
      text += (text.empty() ? "" : " > ") + word;
    }
    const auto& took = job->at("time_to_deprovision_ms");
    rows.push_back({user_name_of(e.user), e.app, e.cause + (via == "-" ? "" : " via \"" + via + "\""), text,
                    e.state == "superseded" ? "-" : duration_text(took)});
    people_.push_back(json::object{{"user", user_name_of(e.user)},
                                   {"app", e.app},
                                   {"cause", job->at("cause")},
                                   {"via_group", job->at("via_group_name")},
                                   {"states", std::move(states)},
                                   {"state", job->at("state")},
                                   {"ms", took}});
  }
  DEPROV_TRY(all, deprov_.api->call("GET", "/jobs?limit=1000"));
  for (const auto& job : all.at("items").as_array()) {
    if (cell(job, "kind") == "remove_access" && counted.count(cell(job, "id")) == 0)
      discrepancy(cell(job, "user_name") + " has a removal that nobody asked for: " + cell(job, "id"));
  }
  if (as_json_) return {};
  std::cout << "\n";
  print_table({"WHO", "APP", "CAUSE", "STATES", "REQUEST TO VERIFIED"}, rows);
  return {};
}

Result<void> Demo::read_app(const Pair& pair, const std::set<std::string>& inactive, std::size_t accounts) {
  DEPROV_TRY(list, scim_call(*http_, pair.app, "GET", "/Users?startIndex=1&count=200"));
  std::size_t active = 0;
  std::size_t disabled = 0;
  for (const auto& user : list.at("Resources").as_array()) {
    const auto name = cell(user, "userName");
    const bool is_active = user.at("active").as_bool();
    ++(is_active ? active : disabled);
    if (is_active && inactive.count(name) != 0) discrepancy(name + " still has an active account in " + pair.name);
    if (!is_active && inactive.count(name) == 0)
      discrepancy(name + " lost the account in " + pair.name + " without cause");
  }
  if (active + disabled != accounts) {
    discrepancy(pair.name + " holds " + std::to_string(active + disabled) + " accounts instead of " +
                std::to_string(accounts));
  }
  apps_[pair.name] = json::object{{"active", active}, {"inactive", disabled}};
  say(pair.name + " holds " + std::to_string(active) + " active and " + std::to_string(disabled) +
      " disabled accounts");
  return {};
}

Result<int> Demo::run() {
  DEPROV_TRY(directory, TemporaryDirectory::make());
  directory_ = std::move(directory);
  http_ = http::make_curl_transport();
  DEPROV_TRY(app, start_node("app"));
  app_ = std::move(app);
  DEPROV_TRY(node, start_node("deprov"));
  deprov_ = std::move(node);
  DEPROV_CHECK(play());
  DEPROV_CHECK(report());
  say("\nRead from the app itself:");
  std::set<std::string> crm_gone, wiki_gone;
  for (const auto& e : expected_)
    if (e.state == "succeeded_verified") (e.app == "crm" ? crm_gone : wiki_gone).insert(user_name_of(e.user));
  DEPROV_CHECK(read_app(crm_, crm_gone, 10));
  DEPROV_CHECK(read_app(wiki_, wiki_gone, 15));
  for (auto* n : {&deprov_, &app_})
    if (n->process->stop() != 0) discrepancy("a server did not end cleanly");
  const bool good = discrepancies_.empty();
  if (as_json_) {
    json::array wrong;
    for (const auto& d : discrepancies_) wrong.emplace_back(d);
    print_json(
        json::object{{"ok", good}, {"people", people_}, {"app", apps_}, {"discrepancies", std::move(wrong)}});
  } else {
    for (const auto& d : discrepancies_) std::cout << "DISCREPANCY: " << safe(d) << "\n";
    say(good ? "\nEverybody who lost access is out, everybody else is in." : "\nThe demo failed.");
  }
  return good ? exit_ok : exit_failure;
}

}  // namespace

void add_demo_command(CLI::App& program, Session& session) {
  add_plain_command(program, session, "demo",
                    "Show it on this machine: two servers, two IdPs, 25 people; fails on any discrepancy",
                    [&session] {
                      note_interrupts();
                      return Demo(session.as_json).run();
                    });
}

}  // namespace deprov::cli
