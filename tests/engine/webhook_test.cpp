// Webhooks: what happens is told, signed, in order, at least once.
#include <deprov/store/sqlite_store.hpp>
#include <filesystem>
#include <set>
#include <stdexcept>
#include "catch.hpp"
#include "engine/told.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using engine::NotificationType;
using test::Receiver;
using test::Told;
namespace json = boost::json;

namespace {

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a verified removal is told, signed", "[engine][webhook]") {
  Told w;
  const auto ann = w.user("ann");
  const auto made = w.hook({});
  REQUIRE(made);
  CHECK(made->secret.rfind("whsec_", 0) == 0);
  CHECK(made->row.secrets.find(made->secret.substr(6)) == std::string::npos);
  w.leave(ann);
  w.run(1min);
  REQUIRE(w.receiver.got.size() == 1);
  const auto& request = w.receiver.got[0];
  CHECK(request.method == "POST");
  CHECK(request.url == "https://alerts.example.com/deprov");
  CHECK(request.peer.verify_tls);
  CHECK(request.max_response_bytes == std::size_t{64} * 1024);
  CHECK(Receiver::header(request, "Content-Type") == "application/json");
  CHECK(w.signed_by(made->secret, 0));
  const auto events = w.receiver.events(0);
  REQUIRE(events.size() == 1);
  const auto& e = events[0];
  CHECK(e.at("type") == "removal.verified");
  CHECK(e.at("user_name") == "ann");
  CHECK(std::string(e.at("subject").as_string()) == ann.str());
  CHECK(std::string(e.at("integration").as_string()) == w.c->row.scope.integration.str());
  CHECK(e.at("integration_name") == "okta");
  CHECK(e.at("detail").at("cause") == "deactivated");
  CHECK(e.at("detail").as_object().contains("time_to_deprovision_ms"));
  CHECK(std::string(e.at("id").as_string()) ==
        w.c->row.scope.integration.str() + ":" + std::to_string(e.at("seq").to_number<std::uint64_t>()));
  const auto rows = w.deliveries(made->row.id);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].state == port::DeliveryState::delivered);
  CHECK(rows[0].body.empty());
  CHECK(w.metrics().deliveries.at("delivered") == 1);
  CHECK(w.metrics().webhooks.begin()->second.messages == 0);
  CHECK(w.metrics().webhooks.begin()->second.records == 0);
}

TEST_CASE("a webhook hears of what comes after it, and of what it asked for", "[engine][webhook]") {
  Told w(R"({"approvals":[{"steps":["disable"],"role":"owner","expires_ms":60000}]})");
  const auto ann = w.user("ann");
  const auto bob = w.user("bob");
  w.leave(ann);
  w.run(10min);
  REQUIRE(w.hook({.events = {NotificationType::removal_failed}}));
  w.leave(bob);
  w.run(10min);
  CHECK(w.receiver.types() == Strings{"removal.failed"});
  CHECK(w.receiver.events(0)[0].at("user_name") == "bob");
}

TEST_CASE("a message is repeated as it was until it is taken, with waits that grow", "[engine][webhook]") {
  Told w;
  const auto ann = w.user("ann");
  const auto made = w.hook({});
  REQUIRE(made);
  w.receiver.script = {500, 0, 302, 404};
  w.leave(ann);
  w.run(1s);
  CHECK(w.receiver.got.size() == 1);
  auto rows = w.deliveries(made->row.id);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].state == port::DeliveryState::pending);
  CHECK(rows[0].status == 500);
  CHECK(rows[0].attempts == 1);
  CHECK(w.metrics().webhooks.begin()->second.messages == 1);
  w.run(10min);
  REQUIRE(w.receiver.got.size() == 5);
  std::set<std::string> ids;
  std::set<std::string> bodies;
  std::set<std::string> times;
  for (std::size_t i = 0; i < 5; ++i) {
    ids.insert(w.receiver.header(i, "webhook-id"));
    bodies.insert(w.receiver.got[i].body);
    times.insert(w.receiver.header(i, "webhook-timestamp"));
  }
  CHECK(ids.size() == 1);
  CHECK(bodies.size() == 1);
  CHECK(times.size() == 5);
  rows = w.deliveries(made->row.id);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].state == port::DeliveryState::delivered);
  CHECK(rows[0].attempts == 5);
  CHECK(w.metrics().deliveries.at("failed") == 4);
}

