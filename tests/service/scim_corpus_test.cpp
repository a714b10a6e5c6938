// What IdPs send, as sequences of requests in tests/service/corpus: answers, stored state and what the activity
// says, over the whole endpoint, on both stores, for the IdP by name and for `generic`. corpus/README.md tells the
// format.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/idp/dialect.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include "catch.hpp"
#include "paths.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
namespace json = boost::json;
using deprov::test::ScimReply;
using deprov::test::ScimWorld;

namespace {

using Names = std::map<std::string, std::string>;

/// "${ann}" stands for what an earlier step has saved under that name.
std::string filled(std::string text, const Names& names) {
  for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at)) {
    const auto end = text.find('}', at);
    const auto name = text.substr(at + 2, end - at - 2);
    INFO("the name " << name);
    REQUIRE(names.contains(name));
    text.replace(at, end + 1 - at, names.at(name));
  }
  return text;
}
json::value filled(const json::value& v, const Names& names) {
  return json::parse(filled(json::serialize(v), names));
}

json::value parse_file(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  boost::system::error_code ec;
  auto v = json::parse(text.str(), ec);
  INFO(file << " " << ec.message());
  REQUIRE_FALSE(ec);
  return v;
}

std::vector<std::filesystem::path> corpus() {
  std::vector<std::filesystem::path> out;
  for (const auto& e : std::filesystem::directory_iterator(test::source_dir() + "/tests/service/corpus"))
    if (e.path().extension() == ".json") out.push_back(e.path());
  std::sort(out.begin(), out.end());
  REQUIRE_FALSE(out.empty());
  return out;
}

/// All that a request could change.
struct Stored {
  std::string resources;
  std::size_t records = 0;
  std::size_t jobs = 0;
  friend bool operator==(const Stored&, const Stored&) = default;
};
Stored stored(ScimWorld& w) {
  Stored s;
  s.resources = w.get("/Users?count=1000").text + w.get("/Groups?count=1000").text;
  // What a read needs of its dialect is noted once, and changes nothing.
  s.records = w.activity().size() - w.events("request.dialect_rules") - w.events("request.ignored");
  w.read([&](port::Reader& reader) {
    const auto jobs = reader.jobs(w.client.context->row.scope, {}, std::nullopt, 1000);
    REQUIRE(jobs.has_value());
    s.jobs = jobs->rows.size();
  });
  return s;
}

/// What every answer has, whoever asks (RFC 7644 sections 3.1, 3.3, 3.4.2, 3.12).
void check_form(const ScimReply& r) {
  const bool empty = r.status == 204;
  CHECK(r.text.empty() == empty);
  if (!empty) CHECK(r.header("content-type").starts_with("application/scim+json"));
  if (r.status == 201) {
    CHECK(r.header("location") == r.str("/meta/location"));
    CHECK_FALSE(r.id().empty());
  }
  if (r.status >= 400) {
    CHECK(r.at("/schemas") == json::parse(R"(["urn:ietf:params:scim:api:messages:2.0:Error"])"));
    CHECK(r.str("/status") == std::to_string(r.status));
    CHECK(r.str("/detail").size() > 10);
  }
  if (r.at("/Resources").is_array())
    for (const auto* number : {"/totalResults", "/startIndex", "/itemsPerPage"}) CHECK(r.at(number).is_int64());
}

class Sequence {
 public:
  Sequence(const json::object& script, const std::string& idp, bool sqlite)
      : script_(script), world_(idp, settings(), policy(), {}, sqlite) {}

  void run() {
    for (const auto& step : script_.at("steps").as_array()) {
      INFO("step: " << std::string(step.at("do").as_string()));
      one(step.as_object());
    }
  }
  [[nodiscard]] const std::set<std::string>& rules() const { return all_rules_; }

 private:
  [[nodiscard]] json::object part(const char* name) const {
    const auto* v = script_.if_contains(name);
    return v != nullptr ? v->as_object() : json::object{};
  }
  [[nodiscard]] json::object settings() const { return part("settings"); }
  [[nodiscard]] json::object policy() const { return part("policy"); }

  static std::string text(const json::object& step, std::string_view name) {
    const auto* v = step.if_contains(name);
    return v != nullptr ? std::string(v->as_string()) : std::string();
  }

  ScimReply send(const json::object& step) {
    service::Request request;
    request.method = text(step, "method");
    request.target = world_.client.base + filled(text(step, "path"), names_);
    auto headers = part("headers");
    if (const auto* own = step.if_contains("headers"))
      for (const auto& h : own->as_object()) headers[h.key()] = h.value();
    for (const auto& h : headers)
      if (h.value().is_string()) request.headers.push_back({h.key(), std::string(h.value().get_string())});
    request.headers.push_back({"Authorization", "Bearer " + world_.client.token});
    request.headers.push_back({"Host", "gw.example.com"});
    if (const auto* body = step.if_contains("body")) request.body = filled(json::serialize(*body), names_);
    if (step.contains("raw")) request.body = filled(text(step, "raw"), names_);
    if (const auto* echo = step.if_contains("echo")) {  // what GET says, with changes
      auto got = world_.get(filled(text(step, "path"), names_)).body;
      const auto changes = filled(*echo, names_);
      for (const auto& m : changes.as_object()) got.as_object()[m.key()] = m.value();
      request.body = json::serialize(got);
    }
    return world_.raw(std::move(request));
  }

