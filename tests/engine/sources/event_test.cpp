// Security events received: what they change, what they never change, and that each counts once.
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "engine/sources/receiving.hpp"

using namespace deprov;
using namespace deprov::test;
using namespace std::chrono_literals;
namespace json = boost::json;
using idp::SetError;
using port::JobKind;
using port::JobState;

TEST_CASE("sessions that ended at the IdP end in the app, and access stays", "[engine][set][R2][R5]") {
  Receiving w(3);
  w.take(w.claims(session_revoked, Receiving::user(1), {{"event_timestamp", w.now() - 5}}));
  w.run(1min);
  CHECK(w.calls("revoke_sessions") == 1);
  CHECK(w.app->count("revoke_sessions a1") == 1);
  CHECK(w.calls("disable") == 0);
  CHECK(w.subject(w.c, w.users[1]).access);
  CHECK(w.subject(w.c, w.users[1]).desired != port::Desired::no_access);
  const auto job = w.job(w.c, w.users[1], JobKind::revoke_sessions);
  CHECK(job.state == JobState::succeeded_unverified);
  CHECK(job.cause == idp::Cause::sessions_revoked);
  CHECK(job.evidence_at.micros == (w.now() - 65) * 1'000'000);
  CHECK(w.events(w.c, "sessions.requested") == 1);
  CHECK(w.events(w.c, "sessions.in_progress") == 1);
  CHECK(w.events(w.c, "sessions.unverified") == 1);
  CHECK(w.outcomes() == Outcomes{"sessions_revoked"});
  CHECK(w.row().succeeded.micros != 0);
  // A later one of the same person is another one.
  w.take(w.claims(session_revoked, Receiving::user(1)));
  w.run(1min);
  CHECK(w.calls("revoke_sessions") == 2);
}

TEST_CASE("a token counts once: by its jti, and by its transaction", "[engine][set][R13]") {
  Receiving w(3);
  auto first = w.claims(session_revoked, Receiving::user(0));
  first["txn"] = "8675309";
  const auto token = w.signer.sign(first);
  REQUIRE_FALSE(w.push(token)->repeated);
  w.run(1min);
  SECTION("the same again is answered as it was") {
    for (int i = 0; i < 3; ++i) {
      const auto again = w.push(token);
      REQUIRE(again);
      CHECK_FALSE(again->refused);
      CHECK(again->repeated);
    }
    CHECK(w.push(w.signer.sign(first))->repeated);  // signed anew, which differs for ECDSA
    w.run(1min);
    CHECK(w.outcomes() == Outcomes{"sessions_revoked"});
  }
  SECTION("another one may not have its jti") {
    auto other = first;
    other["sub_id"] = Receiving::user(1);
    CHECK(w.refused(w.signer.sign(other)) == SetError::invalid_request);
    CHECK(w.events(w.c, "source.event_refused") == 1);
  }
  SECTION("nor does its transaction count twice") {
    auto other = w.claims(session_revoked, Receiving::user(0));
    other["txn"] = "8675309";
    w.take(other);
    w.run(1min);
    CHECK(w.outcomes() == Outcomes{"sessions_revoked", "repeated"});
    // One transaction may touch others, too, and show itself in another event.
    auto of_another = w.claims(session_revoked, Receiving::user(1));
    of_another["txn"] = "8675309";
    w.take(of_another);
    w.run(1min);
    CHECK(w.app->count("revoke_sessions a1") == 1);
  }
  SECTION("over a restart, too") {
    w.crash();
    w.boot();
    w.run(1s);
    CHECK(w.push(token)->repeated);
    w.run(1min);
  }
  SECTION("and what is too old to be remembered is refused") {
    w.run(24h * 31);
    CHECK(w.refused(token) == SetError::invalid_request);
  }
  CHECK(w.app->count("revoke_sessions a0") == 1);
}