TEST_CASE("a receiver that says how long it wants to be left alone is", "[engine][webhook]") {
  Told w;
  const auto ann = w.user("ann");
  REQUIRE(w.hook({}));
  w.receiver.script = {429};
  w.receiver.answer_headers = {{"Retry-After", "600"}};
  w.leave(ann);
  w.run(599s);
  CHECK(w.receiver.got.size() == 1);
  w.run(2s);
  CHECK(w.receiver.got.size() == 2);
}

TEST_CASE("what was to be told outlives a crash at any point", "[engine][webhook]") {
  Told w;
  const auto made = w.hook({});
  REQUIRE(made);
  const auto ann = w.user("ann");
  const auto bob = w.user("bob");
  const auto restart = [&] {
    w.crash();
    w.receiver.forget();
    w.boot();
  };
  // While the request is under way.
  w.receiver.silent = true;
  w.leave(ann);
  w.run(1s);
  REQUIRE(w.receiver.got.size() == 1);
  restart();
  w.run(1min);
  REQUIRE(w.receiver.got.size() == 2);
  CHECK(w.receiver.header(0, "webhook-id") == w.receiver.header(1, "webhook-id"));
  CHECK(w.receiver.got[0].body == w.receiver.got[1].body);
  // Between two attempts, and while more happened.
  w.receiver.silent = false;
  w.receiver.status = 503;
  restart();
  w.run(1min);
  w.leave(bob);
  w.run(1min);
  w.crash();
  w.receiver.status = 200;
  const auto before = w.receiver.got.size();
  w.boot();
  w.run(12h);
  CHECK(w.receiver.types(before) == Strings{"removal.verified", "removal.verified"});
  CHECK(w.signed_by(made->secret, 0) == false);  // long ago
  CHECK(w.deliveries(made->row.id).size() == 2);
}

TEST_CASE("a receiver that never answers is given up after three days, visibly, and the rest is told",
          "[engine][webhook]") {
  Told w;
  const auto ann = w.user("ann");
  const auto made = w.hook({});
  REQUIRE(made);
  w.receiver.status = 500;
  w.leave(ann);
  w.run(24h * 4);
  auto rows = w.deliveries(made->row.id);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].state == port::DeliveryState::dead);
  CHECK_FALSE(rows[0].body.empty());
  CHECK(rows[0].error == "answered with status 500");
  CHECK(rows[0].attempts > 10);
  CHECK(rows[0].attempts < 60);
  CHECK(w.workspace_events("webhook.dead") == 1);
  CHECK(w.metrics().deliveries.at("dead") == 1);
  w.receiver.status = 200;
  const auto before = w.receiver.got.size();
  const auto bob = w.user("bob");
  w.leave(bob);
  w.run(1min);
  CHECK(w.receiver.types(before) == Strings{"removal.verified"});
}

TEST_CASE("what is too old when its turn comes is counted, and not told", "[engine][webhook]") {
  Told w;
  const auto ann = w.user("ann");
  const auto bob = w.user("bob");
  const auto cid = w.user("cid");
  const auto made = w.hook({});
  REQUIRE(made);
  w.receiver.status = 500;
  w.leave(ann);
  w.run(1min);
  w.leave(bob);  // waits behind the message about ann
  w.crash();
  w.clock.advance(24h * 4);
  w.receiver.status = 200;
  const auto before = w.receiver.got.size();
  w.boot();
  w.run(1min);
  CHECK(w.receiver.types(before) == Strings{"removal.verified"});  // the message that was made in time
  CHECK(w.receiver.events(before)[0].at("user_name") == "ann");
  w.leave(cid);
  w.run(1min);
  REQUIRE(w.receiver.got.size() == before + 2);
  CHECK(w.receiver.events(before + 1)[0].at("user_name") == "cid");
  CHECK(w.workspace_events("webhook.skipped") == 1);
  CHECK(w.metrics().deliveries.at("skipped_events") == 1);
}

