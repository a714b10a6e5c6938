#include "scim_world.hpp"
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <deprov/store/sqlite_store.hpp>
#include <filesystem>
#include <utility>
#include "catch.hpp"
#include "support/no_http.hpp"

namespace deprov::test {

namespace {

/// An app of which only the name is needed: nothing is done to accounts here.
struct NoApp final : port::ConnectorKind {
  NoApp() {
    description.id = "none";
    description.name = "No app";
    description.config_schema = json::object{{"type", "object"}};
  }
  [[nodiscard]] const connector::Description& describe() const override { return description; }
  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const json::object&,
                                                                   port::ConnectorHost) const override {
    return Error(Errc::unsupported, "there is no app");
  }
  connector::Description description;
};

}  // namespace

port::ConnectorKinds no_app() {
  port::ConnectorKinds kinds;
  kinds.emplace("none", std::make_shared<NoApp>());
  return kinds;
}

std::unique_ptr<port::HttpTransport> no_http() { return std::make_unique<NoHttp>(); }

namespace {

template <class T>
T must(const Result<T>& r) {
  INFO((r ? std::string() : r.error().message()));
  REQUIRE(r.has_value());
  return *r;
}

}  // namespace

std::string ScimReply::header(std::string_view name) const {
  return std::string(service::find_header(headers, name).value_or(""));
}

json::value ScimReply::at(std::string_view pointer) const {
  boost::system::error_code ec;
  const auto* found = body.find_pointer(pointer, ec);
  return found == nullptr ? json::value() : *found;
}

std::string ScimReply::str(std::string_view pointer) const {
  const auto v = at(pointer);
  return v.is_string() ? std::string(v.get_string()) : v.is_null() ? std::string() : json::serialize(v);
}

