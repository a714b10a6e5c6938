#include <deprov/connector/connector.hpp>
#include <set>
#include "catch.hpp"

using namespace deprov::connector;

TEST_CASE("outcomes have the field's names and each has one disposition", "[connector][R17][R18]") {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Outcome::internal); ++i) {
    const auto o = static_cast<Outcome>(i);
    names.insert(to_string(o));
    CHECK(parse_outcome(to_string(o)) == o);
  }
  CHECK(names.size() == static_cast<std::size_t>(Outcome::internal) + 1);
  CHECK_FALSE(parse_outcome("unknown_outcome"));
  CHECK(disposition(Outcome::unknown_outcome) == Disposition::read_back);
  CHECK(disposition(Outcome::not_sent) == Disposition::retry);
  CHECK(disposition(Outcome::throttled) == Disposition::wait);
  CHECK(disposition(Outcome::auth_failed) == Disposition::pause_lane);
  CHECK(disposition(Outcome::permission_denied) == Disposition::check_lane);
  CHECK(disposition(Outcome::ambiguous) == Disposition::hold_job);
}

TEST_CASE("operations are named as they are written in policies", "[connector]") {
  for (std::size_t i = 0; i < operation_count; ++i) {
    const auto o = static_cast<Operation>(i);
    CHECK(parse_operation(to_string(o)) == o);
  }
  CHECK(is_change(Operation::disable));
  CHECK_FALSE(is_change(Operation::read));
  CHECK_FALSE(parse_operation("Disable"));
}