TEST_CASE("thousands of events are few messages, one at a time, and nothing waits for them", "[engine][webhook]") {
  Told w;
  const auto made = w.hook({.events = {NotificationType::removal_verified}});
  REQUIRE(made);
  std::vector<ResourceId> users;
  for (int i = 0; i < 450; ++i) {
    const auto n = "u" + std::to_string(i);
    w.app->add("a-" + n, "ext-" + n, n);
    users.push_back(w.add_user(w.c, n));
  }
  w.run(1min);
  w.receiver.silent = true;
  for (const auto id : users) w.leave(id);
  w.run(1h);
  // The receiver sleeps: the removals are done all the same, and one message is under way.
  for (const auto& [id, account] : w.app->accounts) CHECK(account.active == false);
  CHECK(w.receiver.got.size() == 1);
  CHECK(w.deliveries(made->row.id).size() == 1);
  const auto waiting = w.metrics().webhooks.begin()->second;
  CHECK(waiting.messages == 1);
  CHECK(waiting.records > 400);
  w.receiver.silent = false;
  w.receiver.answer();
  w.run(1min);
  CHECK(w.receiver.most_at_once == 1);
  CHECK(w.receiver.got.size() <= 7);
  // All of them, once, in the order of the chain.
  std::set<std::string> told;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < w.receiver.got.size(); ++i) {
    CHECK(w.receiver.events(i).size() <= 100);
    for (const auto& e : w.receiver.events(i)) {
      told.insert(std::string(e.at("user_name").as_string()));
      const auto seq = e.at("seq").to_number<std::uint64_t>();
      CHECK(seq > last);
      last = seq;
    }
  }
  CHECK(told.size() == 450);
  CHECK(w.metrics().webhooks.begin()->second.records == 0);
}

TEST_CASE("a hold of many is told as one", "[engine][webhook][R7]") {
  Told w(R"({"guard":{}})");
  std::vector<ResourceId> users;
  for (int i = 0; i < 60; ++i) {
    const auto n = "u" + std::to_string(i);
    w.app->add("a-" + n, "ext-" + n, n);
    users.push_back(w.add_user(w.c, n));
  }
  w.run(1min);
  REQUIRE(w.hook({.events = {NotificationType::hold_opened, NotificationType::removal_held}}));
  w.receiver.silent = true;
  for (std::size_t i = 0; i < 50; ++i) w.leave(users[i]);
  w.run(1min);
  w.receiver.silent = false;
  w.receiver.answer();
  w.run(1min);
  std::uint64_t opened = 0;
  std::uint64_t held = 0;
  std::uint64_t events = 0;
  for (std::size_t i = 0; i < w.receiver.got.size(); ++i) {
    for (const auto& e : w.receiver.events(i)) {
      ++events;
      const auto count = e.at("count").to_number<std::uint64_t>();
      (e.at("type") == "hold.opened" ? opened : held) += count;
      CHECK(e.at("subjects").as_array().size() <= 20);
      if (count > 1) CHECK(e.at("subject").is_null());
    }
  }
  CHECK(opened == 1);
  CHECK(held == 20);  // half of 60 passed
  CHECK(events <= 4);
}

TEST_CASE("lanes that stand still, approvals and access without account are told", "[engine][webhook][R4]") {
  Told w(R"({"approvals":[{"steps":["disable"],"role":"owner"}]})");
  const auto ann = w.user("ann");
  REQUIRE(w.hook({}));
  w.leave(ann);
  w.run(1min);
  CHECK(w.receiver.types() == Strings{"approval.wanted"});
  CHECK(w.receiver.events(0)[0].at("detail").at("role") == "owner");
  REQUIRE(w.wait<port::IntegrationRow>([&](auto done) {
    w.engine->stop_integration(w.owner, w.c->row.scope.integration, "bad feed", std::move(done));
  }));
  w.run(1min);
  CHECK(w.receiver.types(1) == Strings{"lane.paused"});
  CHECK(w.receiver.events(1)[0].at("detail").at("record") == "integration.stopped");
  REQUIRE(w.wait<void>([&](auto done) { w.engine->stop_workspace(w.owner, "all of it", std::move(done)); }));
  w.run(1min);
  CHECK(w.receiver.types(2) == Strings{"lane.paused"});
  CHECK(w.receiver.events(2)[0].at("integration").is_null());
}

