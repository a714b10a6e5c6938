// tests/scenario/lifecycle.json, as its README says, through the C functions and through the C++ wrapper.
#include <boost/json/serialize.hpp>
#include <cctype>
#include <deprov_c.hpp>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>
#include "c_api.hpp"
#include "paths.hpp"

using namespace deprov::test;

namespace {

/// The app of the scenario, for both interfaces.
struct Roster {
  json::object accounts;  ///< id to the account's record
  explicit Roster(const json::value& said) {
    for (const auto& a : said.at("accounts").as_array()) accounts[a.at("id").as_string()] = a;
  }

  struct Answer {
    int32_t outcome = DEPROV_OUTCOME_OK;
    int32_t effect = DEPROV_EFFECT_NONE;
    json::array found{};
  };
  Answer answer(int32_t operation, std::string_view account, std::string_view external, std::string_view login) {
    Answer a;
    switch (operation) {
      case DEPROV_OPERATION_CHECK: break;
      case DEPROV_OPERATION_FIND:
        for (const auto& [id, record] : accounts)
          if (record.at("external_id").as_string() == external || record.at("user_name").as_string() == login)
            a.found.push_back(record);
        break;
      case DEPROV_OPERATION_READ:
        if (const auto* record = accounts.if_contains(account); record != nullptr) {
          a.found.push_back(*record);
        } else {
          a.outcome = DEPROV_OUTCOME_NOT_FOUND;
        }
        break;
      case DEPROV_OPERATION_LIST:
        for (const auto& [id, record] : accounts) a.found.push_back(record);
        break;
      case DEPROV_OPERATION_DISABLE:
      case DEPROV_OPERATION_ENABLE: {
        auto& active = accounts.at(account).as_object()["active"];
        const bool wanted = operation == DEPROV_OPERATION_ENABLE;
        a.effect = active.as_bool() == wanted ? DEPROV_EFFECT_ALREADY : DEPROV_EFFECT_DONE;
        active = wanted;
        break;
      }
      default: a.effect = DEPROV_EFFECT_DONE; break;
    }
    return a;
  }
};

struct Answered {
  int32_t status;
  std::string body;
};

/// What the scenario needs of an interface.
struct Port {
  Port() = default;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  virtual ~Port() = default;
  virtual std::string make_workspace() = 0;
  virtual json::value make_integration(const std::string& workspace, const std::string& integration) = 0;
  /// With the token, or, without one, as the local administrator of the workspace.
  virtual Answered call(const std::string& method, const std::string& target, const std::string& body,
                        const std::string& token, const std::string& workspace) = 0;
  virtual void settle() = 0;
  virtual std::vector<json::value> activity(const std::string& workspace, const std::string& integration) = 0;
  /// The report of a list, or the name of the error that its end answered.
  virtual json::value list(const std::string& workspace, const std::string& integration, const std::string& source,
                           const json::object& list) = 0;
  /// The body, piece by piece.
  virtual std::string stream(const std::string& target, const std::string& workspace) = 0;
  virtual json::value verify(const std::string& evidence) = 0;
};

/// The users of a list, for both interfaces.
struct Listed {
  struct User {
    std::string id, external_id, user_name;
    bool active;
  };
  std::vector<User> users;
  bool dry_run;
  uint64_t count;
  explicit Listed(const json::object& said)
      : dry_run(said.contains("dry_run")), count(said.at("count").to_number<uint64_t>()) {
    for (const auto& u : said.at("users").as_array()) {
      const auto& o = u.as_object();
      const auto* active = o.if_contains("active");
      users.push_back({std::string(o.at("id").as_string()), std::string(o.at("external_id").as_string()),
                       std::string(o.at("user_name").as_string()), active == nullptr || active->as_bool()});
    }
  }
};

std::string described(const json::value& connector) {
  return json::serialize(json::object{{"id", connector.at("id")}, {"operations", connector.at("operations")}});
}

class InC final : public Port {
 public:
  InC(const json::value& connector, Roster& roster, const int64_t& now_ms) {
    deprov_connector_callbacks c{};
    c.struct_size = sizeof c;
    c.user = &roster;
    c.start = [](void* user, void*, deprov_call* call) {
      const auto a = static_cast<Roster*>(user)->answer(
          deprov_call_get_operation(call), text(deprov_call_get_account(call)),
          text(deprov_call_get_external_id(call)), text(deprov_call_get_user_name(call)));
      const auto accounts = json::serialize(a.found);
      deprov_reply reply{};
      reply.struct_size = sizeof reply;
      reply.outcome = a.outcome;
      reply.effect = a.effect;
      reply.accounts = str(accounts);
      deprov_call_complete(call, &reply, nullptr);
      deprov_call_free(call);
    };
    deprov_connector* made = nullptr;
    REQUIRE(deprov_connector_new(str(described(connector)), &c, &made, nullptr) == DEPROV_OK);
    const ConnectorPtr owned(made);
    const deprov_connector* handle = made;
    auto o = in_memory();
    o.host_driven = 1;
    o.connectors = &handle;
    o.connector_count = 1;
    o.clock_user = const_cast<int64_t*>(&now_ms);
    o.clock = [](void* user) { return *static_cast<const int64_t*>(user) * 1000; };
    engine_ = open(o);
  }
  std::string make_workspace() override {
    return std::string(
        manage(engine_.get(), nullptr, "POST", "/workspaces", R"({"name": "acme"})").at("id").as_string());
  }
  json::value make_integration(const std::string& workspace, const std::string& integration) override {
    const deprov_caller by{sizeof by, str(workspace), {nullptr, 0}};
    return manage(engine_.get(), &by, "POST", "/integrations", integration);
  }
  Answered call(const std::string& method, const std::string& target, const std::string& body,
                const std::string& token, const std::string& workspace) override {
    const auto bearer = "Bearer " + token;
    const deprov_header headers[] = {
        {str("Content-Type"), str(token.empty() ? "application/json" : "application/scim+json")},
        {str("Authorization"), str(bearer)}};
    deprov_request r{};
    r.struct_size = sizeof r;
    r.as = token.empty() ? DEPROV_AS_LOCAL : DEPROV_AS_TOKEN;
    r.method = str(method);
    r.target = str(target);
    r.headers = headers;
    r.header_count = token.empty() ? 1 : 2;
    r.body = str(body);
    r.workspace = str(token.empty() ? workspace : std::string_view{});
    deprov_response* response = nullptr;
    REQUIRE(deprov_engine_call(engine_.get(), &r, &response, nullptr) == DEPROV_OK);
    const ResponsePtr owned(response);
    return {deprov_response_get_status(response), text(deprov_response_get_body(response))};
  }
  void settle() override {
    int64_t wait = 0;
    while (wait == 0) REQUIRE(deprov_engine_pump(engine_.get(), 50, &wait, nullptr) == DEPROV_OK);
  }
  std::vector<json::value> activity(const std::string& workspace, const std::string& integration) override {
    const deprov_caller by{sizeof by, str(workspace), {nullptr, 0}};
    deprov_rows_options o{};
    o.struct_size = sizeof o;
    o.kind = DEPROV_ROWS_ACTIVITY;
    o.integration = str(integration);
    deprov_rows* rows = nullptr;
    REQUIRE(deprov_rows_open(engine_.get(), &by, &o, &rows, nullptr) == DEPROV_OK);
    const RowsPtr owned(rows);
    std::vector<json::value> out;
    deprov_str row{};
    while (deprov_rows_next(rows, &row, nullptr) == DEPROV_OK) out.push_back(json::parse(text(row)));
    return out;
  }
  json::value list(const std::string& workspace, const std::string& integration, const std::string& source,
                   const json::object& list) override {
    const Listed listed(list);
    const deprov_caller by{sizeof by, str(workspace), {nullptr, 0}};
    deprov_list_options o{};
    o.struct_size = sizeof o;
    o.integration = str(integration);
    o.source = str(source);
    o.dry_run = listed.dry_run ? 1 : 0;
    deprov_list* made = nullptr;
    REQUIRE(deprov_list_begin(engine_.get(), &by, &o, &made, nullptr) == DEPROV_OK);
    const std::unique_ptr<deprov_list, Freer<deprov_list, deprov_list_free>> owned(made);
    std::vector<deprov_list_user> rows;
    for (const auto& u : listed.users)
      rows.push_back({str(u.id), str(u.external_id), str(u.user_name), {}, u.active ? 0 : 1, 0});
    REQUIRE(deprov_list_add(made, rows.data(), rows.size(), nullptr) == DEPROV_OK);
    deprov_buffer* report = nullptr;
    const auto status = deprov_list_end(made, &listed.count, &report, nullptr);
    const BufferPtr bytes(report);
    if (status != DEPROV_OK) return json::value(text(deprov_status_get_name(status)));
    return json::parse(text(deprov_buffer_get(report)));
  }
  std::string stream(const std::string& target, const std::string& workspace) override {
    deprov_request r{};
    r.struct_size = sizeof r;
    r.as = DEPROV_AS_LOCAL;
    r.method = str("GET");
    r.target = str(target);
    r.workspace = str(workspace);
    deprov_response* response = nullptr;
    REQUIRE(deprov_engine_call(engine_.get(), &r, &response, nullptr) == DEPROV_OK);
    const ResponsePtr owned(response);
    std::string all;
    deprov_str piece{};
    while (deprov_response_read(response, 60'000, &piece, nullptr) == DEPROV_OK) all += text(piece);
    return all;
  }
  json::value verify(const std::string& evidence) override {
    deprov_verifier* made = nullptr;
    REQUIRE(deprov_verifier_new(nullptr, &made, nullptr) == DEPROV_OK);
    const std::unique_ptr<deprov_verifier, Freer<deprov_verifier, deprov_verifier_free>> owned(made);
    REQUIRE(deprov_verifier_feed(made, str(evidence), nullptr) == DEPROV_OK);
    int32_t holds = 0;
    deprov_buffer* report = nullptr;
    REQUIRE(deprov_verifier_finish(made, &holds, &report, nullptr) == DEPROV_OK);
    const BufferPtr bytes(report);
    auto found = json::parse(text(deprov_buffer_get(report)));
    CHECK(found.at("holds").as_bool() == (holds == 1));
    return found;
  }

 private:
  EnginePtr engine_;
};

class InCxx final : public Port {
 public:
  InCxx(const json::value& connector, Roster& roster, const int64_t& now_ms)
      : connector_(described(connector),
                   [&roster](std::string_view) -> std::unique_ptr<deprov_c::App> {
                     return std::make_unique<App>(roster);
                   }),
        engine_(options(connector_, now_ms)) {}
  std::string make_workspace() override {
    return deprov_c::record_get(engine_.create_workspace("acme", "owner"), "id");
  }
  json::value make_integration(const std::string& workspace, const std::string& integration) override {
    return json::parse(engine_.create_integration({workspace, {}}, integration));
  }
  Answered call(const std::string& method, const std::string& target, const std::string& body,
                const std::string& token, const std::string& workspace) override {
    deprov_c::Request r;
    r.method = method;
    r.target = target;
    r.headers = {{"Content-Type", token.empty() ? "application/json" : "application/scim+json"}};
    if (!token.empty()) r.headers.emplace_back("Authorization", "Bearer " + token);
    r.body = body;
    r.local = token.empty();
    if (r.local) r.workspace = workspace;
    const auto response = engine_.call(r);
    return {response.status(), std::string(response.body())};
  }
  void settle() override {
    while (engine_.pump(deprov_c::Milliseconds(50)).count() == 0) {
    }
  }
  std::vector<json::value> activity(const std::string& workspace, const std::string& integration) override {
    auto rows = engine_.rows({workspace, {}}, {DEPROV_ROWS_ACTIVITY, integration, {}, {}, 0});
    std::vector<json::value> out;
    while (const auto row = rows.next()) out.push_back(json::parse(json::string_view(row->data(), row->size())));
    return out;
  }
  json::value list(const std::string& workspace, const std::string& integration, const std::string& source,
                   const json::object& list) override {
    const Listed listed(list);
    std::vector<deprov_c::ListUser> rows;
    for (const auto& u : listed.users) rows.push_back({u.id, u.external_id, u.user_name, {}, u.active});
    auto made = engine_.begin_list({workspace, {}}, {integration, source, listed.dry_run});
    made.add(rows);
    try {
      return json::parse(made.end(listed.count));
    } catch (const deprov_c::Error& e) {
      return json::value(deprov_c::view(deprov_status_get_name(e.status())));
    }
  }
  std::string stream(const std::string& target, const std::string& workspace) override {
    deprov_c::Request r;
    r.target = target;
    r.local = true;
    r.workspace = workspace;
    auto response = engine_.call(r);
    std::string all;
    while (const auto piece = response.read(std::chrono::seconds(60))) all += *piece;
    return all;
  }
  json::value verify(const std::string& evidence) override {
    deprov_c::Verifier verifier;
    verifier.feed(evidence);
    const auto verdict = verifier.finish();
    auto found = json::parse(verdict.report);
    CHECK(found.at("holds").as_bool() == verdict.holds);
    return found;
  }

 private:
  class App final : public deprov_c::App {
   public:
    explicit App(Roster& roster) : roster_(roster) {}
    void start(deprov_c::Call call) override {
      const auto a = roster_.answer(call.operation(), call.account(), call.external_id(), call.user_name());
      deprov_c::Reply reply;
      reply.outcome = a.outcome;
      reply.effect = a.effect;
      reply.accounts = json::serialize(a.found);
      (void)call.complete(reply);
    }

   private:
    Roster& roster_;
  };
  static deprov_c::Options options(const deprov_c::Connector& connector, const int64_t& now_ms) {
    deprov_c::Options o;
    o.in_memory = true;
    o.host_driven = true;
    o.connectors = {&connector};
    o.clock = [&now_ms] { return std::chrono::milliseconds(now_ms); };
    return o;
  }

  deprov_c::Connector connector_;
  deprov_c::Engine engine_;
};

class Player {
 public:
  Player(const json::value& scenario, Port& port, int64_t& now_ms)
      : scenario_(scenario), port_(port), now_ms_(now_ms), workspace_(port.make_workspace()) {
    const auto made = port.make_integration(workspace_, json::serialize(scenario.at("integration")));
    base_ = made.at("scim_base_path").as_string();
    token_ = made.at("scim_token").as_string();
    saved_["integration"] = std::string(made.at("id").as_string());
  }

  void play(const json::object& step) {
    now_ms_ += 1;
    INFO(text_of(step.at("name")));
    if (const auto* forward = step.if_contains("advance_ms")) {
      now_ms_ += forward->as_int64();
    } else if (step.contains("evidence")) {
      check_evidence();
    } else if (step.contains("list")) {
      hand_in(step);
    } else {
      ask(step);
    }
    port_.settle();
  }

  std::vector<std::string> activity() {
    std::map<std::string, std::string> names;
    for (const auto& [name, value] : saved_) names[value] = name;
    std::vector<std::string> lines;
    for (const auto& record : port_.activity(workspace_, saved_.at("integration"))) {
      auto line = text_of(record.at("event")) + " ";
      if (record.at("subject").is_null()) {
        line += "-";
      } else {
        const auto known = names.find(text_of(record.at("subject")));
        line += known == names.end() ? "new" : known->second;
      }
      for (const auto& key : scenario_.at("activity_keys").as_array())
        if (const auto* value = record.at("detail").as_object().if_contains(key.as_string()))
          line += " " + text_of(key) + "=" + text_of(*value);
      lines.push_back(std::move(line));
    }
    return lines;
  }

 private:
  static std::string text_of(const json::value& v) {
    return v.is_string() ? std::string(v.as_string()) : json::serialize(v);
  }
  /// With what was saved in the place of ${name}.
  std::string fill(const std::string& in) const {
    std::string out;
    std::size_t at = 0;
    for (auto open = in.find("${"); open != std::string::npos; open = in.find("${", at)) {
      const auto close = in.find('}', open);
      out += in.substr(at, open - at) + saved_.at(in.substr(open + 2, close - open - 2));
      at = close + 1;
    }
    return out + in.substr(at);
  }
  void ask(const json::object& step) {
    const bool scim = step.contains("scim");
    const auto& request = step.at(scim ? "scim" : "admin").as_object();
    const auto* body = request.if_contains("body");
    const auto answer = port_.call(
        text_of(request.at("method")), (scim ? base_ : "/api/v1") + fill(text_of(request.at("path"))),
        body == nullptr ? std::string{} : fill(json::serialize(*body)), scim ? token_ : std::string{}, workspace_);
    INFO(answer.body);
    REQUIRE(answer.status == step.at("status").as_int64());
    const auto* save = step.if_contains("save");
    if (save == nullptr) return;
    const auto parsed = json::parse(answer.body);
    for (const auto& [name, pointer] : save->as_object())
      saved_[std::string(name)] = text_of(parsed.at_pointer(pointer.as_string()));
  }
  void hand_in(const json::object& step) {
    const auto& list = step.at("list").as_object();
    const auto report = port_.list(workspace_, saved_.at("integration"), fill(text_of(list.at("source"))), list);
    if (const auto* refused = step.if_contains("refused")) {
      CHECK(report == *refused);
      return;
    }
    for (const auto& [name, value] : step.at("report").as_object()) CHECK(report.at(name) == value);
  }
  void check_evidence() {
    const auto& id = saved_.at("integration");
    const auto whole = port_.stream("/api/v1/evidence?integration=" + id, workspace_);
    const auto verdict = port_.verify(whole);
    CHECK(verdict.at("holds").as_bool());
    CHECK(verdict.at("records").to_number<std::size_t>() == port_.activity(workspace_, id).size());
    for (const auto& how : scenario_.at("tampering").as_array()) {
      INFO(text_of(how.at("name")));
      const auto found = port_.verify(tampered(whole, how.as_object()));
      CHECK_FALSE(found.at("holds").as_bool());
      const auto& problem = found.at("problems").as_array().at(0);
      CHECK(text_of(problem.at("kind")) + " " + text_of(problem.at("seq")) == text_of(how.at("found")));
    }
  }
  static std::string tampered(const std::string& whole, const json::object& how) {
    std::vector<std::string> lines;
    std::istringstream in(whole);
    for (std::string line; std::getline(in, line);) lines.push_back(std::move(line));
    const auto at = how.at("record").to_number<std::size_t>() + 1;
    if (const auto* texts = how.if_contains("replace")) {
      const auto from = text_of(texts->as_array().at(0));
      const auto place = lines.at(at).find(from);
      REQUIRE(place != std::string::npos);
      lines[at].replace(place, from.size(), text_of(texts->as_array().at(1)));
    } else if (how.contains("remove")) {
      lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      std::swap(lines.at(at), lines.at(at + 1));
    }
    std::string all;
    for (const auto& line : lines) all += line + "\n";
    return all;
  }

  const json::value& scenario_;
  Port& port_;
  int64_t& now_ms_;
  std::string workspace_, base_, token_;
  std::map<std::string, std::string> saved_;
};

json::value read_scenario() {
  std::ifstream file(source_dir() + "/tests/scenario/lifecycle.json");
  std::ostringstream text;
  text << file.rdbuf();
  return json::parse(text.str());
}

template <class Interface>
void play() {
  const auto scenario = read_scenario();
  int64_t now_ms = scenario.at("clock_ms").as_int64();
  Roster roster(scenario.at("connector"));
  Interface port(scenario.at("connector"), roster, now_ms);
  Player player(scenario, port, now_ms);
  for (const auto& step : scenario.at("steps").as_array()) player.play(step.as_object());
  std::vector<std::string> expected;
  for (const auto& line : scenario.at("activity").as_array()) expected.emplace_back(line.as_string());
  CHECK(player.activity() == expected);
  json::object active;
  for (const auto& [id, record] : roster.accounts) active[id] = record.at("active");
  CHECK(json::value(active) == scenario.at("accounts"));
}

}  // namespace

TEST_CASE("one life of an integration, told in C") { play<InC>(); }
TEST_CASE("one life of an integration, told through the C++ wrapper") { play<InCxx>(); }
