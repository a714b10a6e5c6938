// A source of any kind in virtual time: an engine that polls an IdP which lives in the test.
#pragma once

#include <boost/json/object.hpp>
#include <deprov/engine/sources.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "catch.hpp"
#include "support/api.hpp"
#include "support/fake_app.hpp"

namespace deprov::test {

/// An integration with the subjects `names`, each under that externalId, and a source that knows them by it.
struct FeedWorld : World {
  ApiTransport idp;
  engine::Context c;
  engine::Principal owner;
  SourceId source;
  std::vector<ResourceId> users;
  std::vector<std::string> names;

  FeedWorld(Api api, std::vector<std::string> people, const std::string& kind, boost::json::object source_config)
      : idp(std::move(api)), names(std::move(people)) {
    transport = &idp;
    crash();
    boot();
    idp.executor = executor.get();
    c = integrate("okta", "{}");
    owner = {workspace, {}, "tester", port::Role::owner};
    for (const auto& name : names) {
      app->add("a" + name, "ext-" + name, name);
      users.push_back(add_user(c, name));
    }
    run(std::chrono::seconds(30));
    const auto added = wait<port::SourceRow>([&](auto done) {
      engine->sources().add(owner, c->row.scope.integration, {"idp", kind, std::move(source_config)},
                            std::move(done));
    });
    if (!added) FAIL(added.error().message());
    source = added->id;
  }
  ~FeedWorld() { crash(); }  // while there is an IdP
  FeedWorld(const FeedWorld&) = delete;
  FeedWorld& operator=(const FeedWorld&) = delete;

  template <class T, class Start>
  Result<T> wait(Start start) {
    auto got = std::make_shared<std::optional<Result<T>>>();
    start(engine::Done<T>([got](Result<T> r) { got->emplace(std::move(r)); }));
    for (int i = 0; i < 10000 && !*got; ++i) run(i < 100 ? Duration(0) : Duration(std::chrono::seconds(1)));
    return *got ? std::move(**got) : Result<T>(Error(Errc::timeout, "no answer"));
  }
  Result<boost::json::object> poll(engine::PollSource how = {}) {
    return wait<boost::json::object>(
        [&](auto done) { engine->sources().poll(owner, c->row.scope.integration, source, how, std::move(done)); });
  }
  bool active(const std::string& name) { return app->accounts.at("a" + name).active.value_or(true); }
  idp::Cause cause(const std::string& name) {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return subject(c, users[i]).cause;
    return idp::Cause::none;
  }
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