TEST_CASE("a source raises a notification with one record", "[engine][webhook]") {
  Told w;
  REQUIRE(w.hook({}));
  port::Transaction txn;
  txn.id = w.random.id<TxnId>(w.clock.wall());
  port::op::AppendActivity a;
  a.scope = w.c->row.scope;
  a.at = w.clock.wall();
  a.event = std::string(engine::source_unhealthy_event);
  a.actor = "source:poll";
  a.detail = R"({"source":"poll","reason":"three reads failed"})";
  txn.ops.emplace_back(a);
  w.store->commit(std::move(txn), [](const Result<port::Committed>& r) { REQUIRE(r); });
  w.crash();
  w.boot();
  w.run(1min);
  CHECK(w.receiver.types() == Strings{"source.unhealthy"});
  CHECK(w.receiver.events(0)[0].at("detail").at("reason") == "three reads failed");
}

TEST_CASE("a new secret, with the old one besides for a while", "[engine][webhook]") {
  Told w;
  const auto made = w.hook({});
  REQUIRE(made);
  const auto test = [&] {
    const auto t = w.wait<engine::WebhookTest>(
        [&](auto done) { w.engine->test_webhook(w.owner, made->row.id, std::move(done)); });
    REQUIRE(t);
    return *t;
  };
  auto t = test();
  CHECK(t.delivered);
  CHECK(t.status == 200);
  CHECK(w.receiver.types() == Strings{"webhook.test"});
  CHECK(w.signed_by(made->secret, 0));
  const auto second = w.wait<std::string>(
      [&](auto done) { w.engine->rotate_webhook_secret(w.owner, made->row.id, 1h, std::move(done)); });
  REQUIRE(second);
  CHECK(*second != made->secret);
  (void)test();
  CHECK(w.signed_by(made->secret, 1));
  CHECK(w.signed_by(*second, 1));
  w.run(1h);
  (void)test();
  CHECK_FALSE(w.signed_by(made->secret, 2));
  CHECK(w.signed_by(*second, 2));
  const auto third = w.wait<std::string>(
      [&](auto done) { w.engine->rotate_webhook_secret(w.owner, made->row.id, 0s, std::move(done)); });
  REQUIRE(third);
  w.receiver.script = {403};
  t = test();
  CHECK_FALSE(t.delivered);
  CHECK(t.status == 403);
  CHECK(t.error == "answered with status 403");
  CHECK(w.signed_by(*third, 3));
  CHECK_FALSE(w.signed_by(*second, 3));
  w.run(1h);
  CHECK(w.receiver.got.size() == 4);  // a test is not repeated
  CHECK(w.workspace_events("webhook.secret_rotated") == 2);
  CHECK(w.workspace_events("webhook.tested") == 4);
  // No secret is on the activity.
  w.read([&](port::Reader& r) {
    const auto page = r.activity({w.workspace, {}}, 0, 1000);
    for (const auto& row : page->rows) {
      CHECK(row.detail.value_or("").find("whsec_") == std::string::npos);
      CHECK(row.detail.value_or("").find(third->substr(6)) == std::string::npos);
    }
  });
}

