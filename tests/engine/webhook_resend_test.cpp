// Messages that were given up, sent again by a person; and who vouches for a receiver.
#include <set>
#include "catch.hpp"
#include "engine/told.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using test::Receiver;
using test::Told;

namespace {

using Strings = std::vector<std::string>;

struct GivenUp : Told {
  WebhookId hook_id;
  DeliveryId first, second;  ///< dead, in the order of time

  GivenUp() {
    const auto ann = user("ann");
    const auto bob = user("bob");
    const auto made = hook({});
    REQUIRE(made);
    hook_id = made->row.id;
    receiver.status = 500;
    leave(ann);
    run(24h * 4);
    leave(bob);
    run(24h * 4);
    const auto rows = deliveries(hook_id);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].state == port::DeliveryState::dead);
    CHECK(rows[1].state == port::DeliveryState::dead);
    first = rows[1].id;
    second = rows[0].id;
    receiver.got.clear();
  }
  Result<std::uint64_t> resend(engine::ResendDeliveries what) {
    return wait<std::uint64_t>(
        [&](auto done) { engine->resend_deliveries(owner, hook_id, what, std::move(done)); });
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < receiver.got.size(); ++i)
      for (const auto& e : receiver.events(i)) out.emplace_back(e.at("user_name").as_string());
    return out;
  }
  port::DeliveryRow row(DeliveryId id) {
    for (auto& r : deliveries(hook_id))
      if (r.id == id) return r;
    FAIL("no such delivery");
    return {};
  }
};

}  // namespace

TEST_CASE("what was given up is sent again as it was, the oldest first and before what is new",
          "[engine][webhook]") {
  GivenUp w;
  w.receiver.status = 200;
  w.receiver.silent = true;
  const auto count = w.resend({});
  REQUIRE(count);
  CHECK(*count == 2);
  w.run(1s);
  REQUIRE(w.receiver.got.size() == 1);
  CHECK(w.metrics().webhooks.begin()->second.messages == 2);
  const auto cid = w.user("cid");
  w.leave(cid);
  w.run(1min);
  w.receiver.silent = false;
  w.receiver.answer();
  w.run(1min);
  CHECK(w.names() == Strings{"ann", "bob", "cid"});
  CHECK(w.receiver.header(0, "webhook-id") == "msg_" + w.first.str());
  CHECK(w.receiver.header(1, "webhook-id") == "msg_" + w.second.str());
  for (const auto id : {w.first, w.second}) {
    CHECK(w.row(id).state == port::DeliveryState::delivered);
    CHECK(w.row(id).attempts == 1);
    CHECK(w.row(id).resent.micros != 0);
  }
  CHECK(w.workspace_events("webhook.resent") == 1);
  CHECK(w.metrics().webhooks.begin()->second.messages == 0);
}

TEST_CASE("one message is sent again, or those since a time", "[engine][webhook]") {
  GivenUp w;
  w.receiver.status = 200;
  SECTION("one") {
    REQUIRE(w.resend({.message = w.second}));
    w.run(1min);
    CHECK(w.names() == Strings{"bob"});
    CHECK(w.row(w.first).state == port::DeliveryState::dead);
    // It was delivered now.
    const auto again = w.resend({.message = w.second});
    REQUIRE_FALSE(again);
    CHECK(again.error().code() == Errc::conflict);
  }
  SECTION("since") {
    const auto count = w.resend({.since = w.row(w.second).created});
    REQUIRE(count);
    CHECK(*count == 1);
    w.run(1min);
    CHECK(w.names() == Strings{"bob"});
    CHECK(*w.resend({.since = w.clock.wall()}) == 0);
  }
  SECTION("none such") {
    const auto none = w.resend({.message = w.random.id<DeliveryId>(w.clock.wall())});
    REQUIRE_FALSE(none);
    CHECK(none.error().code() == Errc::not_found);
    auto member = w.owner;
    member.role = port::Role::member;
    const auto refused = w.wait<std::uint64_t>(
        [&](auto done) { w.engine->resend_deliveries(member, w.hook_id, {}, std::move(done)); });
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Errc::forbidden);
  }
}

TEST_CASE("a message that is sent again and not taken is given up within an hour, and holds nothing up longer",
          "[engine][webhook]") {
  GivenUp w;
  REQUIRE(w.resend({.message = w.first}));
  w.run(30min);
  CHECK(w.row(w.first).state == port::DeliveryState::pending);
  CHECK(w.receiver.got.size() > 3);
  w.run(1h);
  CHECK(w.row(w.first).state == port::DeliveryState::dead);
  CHECK(w.workspace_events("webhook.dead") == 3);
  w.receiver.status = 200;
  REQUIRE(w.resend({.message = w.first}));
  w.run(1min);
  CHECK(w.row(w.first).state == port::DeliveryState::delivered);
}

TEST_CASE("what is to be sent again outlives a crash, and does not wait for another message's next attempt",
          "[engine][webhook]") {
  GivenUp w;
  const auto cid = w.user("cid");
  w.leave(cid);
  w.run(20h);  // its message waits for hours by now
  w.receiver.got.clear();
  w.receiver.status = 200;
  w.receiver.silent = true;
  REQUIRE(w.resend({}));
  w.run(1s);
  REQUIRE(w.receiver.got.size() == 1);
  CHECK(w.receiver.header(0, "webhook-id") == "msg_" + w.first.str());
  w.crash();
  w.receiver.forget();
  w.receiver.got.clear();
  w.receiver.silent = false;
  w.boot();
  w.run(12h);
  CHECK(w.names() == Strings{"ann", "bob", "cid"});
}

TEST_CASE("a webhook has authorities of its own, which can be changed and are no keys", "[engine][webhook]") {
  Told w;
  const std::string pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const auto refused = w.hook({.ca_pem = "nonsense"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::invalid_argument);
  CHECK(refused.error().where() == "ca_pem");
  const auto made = w.hook({.ca_pem = pem});
  REQUIRE(made);
  CHECK(made->row.ca_pem == pem);
  const auto send = [&] {
    REQUIRE(w.wait<engine::WebhookTest>(
        [&](auto done) { w.engine->test_webhook(w.owner, made->row.id, std::move(done)); }));
    return w.receiver.got.back().peer.ca_pem;
  };
  CHECK(send() == pem);
  const auto ann = w.user("ann");
  w.leave(ann);
  w.run(1min);
  CHECK(w.receiver.got.back().peer.ca_pem == pem);
  REQUIRE(w.wait<void>(
      [&](auto done) { w.engine->set_webhook_authorities(w.owner, made->row.id, pem + pem, std::move(done)); }));
  CHECK(send() == pem + pem);
  w.crash();
  w.boot();
  CHECK(send() == pem + pem);
  const auto key = w.wait<void>([&](auto done) {
    w.engine->set_webhook_authorities(w.owner, made->row.id, pem + "-----BEGIN PRIVATE KEY-----\nMII\n",
                                      std::move(done));
  });
  REQUIRE_FALSE(key);
  CHECK(key.error().code() == Errc::invalid_argument);
  REQUIRE(w.wait<void>(
      [&](auto done) { w.engine->set_webhook_authorities(w.owner, made->row.id, "", std::move(done)); }));
  CHECK(send().empty());
  CHECK(w.workspace_events("webhook.updated") == 2);
}