TEST_CASE("tokens that nobody should take change nothing", "[engine][set]") {
  Receiving w(2);
  const auto good = w.claims(session_revoked, Receiving::user(0));
  const auto text = json::serialize(good);
  const json::object header{{"typ", "secevent+jwt"}, {"alg", "ES256"}, {"kid", "key-1"}};
  const auto with = [&](const char* name, json::value v) {
    auto h = header;
    h[name] = std::move(v);
    return h;
  };
  CHECK(w.refused("") == SetError::invalid_request);
  CHECK(w.refused("no.token.here") == SetError::invalid_request);
  CHECK(w.refused(w.signer.sign(with("typ", "JWT"), text)) == SetError::invalid_request);
  // Not signed: by name, without a signature, and with that of something else.
  CHECK(w.refused(test::base64url(json::serialize(with("alg", "none"))) + "." + test::base64url(text) + ".") ==
        SetError::authentication_failed);
  const auto signed_token = w.signer.sign(header, text);
  CHECK(w.refused(signed_token.substr(0, signed_token.rfind('.') + 1)) == SetError::authentication_failed);
  CHECK(w.refused(test::base64url(json::serialize(header)) + "." + test::base64url(text) + ".AAAA") ==
        SetError::authentication_failed);
  // The public key as the secret of an HMAC: algorithm confusion.
  CHECK(w.refused(test::sign_hs256(with("alg", "HS256"), text, json::serialize(w.signer.jwk()))) ==
        SetError::invalid_key);
  // By another key under the id of ours; by one that the token brings itself; by a key that is not known.
  const test::SetSigner stranger(test::SetSigner::Kind::p256, "key-1");
  CHECK(w.refused(stranger.sign(header, text)) == SetError::authentication_failed);
  CHECK(w.refused(stranger.sign(with("jwk", stranger.jwk()), text)) == SetError::authentication_failed);
  CHECK(w.refused(stranger.sign(with("jku", "https://evil.example.com/keys"), text)) ==
        SetError::authentication_failed);
  CHECK(w.refused(stranger.sign(with("kid", "key-2"), text)) == SetError::invalid_key);
  const test::SetSigner rsa(test::SetSigner::Kind::rsa2048, "key-1");
  auto as_rsa = header;
  as_rsa["alg"] = "RS256";
  CHECK(w.refused(rsa.sign(as_rsa, text, "RS256")) == SetError::invalid_key);
  // Signed rightly, and not for us.
  const auto changed = [&](const char* name, json::value v) {
    auto o = good;
    o[name] = std::move(v);
    return w.signer.sign(o);
  };
  CHECK(w.refused(changed("iss", "https://other.example.com/")) == SetError::invalid_issuer);
  CHECK(w.refused(changed("aud", "https://other.example.com")) == SetError::invalid_audience);
  CHECK(w.refused(changed("exp", w.now() + 60)) == SetError::invalid_request);
  CHECK(w.refused(changed("sub", "ext-u0")) == SetError::invalid_request);
  CHECK(w.refused(changed("iat", w.now() + 3600)) == SetError::invalid_request);
  w.run(1h);
  CHECK(w.app->log.end() == std::find_if(w.app->log.begin(), w.app->log.end(), [](const std::string& e) {
          return e.rfind("revoke", 0) == 0 || e.rfind("disable", 0) == 0;
        }));
  // What anybody can send fills no chain; what the transmitter signed somebody has to look at.
  CHECK(w.events(w.c, "source.event_refused") == 4);
  CHECK(w.events(w.c, "source.event") == 0);
  CHECK(w.push(w.signer.sign(good)));
  w.run(1min);
  CHECK(w.app->count("revoke_sessions a0") == 1);
}

TEST_CASE("a push has to bring the Authorization that was agreed on", "[engine][set]") {
  Receiving w(1, {{"authorization", "Bearer s3cret-of-the-stream"}});
  const auto token = w.signer.sign(w.claims(session_revoked, Receiving::user(0)));
  CHECK(w.refused(token) == SetError::authentication_failed);
  CHECK(w.refused(token, "Bearer s3cret-of-the-strea") == SetError::authentication_failed);
  const auto ok = w.push(token, "Bearer s3cret-of-the-stream");
  REQUIRE(ok);
  CHECK_FALSE(ok->refused);
  const auto row = w.row();
  CHECK(row.config.find("s3cret") == std::string::npos);
  CHECK(row.secrets.find("s3cret") == std::string::npos);
  for (const auto& a : w.activity(w.c)) CHECK(a.detail.value_or("").find("s3cret") == std::string::npos);
}

