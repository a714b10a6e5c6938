#include "targets.hpp"
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/idp/dialect.hpp>
#include <deprov/idp/security_event.hpp>
#include <deprov/idp/snapshot_reader.hpp>
#include <deprov/scim/bulk.hpp>
#include <deprov/scim/match.hpp>
#include <deprov/scim/patch.hpp>
#include <deprov/scim/path.hpp>
#include <deprov/scim/projection.hpp>
#include <deprov/scim/query.hpp>
#include <deprov/scim/resource.hpp>
#include "plugin/frames.hpp"

namespace deprov::fuzz {

namespace {

namespace json = boost::json;

const scim::TypeDef& user() { return *scim::SchemaRegistry::builtin().type("User"); }
const scim::TypeDef& group() { return *scim::SchemaRegistry::builtin().type("Group"); }

const json::object& sample() {
  static const json::object document = json::parse(R"({
    "schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
    "id":"2819c223","externalId":"701984","userName":"bjensen","name":{"givenName":"Barbara","familyName":"Jensen"},
    "displayName":"Babs","active":true,"title":"VP",
    "emails":[{"value":"b@x.com","type":"work","primary":true},{"value":"h@x.com","type":"home"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Tour","manager":{"value":"26118915"}},
    "meta":{"resourceType":"User","created":"2010-01-23T04:56:22Z","lastModified":"2011-05-13T04:42:34Z"}})")
                                           .as_object();
  return document;
}
const json::object& sample_group() {
  static const json::object document =
      json::parse(R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"g","displayName":"Staff"})")
          .as_object();
  return document;
}

bool holds_double(const json::value& v) {
  if (const auto* a = v.if_array()) return std::any_of(a->begin(), a->end(), holds_double);
  if (const auto* o = v.if_object())
    return std::any_of(o->begin(), o->end(), [](const auto& m) { return holds_double(m.value()); });
  return v.is_double();
}

std::string json_text(std::string_view input) {
  const auto v = scim::parse_json(input);
  if (!v) return {};
  const auto again = scim::parse_json(json::serialize(*v));
  if (!again) return "what was printed does not parse: " + again.error().message();
  if (holds_double(*v)) return {};  // Boost.JSON rounds the last digit otherwise than it prints it
  if (*again != *v) return "what was printed parses to another value";
  return {};
}

/// A stored document is its own normal form; by the leniency that it was accepted with, since the tolerant one
/// keeps references that are no URIs.
std::string check_stored(const json::object& document, const scim::TypeDef& type,
                         scim::Leniency leniency = scim::Leniency::strict) {
  json::object body = document;
  body.erase("id");
  body.erase("meta");
  const json::value expected = body;
  const auto again = scim::normalize(json::value(body), type, leniency);
  if (!again)
    return "a stored document is refused: " + again.error().message() + " in " + json::serialize(expected);
  if (json::value(again->value) != expected)
    return "a stored document is no normal form: " + json::serialize(expected);
  return {};
}

std::string resource(std::string_view input) {
  auto v = scim::parse_json(input);
  if (!v) return {};
  for (const auto* type : {&user(), &group()}) {
    idp::RawRequest raw;
    raw.method = idp::Method::put;
    raw.type = type;
    raw.body = *v;
    auto normal = idp::normalize(*idp::find_dialect("generic"), std::move(raw));
    if (!normal) continue;
    auto again = normal->body;
    auto document = scim::normalize(std::move(normal->body), *type, normal->leniency);
    if (!document) continue;
    if (auto wrong = check_stored(document->value, *type, normal->leniency); !wrong.empty()) return wrong;
    if (document->value.contains("password")) return "a password was kept";
    const auto shown = scim::Projection(*type).apply(document->value);
    if (shown.size() > document->value.size()) return "a projection shows more than there is";
    if (type != &user()) continue;
    const auto replaced = scim::replace(sample(), std::move(again), *type, {normal->leniency, {"active"}});
    if (!replaced) return "a body that makes a resource does not replace one: " + replaced.error().message();
    if (replaced->document.value.at("id") != sample().at("id")) return "a PUT changed the id";
  }
  return {};
}

std::string filter(std::string_view input) {
  const auto f = scim::parse_filter(input);
  if (!f) return {};
  const auto text = scim::to_string(*f);
  scim::Limits roomy;  // escapes can make the printed form longer
  roomy.max_filter_length = 1U << 20U;
  const auto again = scim::parse_filter(text, roomy);
  if (!again) return "what was printed does not parse: " + text;
  if (!(*again == *f)) return "what was printed parses to another filter: " + text;
  const auto m = scim::Matcher::compile(*f, user());
  if (!m) return {};
  const bool whole = (*m)(sample());
  scim::Filter inverse;
  inverse.kind = scim::Filter::Kind::negate;
  inverse.operands.push_back(*f);
  if (scim::Matcher::compile(inverse, user()).value()(sample()) == whole)
    return "a filter and its negation agree: " + text;
  const auto term = scim::indexable(*f);
  if (!term || term->field == scim::IndexedField::member || term->field == scim::IndexedField::group) return {};
  static constexpr std::array<std::string_view, 8> names = {
      "id", "externalId", "userName", "emails.value", "displayName", "", "", "meta.lastModified"};
  scim::Filter indexed;
  indexed.kind = scim::Filter::Kind::compare;
  indexed.op = term->op;
  indexed.attr = scim::parse_attr_path(names.at(static_cast<std::size_t>(term->field))).value();
  indexed.value = term->value;
  bool both = scim::matches(indexed, sample(), user()).value();
  if (both && term->rest) both = scim::matches(*term->rest, sample(), user()).value();
  if (both != whole) return "the index and the rest disagree with the filter: " + text;
  return {};
}

std::string path(std::string_view input) {
  const auto p = scim::parse_path(input);
  if (!p) return {};
  scim::Limits roomy;
  roomy.max_filter_length = 1U << 20U;
  const auto again = scim::parse_path(scim::to_string(*p), roomy);
  if (!again || !(*again == *p)) return "what was printed parses to something else: " + scim::to_string(*p);
  return {};
}

std::string patch(std::string_view input) {
  auto v = scim::parse_json(input);
  if (!v) return {};
  for (const auto* type : {&user(), &group()}) {
    const json::object& before = type == &user() ? sample() : sample_group();
    for (const auto& dialect : idp::dialects()) {
      idp::RawRequest raw;
      raw.method = idp::Method::patch;
      raw.type = type;
      raw.body = *v;
      auto normal = idp::normalize(dialect, std::move(raw));
      if (!normal) continue;
      auto request = scim::parse_patch(std::move(normal->body));
      if (!request) continue;
      json::object after = before;
      const auto r = scim::apply(std::move(*request), after, *type, normal->patch_options);
      const bool same = json::value(after) == json::value(before);
      if (!r) {
        if (!same) return "a failed PATCH left traces: " + json::serialize(after);
        continue;
      }
      if (r->changed == same)
        return "a PATCH does not know whether it changed anything: " + json::serialize(after);
      if (r->changes.empty() == r->changed) return "the list of changes is wrong";
      for (const auto* kept : {"id", "meta"})
        if (before.contains(kept) && after.at(kept) != before.at(kept)) return "a PATCH changed what is read-only";
      if (auto wrong = check_stored(after, *type); !wrong.empty()) return wrong;
      for (const auto& step : r->members) {
        using Kind = scim::MemberOp::Kind;
        const bool by_filter = step.kind == Kind::remove_where || step.kind == Kind::replace_where;
        if (by_filter != step.filter.has_value()) return "a step by filter without its filter";
      }
    }
  }
  return {};
}

bool refers(const json::value& v, const std::vector<std::string>& known) {
  if (const auto* a = v.if_array())
    return std::any_of(a->begin(), a->end(), [&](const json::value& e) { return refers(e, known); });
  if (const auto* o = v.if_object())
    return std::any_of(o->begin(), o->end(), [&](const auto& m) { return refers(m.value(), known); });
  return v.is_string() && std::any_of(known.begin(), known.end(),
                                      [&](const std::string& id) { return v.get_string() == "bulkId:" + id; });
}

std::string bulk(std::string_view input) {
  auto v = scim::parse_json(input);
  if (!v) return {};
  auto request = scim::parse_bulk(std::move(*v), 8);
  if (!request) return {};
  if (request->operations.size() > 8) return "more operations than are allowed";
  std::vector<std::string> known;
  for (const auto& o : request->operations) {
    if (o.problem.code() != Errc::ok) continue;
    if (o.path.empty()) return "an operation without a path";
    if (o.method == "POST") {
      if (o.bulk_id.empty()) return "a POST without bulkId";
      if (std::find(known.begin(), known.end(), o.bulk_id) != known.end()) return "a bulkId twice";
      known.push_back(o.bulk_id);
    } else if (o.method != "PUT" && o.method != "PATCH" && o.method != "DELETE") {
      return "the method " + o.method;
    }
  }
  for (auto& o : request->operations) {
    const auto before = o.data;
    scim::resolve_bulk_references(o, known, [](const std::string&) { return std::nullopt; });
    if (o.data != before) return "a reference that nobody knows was replaced: " + json::serialize(before);
    scim::resolve_bulk_references(o, known, [&](const std::string& id) -> std::optional<std::string> {
      return std::find(known.begin(), known.end(), id) == known.end()
                 ? std::nullopt
                 : std::optional<std::string>("resolved to an id");
    });
    if (refers(o.data, known)) return "a reference is left: " + json::serialize(o.data);
  }
  return {};
}

std::string query(std::string_view input) {
  const auto direct = scim::parse_query(input);
  idp::RawRequest raw;
  raw.type = &user();
  raw.query = input;
  const auto normal = idp::normalize(*idp::find_dialect("generic"), std::move(raw));
  if (!normal) return "a query made the dialect fail";
  const auto helped = scim::parse_query(normal->query);
  if (direct.has_value() && !helped.has_value()) return "the dialect broke a query: " + normal->query;
  if (direct && (direct->count != helped->count || direct->attributes != helped->attributes))
    return "the dialect changed more than the filter: " + normal->query;
  return {};
}

/// What a reader makes of a list that comes in pieces: every user, and how it ended.
std::string read_list(idp::SnapshotFormat format, std::string_view bytes, std::size_t piece) {
  idp::SnapshotMapping mapping;
  mapping.external_id = "externalId";
  mapping.active = "active";
  if (format == idp::SnapshotFormat::json) mapping.list = "Resources";
  if (format != idp::SnapshotFormat::json) mapping.end_marker = "#end";
  std::string seen;
  const auto reader = idp::make_snapshot_reader(format, mapping, {1'000, 16}, [&](const idp::SnapshotUser& u) {
    seen.append(u.id).append("|").append(u.external_id).append(u.active ? "|in\n" : "|out\n");
    return Result<void>{};
  });
  for (std::size_t i = 0; i < bytes.size(); i += piece)
    if (!(*reader)->feed(bytes.substr(i, piece))) break;
  const auto end = (*reader)->end();
  // Of text that is no JSON, Boost.JSON words the reason by where it was cut.
  return seen + (end ? "complete" : std::string(to_string(end.error().code())) + " " + end.error().where());
}

std::string snapshot(std::string_view input) {
  if (input.empty()) return {};
  const auto format = static_cast<idp::SnapshotFormat>(static_cast<unsigned char>(input.front()) % 3);
  const std::string text = std::string(input.substr(1)) + "\n";
  const auto whole = read_list(format, text, text.size());
  for (const std::size_t piece : {1U, 5U})
    if (const auto cut = read_list(format, text, piece); cut != whole)
      return "in pieces it is another list: " + cut + " instead of " + whole;
  return {};
}

/// What host and worker make of a message: it says the same after a journey.
std::string round_trip(const plugin::wire::Message& message) {
  using namespace plugin::wire;
  const auto once = encode(message);
  if (!once) return "what was decoded cannot be encoded: " + once.error().message();
  const auto again = decode(std::string_view(*once).substr(4));
  if (const auto* hello = std::get_if<Hello>(&message); hello != nullptr && hello->version != version) return {};
  if (!again) return "what was encoded cannot be decoded: " + again.error().message();
  const auto twice = encode(*again);
  if (!twice || *twice != *once) return "a frame changes on its way";
  return {};
}

/// A stream of frames between host and worker process, as a whole and in pieces.
std::string worker(std::string_view input) {
  std::string seen;
  for (const std::size_t piece : {input.size() + 1, std::size_t{3}}) {
    plugin::wire::Frames frames;
    std::string here;
    bool good = true;
    for (std::size_t i = 0; i < input.size() && good; i += piece) {
      frames.feed(input.substr(i, piece));
      for (;;) {
        auto next = frames.next();
        good = next.has_value();
        if (!good) here += "error: " + next.error().message();
        if (!good || !*next) break;
        if (auto wrong = round_trip(**next); !wrong.empty()) return wrong;
        here += std::to_string((*next)->index()) + ",";
      }
    }
    if (piece > input.size()) {
      seen = here;
    } else if (here != seen) {
      return "in pieces it is another stream: " + here + " instead of " + seen;
    }
  }
  // A length that is wrong hides everything else.
  if (const auto m = plugin::wire::decode(input.substr(std::min<std::size_t>(4, input.size()))))
    return round_trip(*m);
  return {};
}

std::string to_base64url(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = ((bits << 8U) | static_cast<unsigned char>(c)) & 0xFFFFFFU;
    for (count += 8; count >= 6; count -= 6) out += alphabet[(bits >> (count - 6)) & 0x3FU];
  }
  if (count > 0) out += alphabet[(bits << (6 - count)) & 0x3FU];
  return out;
}

std::string check_set(const idp::SecurityEventToken& set, const json::object& claims, WallTime now) {
  if (claims.contains("exp") || claims.contains("sub")) return "a token with exp or sub was taken";
  if (set.jti.empty()) return "a token without jti was taken";
  if (set.events.empty() || set.events.size() > 16) return "a token with no events, or too many, was taken";
  if (set.issued > now + std::chrono::minutes(5)) return "a token of the future was taken";
  for (const auto& event : set.events) {
    if (event.at > set.issued) return "an event happened after it was told";
    if (event.type != nullptr && !event.subject) return "an event is about nobody";
    if (event.meaning() == idp::EventMeaning::ends && event.cause() == idp::Cause::none)
      return "access ends without a cause";
    if (!event.subject) continue;
    if (event.subject->identifiers.size() > 32 || event.subject->text.size() > 1000)
      return "a subject has no bounds";
    for (const auto& i : event.subject->identifiers)
      if (i.value.empty() || i.value.size() > 1024) return "an identifier that names nobody, or everybody";
  }
  return {};
}

/// A security event token: as it comes, or (what begins with a brace) its header and its claims in clear, a line
/// each, so that damage is not lost in base64.
std::string set(std::string_view input) {
  std::string token(input);
  if (!input.empty() && input.front() == '{') {
    const auto line = std::min(input.find('\n'), input.size());
    token = to_base64url(input.substr(0, line)) + "." +
            to_base64url(input.substr(std::min(line + 1, input.size()))) + ".c2lnbmF0dXJl";
  }
  (void)idp::parse_jwks(input);
  const auto jws = idp::parse_compact_jws(token);
  if (jws.has_value() != idp::parse_set(token).has_value())
    return "a token parses in one way and not in the other";
  if (!jws) return {};
  if (jws->signing_input + "." + to_base64url(jws->signature) != token) return "a token has two readings";
  idp::SetExpectation expected;
  expected.issuer = "https://idp.example.com/";
  expected.audience = {"https://sp.example.com"};
  expected.algorithms = {idp::JwsAlgorithm::rs256, idp::JwsAlgorithm::es256};
  expected.now = {1'615'305'200'000'000};
  for (const bool lenient : {false, true}) {
    expected.compatibility = {lenient, lenient};
    const auto header = idp::check_set_header(*jws, expected);
    if (header) {
      const auto* alg = jws->header.if_contains("alg");
      if (alg == nullptr || !alg->is_string() ||
          idp::to_string(header->algorithm) != std::string_view(alg->get_string()))
        return "a token is verified by another algorithm than it says";
      if (jws->header.contains("crit")) return "something critical was passed over";
    }
    const auto claims = idp::read_set(*jws, expected);
    if (!claims && claims.error().description.empty()) return "a refusal does not say why";
    if (!claims) continue;
    if (!lenient && !claims->rules.empty()) return "a deviation was understood that nobody allowed";
    if (auto wrong = check_set(*claims, jws->payload, expected.now); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace

std::span<const Target> targets() {
  static constexpr std::array<Target, 10> all = {{{"json", json_text},
                                                  {"resource", resource},
                                                  {"filter", filter},
                                                  {"path", path},
                                                  {"patch", patch},
                                                  {"query", query},
                                                  {"bulk", bulk},
                                                  {"snapshot", snapshot},
                                                  {"worker", worker},
                                                  {"set", set}}};
  return all;
}

}  // namespace deprov::fuzz
