#include <arpa/inet.h>
#include <algorithm>
#include <deprov/http/egress.hpp>
#include <string>
#include "catch.hpp"

using deprov::http::allows;
using deprov::http::Egress;
using deprov::http::egress_from;

namespace {
std::array<std::uint8_t, 16> address(const std::string& text) {
  std::array<std::uint8_t, 16> out{};
  const auto v6 = text.find(':') == std::string::npos ? "::ffff:" + text : text;
  REQUIRE(inet_pton(AF_INET6, v6.c_str(), out.data()) == 1);
  return out;
}
}  // namespace

TEST_CASE("egress rules tell the internet, own networks and what nobody should call apart") {
  struct Row {
    const char* address;
    bool own_networks, internet;
  };
  for (const auto& row : {Row{"93.184.216.34", true, true},
                          {"2606:2800:220:1::1", true, true},
                          {"169.253.255.255", true, true},
                          {"172.15.0.1", true, true},
                          {"172.32.0.1", true, true},
                          {"100.128.0.1", true, true},
                          {"127.0.0.1", true, false},
                          {"::1", true, false},
                          {"10.1.2.3", true, false},
                          {"172.16.0.1", true, false},
                          {"172.31.255.255", true, false},
                          {"192.168.0.1", true, false},
                          {"100.64.0.1", true, false},
                          {"fc00::1", true, false},
                          {"fdff::1", true, false},
                          {"64:ff9b::10.0.0.1", true, false},
                          {"2002:a00:1::", true, false},
                          {"::10.0.0.1", true, false},
                          {"169.254.169.254", false, false},
                          {"64:ff9b::169.254.169.254", false, false},
                          {"fe80::1", false, false},
                          {"febf::1", false, false},
                          {"fd00:ec2::254", false, false},
                          {"0.0.0.0", false, false},
                          {"::", false, false},
                          {"224.0.0.1", false, false},
                          {"255.255.255.255", false, false},
                          {"ff02::1", false, false}}) {
    INFO(row.address);
    CHECK(allows(Egress::any, address(row.address)));
    CHECK(allows(Egress::own_networks, address(row.address)) == row.own_networks);
    CHECK(allows(Egress::internet, address(row.address)) == row.internet);
  }
}

TEST_CASE("egress rules have names") {
  for (const auto rule : {Egress::any, Egress::own_networks, Egress::internet})
    CHECK(egress_from(to_string(rule)) == rule);
  CHECK_FALSE(egress_from("everything"));
}
