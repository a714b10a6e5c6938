#include <array>
#include <deprov/uuid.hpp>
#include <type_traits>
#include <unordered_set>
#include "catch.hpp"

using deprov::make_uuid_v7;
using deprov::parse_uuid;
using deprov::Uuid;
using deprov::WallTime;

namespace {
constexpr std::array<std::uint8_t, 10> ones{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
constexpr std::array<std::uint8_t, 10> zeros{};
}  // namespace

TEST_CASE("the example of RFC 9562 appendix A.6 is reproduced", "[uuid]") {
  // 017F22E2-79B0-7CC3-98C4-DC0C0C07398F, 2022-02-22T19:22:22.000Z
  const std::array<std::uint8_t, 10> random{0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
  const auto at = deprov::parse_rfc3339("2022-02-22T19:22:22Z");
  REQUIRE(at);
  CHECK(to_string(make_uuid_v7(*at, random)) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

TEST_CASE("version and variant are set whatever the random bytes are", "[uuid]") {
  for (const auto& random : {ones, zeros}) {
    const Uuid u = make_uuid_v7(WallTime{1'769'860'800'000'000}, random);
    CHECK((u.bytes[6] >> 4) == 7);
    CHECK((u.bytes[8] >> 6) == 2);
  }
}

TEST_CASE("later ids sort after earlier ones", "[uuid]") {
  const Uuid early = make_uuid_v7(WallTime{1'000'000}, ones);
  const Uuid late = make_uuid_v7(WallTime{1'001'000}, zeros);
  CHECK(early < late);
  CHECK(to_string(early) < to_string(late));
}

TEST_CASE("text and value are the same thing", "[uuid]") {
  const Uuid u = make_uuid_v7(WallTime{1'769'860'800'000'000}, ones);
  const auto back = parse_uuid(to_string(u));
  REQUIRE(back);
  CHECK(*back == u);
  CHECK(parse_uuid("017F22E2-79B0-7CC3-98C4-DC0C0C07398F") == parse_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
  CHECK(to_string(Uuid{}) == "00000000-0000-0000-0000-000000000000");
  CHECK(Uuid{}.is_nil());
  CHECK_FALSE(u.is_nil());
}

TEST_CASE("what is no UUID is refused", "[uuid]") {
  for (std::string_view text : {"", "017f22e2", "017f22e279b07cc398c4dc0c0c07398f",
                                "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}", "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
                                "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
                                "017f22e2-79b07-cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
                                "-17f22e2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e-279b0-7cc3-98c4-dc0c0c07398f"}) {
    INFO(text);
    CHECK_FALSE(parse_uuid(text));
  }
}

TEST_CASE("ids of different kinds do not mix", "[uuid]") {
  STATIC_REQUIRE_FALSE(std::is_convertible_v<deprov::JobId, deprov::WorkspaceId>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<deprov::Uuid, deprov::WorkspaceId>);
  const auto id = deprov::JobId::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  REQUIRE(id);
  CHECK(id->str() == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  CHECK_FALSE(deprov::JobId::parse("no"));
  std::unordered_set<deprov::JobId> set{*id, *id, deprov::JobId{}};
  CHECK(set.size() == 2);
}
