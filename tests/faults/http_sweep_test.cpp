// The 1st, 2nd, 3rd ... exchange with the app fails, in each way that an exchange can fail, once and until it is
// mended.
#include <cstdlib>
#include <deprov/connectors/connectors.hpp>
#include <iterator>
#include "catch.hpp"
#include "faults/scim_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using test::ScimApp;

namespace {

/// Answers how many exchanges there were.
std::size_t run_with(ScimApp::Fault fault) {
  CAPTURE(static_cast<int>(fault.kind), fault.at, fault.lasts);
  ScimApp app;
  test::World w;
  w.transport = &app;
  for (auto& [id, kind] : builtin_connectors()) w.options.connectors.emplace(id, kind);
  w.connector = "scim";
  w.config = app.config();
  test::Scenario scenario(w, app.view());
  scenario.set_up();
  std::size_t exchanges = 0;
  scenario.run({[&] { app.set(fault); },
                [&] {
                  exchanges = app.exchanges();
                  app.heal();
                },
                {},
                10min});
  scenario.verify();
  const auto before = app.exchanges();
  w.crash();
  w.boot();
  w.run(60s);
  scenario.verify();
  CHECK(app.exchanges() == before);  // nothing is done again
  scenario.verify_usable();
  return exchanges;
}

constexpr ScimApp::Kind kinds[] = {ScimApp::Kind::not_sent,    ScimApp::Kind::request_lost,
                                   ScimApp::Kind::answer_lost, ScimApp::Kind::unavailable,
                                   ScimApp::Kind::throttled,   ScimApp::Kind::broken_answer,
                                   ScimApp::Kind::error,       ScimApp::Kind::unauthorized};

/// DEPROV_SWEEP_ALL: every exchange in every way; else each in one, and the ways in turn.
void sweep(bool lasts) {
  const auto exchanges = run_with({});
  REQUIRE(exchanges > 10);
  const bool all_of_it = std::getenv("DEPROV_SWEEP_ALL") != nullptr;
  for (std::size_t at = 1; at <= exchanges; ++at) {
    for (std::size_t i = 0; i < std::size(kinds); ++i)
      if (all_of_it || i == at % std::size(kinds)) run_with({kinds[i], at, lasts});
  }
}

}  // namespace

TEST_CASE("nothing is lost where one exchange with the app fails", "[faults][http][R13][R17][R18]") {
  sweep(false);
}

TEST_CASE("nothing is lost where the app fails until it is mended", "[faults][http][R13][R17][R18]") {
  sweep(true);
}
