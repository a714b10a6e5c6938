#include <deprov/instance/instance.hpp>
#include <iostream>

// Usage: embed DIRECTORY. Makes an integration with an app that lives in a file, and hands it one request of an
// IdP.
int main(int argc, char** argv) {
  auto opened = deprov::Instance::open({.directory = argc > 1 ? argv[1] : "./data"});
  if (!opened) return std::cerr << opened.error() << '\n', 1;
  auto& instance = **opened;
  auto& engine = instance.engine();
  auto owner = instance.wait<deprov::engine::CreatedPrincipal>(
      [&](auto done) { engine.create_workspace({}, "acme", "owner", std::move(done)); });
  if (!owner) return std::cerr << owner.error() << '\n', 1;
  const deprov::engine::Principal by{owner->row.workspace, owner->row.id, owner->row.name, owner->row.role};
  auto wiki = instance.wait<deprov::engine::CreatedIntegration>([&](auto done) {
    engine.create_integration(by, {.name = "Wiki", .idp = "okta", .connector = "null", .check = false},
                              std::move(done));
  });
  if (!wiki) return std::cerr << wiki.error() << '\n', 1;
  const auto answer = instance.wait<deprov::service::Response>([&](auto done) {
    deprov::service::Request request{"GET",
                                     "/scim/v2/" + wiki->row.scope.integration.str() + "/Users?count=1",
                                     {{"Authorization", "Bearer " + wiki->scim_token}},
                                     "",
                                     "127.0.0.1"};
    instance.handler().handle(std::move(request), std::move(done));
  });
  std::cout << answer->status << ' ' << answer->body << '\n';  // mount `handler()` in a server of your own
  return answer->status == 200 ? 0 : 1;
}