TEST_CASE("an event that ends access is a hint, unless its source is believed in that", "[engine][set][R5]") {
  SECTION("not believed") {
    Receiving w(3);
    w.take(w.claims(account_disabled, Receiving::user(1), {{"reason", "hijacking"}}));
    w.take(w.claims("urn:ietf:params:scim:event:prov:delete", Receiving::user(2)));
    w.take(w.claims("urn:ietf:params:scim:event:feed:remove", Receiving::user(2)));
    w.run(1h);
    CHECK(w.calls("disable") == 0);
    CHECK(w.subject(w.c, w.users[1]).access);
    CHECK(w.outcomes() == Outcomes{"hint", "hint", "hint"});
  }
  SECTION("believed") {
    Receiving w(
        5, {{"authoritative", json::array{"account-disabled", "account-enabled", "feed:remove", "feed:add"}}});
    w.take(w.claims(account_disabled, Receiving::user(1), {{"event_timestamp", w.now() - 30}}));
    w.take(w.claims("urn:ietf:params:scim:event:feed:remove",
                    json::object{{"format", "scim"}, {"uri", "/Users/ext-u2"}}));
    w.take(w.claims("urn:ietf:params:scim:event:prov:deactivate",
                    json::object{{"format", "scim"}, {"uri", "/Users/ext-u3"}}));
    w.run(1min);
    CHECK(w.app->count("disable a1") == 1);
    CHECK(w.subject(w.c, w.users[1]).cause == idp::Cause::deactivated);
    CHECK(w.job(w.c, w.users[1]).evidence_at.micros == (w.now() - 90) * 1'000'000);
    CHECK(w.app->count("disable a2") == 1);
    CHECK(w.subject(w.c, w.users[2]).cause == idp::Cause::unassigned);
    CHECK(w.calls("disable") == 2);
    CHECK(w.outcomes() == Outcomes{"ends", "ends", "hint"});
    // And access that comes back is given back (R4).
    w.take(w.claims(account_enabled, Receiving::user(1)));
    w.take(w.claims("urn:ietf:params:scim:event:feed:add",
                    json::object{{"format", "scim"}, {"uri", "/Users/ext-u2"}}));
    w.run(1min);
    CHECK(w.app->accounts.at("a1").active.value_or(true));
    CHECK(w.app->accounts.at("a2").active.value_or(true));
    CHECK(w.subject(w.c, w.users[1]).access);
  }
}

TEST_CASE("events that come out of order count in theirs", "[engine][set][R16]") {
  Receiving w(2, {{"authoritative", json::array{"account-disabled", "account-enabled"}}});
  const auto at = w.now();
  w.run(1min);
  w.take(w.claims(account_enabled, Receiving::user(0), {{"event_timestamp", at + 20}}));
  w.take(w.claims(account_disabled, Receiving::user(0), {{"event_timestamp", at + 10}}));
  w.run(1h);
  CHECK(w.calls("disable") == 0);
  CHECK(w.outcomes() == Outcomes{"known", "out_of_order"});
  // Of one moment, the end stands.
  w.take(w.claims(account_disabled, Receiving::user(1), {{"event_timestamp", w.now() - 5}}));
  w.take(w.claims(account_enabled, Receiving::user(1), {{"event_timestamp", w.now() - 5}}));
  w.run(1min);
  CHECK(w.app->count("disable a1") == 1);
  CHECK_FALSE(w.subject(w.c, w.users[1]).access);
  // Access that push showed later than the event counts; of the same second, the end does.
  const auto event_at = w.now();
  w.run(10s);
  REQUIRE(w.set_active(w.c, w.users[0], false));
  REQUIRE(w.set_active(w.c, w.users[0], true));
  w.take(w.claims(account_disabled, Receiving::user(0), {{"event_timestamp", event_at}}));
  w.run(1min);
  CHECK(w.outcomes().back() == "outdated");
  CHECK(w.subject(w.c, w.users[0]).access);
  w.run(500ms);
  REQUIRE(w.set_active(w.c, w.users[0], false));
  REQUIRE(w.set_active(w.c, w.users[0], true));
  w.take(w.claims(account_disabled, Receiving::user(0)));
  w.run(1min);
  CHECK_FALSE(w.subject(w.c, w.users[0]).access);
}

TEST_CASE("the same leave by SCIM push and by events is one removal", "[engine][set][R13]") {
  Receiving w(3, {{"authoritative", json::array{"account-disabled", "prov:delete"}}});
  REQUIRE(w.set_active(w.c, w.users[0], false));
  w.take(w.claims(account_disabled, Receiving::user(0)));
  w.take(w.claims(account_disabled, Receiving::user(1)));
  REQUIRE(w.set_active(w.c, w.users[1], false));
  REQUIRE(w.remove_user(w.c, w.users[2]));
  w.take(w.claims("urn:ietf:params:scim:event:prov:delete",
                  json::object{{"format", "scim"}, {"uri", "/Users/ext-u2"}}));
  w.run(1h);
  CHECK(w.app->count("disable a0") == 1);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.app->count("disable a2") == 1);
  CHECK(w.events(w.c, "removal.requested") == 3);
  CHECK(w.events(w.c, "removal.evidence") == 2);
  // What push showed later than the event counts.
  REQUIRE(w.set_active(w.c, w.users[1], true));
  w.run(1min);
  CHECK(w.app->accounts.at("a1").active.value_or(true));
}