  void check_body(const ScimReply& r, const json::object& expected) {
    for (const auto& e : expected) {
      INFO(std::string(e.key()) << " in " << r.text);
      CHECK(r.at(e.key()) == filled(e.value(), names_));
    }
  }

  void one(const json::object& step) {
    world_.clock.advance(std::chrono::milliseconds(20));
    const auto before = stored(world_);
    const auto records = world_.activity().size();
    const auto r = send(step);
    INFO(r.text);
    CHECK(r.status == step.at("status").as_int64());
    check_form(r);
    if (step.contains("scim_type")) CHECK(r.str("/scimType") == text(step, "scim_type"));
    if (step.contains("says"))
      CHECK(r.str("/detail").find(filled(text(step, "says"), names_)) != std::string::npos);
    if (const auto* e = step.if_contains("expect")) check_body(r, e->as_object());
    if (const auto* save = step.if_contains("save"))
      for (const auto& s : save->as_object()) names_[s.key()] = r.str(s.value().as_string());
    const auto after = stored(world_);
    const bool reads = text(step, "method") == "GET" && !step.contains("events");
    if (r.status >= 400 || reads || step.contains("same")) CHECK(before == after);
    check_activity(step, records);
    if (const auto* list = step.if_contains("members"))
      for (const auto& m : list->as_object()) {
        auto is = world_.members(filled(std::string(m.key()), names_));
        std::sort(is.begin(), is.end());
        std::vector<std::string> wanted;
        for (const auto& id : m.value().as_array()) wanted.push_back(filled(std::string(id.as_string()), names_));
        std::sort(wanted.begin(), wanted.end());
        CHECK(is == wanted);
      }
    if (const auto* list = step.if_contains("then"))
      for (const auto& look : list->as_array()) {
        const auto& l = look.as_object();
        const auto seen = world_.get(filled(text(l, "get"), names_));
        INFO("then: " << text(l, "get"));
        const auto* status = l.if_contains("status");
        CHECK(seen.status == (status != nullptr ? status->as_int64() : 200));
        if (const auto* e = l.if_contains("expect")) check_body(seen, e->as_object());
      }
  }

  /// Events, without those of jobs, and rules since the record before the step.
  void check_activity(const json::object& step, std::size_t from) {
    const auto rows = world_.activity();
    json::array events;
    std::set<std::string> rules;
    for (std::size_t i = from; i < rows.size(); ++i) {
      if (!rows[i].event.starts_with("job.") && rows[i].event != "request.dialect_rules")
        events.emplace_back(rows[i].event);
      const auto detail = json::parse(rows[i].detail.value_or("{}"));
      if (const auto* list = detail.as_object().if_contains("dialect_rules"))
        for (const auto& rule : list->as_array()) rules.emplace(rule.as_string());
      if (step.contains("ignored")) CHECK(detail.as_object().contains("ignored"));
    }
    all_rules_.insert(rules.begin(), rules.end());
    if (const auto* wanted = step.if_contains("events")) CHECK(json::value(events) == *wanted);
    if (const auto* wanted = step.if_contains("rules")) {
      std::set<std::string> names;
      for (const auto& n : wanted->as_array()) names.emplace(n.as_string());
      CHECK(rules == names);
    }
  }

  const json::object& script_;
  ScimWorld world_;
  Names names_;
  std::set<std::string> all_rules_;
};

}  // namespace

TEST_CASE("recorded sequences of each IdP, by name and detected, on both stores", "[R11]") {
  std::set<std::string> rules;
  for (const auto& file : corpus()) {
    const auto script = parse_file(file).as_object();
    const std::string idp(script.at("idp").as_string());
    std::set<std::string> as{idp};
    if (!script.contains("only_by_name")) as.insert("generic");
    for (const auto& name : as)
      for (const bool sqlite : {false, true}) {
        INFO(file.filename() << " as " << name << (sqlite ? " on SQLite" : " in memory"));
        Sequence sequence(script, name, sqlite);
        sequence.run();
        rules.insert(sequence.rules().begin(), sequence.rules().end());
      }
  }
  for (const auto& rule : idp::rules()) {
    INFO("a rule that no sequence needs: " << rule.name);
    CHECK(rules.contains(std::string(rule.name)));
  }
}

TEST_CASE("the corpus has every phase of a person's life at each IdP", "[R11]") {
  std::map<std::string, std::set<std::string>> phases;
  std::size_t requests = 0;
  for (const auto& file : corpus()) {
    const auto script = parse_file(file);
    for (const auto& step : script.at("steps").as_array()) {
      ++requests;
      if (const auto* phase = step.as_object().if_contains("phase"))
        phases[std::string(script.at("idp").as_string())].emplace(phase->as_string());
    }
  }
  CHECK(requests >= 150);
  for (const auto& d : idp::dialects()) {
    if (d.name == "generic") continue;
    const auto& has = phases[std::string(d.name)];
    for (const auto* phase :
         {"test", "provision", "update", "group push", "removal", "reactivation", "deletion"}) {
      INFO(d.name << " lacks " << phase);
      CHECK(has.contains(phase));
    }
  }
}
