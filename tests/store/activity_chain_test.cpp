#include <deprov/port/activity_chain.hpp>
#include "stores.hpp"

namespace deprov::test::activity_chain_test {
namespace {

const Scope here = scope(1, 1);

std::vector<ActivityRow> make_chain(std::size_t n) {
  const auto store = store::make_memory_store(crypto());
  for (std::size_t i = 0; i < n; ++i) {
    op::AppendActivity o;
    o.scope = here;
    o.at = {static_cast<std::int64_t>(i)};
    o.event = "event";
    o.actor = "engine";
    o.detail = "{\"i\":" + std::to_string(i) + "}";
    o.salt.fill(static_cast<std::uint8_t>(i));
    REQUIRE(commit(*store, {o}));
  }
  return read(*store, [](Reader& r) { return r.activity(here, 0, 1000); }).rows;
}

std::string broken_at(const std::vector<ActivityRow>& rows, const std::optional<ChainHead>& expected = {}) {
  const auto result = verify_chain(crypto(), here, {}, rows, expected);
  if (result) return "holds";
  CHECK(result.error().code() == Errc::store_corrupt);
  return result.error().where();
}

}  // namespace

TEST_CASE("an untouched chain holds, and in pieces", "[store][R20]") {
  const auto rows = make_chain(6);
  CHECK(broken_at(rows) == "holds");
  const auto first = verify_chain(crypto(), here, {}, std::span(rows).first(3));
  REQUIRE(first);
  CHECK(first->seq == 3);
  CHECK(verify_chain(crypto(), here, *first, std::span(rows).subspan(3)));
}

TEST_CASE("a chain shows each record that was tampered with", "[store][R20]") {
  const auto rows = make_chain(6);
  const auto tampered = [&](auto change) {
    auto copy = rows;
    change(copy);
    return broken_at(copy);
  };
  CHECK(tampered([](auto& r) { r[2].at.micros += 1; }) == "seq 3");
  CHECK(tampered([](auto& r) { r[2].event = "other"; }) == "seq 3");
  CHECK(tampered([](auto& r) { r[2].actor = "somebody"; }) == "seq 3");
  CHECK(tampered([](auto& r) { r[2].subject = id<ResourceId>(9); }) == "seq 3");
  CHECK(tampered([](auto& r) { r[2].job = id<JobId>(9); }) == "seq 3");
  CHECK(tampered([](auto& r) { r[2].detail = "{}"; }) == "seq 3");
  CHECK(tampered([](auto& r) { (*r[2].salt)[0] ^= 1; }) == "seq 3");
  CHECK(tampered([](auto& r) { r[2].detail_hash[0] ^= 1; }) == "seq 3");
  CHECK(tampered([](auto& r) { r[2].hash[0] ^= 1; }) == "seq 3");
  CHECK(tampered([](auto& r) { r[2].scope = scope(1, 2); }) == "seq 3");
  CHECK(tampered([](auto& r) { r.erase(r.begin() + 2); }) == "seq 3");
  CHECK(tampered([](auto& r) { r.insert(r.begin() + 2, r[2]); }) == "seq 4");
  CHECK(tampered([](auto& r) { std::swap(r[2], r[3]); }) == "seq 3");
  CHECK(tampered([](auto& r) {
          std::swap(r[2], r[3]);
          std::swap(r[2].seq, r[3].seq);
        }) == "seq 3");
  CHECK(tampered([](auto& r) {  // even where its own hash was made anew
          r[2].event = "other";
          r[2].hash = activity_hash(crypto(), r[1].hash, r[2]);
        }) == "seq 4");
}

TEST_CASE("a removed end shows against the head that was noted", "[store][R20]") {
  auto rows = make_chain(6);
  const ChainHead noted{6, rows.back().hash};
  CHECK(broken_at(rows, noted) == "holds");
  rows.pop_back();
  CHECK(broken_at(rows) == "holds");
  CHECK(broken_at(rows, noted) == "seq 6");
}

TEST_CASE("a deleted detail does not break the chain", "[store][R20]") {
  auto rows = make_chain(3);
  rows[1].detail.reset();
  CHECK(broken_at(rows) == "seq 2");
  rows[1].salt.reset();
  CHECK(broken_at(rows) == "holds");
}

TEST_CASE("where texts end is part of the bytes", "[store][R20]") {
  ActivityRow a;
  a.event = "ab";
  a.actor = "c";
  ActivityRow b = a;
  b.event = "a";
  b.actor = "bc";
  CHECK(activity_bytes({}, a) != activity_bytes({}, b));
}

}  // namespace deprov::test::activity_chain_test
