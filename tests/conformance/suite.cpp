#include "suite.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <random>
#include <stdexcept>

namespace deprov::conformance {

namespace {

std::string lower(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

const json::value* member(const json::object& o, std::string_view name) {
  for (const auto& m : o)
    if (lower(m.key()) == lower(name)) return &m.value();
  return nullptr;
}

std::string cut(const std::string& s) { return s.size() > 400 ? s.substr(0, 400) + "..." : s; }

std::string shown(const Reply& r) { return std::to_string(r.status) + " " + cut(r.body); }

/// All resources of a discovery endpoint: a ListResponse.
json::array all_of(Client& client, const std::string& path) {
  const auto reply = client.send("GET", path);
  if (reply.status != 200 || !reply.json.is_object()) throw Failed{"GET " + path + " answers " + shown(reply)};
  const auto resources = at(reply.json, "/Resources");
  if (!resources.is_array()) throw Failed{"GET " + path + " has no Resources: " + shown(reply)};
  return resources.get_array();
}

}  // namespace

bool Facts::supports(std::string_view feature) const {
  const auto* f = config.if_contains(feature);
  return f != nullptr && at(*f, "/supported") == json::value(true);
}

bool Facts::pages_by_cursor() const { return at(config, "/pagination/cursor") == json::value(true); }

const Facts::Type* Facts::type(std::string_view name) const {
  for (const auto& t : types)
    if (lower(t.name) == lower(name)) return &t;
  return nullptr;
}

json::value J(std::string_view text) { return json::parse(text); }

json::value at(const json::value& in, std::string_view pointer) {
  const json::value* v = &in;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    const auto name = pointer.substr(0, end);
    pointer.remove_prefix(end);
    if (const auto* o = v->if_object()) {
      v = member(*o, name);
    } else if (const auto* a = v->if_array()) {
      const auto i = static_cast<std::size_t>(std::stoul(std::string(name)));
      v = i < a->size() ? &(*a)[i] : nullptr;
    } else {
      v = nullptr;
    }
    if (v == nullptr) return nullptr;
  }
  return *v;
}

json::array items(const json::value& in, std::string_view pointer) {
  auto v = at(in, pointer);
  if (!v.is_array()) throw std::invalid_argument(std::string(pointer) + " is no array");
  return std::move(v.get_array());
}

std::string text(const json::value& in, std::string_view pointer) {
  const auto v = at(in, pointer);
  return v.is_string() ? std::string(v.get_string()) : std::string();
}

bool same(const json::value& a, const json::value& b) { return holds(a, b) && holds(b, a); }

bool holds(const json::value& whole, const json::value& part) {
  if (unassigned(part, "")) return part.is_array() || unassigned(whole, "");
  if (const auto* p = part.if_object()) {
    const auto* w = whole.if_object();
    return w != nullptr && std::all_of(p->begin(), p->end(), [&](const auto& m) {
             const auto* v = member(*w, m.key());
             // RFC 7643 section 2.5: null, nothing and an empty array are the same.
             return v != nullptr ? holds(*v, m.value()) : unassigned(m.value(), "");
           });
  }
  if (const auto* p = part.if_array()) {
    const auto* w = whole.if_array();
    return w != nullptr && std::all_of(p->begin(), p->end(), [&](const json::value& e) {
             return std::any_of(w->begin(), w->end(), [&](const json::value& o) { return holds(o, e); });
           });
  }
  return whole == part;
}

bool same_name(std::string_view a, std::string_view b) { return lower(a) == lower(b); }

bool unassigned(const json::value& in, std::string_view pointer) {
  const auto v = at(in, pointer);
  return v.is_null() || (v.is_array() && v.get_array().empty());
}

Run::Run(Client& client, const Facts& facts_of_it, std::string unique)
    : http(client), facts(facts_of_it), unique_(std::move(unique)) {}

Run::~Run() {
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) (void)http.send("DELETE", *path);
}

std::string Run::name(std::string_view tail) {
  return unique_ + "-" + std::to_string(++counter_) + "-" + std::string(tail);
}

json::object Run::filled(std::string_view type, json::object body) {
  if (const auto* t = facts.type(type)) fill_required(facts, *t, body, name("r"));
  return body;
}

json::object Run::group_body(const json::object& more) {
  json::object body{{"schemas", json::array{json::string(group_schema)}}, {"displayName", name("group")}};
  for (const auto& m : more) body[m.key()] = m.value();
  return filled("Group", std::move(body));
}

json::object Run::user_body(const json::object& more) {
  json::object body{{"schemas", json::array{json::string(user_schema)}}, {"userName", name() + "@example.com"}};
  for (const auto& m : more) body[m.key()] = m.value();
  if (more.contains(enterprise_schema)) body["schemas"].as_array().emplace_back(enterprise_schema);
  return filled("User", std::move(body));
}

json::value Run::user(const json::object& more) {
  const auto reply = post("/Users", user_body(more));
  status(reply, {201}, "POST /Users");
  expect(!text(reply.json, "/id").empty(), "the created User has no id: " + shown(reply));
  return reply.json;
}

