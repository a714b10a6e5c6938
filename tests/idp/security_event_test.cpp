// Security Event Tokens: what is refused and with which error, and what the events of CAEP, RISC and SCIM mean.
#include <boost/json/parse.hpp>
#include <deprov/idp/security_event.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::idp;
namespace json = boost::json;

namespace {

constexpr std::int64_t issued = 1615305159;

SetExpectation agreed() {
  SetExpectation e;
  e.issuer = "https://idp.example.com/";
  e.audience = {"https://sp.example.com/caep", "https://sp.example.com/risc"};
  e.algorithms = {JwsAlgorithm::rs256, JwsAlgorithm::es256};
  e.now = {(issued + 10) * 1'000'000};
  return e;
}

CompactJws token(json::object payload,
                 json::object header = {{"typ", "secevent+jwt"}, {"alg", "ES256"}, {"kid", "k"}}) {
  CompactJws jws;
  jws.header = std::move(header);
  jws.payload = std::move(payload);
  jws.signature = "s";
  return jws;
}

json::object claims(const char* event = "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
                    const char* payload = "{}") {
  return {{"iss", "https://idp.example.com/"},
          {"jti", "24c63fb56e5a2d77a6b512616ca9fa24"},
          {"iat", issued},
          {"aud", "https://sp.example.com/caep"},
          {"txn", "8675309"},
          {"sub_id", {{"format", "iss_sub"}, {"iss", "https://idp.example.com/"}, {"sub", "99beb27c"}}},
          {"events", {{event, json::parse(payload)}}}};
}

SetError error_of(const json::object& payload, const SetExpectation& expected = agreed()) {
  const auto set = read_set(token(payload), expected);
  REQUIRE_FALSE(set.has_value());
  CHECK_FALSE(set.error().description.empty());
  return set.error().error;
}

json::object with(json::object o, const char* name, json::value v) {
  o[name] = std::move(v);
  return o;
}
json::object without(json::object o, const char* name) {
  o.erase(name);
  return o;
}

SecurityEvent event_of(const char* uri, const char* payload = "{}") {
  const auto set = read_set(token(claims(uri, payload)), agreed());
  INFO((set ? std::string() : set.error().description));
  REQUIRE(set.has_value());
  return set->events.front();
}

}  // namespace

TEST_CASE("a header that is not that of a signed event token is refused", "[idp][set]") {
  const auto refused = [](json::object header, json::object payload = claims()) {
    const auto s = check_set_header(token(std::move(payload), std::move(header)), agreed());
    REQUIRE_FALSE(s.has_value());
    return s.error().error;
  };
  const auto good = check_set_header(token(claims()), agreed());
  REQUIRE(good.has_value());
  CHECK(good->algorithm == JwsAlgorithm::es256);
  CHECK(good->kid == "k");
  CHECK(check_set_header(token(claims(), {{"typ", "application/secevent+jwt"}, {"alg", "RS256"}}), agreed())
            .has_value());

  CHECK(refused({{"alg", "ES256"}}) == SetError::invalid_request);
  for (const char* typ : {"JWT", "", "at+jwt", "secevent"})
    CHECK(refused({{"typ", typ}, {"alg", "ES256"}}) == SetError::invalid_request);
  for (const char* none : {"none", "None", "NONE", "nOnE", ""})
    CHECK(refused({{"typ", "secevent+jwt"}, {"alg", none}}) == SetError::authentication_failed);
  CHECK(refused({{"typ", "secevent+jwt"}}) == SetError::authentication_failed);
  for (const char* other : {"HS256", "HS384", "PS256", "EdDSA", "RS256 ", "es256"})
    CHECK(refused({{"typ", "secevent+jwt"}, {"alg", other}}) == SetError::invalid_key);
  CHECK(refused({{"typ", "secevent+jwt"}, {"alg", "ES256"}, {"crit", json::array{"b64"}}, {"b64", false}}) ==
        SetError::invalid_request);
  for (const json::value& kid : {json::value(7), json::value(nullptr), json::value(json::array{"k"})})
    CHECK(refused({{"typ", "secevent+jwt"}, {"alg", "ES256"}, {"kid", kid}}) == SetError::invalid_request);
  for (const char* issuer :
       {"https://idp.example.com", "https://IDP.example.com/", "https://evil.example.com/", ""})
    CHECK(refused({{"typ", "secevent+jwt"}, {"alg", "ES256"}}, with(claims(), "iss", issuer)) ==
          SetError::invalid_issuer);
  CHECK(refused({{"typ", "secevent+jwt"}, {"alg", "ES256"}}, without(claims(), "iss")) ==
        SetError::invalid_issuer);
  auto unsigned_token = token(claims());
  unsigned_token.signature.clear();
  CHECK(check_set_header(unsigned_token, agreed()).error().error == SetError::authentication_failed);
}