TEST_CASE("a leave that push, a list and an event see is one removal, and its clock runs from the first sign",
          "[engine][set][R13][R20]") {
  Receiving w(12, {{"authoritative", json::array{"account-disabled"}}});
  const auto list = w.wait<port::SourceRow>([&](auto done) {
    w.engine->sources().add(w.owner, w.c->row.scope.integration, {"hr", "rows", {{"whole", true}}},
                            std::move(done));
  });
  REQUIRE(list);
  const auto hand_in = [&](std::size_t without) {
    const auto id = w.wait<WorkId>([&](auto done) {
      w.engine->sources().begin(w.owner, w.c->row.scope.integration, list->id, {}, std::move(done));
    });
    REQUIRE(id);
    std::vector<engine::SourceUser> rows;
    for (std::size_t i = 0; i < w.users.size(); ++i)
      if (i != without) rows.push_back({"ext-u" + std::to_string(i)});
    REQUIRE(w.wait<std::uint64_t>(
        [&](auto done) { w.engine->sources().add_users(w.owner, *id, 0, rows, std::move(done)); }));
    REQUIRE(w.wait<json::object>([&](auto done) { w.engine->sources().end(w.owner, *id, {}, std::move(done)); }));
  };
  hand_in(99);
  w.run(1h);
  const auto left = w.now();
  w.run(30min);
  // Nothing is done before all have spoken.
  for (int i = 0; i < 9; ++i) w.app->answer(connector::Operation::disable, connector::Outcome::unavailable);
  REQUIRE(w.set_active(w.c, w.users[3], false));
  w.run(1min);
  hand_in(3);
  w.run(1min);
  w.take(w.claims(account_disabled, Receiving::user(3), {{"event_timestamp", left}}));
  CHECK(w.subject(w.c, w.users[3]).evidence_at.micros / 1'000'000 == left);
  w.app->script.clear();
  w.run(6h);
  CHECK(w.app->count("disable a3") >= 1);
  CHECK(w.events(w.c, "removal.requested") == 1);
  CHECK(w.events(w.c, "removal.verified") == 1);
  CHECK(w.events(w.c, "removal.evidence") == 2);
  w.read([&](port::Reader& r) {
    const auto subject = r.subject(w.c->row.scope, w.users[3]).value();
    REQUIRE(subject);
    const auto job = r.job(w.c->row.scope, subject->job).value();
    REQUIRE(job);
    CHECK(job->evidence_at.micros / 1'000'000 == left);
  });
}

TEST_CASE("a token with two ends of one subject is taken, and what both show counts once",
          "[engine][set][R13][R20]") {
  Receiving w(3, {{"authoritative", json::array{"account-disabled", "account-purged"}}});
  const auto both = [&](std::size_t i, std::int64_t at) {
    const json::object payload{{"event_timestamp", at}};
    auto claims = w.claims(account_disabled, Receiving::user(i), payload);
    claims["events"].as_object()["https://schemas.openid.net/secevent/risc/event-type/account-purged"] = payload;
    return claims;
  };
  w.run(30min);
  const auto left = w.now() - 600;
  SECTION("of whom its removal waits already") {
    for (int i = 0; i < 9; ++i) w.app->answer(connector::Operation::disable, connector::Outcome::unavailable);
    REQUIRE(w.set_active(w.c, w.users[1], false));
    w.run(1min);
    w.take(both(1, left));
    CHECK(w.job(w.c, w.users[1]).evidence_at.micros / 1'000'000 == left);
    w.app->script.clear();
    w.run(6h);
    CHECK(w.events(w.c, "removal.evidence") == 2);
  }
  SECTION("of whom nothing was known") {
    w.take(both(1, left));
    w.run(1h);
    CHECK(w.events(w.c, "removal.evidence") == 1);
  }
  CHECK(w.outcomes() == Outcomes{"ends", "ends"});
  CHECK(w.events(w.c, "removal.requested") == 1);
  CHECK(w.events(w.c, "removal.verified") == 1);
  CHECK(w.subject(w.c, w.users[1]).evidence_at.micros / 1'000'000 == left);
  CHECK_FALSE(w.subject(w.c, w.users[1]).access);
}

