// A polled source in virtual time: a SCIM server that is the authority, and an engine that reads it.
#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/engine/sources.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "catch.hpp"
#include "support/fake_app.hpp"

namespace deprov::test {

namespace json = boost::json;

/// A SCIM server that is the authority, on virtual time, and whatever may go wrong with one.
class Directory final : public port::HttpTransport {
 public:
  struct User {
    std::string id;
    bool active = true;
  };
  std::vector<User> users;
  bool by_cursor = false;  ///< how it was asked last
  std::string token = "t0";
  std::size_t page_size = 5;
  std::vector<std::string> log;  ///< targets, in order of arrival
  std::vector<User> changed;     ///< what is answered where somebody asks for what changed
  /// Answers in place of the server where it returns something.
  std::function<std::optional<port::HttpResult>(const std::string& target, std::size_t nth)> fault;
  /// What a token endpoint answers.
  std::function<port::HttpResult(const port::HttpRequest&)> posted;
  port::Executor** executor = nullptr;

  static port::HttpResult answer(int status, std::string body, std::vector<port::HttpHeader> headers = {}) {
    port::HttpResult r;
    r.response = port::HttpResponse{status, std::move(headers), std::move(body)};
    return r;
  }
  static port::HttpResult broken() {
    port::HttpResult r;
    r.failure = {port::HttpFailure::Kind::broken, true, "the connection broke"};
    return r;
  }
  json::object user(const User& u) const {
    return {{"id", u.id}, {"externalId", "x" + u.id}, {"userName", u.id}, {"active", u.active}};
  }
  std::string page(std::size_t from, std::size_t count, std::optional<std::size_t> total = {},
                   const std::string& next = {}) const {
    json::array resources;
    for (auto i = from; i < users.size() && i < from + count; ++i) resources.push_back(user(users[i]));
    json::object o{{"totalResults", total.value_or(users.size())}, {"Resources", std::move(resources)}};
    if (!by_cursor) o["startIndex"] = from + 1;
    if (!next.empty()) o["nextCursor"] = next;
    return json::serialize(o);
  }
  port::HttpResult serve(const port::HttpRequest& request) {
    if (request.method == "POST") return posted ? posted(request) : answer(404, "{}");
    const auto slash = request.url.find('/', 8);
    const auto target = request.url.substr(slash);
    log.push_back(target);
    if (target.find("/Users?") != std::string::npos) by_cursor = target.find("&cursor") != std::string::npos;
    if (fault)
      if (auto r = fault(target, log.size() - 1)) return std::move(*r);
    std::string authorization;
    for (const auto& h : request.headers)
      if (h.name == "Authorization") authorization = h.value;
    if (authorization != "Bearer " + token) return answer(401, "{}");
    if (target.find("/Users/") != std::string::npos) {
      const auto id = target.substr(target.rfind('/') + 1);
      for (const auto& u : users)
        if (u.id == id) return answer(200, json::serialize(user(u)));
      return answer(404, R"({"status":"404","detail":"no such user"})");
    }
    if (target.find("lastModified") != std::string::npos) {
      json::array resources;
      for (const auto& u : changed) resources.push_back(user(u));
      return answer(200,
                    json::serialize(json::object{{"totalResults", changed.size()}, {"Resources", resources}}));
    }
    const auto number = [&](const std::string& name) -> std::size_t {
      const auto at = target.find(name + "=");
      return at == std::string::npos ? 0 : std::stoul("0" + target.substr(at + name.size() + 1));
    };
    if (by_cursor) {
      const auto from = number("cursor");
      const auto next = from + page_size < users.size() ? std::to_string(from + page_size) : std::string{};
      return answer(200, page(from, page_size, {}, next));
    }
    return answer(200, page(number("startIndex") - 1, page_size));
  }
  port::HttpCallId send(port::HttpRequest request, port::UniqueFunction<void(port::HttpResult)> done) override {
    auto result = std::make_shared<port::HttpResult>(serve(request));
    (*executor)->post([result, done = std::move(done)]() mutable { done(std::move(*result)); });
    return ++calls_;
  }
  void cancel(port::HttpCallId) override {}

 private:
  port::HttpCallId calls_ = 0;
};

struct Polled : World {
  engine::Context c;
  std::vector<ResourceId> users;
  engine::Principal owner;
  Directory directory;
  port::Executor* now_running = nullptr;
  SourceId source;

  explicit Polled(std::size_t population, json::object more = {}, std::uint64_t seed = 1) : World(seed) {
    directory.executor = &now_running;
    transport = &directory;
    crash();
    now_running = executor.get();
    boot();
    c = integrate("okta", "{}");
    owner = {workspace, {}, "tester", port::Role::owner};
    for (std::size_t i = 0; i < population; ++i) {
      const auto name = "u" + std::to_string(i);
      app->add("a" + name, "ext-" + name, name);
      users.push_back(add_user(c, name));
      directory.users.push_back({"ext-" + name});
    }
    run(std::chrono::seconds(30));
    json::object settings{{"scim", {{"base_url", "https://idp.example.com/scim"}, {"page_size", 5}}},
                          {"auth", {{"type", "token"}, {"token", "t0"}}}};
    for (auto& [name, value] : more) settings[name] = value;
    const auto added = wait<port::SourceRow>([&](auto done) {
      engine->sources().add(owner, c->row.scope.integration, {"idp", "scim", settings}, std::move(done));
    });
    if (!added) FAIL(added.error().message());
    source = added->id;
  }
  ~Polled() { crash(); }  // while there is a directory
  template <class T, class Start>
  Result<T> wait(Start start) {
    auto got = std::make_shared<std::optional<Result<T>>>();
    start(engine::Done<T>([got](Result<T> r) { got->emplace(std::move(r)); }));
    for (int i = 0; i < 10000 && !*got; ++i) run(i < 100 ? Duration(0) : Duration(std::chrono::seconds(1)));
    return *got ? std::move(**got) : Result<T>(Error(Errc::timeout, "no answer"));
  }
  Result<json::object> poll(engine::PollSource how = {}) {
    return wait<json::object>(
        [&](auto done) { engine->sources().poll(owner, c->row.scope.integration, source, how, std::move(done)); });
  }
  void restart() {
    crash();
    now_running = executor.get();
    boot();
    c = engine->integration(c->row.scope.integration);
  }
  bool app_active(std::size_t i) { return app->accounts.at("au" + std::to_string(i)).active.value_or(true); }
  std::size_t disables() const {
    std::size_t n = 0;
    for (const auto& entry : app->log) n += entry.rfind("disable", 0) == 0 ? 1 : 0;
    return n;
  }
  port::SourceRow row() {
    std::optional<port::SourceRow> found;
    read([&](port::Reader& r) { found = r.source(c->row.scope, source).value(); });
    REQUIRE(found);
    return *found;
  }
};

}  // namespace deprov::test
