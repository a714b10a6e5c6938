// A world with one source of handed-in lists, and an app whose accounts are all in them.
#pragma once

#include <deprov/engine/sources.hpp>
#include <set>
#include "catch.hpp"
#include "support/fake_app.hpp"

namespace deprov::test::listing {

namespace json = boost::json;

struct Listed : World {
  engine::Context c;
  std::vector<ResourceId> users;
  engine::Principal owner;
  SourceId source;

  explicit Listed(std::size_t population, json::object listing = {{"whole", true}},
                  const StoreMaker& make_store = {}, const std::string& policy = "{}")
      : World(1, make_store) {
    c = integrate("okta", policy);
    owner = {workspace, {}, "tester", port::Role::owner};
    for (std::size_t i = 0; i < population; ++i) {
      const auto n = std::to_string(i);
      app->add("a" + n, "ext-u" + n, "u" + n);
      users.push_back(add_user(c, "u" + n));
    }
    run(std::chrono::seconds(30));
    listing["active"] = "active";
    source = add("directory", std::move(listing)).value().id;
  }
  template <class T, class Start>
  Result<T> wait(Start start) {
    auto got = std::make_shared<std::optional<Result<T>>>();
    start(engine::Done<T>([got](Result<T> r) { got->emplace(std::move(r)); }));
    while (!*got && executor->run_one()) {
    }
    return *got ? std::move(**got) : Result<T>(Error(Errc::timeout, "no answer"));
  }
  Result<port::SourceRow> add(const std::string& name, json::object listing, const std::string& kind = "file") {
    return wait<port::SourceRow>([&](auto done) {
      engine->sources().add(owner, c->row.scope.integration, {name, kind, std::move(listing)}, std::move(done));
    });
  }
  Result<json::object> sync(const std::string& text, bool dry_run = false, std::optional<std::uint64_t> count = {},
                            std::optional<WallTime> begun = {}) {
    auto list = wait<WorkId>([&](auto done) {
      engine->sources().begin(owner, c->row.scope.integration, source, {dry_run, 1000, {}, begun},
                              std::move(done));
    });
    if (!list) return list.error();
    for (std::size_t at = 0; at < text.size(); at += 100) {
      (void)wait<std::uint64_t>(
          [&](auto done) { engine->sources().feed(owner, *list, at, text.substr(at, 100), std::move(done)); });
    }
    return wait<json::object>([&](auto done) { engine->sources().end(owner, *list, count, std::move(done)); });
  }
  /// Everybody but those; these are listed as not active.
  std::string csv(const std::set<std::size_t>& without = {}, const std::set<std::size_t>& inactive = {}) const {
    std::string text = "id,active\n";
    for (std::size_t i = 0; i < users.size(); ++i)
      if (!without.contains(i))
        text += "ext-u" + std::to_string(i) + (inactive.contains(i) ? ",false\n" : ",true\n");
    return text;
  }
  bool app_active(std::size_t i) { return app->accounts.at("a" + std::to_string(i)).active.value_or(true); }
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

inline std::int64_t number(const json::object& report, const char* name) {
  return report.at(name).to_number<std::int64_t>();
}

}  // namespace deprov::test::listing