TEST_CASE("who is named by nobody, or by several, is listed, and nothing follows", "[engine][set][R12]") {
  Receiving w(3, {{"authoritative", json::array{"account-disabled"}}});
  w.take(w.claims(account_disabled, json::object{{"format", "opaque"}, {"id", "nobody"}}));
  w.take(w.claims(account_disabled, json::object{{"format", "opaque"}, {"id", "nobody"}}));
  w.take(w.claims(account_disabled, json::object{{"format", "email"}, {"email", "u1"}}));  // never a key
  w.take(w.claims(account_disabled, json::parse(R"({"format":"aliases","identifiers":[
    {"format":"opaque","id":"ext-u0"},{"format":"opaque","id":"ext-u1"}]})")));
  w.take(w.claims(account_disabled,  // another issuer's ids are nobody's here
                  json::object{{"format", "iss_sub"}, {"iss", "https://other.example.com/"}, {"sub", "ext-u0"}}));
  w.run(1h);
  CHECK(w.calls("disable") == 0);
  CHECK(w.outcomes() ==
        Outcomes{"unknown_subject", "unknown_subject", "unknown_subject", "ambiguous_subject", "unknown_subject"});
  const auto listed = w.wait<std::vector<engine::UnlinkedSubject>>([&](auto done) {
    w.engine->events().unlinked(w.owner, w.c->row.scope.integration, w.source, std::move(done));
  });
  REQUIRE(listed);
  REQUIRE(listed->size() == 4);
  CHECK(listed->at(1).why == "ambiguous");
  CHECK(listed->at(1).candidates.size() == 2);
  CHECK(listed->at(3).count == 2);
  CHECK(listed->at(3).event == "account-disabled");

  // A person says who is meant.
  const auto link = [&](ResourceId subject, const std::string& as) {
    return w.wait<void>([&](auto done) {
      w.engine->events().link(w.owner, w.c->row.scope.integration, w.source, subject, as, std::move(done));
    });
  };
  REQUIRE(link(w.users[0], "nobody"));
  CHECK(w.events(w.c, "source.linked") == 1);
  CHECK(w.wait<std::vector<engine::UnlinkedSubject>>([&](auto done) {
           w.engine->events().unlinked(w.owner, w.c->row.scope.integration, w.source, std::move(done));
         })->size() == 3);
  w.take(w.claims(account_disabled, json::object{{"format", "opaque"}, {"id", "nobody"}}));
  w.run(1min);
  CHECK(w.app->count("disable a0") == 1);
  REQUIRE(link(w.users[0], ""));
  CHECK(link(ResourceId{w.source.value}, "x").error().code() == Errc::not_found);

  // Or when the source is made; or that user names are good enough here.
  json::object links{{w.users[2].str(), "nobody"}};
  auto config = w.config;
  config["links"] = links;
  config["link"] = {{"email", "user_name"}};
  w.source = w.add("linked", config).value().id;
  w.take(w.claims(account_disabled, json::object{{"format", "opaque"}, {"id", "nobody"}}));
  w.take(w.claims(account_disabled, json::object{{"format", "email"}, {"email", "U1"}}));
  w.run(1min);
  CHECK(w.app->count("disable a2") == 1);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.calls("disable") == 3);
}

TEST_CASE("whom a person linked to an identifier is meant by it, and nobody else whom it fits",
          "[engine][set][R12]") {
  Receiving w(2, {{"authoritative", json::array{"account-disabled"}}});
  const auto link = [&](ResourceId subject, const std::string& as) {
    return w.wait<void>([&](auto done) {
      w.engine->events().link(w.owner, w.c->row.scope.integration, w.source, subject, as, std::move(done));
    });
  };
  REQUIRE(link(w.users[0], "ext-u1"));
  w.take(w.claims(account_disabled, Receiving::user(1)));
  w.run(1min);
  CHECK(w.app->count("disable a0") == 1);
  CHECK(w.app->count("disable a1") == 0);
  // Two whom a person linked are two.
  REQUIRE(link(w.users[1], "ext-u1"));
  w.take(w.claims(account_disabled, Receiving::user(1)));
  w.run(1min);
  CHECK(w.outcomes() == Outcomes{"ends", "ambiguous_subject"});
  CHECK(w.app->count("disable a1") == 0);
  // Of whom a person linked and who is deleted nothing is left to be meant.
  REQUIRE(link(w.users[1], ""));
  REQUIRE(w.remove_user(w.c, w.users[0]));
  w.take(w.claims(account_disabled, Receiving::user(1)));
  w.run(1min);
  CHECK(w.app->count("disable a1") == 1);
}

