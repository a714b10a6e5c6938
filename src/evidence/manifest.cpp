#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/evidence/manifest.hpp>

namespace deprov::evidence {

namespace {

std::string hex(const port::Sha256& hash) { return to_hex({hash.data(), hash.size()}); }

json::value time_json(const std::optional<WallTime>& t) {
  return t ? json::value(to_rfc3339(*t)) : json::value(nullptr);
}

json::value integration_json(const port::Scope& scope) {
  return scope.integration.is_nil() ? json::value(nullptr) : json::value(scope.integration.str());
}

json::object body_of(const Manifest& m) {
  json::array chains;
  std::uint64_t records = 0;
  std::uint64_t details = 0;
  std::uint64_t deleted = 0;
  for (const auto& c : m.chains) {
    records += c.records;
    details += c.details;
    deleted += c.details_deleted;
    chains.push_back(json::object{{"integration", integration_json(c.scope)},
                                  {"name", c.name},
                                  {"records", c.records},
                                  {"first_seq", c.records == 0 ? 0 : c.anchor.seq + 1},
                                  {"last_seq", c.records == 0 ? 0 : c.head.seq},
                                  {"anchor_seq", c.anchor.seq},
                                  {"anchor_hash", hex(c.anchor.hash)},
                                  {"head_seq", c.head.seq},
                                  {"head_hash", hex(c.head.hash)},
                                  {"details", c.details},
                                  {"details_deleted", c.details_deleted}});
  }
  return {{"type", "manifest"},
          {"format", format_name},
          {"canonical", canonical_name},
          {"workspace", m.workspace.str()},
          {"from", time_json(m.from)},
          {"to", time_json(m.to)},
          {"created", to_rfc3339(m.created)},
          {"records", records},
          {"details", details},
          {"details_deleted", deleted},
          {"chains", std::move(chains)}};
}

std::string hash_of(const json::object& body, const port::Crypto& crypto) {
  const auto text = json::serialize(body);
  return hex(crypto.sha256(port::bytes_of(text)));
}

Error bad(std::string_view where, std::string what) {
  return {Errc::invalid_syntax, std::move(what), "manifest " + std::string(where),
          "compare with another copy of the export"};
}

class Members {
 public:
  explicit Members(const json::object& o) : o_(o) {}
  std::string text(std::string_view name) {
    const auto* v = o_.if_contains(name);
    if (v != nullptr && v->is_string()) return std::string(v->get_string());
    note(name);
    return {};
  }
  std::uint64_t number(std::string_view name) {
    const auto* v = o_.if_contains(name);
    if (v != nullptr && v->is_int64() && v->get_int64() >= 0) return static_cast<std::uint64_t>(v->get_int64());
    if (v != nullptr && v->is_uint64()) return v->get_uint64();
    note(name);
    return 0;
  }
  port::Sha256 hash(std::string_view name) {
    auto h = parse_sha256(text(name));
    if (!h) note(name);
    return h ? *h : port::Sha256{};
  }
  std::optional<WallTime> time(std::string_view name) {
    const auto* v = o_.if_contains(name);
    if (v != nullptr && v->is_null()) return std::nullopt;
    auto t = parse_rfc3339(text(name));
    if (!t) {
      note(name);
      return std::nullopt;
    }
    return *t;
  }
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  void note(std::string_view name) {
    if (wrong_.empty()) wrong_ = name;
  }
  const json::object& o_;
  std::string wrong_;
};

}  // namespace

json::object to_json(const Manifest& manifest, const port::Crypto& crypto) {
  auto o = body_of(manifest);
  const auto hash = hash_of(o, crypto);
  o["sha256"] = hash;
  return o;
}

std::string manifest_hash(const Manifest& manifest, const port::Crypto& crypto) {
  return hash_of(body_of(manifest), crypto);
}

Result<Manifest> parse_manifest(const json::value& value, const port::Crypto& crypto) {
  const auto* o = value.if_object();
  if (o == nullptr) return bad({}, "is no JSON object");
  Members top(*o);
  Manifest m;
  if (top.text("type") != "manifest") return bad("type", "is not \"manifest\"");
  if (top.text("format") != format_name) return bad("format", "is one that this program does not know");
  const auto workspace = WorkspaceId::parse(top.text("workspace"));
  if (!workspace) return bad("workspace", "is no id");
  m.workspace = *workspace;
  m.from = top.time("from");
  m.to = top.time("to");
  m.created = top.time("created").value_or(WallTime{});
  const auto claimed = top.text("sha256");
  const auto* chains = o->if_contains("chains");
  if (chains == nullptr || !chains->is_array()) return bad("chains", "is no array");
  if (!top.wrong().empty()) return bad(top.wrong(), "is missing or of another shape");
  for (const auto& v : chains->get_array()) {
    const auto* c = v.if_object();
    if (c == nullptr) return bad("chains", "holds what is no object");
    Members in(*c);
    ChainPart part;
    part.scope.workspace = m.workspace;
    if (const auto* id = c->if_contains("integration"); id != nullptr && id->is_string()) {
      const auto parsed = IntegrationId::parse(std::string_view(id->get_string()));
      if (!parsed) return bad("integration", "is no id");
      part.scope.integration = *parsed;
    }
    part.name = in.text("name");
    part.records = in.number("records");
    part.anchor = {in.number("anchor_seq"), in.hash("anchor_hash")};
    part.head = {in.number("head_seq"), in.hash("head_hash")};
    part.details = in.number("details");
    part.details_deleted = in.number("details_deleted");
    if (!in.wrong().empty()) return bad(in.wrong(), "is missing or of another shape");
    m.chains.push_back(std::move(part));
  }
  // Counts, order and whatever else stands in it: all of it is under its hash.
  auto body = *o;
  body.erase("sha256");
  if (hash_of(body, crypto) != claimed || body_of(m) != body) {
    return Error(Errc::store_corrupt, "the manifest is not what its own hash says", "manifest sha256",
                 "compare with another copy of the export");
  }
  return m;
}

std::string Exporter::header_line() const {
  return json::serialize(json::object{{"type", "header"},
                                      {"format", format_name},
                                      {"canonical", canonical_name},
                                      {"workspace", manifest_.workspace.str()},
                                      {"from", time_json(manifest_.from)},
                                      {"to", time_json(manifest_.to)},
                                      {"created", to_rfc3339(manifest_.created)}});
}

std::string Exporter::chain_line(const port::Scope& scope, const std::string& name,
                                 const port::ChainHead& anchor) {
  ChainPart part;
  part.scope = scope;
  part.name = name;
  part.anchor = part.head = anchor;
  manifest_.chains.push_back(part);
  return json::serialize(json::object{{"type", "chain"},
                                      {"workspace", scope.workspace.str()},
                                      {"integration", integration_json(scope)},
                                      {"name", name},
                                      {"anchor_seq", anchor.seq},
                                      {"anchor_hash", hex(anchor.hash)}});
}

Record Exporter::add(port::ActivityRow row) {
  auto& chain = manifest_.chains.back();
  Record record{std::move(row), chain.head.hash};
  chain.head = {record.row.seq, record.row.hash};
  ++chain.records;
  ++(record.row.detail ? chain.details : chain.details_deleted);
  return record;
}

std::string Exporter::record_line(const Record& record) { return json::serialize(to_json(record)); }

std::string Exporter::manifest_line() const { return json::serialize(to_json(manifest_, *crypto_)); }

}  // namespace deprov::evidence
