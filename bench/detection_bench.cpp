// How long it takes until deprov knows: from the moment in which somebody leaves the IdP to the moment in which
// the job that ends their access is stored, by kind of source. Virtual time shows what the intervals of polls and
// the latency of the IdP come to; a stopwatch beside it shows what deprov itself needs for the round that finds
// it, on the store in memory. The IdPs are those of the simulator.
#include <benchmark/benchmark.h>
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deprov/connectors/connectors.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/engine/events.hpp>
#include <deprov/engine/sources.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/runtime/virtual_executor.hpp>
#include <deprov/service/scim_service.hpp>
#include <deprov/store/memory_store.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "scale.hpp"
#include "sim/directory.hpp"
#include "support/set_signer.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using test::sim::Directory;
using test::sim::DirectoryHttp;
using test::sim::Rng;

namespace {

namespace json = boost::json;

constexpr std::size_t people = 60;
constexpr const char* secret = "secret-of-the-hook-1";

enum class How { push, okta, okta_hook, graph, graph_hook, scim_index, scim_cursor, set };

bool polled(How how) { return how != How::push && how != How::set; }

Directory::Api api_of(How how) {
  switch (how) {
    case How::graph:
    case How::graph_hook: return Directory::Api::graph;
    case How::scim_index: return Directory::Api::scim_index;
    case How::scim_cursor: return Directory::Api::scim_cursor;
    default: return Directory::Api::okta;
  }
}

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

/// One engine in virtual time, its integration, and everybody in it.
class Detection {
 public:
  explicit Detection(How how) : how_(how), directory_(api_of(how), 0, clock_, 1) {
    engine::Options options;
    options.connectors = builtin_connectors();
    options.master_key = std::string(32, 'k');
    auto made = engine::Engine::create({executor_, clock_, random_, *store_, http_, *crypto_}, std::move(options));
    if (!made) give_up(made.error().message());
    engine_ = std::move(*made);
    (void)wait<void>([&](auto done) { engine_->start(std::move(done)); });
    engine::Principal local;
    local.role = port::Role::owner;
    const auto owner = wait<engine::CreatedPrincipal>(
        [&](auto done) { engine_->create_workspace(local, "acme", "Olga", std::move(done)); });
    by_ = {owner.row.workspace, owner.row.id, owner.row.name, owner.row.role};
    engine::CreateIntegration what;
    what.name = "app";
    what.idp = "okta";
    what.connector = "null";
    what.check = false;
    // Everybody leaves, one after the other.
    what.policy = json::object{{"guard", json::object{{"enabled", false}}}};
    const auto integration = wait<engine::CreatedIntegration>(
        [&](auto done) { engine_->create_integration(by_, std::move(what), std::move(done)); });
    scope_ = integration.row.scope;
    token_ = integration.scim_token;
    scim_ = std::make_unique<service::ScimService>(*engine_);
    for (std::size_t i = 0; i < people; ++i) {
      ids_.push_back(push("POST", "/Users",
                          json::serialize(json::object{{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
                                                       {"userName", "u" + std::to_string(i) + "@x.test"},
                                                       {"externalId", name(i)},
                                                       {"active", true}})));
      directory_.enter(name(i));
    }
    executor_.run_for(1min);
    if (how_ == How::push) return;
    add_source();
    executor_.run_for(2h);
  }
  ~Detection() {
    scim_.reset();
    engine_.reset();
  }
  Detection(const Detection&) = delete;
  Detection& operator=(const Detection&) = delete;

  struct Sample {
    Duration waited{0};    ///< from the change to the job, in the world's time
    double worked_us = 0;  ///< of the round that found it
  };
  Sample leave(std::size_t i) {
    const auto from = clock_.mono();
    const auto ours = ResourceId::parse(ids_[i]).value();
    Sample s;
    if (polled(how_)) directory_.leave(name(i), 0);
    if (how_ == How::push)
      (void)push("PATCH", "/Users/" + ids_[i],
                 R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],)"
                 R"("Operations":[{"op":"replace","value":{"active":false}}]})");
    if (how_ == How::set) event(i);
    if (how_ == How::okta_hook || how_ == How::graph_hook) hook(i);
    // A round is what runs without the clock moving on for long; the last one before the job found it.
    auto round_begins = MonoTime{};
    while (!has_job(ours)) {
      if (clock_.mono() - from > Duration(24h)) give_up("it is not noticed within a day");
      if (!executor_.has_ready()) {
        const auto next = executor_.next_timer();
        if (!next) give_up("nothing will ever happen");
        if (*next - clock_.mono() > Duration(5s) || round_begins.micros == 0) {
          s.worked_us = 0;
          round_begins = *next;
        }
        (void)executor_.advance_to_next_timer();
      }
      const auto begin = std::chrono::steady_clock::now();
      (void)executor_.run_one();
      s.worked_us += std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    }
    s.waited = clock_.mono() - from;
    return s;
  }
  void pass(Duration span) { executor_.run_for(span); }