TEST_CASE("protection and guard hold for events, too", "[engine][set][R7][R9]") {
  SECTION("a protected subject keeps its sessions") {
    Receiving w(2, {}, R"({"protection":{"subjects":[{"external_id":"ext-u1","reason":"break glass"}]}})");
    w.take(w.claims(session_revoked, Receiving::user(1)));
    w.run(1h);
    CHECK(w.calls("revoke_sessions") == 0);
    CHECK(w.events(w.c, "sessions.retained") == 1);
  }
  SECTION("many ends wait for a person") {
    Receiving w(30, {{"authoritative", json::array{"account-disabled"}}}, R"({"guard":{"enabled":true}})");
    for (std::size_t i = 0; i < 30; ++i) w.take(w.claims(account_disabled, Receiving::user(i)));
    w.run(1h);
    std::optional<port::HoldRow> hold;
    w.read([&](port::Reader& r) { hold = r.open_hold(w.c->row.scope).value(); });
    REQUIRE(hold);
    CHECK(w.calls("disable") + hold->held == 30);
    CHECK(w.calls("disable") <= 15);
  }
}

TEST_CASE("an event with a critical member that is not understood is discarded", "[engine][set]") {
  Receiving w(1, {{"critical_members", json::array{"tenant"}}});
  w.take(w.claims(session_revoked, json::parse(R"({"format":"complex","user":{"format":"opaque","id":"ext-u0"},
    "tenant":{"format":"opaque","id":"t"}})")));
  w.take(w.claims(session_revoked, json::parse(R"({"format":"complex","user":{"format":"opaque","id":"ext-u0"},
    "session":{"format":"opaque","id":"s"}})")));
  w.run(1min);
  CHECK(w.outcomes() == Outcomes{"discarded", "sessions_revoked"});
}

TEST_CASE("a receiver is told what is wrong with its config", "[engine][set]") {
  Receiving w(1);
  const auto where = [&](const char* name, json::value v) {
    auto config = w.config;
    if (v.is_null()) {
      config.erase(name);
    } else {
      config[name] = std::move(v);
    }
    const auto made = w.add("another", config);
    REQUIRE_FALSE(made);
    CHECK(made.error().code() == Errc::invalid_argument);
    return made.error().where();
  };
  CHECK(where("jwks", nullptr) == "config/jwks");
  CHECK(where("jwks_uri", "https://idp.example.com/keys") == "config/jwks");  // one of both
  CHECK(where("jwks", json::object{{"keys", json::array{}}}) == "config/jwks");
  CHECK(where("authoritative", json::array{"credential-change"}) == "config/authoritative");
  CHECK(where("link", json::object{{"shoe_size", "id"}}) == "config/link/shoe_size");
  CHECK(where("links", json::object{{"x", "y"}}) == "config/links/x");
  CHECK(where("poll", json::object{{"url", "http://idp.example.com/poll"}}) == "config/poll/url");
  CHECK(where("authorization", "Bearer a\r\nX: y") == "config/authorization");
  CHECK(where("algorithms", json::array{"HS256"}).rfind("config/algorithms", 0) == 0);
  CHECK(where("verification", json::object{{"url", "https://idp.example.com/v"}}) == "config/stream_id");

  // Lists do not come to it; and a receiver that is gone takes nothing.
  const auto list = w.wait<WorkId>([&](auto done) {
    w.engine->sources().begin(w.owner, w.c->row.scope.integration, w.source, {}, std::move(done));
  });
  REQUIRE_FALSE(list);
  CHECK(list.error().code() == Errc::invalid_argument);
  REQUIRE(w.wait<void>([&](auto done) {
    w.engine->sources().remove(w.owner, w.c->row.scope.integration, w.source, std::move(done));
  }));
  CHECK(w.push(w.signer.sign(w.claims(session_revoked, Receiving::user(0)))).error().code() == Errc::not_found);
  w.read([&](port::Reader& r) {
    CHECK(r.source_pieces({w.c->row.scope, w.source, port::SourcePart::seen, 0, 100}, 0, 10).value().rows.empty());
  });
}