TEST_CASE("the key is the one that the token names and its algorithm fits", "[idp][set]") {
  JwkSet keys;
  const auto add = [&](Jwk::Type type, std::string kid) {
    Jwk key;
    key.type = type;
    key.kid = std::move(kid);
    keys.keys.push_back(std::move(key));
  };
  add(Jwk::Type::rsa, "a");
  add(Jwk::Type::p256, "b");
  CHECK(find_key(keys, {JwsAlgorithm::rs256, "a"}) == &keys.keys[0]);
  CHECK(find_key(keys, {JwsAlgorithm::es256, "a"}) == nullptr);  // a kid does not change what a key is for
  CHECK(find_key(keys, {JwsAlgorithm::es256, "c"}) == nullptr);
  CHECK(find_key(keys, {JwsAlgorithm::es256, ""}) == &keys.keys[1]);
  add(Jwk::Type::p256, "c");
  CHECK(find_key(keys, {JwsAlgorithm::es256, ""}) == nullptr);  // which of both is not known
  CHECK(find_key(keys, {JwsAlgorithm::es256, "c"}) == &keys.keys[2]);
}

TEST_CASE("claims that a SET must or must not have", "[idp][set]") {
  REQUIRE(read_set(token(claims()), agreed()).has_value());
  CHECK(error_of(with(claims(), "exp", issued + 60)) == SetError::invalid_request);
  CHECK(error_of(with(claims(), "sub", "99beb27c")) == SetError::invalid_request);
  CHECK(error_of(without(claims(), "jti")) == SetError::invalid_request);
  CHECK(error_of(with(claims(), "jti", "")) == SetError::invalid_request);
  CHECK(error_of(with(claims(), "jti", json::string(513, 'j'))) == SetError::invalid_request);
  CHECK(error_of(with(claims(), "txn", 5)) == SetError::invalid_request);
  CHECK(error_of(without(claims(), "iat")) == SetError::invalid_request);
  CHECK(error_of(with(claims(), "iat", "1615305159")) == SetError::invalid_request);
  CHECK(error_of(with(claims(), "iat", issued + 1000)) == SetError::invalid_request);
  CHECK(error_of(with(claims(), "iat", issued - 31 * 86400)) == SetError::invalid_request);
  CHECK(read_set(token(with(claims(), "iat", issued + 60)), agreed()).has_value());  // the clocks differ a little
  CHECK(read_set(token(with(claims(), "iat", 1615305159.25)), agreed())->issued.micros == 1615305159250000);

  CHECK(error_of(without(claims(), "aud")) == SetError::invalid_audience);
  CHECK(error_of(with(claims(), "aud", "https://sp.example.com")) == SetError::invalid_audience);
  CHECK(error_of(with(claims(), "aud", json::array{"a", "b"})) == SetError::invalid_audience);
  CHECK(read_set(token(with(claims(), "aud", json::array{"a", "https://sp.example.com/risc"})), agreed())
            .has_value());

  CHECK(error_of(without(claims(), "events")) == SetError::invalid_request);
  CHECK(error_of(with(claims(), "events", json::object{})) == SetError::invalid_request);
  CHECK(error_of(with(claims(), "events", json::object{{"urn:x", "text"}})) == SetError::invalid_request);
  json::object many;
  for (int i = 0; i < 17; ++i) many["urn:x:" + std::to_string(i)] = json::object{};
  CHECK(error_of(with(claims(), "events", many)) == SetError::invalid_request);
  CHECK(error_of(without(claims(), "sub_id")) == SetError::invalid_request);
}

