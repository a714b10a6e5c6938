// What the C interface costs: `GET /Users/{id}` on the store in memory, which hides nothing behind a disk, through
// it and in C++. bindings.py compares Go and Python with the same.
#include <benchmark/benchmark.h>
#include <deprov.h>
#include <algorithm>
#include <boost/json/parse.hpp>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deprov/instance/instance.hpp>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>
#include "scale.hpp"

namespace {

using namespace deprov;

constexpr std::size_t in_flight = 64;
constexpr std::string_view new_user =
    R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"00u1","userName":"someone@example.com",)"
    R"("active":true,"name":{"givenName":"Some","familyName":"One"},)"
    R"("emails":[{"value":"someone@example.com","type":"work","primary":true}]})";

template <class T>
T must(Result<T> got) {
  if (!got) throw std::runtime_error(got.error().message());
  return std::move(*got);
}
void must(deprov_status status, deprov_error* error) {
  if (status == DEPROV_OK) return;
  const auto text = deprov_error_get_message(error);
  std::string why(text.ptr == nullptr ? "" : text.ptr, text.len);
  deprov_error_free(error);
  throw std::runtime_error(why);
}

/// In C++: an instance with one user.
class Native {
 public:
  Native() : instance_(must(Instance::open({.in_memory = true}))) {
    const auto owner = must(instance_->wait<engine::CreatedPrincipal>(
        [&](auto done) { instance_->engine().create_workspace({}, "acme", "owner", std::move(done)); }));
    const engine::Principal by{owner.row.workspace, owner.row.id, owner.row.name, owner.row.role};
    const auto wiki = must(instance_->wait<engine::CreatedIntegration>([&](auto done) {
      instance_->engine().create_integration(
          by, {.name = "Wiki", .idp = "okta", .connector = "null", .check = false}, std::move(done));
    }));
    token_ = "Bearer " + wiki.scim_token;
    const auto base = "/scim/v2/" + wiki.row.scope.integration.str() + "/Users";
    const auto made = call({"POST",
                            base,
                            {{"Authorization", token_}, {"Content-Type", "application/scim+json"}},
                            std::string(new_user),
                            "127.0.0.1"});
    if (made.status != 201) throw std::runtime_error(made.body);
    target_ = base + "/" + std::string(boost::json::parse(made.body).at("id").as_string());
  }
  service::Response call(service::Request request) {
    return must(instance_->wait<service::Response>(
        [&](auto done) { instance_->handler().handle(std::move(request), std::move(done)); }));
  }
  [[nodiscard]] service::Request get() const {
    return {"GET", target_, {{"Authorization", token_}}, "", "127.0.0.1"};
  }
  service::Handler& handler() { return instance_->handler(); }

 private:
  std::unique_ptr<Instance> instance_;
  std::string token_, target_;
};

/// The same through the C interface.
class ThroughC {
 public:
  ThroughC() {
    deprov_engine_options o{};
    o.struct_size = sizeof o;
    o.store = DEPROV_STORE_MEMORY;
    deprov_error* error = nullptr;
    must(deprov_engine_open(&o, &engine_, &error), error);
    deprov_buffer* record = nullptr;
    must(deprov_workspace_create(engine_, str("acme"), str("owner"), &record, &error), error);
    const auto workspace = member(record, "id");
    const deprov_caller by{sizeof by, str(workspace), {nullptr, 0}};
    must(deprov_integration_create(engine_, &by,
                                   str(R"({"name": "Wiki", "idp": "okta", "connector": "null", "check": false})"),
                                   &record, &error),
         error);
    const auto made = boost::json::parse(text(deprov_buffer_get(record)));
    deprov_buffer_free(record);
    token_ = "Bearer " + std::string(made.at("scim_token").as_string());
    target_ = std::string(made.at("scim_base_path").as_string()) + "/Users";
    headers_[0] = {str("Authorization"), str(token_)};
    headers_[1] = {str("Content-Type"), str("application/scim+json")};
    request_.struct_size = sizeof request_;
    request_.method = str("POST");
    request_.target = str(target_);
    request_.headers = headers_;
    request_.header_count = 2;
    request_.body = str(new_user);
    request_.peer = str("127.0.0.1");
    deprov_response* response = nullptr;
    must(deprov_engine_call(engine_, &request_, &response, &error), error);
    const auto body = text(deprov_response_get_body(response));
    const auto status = deprov_response_get_status(response);
    deprov_response_free(response);
    if (status != 201) throw std::runtime_error(body);
    target_ += "/" + std::string(boost::json::parse(body).at("id").as_string());
    request_.method = str("GET");
    request_.target = str(target_);
    request_.header_count = 1;
    request_.body = {nullptr, 0};
  }
  ~ThroughC() { deprov_engine_free(engine_); }
  ThroughC(const ThroughC&) = delete;
  ThroughC& operator=(const ThroughC&) = delete;

  [[nodiscard]] deprov_engine* engine() const { return engine_; }
  [[nodiscard]] const deprov_request* get() const { return &request_; }

