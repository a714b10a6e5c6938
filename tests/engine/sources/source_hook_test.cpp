// Calls of an IdP to its source, as far as the engine takes them; the calls themselves: idp/feed_hook_test.cpp.
#include "support/polled_world.hpp"

using namespace deprov;
using namespace std::chrono_literals;

namespace {

Errc refused(test::Polled& w, SourceId source) {
  const auto answer = w.wait<idp::HookAnswer>([&](auto done) {
    w.engine->sources().called(source, {"POST", {}, {}, "{}"}, std::move(done));
  });
  REQUIRE_FALSE(answer);
  return answer.error().code();
}

}  // namespace

TEST_CASE("a source that nobody could look for is not called missing", "[engine][polls]") {
  test::Polled w(3);
  const auto elsewhere = w.random.id<SourceId>(w.clock.wall());
  CHECK(refused(w, elsewhere) == Errc::not_found);
  // A look costs, and made-up ids cost no more than one in five seconds: until then it is not known.
  CHECK(refused(w, elsewhere) == Errc::busy);
  w.run(6s);
  CHECK(refused(w, elsewhere) == Errc::not_found);
  // One that is known, and has no hook.
  CHECK(refused(w, w.source) == Errc::not_found);
  CHECK(refused(w, w.source) == Errc::not_found);
}