TEST_CASE("what Okta and Google do otherwise is understood by name alone", "[idp][set]") {
  const auto okta = json::parse(R"({
    "iss":"https://org.okta.com","jti":"24c6","iat":1615305159,"aud":"https://sp.example.com/caep","events":{
      "https://schemas.openid.net/secevent/caep/event-type/session-revoked":{
        "subject":{"format":"iss_sub","iss":"https://org.okta.com","sub":"okta-user-id1"},
        "reason_admin":{"en":"User logout from Okta"},"event_timestamp":1615304991643}}})")
                        .as_object();
  auto expected = agreed();
  expected.issuer = "https://org.okta.com";
  CHECK(error_of(okta, expected) == SetError::invalid_request);
  expected.compatibility.okta = true;
  const auto set = read_set(token(okta), expected);
  REQUIRE(set.has_value());
  CHECK(set->rules == std::vector<std::string>{"okta.event_subject", "okta.millisecond_timestamp"});
  CHECK(set->events[0].at.micros == 1615304991643000);
  REQUIRE(set->events[0].subject);
  CHECK(set->events[0].subject->identifiers ==
        std::vector<Identifier>{{IdentifierFormat::iss_sub, "okta-user-id1", "https://org.okta.com"}});
  // Even so, a top-level subject counts where there is one (RFC 9967, SSF 1.0).
  auto both = okta;
  both["sub_id"] = {{"format", "opaque"}, {"id", "other"}};
  CHECK(read_set(token(both), expected)->events[0].subject->identifiers[0].value == "other");

  const auto google = json::parse(R"({
    "iss":"https://idp.example.com/","jti":"756E","iat":1615305159,"aud":"https://sp.example.com/risc","events":{
      "https://schemas.openid.net/secevent/risc/event-type/account-disabled":{
        "subject":{"subject_type":"iss-sub","iss":"https://accounts.google.com/","sub":"7375626A656374"},
        "reason":"hijacking"}}})")
                          .as_object();
  expected = agreed();
  CHECK(error_of(google, expected) == SetError::invalid_request);
  expected.compatibility.google = true;
  const auto theirs = read_set(token(google), expected);
  REQUIRE(theirs.has_value());
  CHECK(theirs->rules == std::vector<std::string>{"google.subject_type", "google.event_subject"});
  CHECK(theirs->events[0].subject->identifiers[0].value == "7375626A656374");
}

TEST_CASE("when it happened is what the event says, then the token", "[idp][set]") {
  const auto uri = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
  CHECK(event_of(uri).at.micros == issued * 1'000'000);
  CHECK(event_of(uri, R"({"event_timestamp":1615304991})").at.micros == 1615304991000000);
  auto toe = with(claims(), "toe", issued - 100);
  CHECK(read_set(token(toe), agreed())->events[0].at.micros == (issued - 100) * 1'000'000);
  CHECK(error_of(with(claims(), "toe", issued + 4000)) == SetError::invalid_request);
  CHECK(error_of(claims(uri, R"({"event_timestamp":1615304991643})")) == SetError::invalid_request);
  CHECK(error_of(claims(uri, R"({"event_timestamp":"now"})")) == SetError::invalid_request);
  CHECK(error_of(claims(uri, R"({"event_timestamp":-1})")) == SetError::invalid_request);
  // Clocks differ: what happened a little after it was told happened then.
  CHECK(event_of(uri, R"({"event_timestamp":1615305200})").at.micros == issued * 1'000'000);
}

