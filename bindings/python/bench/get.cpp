// The yardstick of get.py: GET /Users/{id} through the C++ wrapper, in process, on the memory store.
// Usage: get MODE SECONDS; prints requests a second.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deprov_c.hpp>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string mode = argv[1];
  const std::chrono::duration<double> duration(std::atof(argv[2]));
  deprov_c::Options options;
  options.in_memory = true;
  options.host_driven = mode == "host_driven";
  deprov_c::Engine engine(options);
  const deprov_c::Caller by{deprov_c::record_get(engine.create_workspace("acme", "owner"), "id"), {}};
  const auto wiki = engine.create_integration(by, R"({"name": "Wiki", "idp": "okta", "connector": "null"})");
  deprov_c::Request request;
  request.method = "POST";
  request.target = deprov_c::record_get(wiki, "scim_base_path") + "/Users";
  request.headers = {{"Authorization", "Bearer " + deprov_c::record_get(wiki, "scim_token")},
                     {"Content-Type", "application/scim+json"}};
  request.body =
      R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann@example.com", "active": true})";
  const auto made = engine.call(request);
  if (made.status() != 201) return 1;
  request.method = "GET";
  request.target += "/" + deprov_c::record_get(made.body(), "id");
  request.body.clear();
  request.headers.pop_back();

  const auto begun = std::chrono::steady_clock::now();
  const auto until = begun + duration;
  long done = 0;
  std::size_t bytes = 0;
  if (mode == "in_flight") {
    for (int i = 0; i < 64; ++i) engine.send(request);
    while (std::chrono::steady_clock::now() < until) {
      for (const auto& event : engine.next(std::chrono::seconds(10))) {
        if (event.response.status() != 200) return 1;
        bytes += event.response.body().size();
        ++done;
        engine.send(request);
      }
    }
  } else {
    while (std::chrono::steady_clock::now() < until) {
      const auto got = engine.call(request);
      if (got.status() != 200) return 1;
      bytes += std::string(got.body()).size();
      ++done;
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::printf("%.0f\n", static_cast<double>(done) / took.count());
  return bytes == 0 ? 1 : 0;
}
