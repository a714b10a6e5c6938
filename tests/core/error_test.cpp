#include <deprov/error.hpp>
#include <set>
#include <sstream>
#include "catch.hpp"

using deprov::Errc;
using deprov::Error;
using deprov::Result;

namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error(Errc::invalid_value, "odd", "n", "use an even number");
  return n / 2;
}

Result<int> quarter(int n) {
  DEPROV_TRY(first, half(n));
  DEPROV_TRY(second, half(first));
  return second;
}

Result<void> must_be_even(int n) {
  DEPROV_CHECK(half(n));
  return {};
}

}  // namespace

TEST_CASE("the message names the place, what is wrong, and what to do", "[error]") {
  CHECK(Error(Errc::io, "disk is gone").message() == "disk is gone");
  CHECK(Error(Errc::io, "disk is gone", "data/db").message() == "data/db: disk is gone");
  CHECK(Error(Errc::io, "disk is gone", "data/db", "attach it").message() == "data/db: disk is gone; attach it");
  CHECK(Error(Errc::io, "disk is gone", "", "attach it").message() == "disk is gone; attach it");
}

TEST_CASE("within puts the outer place before the inner one", "[error]") {
  CHECK(Error(Errc::no_target, "none", "path").within("Operations[2]").where() == "Operations[2].path");
  CHECK(Error(Errc::no_target, "none", "[3]").within("members").where() == "members[3]");
  CHECK(Error(Errc::no_target, "none", "/a/b").within("policy.json").where() == "policy.json/a/b");
  CHECK(Error(Errc::no_target, "none").within("members").where() == "members");
  CHECK(Error(Errc::no_target, "none", "path").within("").where() == "path");
  const Error outer = Error(Errc::no_target, "none", "path", "name one").within("x");
  CHECK(outer.code() == Errc::no_target);
  CHECK(outer.detail() == "none");
  CHECK(outer.advice() == "name one");
}

TEST_CASE("every code has a name of its own, and the category gives it", "[error]") {
  std::set<std::string> names;
  std::size_t known = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string name(to_string(static_cast<Errc>(i)));
    CHECK(deprov::make_error_code(static_cast<Errc>(i)).message() == name);
    if (name == "unknown") continue;
    ++known;
    names.insert(name);
  }
  CHECK(known > 30);
  CHECK(names.size() == known);
  CHECK(to_string(Errc::invalid_filter) == "invalid_filter");
  CHECK(std::string(deprov::error_category().name()) == "deprov");
}

TEST_CASE("an Errc converts to an error_code that compares with it", "[error]") {
  const boost::system::error_code ec = Errc::fenced;
  CHECK(ec.failed());
  CHECK(ec == Errc::fenced);
  CHECK(ec != Errc::stale_read);
  CHECK_FALSE(deprov::make_error_code(Errc::ok).failed());
  CHECK(Error(Errc::busy, "full").error_code() ==
        ec.category().default_error_condition(static_cast<int>(Errc::busy)));
}

TEST_CASE("TRY and CHECK hand the error on unchanged", "[error]") {
  REQUIRE(quarter(8));
  CHECK(*quarter(8) == 2);
  const auto failed = quarter(6);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message() == "n: odd; use an even number");
  CHECK(must_be_even(2));
  REQUIRE_FALSE(must_be_even(3));
  CHECK(must_be_even(3).error().code() == Errc::invalid_value);
}

TEST_CASE("a result with a value has the error that is none", "[error]") {
  CHECK(half(2).error().code() == Errc::ok);
  CHECK(half(2).error().message().empty());
  CHECK(half(2).error().within("x").where() == "x");
}

TEST_CASE("asking a failure for its value is a programming error that says which failure", "[error]") {
  CHECK_THROWS_WITH(half(1).value(), Catch::Matchers::Contains("odd"));
  CHECK_THROWS_AS(half(1).value(), std::logic_error);
}

TEST_CASE("a copy shares its texts and outlives the original", "[error]") {
  auto original = std::make_unique<Error>(Errc::timeout, std::string(100, 'x'), "w", "a");
  const Error copy = *original;
  CHECK(&copy.detail() == &original->detail());
  original.reset();
  CHECK(copy.detail() == std::string(100, 'x'));
  std::ostringstream os;
  os << copy;
  CHECK(os.str() == "timeout: w: " + std::string(100, 'x') + "; a");
}
