// Replays the requests through the C interface; each needs an engine, so that fewer are damaged.
#include "capi_target.hpp"
#include "catch.hpp"
#include "replay.hpp"

TEST_CASE("no request through the C interface does harm", "[capi]") {
  const auto entries = deprov::fuzz::corpus("capi");
  REQUIRE(entries.size() >= 5);
  deprov::fuzz::Damage damage(entries);
  for (const auto& entry : entries) {
    if (auto wrong = deprov::fuzz::capi(entry); !wrong.empty()) FAIL_CHECK(wrong << "\nfrom " << entry);
    for (int i = 0; i < 100; ++i) {
      const auto damaged = damage.of(entry);
      if (auto wrong = deprov::fuzz::capi(damaged); !wrong.empty()) FAIL_CHECK(wrong << "\nfrom " << damaged);
    }
  }
}