TEST_CASE("who may not manage integrations may not manage webhooks, and another workspace's are not there",
          "[engine][webhook][R21]") {
  Told w;
  const auto made = w.hook({});
  REQUIRE(made);
  const auto id = made->row.id;
  auto member = w.owner;
  member.role = port::Role::member;
  auto stranger = w.owner;
  stranger.workspace = w.random.id<WorkspaceId>(w.clock.wall());
  const auto code = [](const auto& result) { return result ? Errc::internal : result.error().code(); };
  for (const auto& one : {std::pair{member, Errc::forbidden}, std::pair{stranger, Errc::not_found}}) {
    const auto& by = one.first;
    const auto expected = one.second;
    CHECK(code(w.wait<engine::WebhookTest>([&](auto done) { w.engine->test_webhook(by, id, std::move(done)); })) ==
          expected);
    CHECK(code(w.wait<std::string>(
              [&](auto done) { w.engine->rotate_webhook_secret(by, id, 0s, std::move(done)); })) == expected);
    CHECK(code(w.wait<void>([&](auto done) { w.engine->remove_webhook(by, id, std::move(done)); })) == expected);
    CHECK(code(w.wait<engine::NotificationPage>([&](auto done) {
            w.engine->notifications(by, w.c->row.scope.integration, 0, 10, std::move(done));
          })) == expected);
    CHECK(code(w.wait<engine::CreatedWebhook>([&](auto done) {
            w.engine->create_webhook(by, {.name = "x", .url = "https://x.example.com/"}, std::move(done));
          })) == expected);
  }
  CHECK(w.receiver.got.empty());
}

TEST_CASE("what cannot be a webhook is refused by name", "[engine][webhook]") {
  Told w;
  const auto refused = [&](const std::string& url, const std::string& name = "other") {
    const auto made = w.hook({.name = name, .url = url});
    return made ? Errc::internal : made.error().code();
  };
  for (const auto* url :
       {"", "x", "ftp://example.com/", "http://example.com/", "https://u:p@example.com/", "https://example.com/#x",
        "https://", "http://127.0.0.1.example.com/", "https://example.com:99999/", "https://example.com:0/"}) {
    INFO(url);
    if (*url != '\0') CHECK(refused(url) == Errc::invalid_argument);
  }
  CHECK(refused("https://example.com/" + std::string(2100, 'x')) == Errc::invalid_argument);
  REQUIRE(w.hook({.name = "local", .url = "http://127.0.0.1:8099/in"}));
  CHECK(refused("https://example.com/", "local") == Errc::conflict);
  for (int i = 1; i < 50; ++i) REQUIRE(w.hook({.name = "n" + std::to_string(i)}));
  CHECK(refused("https://example.com/") == Errc::limit_exceeded);
}

TEST_CASE("a webhook that was removed hears nothing more", "[engine][webhook]") {
  Told w;
  const auto ann = w.user("ann");
  const auto made = w.hook({});
  REQUIRE(made);
  w.receiver.silent = true;
  w.leave(ann);
  w.run(1s);
  REQUIRE(w.receiver.got.size() == 1);
  REQUIRE(w.wait<void>([&](auto done) { w.engine->remove_webhook(w.owner, made->row.id, std::move(done)); }));
  w.receiver.silent = false;
  w.run(24h);
  CHECK(w.receiver.got.size() == 1);
  CHECK(w.deliveries(made->row.id).empty());
  const auto gone =
      w.wait<void>([&](auto done) { w.engine->remove_webhook(w.owner, made->row.id, std::move(done)); });
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code() == Errc::not_found);
}

TEST_CASE("a webhook of one integration hears of that one, and of stops of the whole workspace",
          "[engine][webhook]") {
  Told w;
  const auto ann = w.user("ann");
  const auto other = w.integrate("entra");
  REQUIRE(w.wait<void>([&](auto done) { w.engine->stop_workspace(w.owner, "before", std::move(done)); }));
  REQUIRE(w.wait<void>([&](auto done) { w.engine->resume_workspace(w.owner, "before", std::move(done)); }));
  w.run(1s);
  REQUIRE(w.hook({.integration = other->row.scope.integration}));
  w.leave(ann);
  w.run(1min);
  CHECK(w.receiver.got.empty());
  w.app->add("a-eve", "ext-eve", "eve");
  const auto eve = w.add_user(other, "eve");
  w.run(1s);
  REQUIRE(w.set_active(other, eve, false));
  w.run(1min);
  CHECK(w.receiver.types() == Strings{"removal.verified"});
  // It stands still with all others, and goes on with them.
  REQUIRE(w.wait<void>([&](auto done) { w.engine->stop_workspace(w.owner, "bad feed", std::move(done)); }));
  w.run(1min);
  CHECK(w.receiver.types(1) == Strings{"lane.paused"});
  CHECK(w.receiver.events(1)[0].at("detail").at("record") == "workspace.stopped");
  CHECK(w.receiver.events(1)[0].at("detail").at("reason") == "bad feed");
  w.crash();
  w.boot();
  REQUIRE(w.wait<void>([&](auto done) { w.engine->resume_workspace(w.owner, "mended", std::move(done)); }));
  w.run(1min);
  CHECK(w.receiver.types(2) == Strings{"lane.resumed"});
  // Not of another one's stop.
  REQUIRE(w.wait<port::IntegrationRow>([&](auto done) {
    w.engine->stop_integration(w.owner, w.c->row.scope.integration, "theirs", std::move(done));
  }));
  w.run(1min);
  CHECK(w.receiver.got.size() == 3);
}