ScimWorld::ScimWorld(const std::string& idp, json::object settings, json::object policy,
                     service::ScimOptions options, bool sqlite) {
  if (sqlite) {
    auto pattern = (std::filesystem::temp_directory_path() / "deprov_scim_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory = pattern;
    store::SqliteStoreOptions o;
    o.directory = directory + "/data";
    o.executor = &executor;
    auto opened = store::open_sqlite_store(*crypto, o);
    INFO((opened ? std::string() : opened.error().message()));
    REQUIRE(opened.has_value());
    store = std::move(*opened);
  } else {
    store::MemoryStoreOptions memory;
    memory.fault = [this](const port::Transaction& txn) { return fault ? fault(txn) : std::nullopt; };
    store = store::make_memory_store(*crypto, std::move(memory));
  }
  engine::Options o;
  o.master_key = std::string(32, 'k');
  o.connectors = no_app();
  auto made = engine::Engine::create({executor, clock, random, *store, *http, *crypto}, std::move(o));
  REQUIRE(made.has_value());
  engine = std::move(*made);
  engine->start([](Result<void> r) { REQUIRE(r.has_value()); });
  executor.run_until_idle();
  engine::Principal local;
  local.role = port::Role::owner;
  engine->create_workspace(local, "acme", "Olga", [this](Result<engine::CreatedPrincipal> r) {
    const auto created = must(r);
    owner = {created.row.workspace, created.row.id, created.row.name, created.row.role};
  });
  executor.run_until_idle();
  scim = std::make_unique<service::ScimService>(*engine, std::move(options));
  client = integrate(idp, std::move(settings), std::move(policy));
}

ScimWorld::~ScimWorld() {
  engine->close(std::chrono::seconds(1), [](Result<void>) {});
  executor.run_for(std::chrono::seconds(2));
  scim.reset();
  engine.reset();
  store.reset();
  if (!directory.empty()) std::filesystem::remove_all(directory);
}

ScimClient ScimWorld::integrate(const std::string& idp, json::object settings, json::object policy) {
  engine::CreateIntegration what;
  what.name = "app " + std::to_string(engine->integrations().size() + 1);
  what.idp = idp;
  what.connector = "none";
  what.settings = std::move(settings);
  what.policy = std::move(policy);
  // Tests state the guard that they want; the others are about something else.
  if (!what.policy.contains("guard")) what.policy["guard"] = {{"enabled", false}};
  what.check = false;
  ScimClient c;
  engine->create_integration(owner, std::move(what), [&](Result<engine::CreatedIntegration> r) {
    const auto created = must(r);
    c.base = "/scim/v2/" + created.row.scope.integration.str();
    c.token = created.scim_token;
    c.context = engine->integration(created.row.scope.integration);
  });
  executor.run_until_idle();
  REQUIRE(c.context != nullptr);
  return c;
}

ScimReply ScimWorld::raw(service::Request request) {
  std::optional<service::Response> response;
  int answers = 0;
  scim->handle(std::move(request), [&](service::Response r) {
    ++answers;
    response = std::move(r);
  });
  executor.run_until_idle();
  REQUIRE(answers == 1);
  ScimReply reply;
  reply.status = response->status;
  reply.headers = std::move(response->headers);
  reply.text = std::move(response->body);
  if (response->stream) {
    REQUIRE(reply.text.empty());
    reply.streamed = true;
    for (bool more = true; more;) {
      bool came = false;
      response->stream->next([&](std::optional<std::string> piece) {
        came = true;
        more = piece.has_value();
        if (piece) {
          CHECK_FALSE(piece->empty());
          reply.text += *piece;
        }
      });
      executor.run_until_idle();
      REQUIRE(came);
    }
  }
  if (!reply.text.empty()) {
    boost::system::error_code ec;
    reply.body = json::parse(reply.text, ec);
    reply.broken = static_cast<bool>(ec);
    if (!reply.streamed) {
      INFO(reply.text);
      REQUIRE_FALSE(reply.broken);
    }
  }
  return reply;
}

ScimReply ScimWorld::send_as(const ScimClient& as, const std::string& method, const std::string& path,
                             const std::string& body, std::vector<service::Header> headers) {
  service::Request request;
  request.method = method;
  request.target = as.base + path;
  request.headers = std::move(headers);
  request.headers.push_back({"Authorization", "Bearer " + as.token});
  if (!service::find_header(request.headers, "host")) request.headers.push_back({"Host", "gw.example.com"});
  if (!body.empty() && !service::find_header(request.headers, "content-type"))
    request.headers.push_back({"Content-Type", "application/scim+json"});
  request.body = body;
  request.peer = "192.0.2.1";
  return raw(std::move(request));
}

ScimReply ScimWorld::send(const std::string& method, const std::string& path, const std::string& body,
                          std::vector<service::Header> headers) {
  return send_as(client, method, path, body, std::move(headers));
}

std::string ScimWorld::add(const std::string& endpoint, const std::string& body) {
  clock.advance(std::chrono::milliseconds(1));  // ids of one millisecond have no order
  const auto r = send("POST", endpoint, body);
  INFO(r.text);
  REQUIRE(r.status == 201);
  return r.id();
}

std::string ScimWorld::add_user(const std::string& name) {
  return add("/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name + "\"}");
}

std::string ScimWorld::add_group(const std::string& name, const std::vector<std::string>& who) {
  std::string list;
  for (const auto& m : who) list += (list.empty() ? "{\"value\":\"" : ",{\"value\":\"") + m + "\"}";
  return add("/Groups", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":")" + name +
                            "\",\"members\":[" + list + "]}");
}

std::vector<std::string> ScimWorld::members(const std::string& group) {
  const auto r = get("/Groups/" + group);
  REQUIRE(r.status == 200);
  std::vector<std::string> out;
  const auto list = r.at("/members");
  if (list.is_array())
    for (const auto& m : list.get_array()) out.emplace_back(m.at("value").as_string());
  return out;
}

void ScimWorld::read(const std::function<void(port::Reader&)>& body) {
  bool done = false;
  store->view(
      [&](port::Reader& reader) -> Result<void> {
        body(reader);
        return {};
      },
      [&](Result<void> r) { done = r.has_value(); });
  REQUIRE(done);
}

std::vector<port::ActivityRow> ScimWorld::activity() {
  std::vector<port::ActivityRow> out;
  read([&](port::Reader& reader) {
    std::uint64_t after = 0;
    for (bool more = true; more;) {
      auto page = reader.activity(client.context->row.scope, after, 500);
      REQUIRE(page.has_value());
      more = page->more;
      for (auto& row : page->rows) {
        after = row.seq;
        out.push_back(std::move(row));
      }
    }
  });
  return out;
}

std::size_t ScimWorld::events(std::string_view event) {
  std::size_t n = 0;
  for (const auto& row : activity()) n += row.event == event ? 1U : 0U;
  return n;
}

port::ResourceRow ScimWorld::row(const std::string& id) {
  port::ResourceRow out;
  read([&](port::Reader& reader) {
    const auto found = reader.resource(client.context->row.scope, *ResourceId::parse(id));
    REQUIRE(found.has_value());
    REQUIRE(found->has_value());
    out = **found;
  });
  return out;
}

}  // namespace deprov::test
