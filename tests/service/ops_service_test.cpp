#include <boost/json/parse.hpp>
#include <deprov/service/ops_service.hpp>
#include <set>
#include "admin_api.hpp"

using namespace deprov;
using deprov::test::Api;
using deprov::test::text;
namespace json = boost::json;

TEST_CASE("health, readiness and metrics") {
  Api w;
  REQUIRE(w.integrate(w.local));
  service::OpsService ops(*w.engine, [] { return std::string("deprov_more 1\n"); });
  service::Router router(w.admin, w.admin, ops);
  CHECK(w.send(router, "GET", "/healthz", "", "").status == 200);
  CHECK(w.send(router, "GET", "/readyz", "", "").status == 503);
  ops.set_ready(true);
  CHECK(w.send(router, "GET", "/readyz", "", "").status == 200);
  CHECK(w.send(router, "GET", "/elsewhere", "", "").status == 404);
  CHECK(w.send(router, "POST", "/metrics", "", "").status == 405);
  CHECK(w.send(router, "GET", "/api/v1/integrations", "", w.owner_token).status == 200);
  CHECK(w.send(router, "GET", "/api/v1/integrations", "", "").status == 401);
  // From elsewhere, or through a proxy, nobody reads them unless it is said so.
  const auto asked = [&](service::Handler& handler, const std::string& peer, const std::string& field = {}) {
    service::Request r{"GET", "/metrics", {}, "", peer};
    if (!field.empty()) r.headers.push_back({field.substr(0, field.find(':')), field.substr(field.find(' ') + 1)});
    std::optional<service::Response> got;
    handler.handle(std::move(r), [&](service::Response x) { got = std::move(x); });
    for (int i = 0; i < 1000 && !got; ++i)
      if (w.executor.run_until_idle() == 0 && !got) (void)w.executor.advance_to_next_timer();
    REQUIRE(got);
    return std::move(*got);
  };
  for (const auto* peer : {"", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "127"})
    CHECK(asked(router, peer).status == 403);
  for (const auto* peer : {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"})
    CHECK(asked(router, peer).status == 200);
  for (const auto* field :
       {"X-Forwarded-For: 127.0.0.1", "Forwarded: for=192.0.2.1", "via: 1.1 p", "X-Real-IP: ::1"})
    CHECK(asked(router, "127.0.0.1", field).status == 403);
  CHECK(asked(ops.inner(), "192.0.2.1").status == 200);
  {
    service::OpsOptions options;
    options.metrics = service::OpsOptions::Metrics::nobody;
    service::OpsService apart(*w.engine, {}, options);
    CHECK(asked(apart, "127.0.0.1").status == 404);
    CHECK(asked(apart.inner(), "192.0.2.1").status == 200);
    options.token = "a-token-of-some-length";
    service::OpsService closed(*w.engine, {}, options);
    for (auto* handler : {static_cast<service::Handler*>(&closed), &closed.inner()}) {
      CHECK(asked(*handler, "127.0.0.1").status == 401);
      CHECK(asked(*handler, "127.0.0.1", "Authorization: Bearer " + w.owner_token).status == 401);
      CHECK(asked(*handler, "127.0.0.1", "Authorization: Bearer a-token-of-some-lengt").status == 401);
      CHECK(asked(*handler, "192.0.2.1", "Authorization: Bearer a-token-of-some-length").status == 200);
    }
  }
  const auto metrics = asked(router, "127.0.0.1");
  CHECK(metrics.status == 200);
  for (const auto* line :
       {"deprov_http_requests_total{service=\"admin\",method=\"GET\",status=\"401\"} 1\n",
        "# TYPE deprov_jobs gauge\n", "deprov_time_to_deprovision_seconds_bucket{le=\"+Inf\"} 0\n",
        "deprov_store_queue_depth 0\n", "deprov_lane_paused{integration=", "deprov_more 1\n"}) {
    INFO(line);
    CHECK(metrics.body.find(line) != std::string::npos);
  }
  CHECK(metrics.body.find("home") == std::string::npos);
}

TEST_CASE("an integration that cannot be used is in the listing, in /readyz and in the figures") {
  Api w;
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  const auto good = w.integrate(w.local, "other");
  auto row = made->row;
  row.policy = R"({"no_such_member":1})";  // as an older version may have stored it
  port::Transaction txn;
  txn.id = w.random.id<TxnId>(w.clock.wall());
  txn.ops.emplace_back(port::op::PutIntegration{row});
  w.store->commit(std::move(txn), [](const Result<port::Committed>& r) { REQUIRE(r.has_value()); });
  engine::Options options;
  options.master_key = std::string(32, 'k');
  options.background = false;
  options.connectors["fake"] = std::make_shared<test::managed::FakeKind>(w.app, false);
  auto second =
      engine::Engine::create({w.executor, w.clock, w.random, *w.store, w.http, *w.crypto}, std::move(options));
  REQUIRE(second.has_value());
  REQUIRE(w.wait<void>([&](auto done) { (*second)->start(std::move(done)); }));
  service::AdminService admin(**second);
  service::OpsService ops(**second, {});
  ops.set_ready(true);
  const auto listed =
      json::parse(w.send(admin, "GET", "/api/v1/integrations", {}, w.owner_token).body).at("items").as_array();
  REQUIRE(listed.size() == 2);
  for (const auto& i : listed) {
    if (i.at("id") == json::value(row.scope.integration.str())) {
      CHECK(text(i, "fault").find("no_such_member") != std::string::npos);
    } else {
      CHECK(i.at("fault").is_null());
    }
  }
  const auto ready = w.send(ops, "GET", "/readyz", {}, "");
  CHECK(ready.status == 200);
  CHECK(json::parse(ready.body).at("unusable_integrations") == 1);
  service::Request figures{"GET", "/metrics", {}, "", "127.0.0.1"};
  std::string text_of_them;
  ops.handle(std::move(figures), [&](service::Response r) { text_of_them = std::move(r.body); });
  w.executor.run_until_idle();
  CHECK(text_of_them.find("deprov_integration_unusable{integration=\"" + row.scope.integration.str() + "\"} 1") !=
        std::string::npos);
  const auto report =
      w.send(admin, "GET", "/api/v1/integrations/" + row.scope.integration.str() + "/report", {}, w.owner_token);
  INFO(report.body);
  CHECK(report.status == 200);
  (void)w.wait<void>([&](auto done) { (*second)->close(std::chrono::seconds(1), std::move(done)); });
}