json::value Run::group(const std::vector<std::string>& member_ids, const json::object& more) {
  json::object body = more;
  json::array members;
  for (const auto& id : member_ids) members.push_back(json::object{{"value", id}});
  if (!members.empty() && !body.contains("members")) body["members"] = members;
  const auto reply = post("/Groups", group_body(body));
  status(reply, {201}, "POST /Groups");
  return reply.json;
}

void Run::made(const std::string& path) { made_.push_back(path); }

Reply Run::post(const std::string& endpoint, const json::value& body, const Fields& fields) {
  auto reply = http.send("POST", endpoint, json::serialize(body), fields);
  const auto id = text(reply.json, "/id");
  if (reply.status == 201 && !id.empty()) made(endpoint.substr(0, endpoint.find('?')) + "/" + id);
  return reply;
}

Reply Run::put(const std::string& path, const json::value& body, const Fields& fields) {
  return http.send("PUT", path, json::serialize(body), fields);
}

Reply Run::patch(const std::string& path, const json::value& operations, const Fields& fields) {
  const json::object body{{"schemas", json::array{json::string(patch_schema)}}, {"Operations", operations}};
  return http.send("PATCH", path, json::serialize(body), fields);
}

json::value Run::read(const std::string& path) {
  const auto reply = get(path);
  status(reply, {200}, "GET " + path);
  return reply.json;
}

json::value Run::patched(const std::string& path, const json::value& operations) {
  const auto reply = patch(path, operations);
  status(reply, {200, 204}, "PATCH " + json::serialize(operations));
  auto now = read(path);
  if (reply.status == 200)
    expect(same(reply.json, now),
           "the answer " + cut(reply.body) + " is not what GET shows: " + cut(json::serialize(now)));
  return now;
}

void Run::patch_refused(const std::string& path, const json::value& operations,
                        std::initializer_list<std::string_view> types) {
  const auto before = read(path);
  error(patch(path, operations), 400, types);
  const auto after = read(path);
  expect(same(before, after), "a refused PATCH left traces: " + cut(json::serialize(after)));
}

std::set<std::string> Run::found(const std::string& endpoint, const std::string& filter,
                                 const std::set<std::string>& of) {
  std::set<std::string> out;
  for (std::int64_t start = 1, pages = 0; pages < 50; ++pages) {
    const auto reply =
        get(endpoint + "?count=200&startIndex=" + std::to_string(start) + "&filter=" + escaped(filter));
    status(reply, {200}, "filter " + filter);
    list(reply);
    const auto resources = at(reply.json, "/Resources");
    const auto count = resources.is_array() ? static_cast<std::int64_t>(resources.get_array().size()) : 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto id = text(resources.get_array()[static_cast<std::size_t>(i)], "/id");
      if (of.count(id) != 0) out.insert(id);
    }
    start += count;
    if (count == 0 || start > at(reply.json, "/totalResults").to_number<std::int64_t>()) break;
  }
  return out;
}

void Run::expect(bool truth, const std::string& otherwise) const {
  if (!truth) throw Failed{otherwise};
}

void Run::status(const Reply& reply, std::initializer_list<int> allowed, const std::string& what) const {
  if (std::find(allowed.begin(), allowed.end(), reply.status) != allowed.end()) return;
  std::string wanted;
  for (const int s : allowed) wanted += (wanted.empty() ? "" : " or ") + std::to_string(s);
  throw Failed{(what.empty() ? "" : what + ": ") + "expected " + wanted + ", got " + shown(reply)};
}

void Run::error(const Reply& reply, int code, std::initializer_list<std::string_view> types) const {
  status(reply, {code});
  expect(reply.json.is_object(), "the error has no JSON body: " + shown(reply));
  expect(holds(reply.json, json::object{{"schemas", json::array{json::string(error_schema)}}}),
         "the error does not name its schema: " + shown(reply));
  expect(text(reply.json, "/status") == std::to_string(code),
         "the error's status is no string \"" + std::to_string(code) + "\": " + shown(reply));
  if (types.size() == 0) return;
  const auto type = text(reply.json, "/scimType");
  for (const auto t : types)
    if (type == t) return;
  std::string wanted;
  for (const auto t : types) wanted += (wanted.empty() ? "" : " or ") + std::string(t);
  throw Failed{"expected the scimType " + wanted + ": " + shown(reply)};
}

void Run::list(const Reply& reply) const {
  expect(holds(reply.json, json::object{{"schemas", json::array{json::string(list_schema)}}}),
         "it is no ListResponse: " + shown(reply));
  const auto total = at(reply.json, "/totalResults");
  expect(total.is_int64() || total.is_uint64(), "totalResults is no number: " + shown(reply));
}

void Run::needs(bool offered, const std::string& what) const {
  if (!offered) throw Skipped{what + " is not offered"};
}