TEST_CASE("subjects in the formats of RFC 9493, SSF and RFC 9967", "[idp][set]") {
  const auto subject = [](const char* text) {
    const auto set = read_set(token(with(claims(), "sub_id", json::parse(text))), agreed());
    INFO(text);
    INFO((set ? std::string() : set.error().description));
    REQUIRE(set.has_value());
    return *set->events.front().subject;
  };
  using F = IdentifierFormat;
  const auto one = [&](const char* text) { return subject(text).identifiers.at(0); };
  CHECK(one(R"({"format":"opaque","id":"1"})") == Identifier{F::opaque, "1", {}});
  CHECK(one(R"({"format":"email","email":"a@x.org"})") == Identifier{F::email, "a@x.org", {}});
  CHECK(one(R"({"format":"account","uri":"acct:a@x.org"})") == Identifier{F::account, "a@x.org", {}});
  CHECK(one(R"({"format":"phone_number","phone_number":"+1206555"})") ==
        Identifier{F::phone_number, "+1206555", {}});
  CHECK(one(R"({"format":"did","url":"did:example:123"})") == Identifier{F::did, "did:example:123", {}});
  CHECK(one(R"({"format":"uri","uri":"urn:x:1"})") == Identifier{F::uri, "urn:x:1", {}});
  CHECK(subject(R"({"format":"something_new","x":1})").identifiers.empty());

  const auto scim = subject(R"({"format":"scim","uri":"/Users/44f6","externalId":"jdoe","id":"44f6"})");
  CHECK(scim.identifiers == std::vector<Identifier>{{F::scim_id, "44f6", {}}, {F::scim_external_id, "jdoe", {}}});
  CHECK(scim.user);
  CHECK_FALSE(subject(R"({"format":"scim","uri":"/Groups/176f"})").user);

  const auto aliases = subject(
      R"({"format":"aliases","identifiers":[{"format":"email","email":"a@x.org"},{"format":"opaque","id":"1"}]})");
  CHECK(aliases.identifiers.size() == 2);

  const auto complex = subject(R"({"format":"complex","session":{"format":"opaque","id":"s"},
    "user":{"format":"opaque","id":"u"},"tenant":{"format":"opaque","id":"t"}})");
  CHECK(complex.user);
  CHECK(complex.identifiers == std::vector<Identifier>{{F::opaque, "u", {}}});
  CHECK(complex.members == std::vector<std::string>{"session", "user", "tenant"});
  CHECK_FALSE(subject(R"({"format":"complex","device":{"format":"opaque","id":"d"}})").user);

  for (
      const char* wrong :
      {R"({})", R"("text")", R"({"format":""})", R"({"format":"opaque"})", R"({"format":"opaque","id":""})",
       R"({"format":"opaque","id":5})", R"({"format":"iss_sub","sub":"x"})",
       R"({"format":"account","uri":"mailto:a"})", R"({"format":"aliases"})",
       R"({"format":"aliases","identifiers":[]})",
       R"({"format":"aliases","identifiers":[{"format":"aliases","identifiers":[{"format":"opaque","id":"1"}]}]})",
       R"({"format":"scim"})", R"({"format":"scim","uri":"/Users/"})", R"({"format":"complex"})"}) {
    CAPTURE(wrong);
    CHECK(error_of(with(claims(), "sub_id", json::parse(wrong))) == SetError::invalid_request);
  }
}

