// What the tests of the C interface share: handles that free themselves, and an engine with one integration.
#pragma once

#include <deprov.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <string>
#include <string_view>
#include "catch.hpp"

namespace deprov::test {

namespace json = boost::json;

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* p) const { Free(p); }
};
using EnginePtr = std::unique_ptr<deprov_engine, Freer<deprov_engine, deprov_engine_free>>;
using ErrorPtr = std::unique_ptr<deprov_error, Freer<deprov_error, deprov_error_free>>;
using BufferPtr = std::unique_ptr<deprov_buffer, Freer<deprov_buffer, deprov_buffer_free>>;
using ResponsePtr = std::unique_ptr<deprov_response, Freer<deprov_response, deprov_response_free>>;
using RowsPtr = std::unique_ptr<deprov_rows, Freer<deprov_rows, deprov_rows_free>>;
using ConnectorPtr = std::unique_ptr<deprov_connector, Freer<deprov_connector, deprov_connector_free>>;

inline deprov_str str(std::string_view s) { return {s.data(), s.size()}; }
inline std::string text(deprov_str s) { return s.ptr == nullptr ? std::string{} : std::string(s.ptr, s.len); }

/// A status with the words that came with it.
struct Said {
  deprov_status status = DEPROV_OK;
  std::string message, where;
};
/// By reference: which argument is looked at first is the compiler's choice, and the error is there once the
/// status is.
inline Said said(deprov_status status, deprov_error*& error) {
  const ErrorPtr owned(error);
  if (owned) CHECK(deprov_error_get_status(error) == status);
  return {status, text(deprov_error_get_message(error)), text(deprov_error_get_where(error))};
}

inline deprov_engine_options in_memory() {
  deprov_engine_options o{};
  o.struct_size = sizeof o;
  o.store = DEPROV_STORE_MEMORY;
  return o;
}

inline EnginePtr open(const deprov_engine_options& options) {
  deprov_engine* engine = nullptr;
  deprov_error* error = nullptr;
  const auto status = deprov_engine_open(&options, &engine, &error);
  const auto why = said(status, error);
  INFO(why.message);
  REQUIRE(status == DEPROV_OK);
  REQUIRE(engine != nullptr);
  return EnginePtr(engine);
}

/// One call of the admin API that has to succeed.
inline json::value manage(deprov_engine* engine, const deprov_caller* by, std::string_view method,
                          std::string_view path, std::string_view body = {}) {
  deprov_buffer* record = nullptr;
  deprov_error* error = nullptr;
  const auto status = deprov_admin_call(engine, by, str(method), str(path), str(body), &record, &error);
  const BufferPtr owned(record);
  const auto why = said(status, error);
  INFO(method << " " << path << ": " << why.message);
  REQUIRE(status == DEPROV_OK);
  return owned ? json::parse(text(deprov_buffer_get(record))) : json::value();
}

struct World {
  EnginePtr engine;
  std::string workspace, integration, base, scim_token, owner_token;
  [[nodiscard]] deprov_caller local() const { return {sizeof(deprov_caller), str(workspace), {nullptr, 0}}; }

  explicit World(const deprov_engine_options& options = in_memory(), std::string_view connector = "null",
                 std::string_view more = "")
      : engine(open(options)) {
    deprov_buffer* record = nullptr;
    REQUIRE(deprov_workspace_create(engine.get(), str("acme"), str("owner"), &record, nullptr) == DEPROV_OK);
    auto made = json::parse(text(deprov_buffer_get(record)));
    deprov_buffer_free(record);
    workspace = made.at("id").as_string();
    owner_token = made.at("owner_token").as_string();
    const auto by = local();
    const auto body = R"({"name": "Wiki", "idp": "okta", "connector": ")" + std::string(connector) + "\"" +
                      std::string(more) + "}";
    deprov_error* error = nullptr;
    const auto status = deprov_integration_create(engine.get(), &by, str(body), &record, &error);
    const auto why = said(status, error);
    INFO(why.message);
    REQUIRE(status == DEPROV_OK);
    made = json::parse(text(deprov_buffer_get(record)));
    deprov_buffer_free(record);
    integration = made.at("id").as_string();
    base = made.at("scim_base_path").as_string();
    scim_token = made.at("scim_token").as_string();
  }

  struct Sent {
    deprov_request request{};
    std::string method, target, authorization, body;
    deprov_header headers[2]{};
  };
  /// A SCIM request with the integration's token; what it points at lives in `sent`.
  void fill(Sent& sent, std::string_view method, std::string_view path, std::string_view body = {}) const {
    sent.method = method;
    sent.target = base + std::string(path);
    sent.authorization = "Bearer " + scim_token;
    sent.body = body;
    sent.headers[0] = {str("Authorization"), str(sent.authorization)};
    sent.headers[1] = {str("Content-Type"), str("application/scim+json")};
    sent.request.struct_size = sizeof sent.request;
    sent.request.method = str(sent.method);
    sent.request.target = str(sent.target);
    sent.request.headers = sent.headers;
    sent.request.header_count = 2;
    sent.request.body = str(sent.body);
  }
  ResponsePtr scim(std::string_view method, std::string_view path, std::string_view body = {}) const {
    Sent sent;
    fill(sent, method, path, body);
    deprov_response* response = nullptr;
    REQUIRE(deprov_engine_call(engine.get(), &sent.request, &response, nullptr) == DEPROV_OK);
    return ResponsePtr(response);
  }
  std::string add_user(std::string_view name) const {
    const auto response = scim("POST", "/Users",
                               R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": ")" +
                                   std::string(name) + R"(", "active": true})");
    INFO(text(deprov_response_get_body(response.get())));
    REQUIRE(deprov_response_get_status(response.get()) == 201);
    return std::string(json::parse(text(deprov_response_get_body(response.get()))).at("id").as_string());
  }
  void deactivate(const std::string& id) const {
    const auto response = scim("PATCH", "/Users/" + id,
                               R"({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                 "Operations": [{"op": "replace", "value": {"active": false}}]})");
    const auto status = deprov_response_get_status(response.get());
    REQUIRE((status == 200 || status == 204));
  }
};

/// What `user_free` does in tests: it counts.
inline void count_free(void* user) { ++*static_cast<int*>(user); }

}  // namespace deprov::test