TEST_CASE("a webhook of one integration that wants no stops hears of none", "[engine][webhook]") {
  Told w;
  REQUIRE(w.hook({.events = {NotificationType::removal_verified}, .integration = w.c->row.scope.integration}));
  REQUIRE(w.wait<void>([&](auto done) { w.engine->stop_workspace(w.owner, "bad feed", std::move(done)); }));
  w.run(1min);
  CHECK(w.receiver.got.empty());
  CHECK(w.metrics().webhooks.begin()->second.records == 0);
}

TEST_CASE("an engine that closes waits for the request under way", "[engine][webhook]") {
  Told w;
  const auto ann = w.user("ann");
  REQUIRE(w.hook({}));
  w.receiver.silent = true;
  w.leave(ann);
  w.run(1s);
  REQUIRE(w.receiver.got.size() == 1);
  CHECK(w.wait<void>([&](auto done) { w.engine->close(10s, std::move(done)); }));
}

TEST_CASE("webhooks work on SQLite, and over a restart of the store", "[engine][webhook]") {
  auto path = (std::filesystem::temp_directory_path() / "deprov-hooks-XXXXXX").string();
  REQUIRE(::mkdtemp(path.data()) != nullptr);
  {
    Told w("{}", [&](const port::Crypto& crypto, port::Executor& executor) {
      store::SqliteStoreOptions o;
      o.directory = path;
      o.executor = &executor;
      auto made = store::open_sqlite_store(crypto, o);
      if (!made) throw std::runtime_error(made.error().message());
      return std::move(*made);
    });
    const auto ann = w.user("ann");
    const auto bob = w.user("bob");
    const auto made = w.hook({});
    REQUIRE(made);
    w.receiver.script = {500, 500};
    w.leave(ann);
    w.run(1s);
    w.leave(bob);
    w.run(1h);
    const auto types = w.receiver.types(2);
    CHECK(types == Strings{"removal.verified", "removal.verified"});
    CHECK(w.signed_by(made->secret, w.receiver.got.size() - 1) == false);  // it was sent long ago
    const auto rows = w.deliveries(made->row.id);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].state == port::DeliveryState::delivered);
    w.receiver.status = 500;
    const auto cid = w.user("cid");
    w.leave(cid);
    w.run(1s);
    CHECK(w.deliveries(made->row.id)[0].state == port::DeliveryState::pending);
  }
  {
    const auto crypto = crypto::make_crypto();
    runtime::VirtualClock clock;
    runtime::VirtualExecutor executor(clock);
    store::SqliteStoreOptions o;
    o.directory = path;
    o.executor = &executor;
    auto again = store::open_sqlite_store(*crypto, o);
    REQUIRE(again);
    std::size_t pending = 0;
    (*again)->view(
        [&](port::Reader& r) -> Result<void> {
          DEPROV_TRY(hooks, r.webhooks(std::nullopt));
          for (const auto& h : hooks) {
            DEPROV_TRY(page, r.deliveries(h.workspace, h.id, port::DeliveryState::pending, std::nullopt, 10));
            pending += page.rows.size();
          }
          return {};
        },
        [](const Result<void>& r) { REQUIRE(r); });
    executor.run_until_idle();
    CHECK(pending == 1);
  }
  std::filesystem::remove_all(path);
}