 private:
  static std::string name(std::size_t i) { return "ext-" + std::to_string(i); }

  template <class T, class Start>
  T wait(Start start) {
    std::optional<Result<T>> got;
    start(engine::Done<T>([&](Result<T> r) { got.emplace(std::move(r)); }));
    for (int i = 0; i < 10'000 && !got; ++i) executor_.run_for(i < 100 ? Duration{0} : Duration(1s));
    if (!got || !*got) give_up(got ? got->error().message() : "no answer");
    if constexpr (!std::is_void_v<T>) return std::move(**got);
  }
  std::string push(const std::string& method, const std::string& path, std::string body) {
    service::Request r;
    r.method = method;
    r.target = "/scim/v2/" + scope_.integration.str() + path;
    r.headers = {{"Host", "gw.example.com"},
                 {"Authorization", "Bearer " + token_},
                 {"User-Agent", "Okta SCIM Client 1.0.0"},
                 {"Content-Type", "application/scim+json; charset=utf-8"}};
    r.body = std::move(body);
    r.peer = "192.0.2.1";
    std::optional<service::Response> answer;
    scim_->handle(std::move(r), [&](service::Response response) { answer = std::move(response); });
    for (int i = 0; i < 1000 && !answer; ++i) executor_.run_until_idle();
    if (!answer || answer->status >= 300) give_up("SCIM: " + (answer ? answer->body : std::string("no answer")));
    return method == "POST" ? std::string(json::parse(answer->body).at("id").as_string()) : std::string{};
  }
  void add_source() {
    engine::AddSource what;
    what.name = "idp";
    if (how_ == How::set) {
      what.kind = std::string(engine::event_source_kind);
      what.config = {{"issuer", "https://idp.example.com/"},
                     {"audience", json::array{"https://sp.example.com"}},
                     {"jwks", signer_.jwks()},
                     {"authoritative", json::array{"account-disabled"}}};
    } else {
      what.kind = directory_.kind();
      what.config = directory_.config();
      what.config.erase("poll");  // as it is by default
      if (how_ == How::okta_hook || how_ == How::graph_hook)
        what.config["hook"] = json::object{{"secrets", json::array{secret}}};
    }
    source_ = wait<port::SourceRow>([&](auto done) {
                engine_->sources().add(by_, scope_.integration, std::move(what), std::move(done));
              }).id;
  }
  void event(std::size_t i) {
    const json::object subject{{"format", "iss_sub"}, {"iss", "https://idp.example.com/"}, {"sub", name(i)}};
    const json::object claims{
        {"iss", "https://idp.example.com/"},
        {"jti", "jti-" + std::to_string(i)},
        {"iat", clock_.wall().micros / 1'000'000},
        {"aud", "https://sp.example.com"},
        {"sub_id", subject},
        {"events", {{"https://schemas.openid.net/secevent/risc/event-type/account-disabled", json::object{}}}}};
    engine_->events().receive(source_, signer_.sign(claims), {}, [](const Result<engine::ReceivedSet>& r) {
      if (!r || r->refused) give_up("the token is refused");
    });
  }
  void hook(std::size_t i) {
    engine::HookCall call;
    call.method = "POST";
    if (how_ == How::okta_hook) {
      call.headers = {{"Authorization", secret}, {"Content-Type", "application/json"}};
      const json::object log_event{
          {"uuid", "h" + std::to_string(i)},
          {"published", to_rfc3339(clock_.wall())},
          {"eventType", "application.user_membership.remove"},
          {"outcome", {{"result", "SUCCESS"}}},
          {"target", {{{"type", "AppInstance"}, {"id", "0oa1"}}, {{"type", "User"}, {"id", name(i)}}}}};
      call.body = json::serialize(
          json::object{{"eventType", "com.okta.event_hook"}, {"data", {{"events", json::array{log_event}}}}});
    } else {
      call.headers = {{"Content-Type", "application/json"}};
      const json::object one{{"subscriptionId", "s"},
                             {"clientState", secret},
                             {"changeType", "updated"},
                             {"resource", "Users/" + name(i)},
                             {"resourceData", {{"@odata.type", "#Microsoft.Graph.User"}, {"id", name(i)}}}};
      call.body = json::serialize(json::object{{"value", json::array{one}}});
    }
    engine_->sources().called(source_, std::move(call), [](const Result<idp::HookAnswer>& r) {
      if (!r || !r->refusal.empty()) give_up("the call is refused: " + (r ? r->refusal : r.error().message()));
    });
  }
  bool has_job(ResourceId subject) {
    bool has = false;
    store_->view(
        [&](port::Reader& reader) -> Result<void> {
          port::JobFilter filter;
          filter.subject = subject;
          DEPROV_TRY(page, reader.jobs(scope_, filter, std::nullopt, 10));
          for (const auto& job : page.rows) has = has || job.kind == port::JobKind::remove_access;
          return {};
        },
        [](const Result<void>&) {});
    return has;
  }

  How how_;
  runtime::VirtualClock clock_;
  runtime::VirtualExecutor executor_{clock_};
  runtime::SeededRandom random_{1};
  std::unique_ptr<port::Crypto> crypto_ = crypto::make_crypto();
  std::unique_ptr<port::Store> store_ = store::make_memory_store(*crypto_);
  Directory directory_;
  DirectoryHttp http_{executor_, clock_, [this](const std::string&) { return &directory_; }};
  test::SetSigner signer_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<service::ScimService> scim_;
  engine::Principal by_;
  port::Scope scope_;
  std::string token_;
  SourceId source_;
  std::vector<std::string> ids_;
};

void detected(benchmark::State& state, How how) {
  for (auto _ : state) {
    Detection world(how);
    Rng rng(1, 9);
    std::vector<double> waited, worked;
    const auto count = std::min(people - 10, bench::scaled(people));
    for (std::size_t i = 0; i < count; ++i) {
      // At any moment of a quiet day.
      world.pass(std::chrono::seconds(1200 + rng.below(2400)));
      const auto s = world.leave(i);
      waited.push_back(static_cast<double>(s.waited.count()) / 1e6);
      worked.push_back(s.worked_us / 1000);
    }
    std::sort(waited.begin(), waited.end());
    std::sort(worked.begin(), worked.end());
    state.SetIterationTime(worked[count / 2] / 1000);
    state.counters["waited_p50_s"] = waited[count / 2];
    state.counters["waited_p95_s"] = waited[count * 95 / 100];
    state.counters["worked_p50_ms"] = worked[count / 2];
  }
}
#define DETECTED(name) \
  BENCHMARK_CAPTURE(detected, name, How::name)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond)
DETECTED(push);
DETECTED(set);
DETECTED(okta_hook);
DETECTED(graph_hook);
DETECTED(okta);
DETECTED(graph);
DETECTED(scim_index);
DETECTED(scim_cursor);

}  // namespace

BENCHMARK_MAIN();