Facts discover(Client& client) {
  Facts facts;
  const auto config = client.send("GET", "/ServiceProviderConfig");
  if (config.status != 200 || !config.json.is_object())
    throw Failed{"GET /ServiceProviderConfig answers " + shown(config)};
  facts.config = config.json.get_object();
  for (const auto& s : all_of(client, "/Schemas")) facts.schemas[text(s, "/id")] = s.as_object();
  for (const auto& t : all_of(client, "/ResourceTypes")) {
    Facts::Type type{text(t, "/name"), text(t, "/endpoint"), text(t, "/schema"), {}, {}};
    if (!type.endpoint.empty() && type.endpoint.front() != '/') type.endpoint.insert(0, "/");
    const auto extensions = at(t, "/schemaExtensions");
    if (const auto* a = extensions.if_array())
      for (const auto& e : *a) {
        type.extensions.push_back(text(e, "/schema"));
        if (at(e, "/required") == json::value(true)) type.required_extensions.push_back(text(e, "/schema"));
      }
    facts.types.push_back(std::move(type));
  }
  return facts;
}

namespace {

/// Those that are the same for every service provider.
Checks fixed() {
  Checks checks;
  for (const auto add :
       {add_discovery, add_resources, add_errors, add_patch, add_patch_remove_replace, add_group_patch,
        add_filters, add_projection, add_paging, add_search, add_cursor, add_sort, add_etags, add_bulk})
    add(checks);
  return checks;
}

}  // namespace

std::vector<std::string> all_ids() {
  std::vector<std::string> out;
  for (const auto& c : fixed()) out.push_back(c.id);
  for (const auto& family : attribute_families()) out.push_back("attr-" + family + "-*");
  return out;
}

std::vector<Outcome> run_all(Client& client, const std::string& only) {
  const auto facts = discover(client);
  Checks checks;
  for (const auto add :
       {add_discovery, add_resources, add_errors, add_patch, add_patch_remove_replace, add_group_patch,
        add_filters, add_projection, add_paging, add_search, add_cursor, add_sort, add_etags, add_bulk})
    add(checks);
  add_attributes(checks, facts);
  const auto unique = "cf" + std::to_string(std::random_device{}() % 1'000'000'000U);
  std::vector<Outcome> out;
  int number = 0;
  for (const auto& c : checks) {
    if (c.id.rfind(only, 0) != 0) continue;
    Outcome o{c.id, c.section, c.title, Verdict::pass, {}};
    try {
      Run run(client, facts, unique + "x" + std::to_string(++number));
      c.run(run);
    } catch (const Failed& f) {
      o.verdict = Verdict::fail;
      o.note = f.why;
    } catch (const Skipped& s) {
      o.verdict = Verdict::skipped;
      o.note = s.why;
    } catch (const std::exception& e) {
      o.verdict = Verdict::fail;
      o.note = std::string("an answer of another shape: ") + e.what();
    }
    out.push_back(std::move(o));
  }
  return out;
}

namespace {

/// "7644 3.10" stands after "7644 3.9".
std::vector<int> order(const std::string& section) {
  std::vector<int> out;
  int n = -1;
  for (const char c : section + " ") {
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      n = std::max(n, 0) * 10 + (c - '0');
    } else if (n >= 0) {
      out.push_back(n);
      n = -1;
    }
  }
  return out;
}

struct Tally {
  int pass = 0, fail = 0, skipped = 0;
  void count(Verdict v) { ++(v == Verdict::pass ? pass : v == Verdict::fail ? fail : skipped); }
  [[nodiscard]] std::string str() const {
    return std::to_string(pass) + " passed, " + std::to_string(fail) + " failed, " + std::to_string(skipped) +
           " skipped";
  }
};

std::string_view word(Verdict v) { return v == Verdict::pass ? "pass" : v == Verdict::fail ? "FAIL" : "skip"; }

}  // namespace

std::string report(const std::vector<Outcome>& outcomes, bool failures_only) {
  std::map<std::vector<int>, std::vector<const Outcome*>> sections;
  Tally all;
  for (const auto& o : outcomes) {
    sections[order(o.section)].push_back(&o);
    all.count(o.verdict);
  }
  std::string out;
  for (const auto& [key, checks] : sections) {
    Tally here;
    for (const auto* o : checks) here.count(o->verdict);
    if (failures_only && here.fail == 0) continue;
    out += "RFC " + checks.front()->section + ": " + here.str() + "\n";
    for (const auto* o : checks) {
      if (failures_only && o->verdict != Verdict::fail) continue;
      out += "  " + std::string(word(o->verdict)) + "  " + o->id + "  " + o->title + "\n";
      if (!o->note.empty()) out += "        " + o->note + "\n";
    }
  }
  return out + "\n" + all.str() + "\n";
}

json::object report_json(const std::vector<Outcome>& outcomes) {
  Tally all;
  json::array checks;
  for (const auto& o : outcomes) {
    all.count(o.verdict);
    checks.push_back(json::object{{"id", o.id},
                                  {"section", o.section},
                                  {"title", o.title},
                                  {"result", o.verdict == Verdict::pass   ? "pass"
                                             : o.verdict == Verdict::fail ? "fail"
                                                                          : "skipped"},
                                  {"note", o.note}});
  }
  return {{"passed", all.pass}, {"failed", all.fail}, {"skipped", all.skipped}, {"checks", checks}};
}

}  // namespace deprov::conformance