TEST_CASE("what is shown of a subject ends between two characters", "[idp][set]") {
  CHECK(shortened("abc", 3) == "abc");
  CHECK(shortened("abc", 2) == "ab");
  CHECK(shortened("a\xC3\xA4z", 2) == "a");
  CHECK(shortened("\xF0\x9F\x98\x80", 3).empty());
  std::string id;
  while (id.size() < 1020) id += "\xC3\xA4";
  const auto set =
      read_set(token(with(claims(), "sub_id", json::object{{"format", "opaque"}, {"id", id}})), agreed());
  REQUIRE(set.has_value());
  const auto& subject = *set->events.front().subject;
  CHECK(subject.identifiers[0].value == id);
  CHECK(subject.text.size() <= 1000);
  CHECK(subject.whole.size() > 1020);
  CHECK((subject.text.size() - std::string(R"({"format":"opaque","id":")").size()) % 2 == 0);
}

TEST_CASE("what the events mean for access", "[idp][set][R2][R5]") {
  const auto means = [](const char* uri, EventMeaning meaning, Cause cause = Cause::none,
                        const char* payload = "{}") {
    const auto event = event_of(uri, payload);
    CAPTURE(uri);
    REQUIRE(event.type != nullptr);
    CHECK(event.meaning() == meaning);
    CHECK(event.cause() == cause);
  };
  using M = EventMeaning;
  means("https://schemas.openid.net/secevent/caep/event-type/session-revoked", M::sessions_revoked,
        Cause::sessions_revoked);
  means("https://schemas.openid.net/secevent/risc/event-type/sessions-revoked", M::sessions_revoked,
        Cause::sessions_revoked);
  means("https://schemas.openid.net/secevent/caep/event-type/credential-change", M::hint, Cause::none,
        R"({"credential_type":"password","change_type":"update"})");
  means("https://schemas.openid.net/secevent/risc/event-type/account-purged", M::ends, Cause::hard_deleted);
  means("https://schemas.openid.net/secevent/risc/event-type/account-disabled", M::ends, Cause::deactivated);
  means("https://schemas.openid.net/secevent/risc/event-type/account-enabled", M::grants);
  means("https://schemas.openid.net/secevent/risc/event-type/identifier-recycled", M::hint);
  means("https://schemas.openid.net/secevent/risc/event-type/opt-in", M::note);
  means("urn:ietf:params:scim:event:feed:add", M::grants);
  // Neither deleted nor deactivated (RFC 9967 section 2.3.2).
  means("urn:ietf:params:scim:event:feed:remove", M::ends, Cause::unassigned);
  means("urn:ietf:params:scim:event:prov:delete", M::ends, Cause::hard_deleted);
  means("urn:ietf:params:scim:event:prov:activate", M::grants);
  means("urn:ietf:params:SCIM:event:prov:deactivate", M::ends, Cause::deactivated);
  means("urn:ietf:params:scim:event:misc:asyncresp", M::note, Cause::none, R"({"method":"PUT","status":"200"})");
  means("urn:ietf:params:scim:event:prov:put:notice", M::hint, Cause::none, R"({"attributes":["active"]})");
  means("urn:ietf:params:scim:event:prov:put:full", M::hint, Cause::none, R"({"data":{"userName":"jdoe"}})");
  means("urn:ietf:params:scim:event:prov:put:full", M::ends, Cause::deactivated, R"({"data":{"active":false}})");
  means("urn:ietf:params:scim:event:prov:create:full", M::grants, Cause::none, R"({"data":{"active":true}})");
  const auto patch = "urn:ietf:params:scim:event:prov:patch:full";
  means(patch, M::ends, Cause::deactivated,
        R"({"data":{"Operations":[{"op":"Replace","path":"Active","value":false}]}})");
  means(patch, M::ends, Cause::deactivated,
        R"({"data":{"Operations":[{"op":"replace","value":{"active":false}}]}})");
  means(
      patch, M::grants, Cause::none,
      R"({"data":{"Operations":[{"op":"replace","path":"active","value":false},{"op":"replace","path":"active","value":true}]}})");
  means(patch, M::hint, Cause::none, R"({"data":{"Operations":[{"op":"remove","path":"active"}]}})");
  means(patch, M::hint, Cause::none,
        R"({"data":{"Operations":[{"op":"replace","path":"active","value":"False"}, 5]}})");
  means("https://schemas.openid.net/secevent/ssf/event-type/verification", M::verification, Cause::none,
        R"({"state":"VGhpcw"})");
  means("https://schemas.openid.net/secevent/ssf/event-type/stream-updated", M::stream_updated, Cause::none,
        R"({"status":"paused"})");
  CHECK(event_of("https://example.com/event-of-our-own").type == nullptr);
  CHECK(event_of("https://example.com/event-of-our-own").meaning() == M::note);

  CHECK(may_be_authoritative("account-disabled"));
  CHECK(may_be_authoritative("prov:put"));
  CHECK(may_be_authoritative("feed:remove"));
  CHECK_FALSE(may_be_authoritative("credential-change"));
  CHECK_FALSE(may_be_authoritative("session-revoked"));
  CHECK_FALSE(may_be_authoritative("nonsense"));
}

TEST_CASE("a payload that does not fit its event is refused", "[idp][set]") {
  const auto refused = [](const char* uri, const char* payload) {
    CAPTURE(uri, payload);
    CHECK(error_of(claims(uri, payload)) == SetError::invalid_request);
  };
  refused("https://schemas.openid.net/secevent/caep/event-type/credential-change",
          R"({"credential_type":"password"})");
  refused("https://schemas.openid.net/secevent/ssf/event-type/stream-updated", "{}");
  refused("urn:ietf:params:scim:event:prov:put:full", "{}");
  refused("urn:ietf:params:scim:event:prov:put:full", R"({"data":{},"attributes":[]})");
  refused("urn:ietf:params:scim:event:prov:put:full", R"({"data":"x"})");
  refused("urn:ietf:params:scim:event:prov:patch:notice", R"({"data":{}})");
  refused("urn:ietf:params:scim:event:prov:patch:notice", R"({"attributes":"userName"})");
}
