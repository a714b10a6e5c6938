// The admin API of an engine in virtual time, its answers held against its own OpenAPI document.
#pragma once

#include <boost/json/parse.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/service/admin_service.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include "catch.hpp"
#include "support/managed_world.hpp"

namespace deprov::test {

namespace json = boost::json;

struct Api : managed::EngineWorld {
  service::AdminService admin{*engine};
  std::set<std::string> seen;  ///< "GET /integrations 200" that was answered and fitted
  json::value document;

  Api() {
    app->add("a1", "ann");
    REQUIRE(start());
    document = json::parse(send(admin, "GET", "/openapi.json", {}, "").body);
  }

  service::Response send(service::Handler& to, const std::string& method, const std::string& path,
                         const std::string& body, const std::string& token) {
    service::Request r;
    r.method = method;
    r.target = path.rfind("/", 0) == 0 && &to == &admin ? "/api/v1" + path : path;
    r.body = body;
    if (!token.empty()) r.headers.push_back({"Authorization", "Bearer " + token});
    std::optional<service::Response> got;
    to.handle(std::move(r), [&](service::Response x) { got = std::move(x); });
    for (int i = 0; i < 1000 && !got; ++i)
      if (executor.run_until_idle() == 0 && !got) (void)executor.advance_to_next_timer();
    REQUIRE(got);
    return std::move(*got);
  }

  json::value resolved(const json::value& v) {
    if (const auto* a = v.if_array()) {
      json::array out;
      for (const auto& x : *a) out.push_back(resolved(x));
      return out;
    }
    const auto* o = v.if_object();
    if (o == nullptr) return v;
    if (const auto* ref = o->if_contains("$ref")) {
      const auto name = ref->get_string().subview(std::string_view("#/components/schemas/").size());
      return resolved(document.at("components").at("schemas").at(name));
    }
    json::object out;
    for (const auto& [k, x] : *o) out[k] = resolved(x);
    return out;
  }

  /// Sends, and holds the answer against what the document promises for `route`.
  json::value call(int status, const std::string& method, const std::string& route, const std::string& path,
                   const std::string& body = {}, const std::string& token = "owner") {
    INFO(method << " " << path << " " << body);
    const auto r = send(admin, method, path, body, token == "owner" ? owner_token : token);
    INFO(r.body);
    CHECK(r.status == status);
    std::string lower = method;
    for (auto& c : lower) c = static_cast<char>(c + 32);
    const auto& responses = document.at("paths").at("/api/v1" + route).at(lower).at("responses").as_object();
    const auto* promised = responses.if_contains(std::to_string(r.status));
    REQUIRE(promised != nullptr);
    const auto* content = promised->get_object().if_contains("content");
    if (content == nullptr) {
      CHECK(r.body.empty());
    } else {
      const auto fits = validate_json(resolved(content->at("application/json").at("schema")), json::parse(r.body));
      CHECK(fits);
    }
    seen.insert(method + " " + route + " " + std::to_string(r.status));
    return r.body.empty() ? json::value() : json::parse(r.body);
  }
};

inline std::string text(const json::value& v, std::string_view name) {
  return std::string(v.at(name).as_string());
}

}  // namespace deprov::test
