#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <deprov/crypto/crypto.hpp>
#include <set>
#include <string>
#include <vector>
#include "catch.hpp"

using deprov::Errc;
using deprov::crypto::make_crypto;
using deprov::crypto::make_system_random;
using deprov::port::bytes_of;

namespace {
std::string hex(deprov::port::Bytes b) {
  std::string out;
  for (const auto x : b) {
    constexpr auto digits = "0123456789abcdef";
    out += digits[x >> 4U];
    out += digits[x & 15U];
  }
  return out;
}
const std::string key_a(32, 'k');
const std::string key_b(32, 'l');
}  // namespace

TEST_CASE("sha256 agrees with FIPS 180-4") {
  const auto c = make_crypto();
  CHECK(hex(c->sha256(bytes_of("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(c->sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(c->sha256(bytes_of(std::string(1'000'000, 'a')))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("what was sealed opens with the same key and context only") {
  const auto c = make_crypto();
  for (const auto size : {0U, 1U, 16U, 1000U}) {
    const std::string plain(size, 'p');
    const auto sealed = c->seal(bytes_of(key_a), bytes_of("ws/integration/token"), plain);
    REQUIRE(sealed);
    CHECK(sealed->size() == 12 + size + 16);
    const auto opened = c->open(bytes_of(key_a), bytes_of("ws/integration/token"), *sealed);
    REQUIRE(opened);
    CHECK(*opened == plain);
    const auto other_key = c->open(bytes_of(key_b), bytes_of("ws/integration/token"), *sealed);
    REQUIRE(!other_key);
    CHECK(other_key.error().code() == Errc::store_corrupt);
    const auto other_place = c->open(bytes_of(key_a), bytes_of("ws/integration/tokem"), *sealed);
    REQUIRE(!other_place);
    CHECK(other_place.error().code() == Errc::store_corrupt);
    for (std::size_t i = 0; i < sealed->size(); i += 7) {
      auto changed = *sealed;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      CHECK_FALSE(c->open(bytes_of(key_a), bytes_of("ws/integration/token"), changed));
    }
  }
}

TEST_CASE("sealing twice gives different texts; short ones and wrong keys are refused") {
  const auto c = make_crypto();
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(*c->seal(bytes_of(key_a), {}, "x"));
  CHECK(seen.size() == 100);
  CHECK(c->open(bytes_of(key_a), {}, "short").error().code() == Errc::store_corrupt);
  CHECK(c->seal(bytes_of("short"), {}, "x").error().code() == Errc::invalid_argument);
  CHECK(c->open(bytes_of("short"), {}, std::string(40, 'x')).error().code() == Errc::invalid_argument);
}

TEST_CASE("equal compares contents and lengths") {
  const auto c = make_crypto();
  CHECK(c->equal(bytes_of("abc"), bytes_of("abc")));
  CHECK_FALSE(c->equal(bytes_of("abc"), bytes_of("abd")));
  CHECK_FALSE(c->equal(bytes_of("abc"), bytes_of("ab")));
  CHECK(c->equal({}, {}));
}

TEST_CASE("system random: bytes differ, in all sizes") {
  const auto r = make_system_random();
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(r->u64());
  CHECK(seen.size() == 10'000);
  for (const std::size_t size : {0U, 1U, 256U, 257U, 5000U}) {
    std::vector<std::uint8_t> a(size);
    std::vector<std::uint8_t> b(size);
    r->fill(a);
    r->fill(b);
    if (size >= 256) CHECK(a != b);
  }
}

TEST_CASE("system random: a forked child goes its own way") {
  const auto r = make_system_random();
  (void)r->u64();
  int pipes[2];
  REQUIRE(::pipe(pipes) == 0);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto v = r->u64();
    const auto n = ::write(pipes[1], &v, sizeof v);
    ::_exit(n == sizeof v ? 0 : 1);
  }
  const auto mine = r->u64();
  std::uint64_t theirs = 0;
  REQUIRE(::read(pipes[0], &theirs, sizeof theirs) == sizeof theirs);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(mine != theirs);
  ::close(pipes[0]);
  ::close(pipes[1]);
}
