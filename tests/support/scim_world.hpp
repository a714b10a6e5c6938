// An engine on a memory store in virtual time, and an IdP that talks to its SCIM endpoint.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/runtime/virtual_executor.hpp>
#include <deprov/service/scim_service.hpp>
#include <deprov/store/memory_store.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::test {

namespace json = boost::json;

struct ScimReply {
  int status = 0;
  std::vector<service::Header> headers;
  std::string text;
  json::value body;  ///< null if the text is empty; a test fails where it is no JSON
  bool streamed = false;
  bool broken = false;  ///< a stream that ended in the middle

  [[nodiscard]] std::string header(std::string_view name) const;  ///< empty if absent
  /// By JSON pointer; null if there is no such place.
  [[nodiscard]] json::value at(std::string_view pointer) const;
  [[nodiscard]] std::string str(std::string_view pointer) const;
  [[nodiscard]] std::string id() const { return str("/id"); }
};

/// An integration and the token that opens it.
struct ScimClient {
  std::string base;  ///< "/scim/v2/{id}"
  std::string token;
  engine::Context context;
};

/// An app of which only the name is needed, under "none": nothing is done to accounts here.
[[nodiscard]] port::ConnectorKinds no_app();
/// Every exchange fails.
[[nodiscard]] std::unique_ptr<port::HttpTransport> no_http();

struct ScimWorld {
  explicit ScimWorld(const std::string& idp = "generic", json::object settings = {}, json::object policy = {},
                     service::ScimOptions options = {}, bool sqlite = false);
  ~ScimWorld();
  ScimWorld(const ScimWorld&) = delete;
  ScimWorld& operator=(const ScimWorld&) = delete;

  ScimClient integrate(const std::string& idp, json::object settings = {}, json::object policy = {});

  /// `path` stands behind the integration's base. A non-empty body is sent as application/scim+json unless the
  /// headers say otherwise.
  ScimReply send(const std::string& method, const std::string& path, const std::string& body = {},
                 std::vector<service::Header> headers = {});
  ScimReply send_as(const ScimClient& client, const std::string& method, const std::string& path,
                    const std::string& body = {}, std::vector<service::Header> headers = {});
  /// Exactly these headers.
  ScimReply raw(service::Request request);

  ScimReply get(const std::string& path) { return send("GET", path); }
  /// Their id; a test fails where the answer is not 201.
  std::string add_user(const std::string& name);
  std::string add_group(const std::string& name, const std::vector<std::string>& members = {});
  std::string add(const std::string& endpoint, const std::string& body);
  /// The ids of the members as GET shows them.
  std::vector<std::string> members(const std::string& group);

  std::vector<port::ActivityRow> activity();
  std::size_t events(std::string_view event);
  port::ResourceRow row(const std::string& id);
  void read(const std::function<void(port::Reader&)>& body);

  runtime::VirtualClock clock;
  runtime::VirtualExecutor executor{clock};
  runtime::SeededRandom random{7};
  std::unique_ptr<port::Crypto> crypto = crypto::make_crypto();
  std::unique_ptr<port::HttpTransport> http = no_http();
  std::unique_ptr<port::Store> store;
  std::string directory;  ///< of the SQLite store, removed at the end; empty: the store is in memory
  /// Asked before each commit; see MemoryStoreOptions::fault.
  std::function<std::optional<store::CommitFault>(const port::Transaction&)> fault;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<service::ScimService> scim;
  engine::Principal owner;
  ScimClient client;
};

}  // namespace deprov::test