 private:
  static deprov_str str(std::string_view s) { return {s.data(), s.size()}; }
  static std::string text(deprov_str s) { return {s.ptr, s.len}; }
  static std::string member(deprov_buffer* record, const char* name) {
    auto out = std::string(boost::json::parse(text(deprov_buffer_get(record))).at(name).as_string());
    deprov_buffer_free(record);
    return out;
  }
  deprov_engine* engine_ = nullptr;
  std::string token_, target_;
  deprov_header headers_[2]{};
  deprov_request request_{};
};

bool native_serial(Native& world, std::size_t count) {
  bool good = true;
  for (std::size_t i = 0; i < count; ++i) {
    const auto answer = world.call(world.get());
    good = good && answer.status == 200;
    benchmark::DoNotOptimize(answer.body.size());
  }
  return good;
}

bool c_serial(const ThroughC& world, std::size_t count) {
  bool good = true;
  for (std::size_t i = 0; i < count; ++i) {
    deprov_response* response = nullptr;
    good = deprov_engine_call(world.engine(), world.get(), &response, nullptr) == DEPROV_OK &&
           deprov_response_get_status(response) == 200 && good;
    benchmark::DoNotOptimize(deprov_response_get_body(response).len);
    deprov_response_free(response);
  }
  return good;
}

bool native_many(Native& world, std::size_t count) {
  std::mutex mutex;
  std::condition_variable freed;
  std::size_t running = 0;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    {
      std::unique_lock lock(mutex);
      freed.wait(lock, [&] { return running < in_flight; });
      ++running;
    }
    world.handler().handle(world.get(), [&](service::Response answer) {
      const std::lock_guard lock(mutex);
      if (answer.status != 200) ++failed;
      benchmark::DoNotOptimize(answer.body.size());
      --running;
      freed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  freed.wait(lock, [&] { return running == 0; });
  return failed == 0;
}

bool c_many(const ThroughC& world, std::size_t count) {
  std::size_t sent = 0;
  std::size_t answered = 0;
  std::size_t failed = 0;
  deprov_event events[in_flight];
  const auto take = [&](size_t taken) {
    for (size_t i = 0; i < taken; ++i) {
      if (deprov_response_get_status(events[i].response) != 200) ++failed;
      benchmark::DoNotOptimize(deprov_response_get_body(events[i].response).len);
      deprov_response_free(events[i].response);
    }
    answered += taken;
  };
  while (answered < count) {
    std::uint64_t token = 0;
    size_t taken = 0;
    for (; sent < count && sent - answered < in_flight; ++sent) {
      if (deprov_engine_ask(world.engine(), world.get(), nullptr, &token, events, in_flight, 0, &taken, nullptr) !=
          DEPROV_OK)
        return false;
      take(taken);
    }
    if (sent == answered) continue;
    if (deprov_engine_next(world.engine(), events, in_flight, 60'000, &taken, nullptr) != DEPROV_OK) return false;
    take(taken);
  }
  return failed == 0;
}

template <class World, bool (*run)(World&, std::size_t)>
void measure(benchmark::State& state) {
  std::remove_const_t<World> world;
  const auto count = bench::scaled(20'000);
  for (auto _ : state)
    if (!run(world, count)) return state.SkipWithError("not 200");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
}
BENCHMARK(measure<Native, native_serial>)->Name("native_one")->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(measure<const ThroughC, c_serial>)->Name("c_one")->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(measure<Native, native_many>)->Name("native_many")->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(measure<const ThroughC, c_many>)->Name("c_many")->MeasureProcessCPUTime()->UseRealTime();

/// Slices of both that take turns, each far shorter than what a processor's speed and other programs need to
/// change: `of_cpp` is the median of how many requests a second C has for one of C++.
template <bool (*native)(Native&, std::size_t), bool (*c)(const ThroughC&, std::size_t)>
void compare(benchmark::State& state) {
  constexpr std::size_t slice = 200;
  Native in_cpp;
  const ThroughC in_c;
  std::vector<double> ratios;
  const auto seconds = [](auto&& run) {
    const auto begun = std::chrono::steady_clock::now();
    const bool good = run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    return good ? took.count() : 0;
  };
  for (auto _ : state) {
    const auto a = seconds([&] { return native(in_cpp, slice); });
    const auto b = seconds([&] { return c(in_c, slice); });
    if (a == 0 || b == 0) return state.SkipWithError("not 200");
    ratios.push_back(a / b);
  }
  if (ratios.empty()) return;
  std::sort(ratios.begin(), ratios.end());
  state.counters["of_cpp"] = ratios[ratios.size() / 2];
  state.counters["of_cpp_p10"] = ratios[ratios.size() / 10];
  state.counters["of_cpp_p90"] = ratios[ratios.size() * 9 / 10];
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(2 * slice));
}
BENCHMARK(compare<native_serial, c_serial>)->Name("compare_one")->UseRealTime();
BENCHMARK(compare<native_many, c_many>)->Name("compare_many")->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
