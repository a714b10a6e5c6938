// A world in which somebody is told.
#pragma once

#include <deprov/engine/webhook_signature.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/receiver.hpp"

namespace deprov::test {

/// An engine with one integration, whose webhooks reach a receiver in memory.
struct Told : World {
  Receiver receiver;
  engine::Context c;
  engine::Principal owner;

  explicit Told(const std::string& policy = "{}", const StoreMaker& make_store = {}) : World(1, make_store) {
    transport = &receiver;
    c = integrate("okta", policy);
    owner = {workspace, {}, "tester", port::Role::owner};
  }
  ~Told() { receiver.forget(); }
  Told(const Told&) = delete;
  Told& operator=(const Told&) = delete;

  template <class T, class Start>
  Result<T> wait(Start start) {
    std::optional<Result<T>> got;
    start([&](Result<T> r) { got.emplace(std::move(r)); });
    while (!got && executor->run_one()) {
    }
    if (!got) return Error(Errc::timeout, "no completion came");
    return std::move(*got);
  }
  Result<engine::CreatedWebhook> hook(engine::CreateWebhook what) {
    if (what.name.empty()) what.name = "alerts";
    if (what.url.empty()) what.url = "https://alerts.example.com/deprov";
    return wait<engine::CreatedWebhook>([&](auto done) { engine->create_webhook(owner, what, std::move(done)); });
  }
  ResourceId user(const std::string& name) {
    app->add("a-" + name, "ext-" + name, name);
    const auto id = add_user(c, name);
    run(std::chrono::seconds(1));
    return id;
  }
  void leave(ResourceId id) { REQUIRE(set_active(c, id, false)); }
  std::vector<port::DeliveryRow> deliveries(WebhookId id) {
    std::vector<port::DeliveryRow> rows;
    read([&](port::Reader& r) { rows = r.deliveries(workspace, id, std::nullopt, std::nullopt, 1000)->rows; });
    return rows;
  }
  std::size_t workspace_events(std::string_view event) {
    std::size_t n = 0;
    read([&](port::Reader& r) {
      const auto page = r.activity({workspace, {}}, 0, 10'000);
      for (const auto& row : page->rows) n += row.event == event ? 1 : 0;
    });
    return n;
  }
  bool signed_by(const std::string& secret, std::size_t i) {
    return engine::verify_webhook(*crypto, secret, receiver.header(i, "webhook-id"),
                                  receiver.header(i, "webhook-timestamp"), receiver.header(i, "webhook-signature"),
                                  receiver.got.at(i).body, clock.wall());
  }
  engine::Metrics metrics() {
    auto m = wait<engine::Metrics>([&](auto done) { engine->metrics(std::move(done)); });
    REQUIRE(m);
    return *m;
  }
};

}  // namespace deprov::test
