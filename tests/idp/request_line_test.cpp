#include <deprov/idp/request_line.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::idp;

TEST_CASE("base-url-flag: Entra ID's flag is found where a path was appended to it [R11]") {
  const auto clean = [](std::string_view target) { return without_entra_flag(target).value_or("as it came"); };
  CHECK(clean("/scim/v2/1?aadOptscim062020/Users") == "/scim/v2/1/Users");
  CHECK(clean("/scim/v2/1/?aadOptscim062020/Users/2") == "/scim/v2/1//Users/2");
  CHECK(clean("/scim/v2/1?aadOptscim062020/Users?filter=userName%20eq%20%22x%22&count=1") ==
        "/scim/v2/1/Users?filter=userName%20eq%20%22x%22&count=1");
  CHECK(clean("/scim/v2/1?aadOptscim062020/Users&count=1") == "/scim/v2/1/Users?count=1");
  CHECK(clean("/scim/v2/1?AADOPTSCIM062020=true/Users") == "/scim/v2/1/Users");
  CHECK(clean("/scim/v2/1?AzureAdScimPatch2017/Users") == "/scim/v2/1/Users");
  CHECK(clean("/scim/v2/1/Users?filter=x?aadOptscim062020") == "/scim/v2/1/Users?filter=x");
  CHECK(clean("/scim/v2/1/Users?filter=x?aadOptscim062020&count=1") == "/scim/v2/1/Users?filter=x&count=1");
  CHECK(clean("/scim/v2/1%3FaadOptscim062020/Users?count=1") == "/scim/v2/1/Users?count=1");
  CHECK(clean("/scim/v2/1/%3faadOptscim062020/Users") == "/scim/v2/1//Users");
  CHECK(clean("/scim/v2/1/Users&aadOptscim062020") == "/scim/v2/1/Users");
  // As a parameter it is ignored like any other, and other words are nobody's flag.
  for (const auto* other :
       {"/scim/v2/1/Users", "/scim/v2/1/Users?aadOptscim062020", "/scim/v2/1/Users?aadOptscim062020&count=1",
        "/scim/v2/1/Users?count=1&aadOptscim062020", "/scim/v2/1?flag/Users", "/scim/v2/1?aadOptscim062020x/Users",
        "/scim/v2/1/Users?filter=a?b", "", "?", "%3F", "/scim/v2/1/Users/%3FaadOptscim0620201"})
    CHECK(clean(other) == "as it came");
}

TEST_CASE("Entra ID is known by its flag") {
  CHECK(has_entra_flag("aadOptscim062020"));
  CHECK(has_entra_flag("count=1&AzureAdScimPatch062020=true"));
  CHECK_FALSE(has_entra_flag("count=1&aadOptscim0620200"));
  CHECK_FALSE(has_entra_flag(""));
  CHECK(detect({}, "filter=x&aadOptscim062020").name == "entra");
}

TEST_CASE("senders are known by their User-Agent") {
  const auto by = [](std::string_view agent) {
    const Header h{"user-agent", agent};
    return detect({&h, 1}).name;
  };
  CHECK(by("Okta SCIM Client 1.0.0") == "okta");
  CHECK(by("OneLogin SCIM/2.0") == "onelogin");
  CHECK(by("JumpCloud-SCIM") == "jumpcloud");
  CHECK(by("PingFederate/12.0") == "ping");
  CHECK(by("Google-SCIM") == "google");
  CHECK(by("mapping/1.0") == "generic");
  CHECK(by("") == "generic");
}

TEST_CASE("method-override: a POST that stands for another method [R11]") {
  const auto method = [](std::string_view sent, std::string_view header) -> std::string {
    const Header h{"x-http-method-override", header};
    const auto r = overridden_method(sent, {&h, 1});
    return r ? r->value_or("as it came") : "refused";
  };
  CHECK(method("POST", "PATCH") == "PATCH");
  CHECK(method("POST", "put") == "PUT");
  CHECK(method("POST", "DELETE") == "refused");
  CHECK(method("POST", "POST") == "as it came");
  CHECK(method("PATCH", "PATCH") == "as it came");
  CHECK(method("POST", "GET") == "refused");
  CHECK(method("GET", "DELETE") == "refused");
  const Header two[] = {{"X-HTTP-Method-Override", "PATCH"}, {"X-HTTP-Method", "DELETE"}};
  CHECK_FALSE(overridden_method("POST", two));
  CHECK(overridden_method("POST", {}).value() == std::nullopt);
}

TEST_CASE("discovery-names: endpoints of discovery by other names [R11]") {
  CHECK(discovery_endpoint("ServiceProviderConfigs") == "ServiceProviderConfig");
  CHECK(discovery_endpoint("serviceconfiguration") == "ServiceProviderConfig");
  CHECK_FALSE(discovery_endpoint("ServiceProviderConfig"));
  CHECK_FALSE(discovery_endpoint("Users"));
  for (const auto& d : dialects()) CHECK(d.rules.has(RuleId::discovery_names));
}

TEST_CASE("raw-spaces: a query with spaces as they are [R11]") {
  for (const auto& d : dialects()) {
    RawRequest raw;
    raw.query = "filter=userName eq \"a b\"&count=1";
    const auto n = normalize(d, std::move(raw));
    REQUIRE(n);
    REQUIRE(n->filter);
    CHECK(deprov::scim::to_string(*n->filter) == "userName eq \"a b\"");
    CHECK(n->fired.has(RuleId::raw_spaces));
    RawRequest clean;
    clean.query = "filter=userName%20eq+%22a%22";
    CHECK_FALSE(normalize(d, std::move(clean))->fired.has(RuleId::raw_spaces));
  }
}

TEST_CASE("doubled-base: a location behind the base URL [R11]") {
  const auto clean = [](std::string_view target) { return without_doubled_base(target).value_or("as it came"); };
  CHECK(clean("/scim/v2/1/https://host:8443/scim/v2/1/Users/2") == "/scim/v2/1/Users/2");
  CHECK(clean("/scim/v2/1//http://host/proxy/scim/v2/1/Users/2?attributes=id") ==
        "/scim/v2/1/Users/2?attributes=id");
  CHECK(clean("/scim/v2/1/https:/host/scim/v2/1") == "/scim/v2/1");
  CHECK(clean("/scim/v2/1/https://host/scim/v2/2/Users/2") == "as it came");
  CHECK(clean("/scim/v2/1/https://host/scim/v2/12/Users/2") == "as it came");
  CHECK(clean("/https://host/Users/2") == "as it came");
  CHECK(clean("/scim/v2/1/Users?filter=profileUrl eq \"/http://host/scim/v2/1/Users\"") == "as it came");
  CHECK(clean("/scim/v2/1/Users/2") == "as it came");
  for (const auto& d : dialects()) CHECK(d.rules.has(RuleId::doubled_base));
}
