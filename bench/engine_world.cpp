#include "engine_world.hpp"
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deprov/connectors/connectors.hpp>
#include <deprov/scim/fold.hpp>
#include <filesystem>
#include <future>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace deprov::bench {

ScratchDirectory::ScratchDirectory() {
  // On the disk that the build is on: a temporary file system in memory would hide what durability costs.
  std::string pattern = std::filesystem::current_path().string() + "/bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed in " + pattern);
  path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ec;
  std::filesystem::remove_all(path_, ec);
}

EngineWorld::EngineWorld(const WorldOptions& options) {
  http = http::make_curl_transport();
  executor = std::make_unique<runtime::ThreadedExecutor>("engine");
  store::SqliteStoreOptions so;
  so.directory = directory.path();
  auto opened = store::open_sqlite_store(*crypto, so);
  if (!opened) throw std::runtime_error(opened.error().message());
  store = std::move(*opened);
  populate(options);
  if (!options.start_engine) return;
  engine::Options eo;
  eo.connectors = builtin_connectors();
  eo.master_key = std::string(32, 'k');
  auto made = engine::Engine::create({*executor, clock, *random, *store, *http, *crypto}, std::move(eo));
  if (!made) throw std::runtime_error(made.error().message());
  engine = std::move(*made);
  std::promise<Result<void>> started;
  engine->start([&](Result<void> r) { started.set_value(std::move(r)); });
  const auto r = started.get_future().get();
  if (!r) throw std::runtime_error(r.error().message());
  scim = std::make_unique<service::ScimService>(*engine);
}

EngineWorld::~EngineWorld() {
  if (engine) {
    std::promise<void> closed;
    engine->close(std::chrono::seconds(10), [&](const Result<void>&) { closed.set_value(); });
    closed.get_future().wait();
  }
  scim.reset();
  if (executor) executor->stop();
  engine.reset();
  store.reset();
  executor.reset();
  http.reset();
}

void EngineWorld::commit(port::Transaction txn) {
  txn.id = random->id<TxnId>(clock.wall());
  std::promise<Result<port::Committed>> done;
  store->commit(std::move(txn), [&](Result<port::Committed> r) { done.set_value(std::move(r)); });
  const auto r = done.get_future().get();
  if (!r) throw std::runtime_error(r.error().message());
}

void EngineWorld::populate(const WorldOptions& options) {
  const auto now = clock.wall();
  const auto workspace = random->id<WorkspaceId>(now);
  scope = {workspace, random->id<IntegrationId>(now)};
  port::IntegrationRow row;
  row.scope = scope;
  row.name = "benchmark";
  row.idp = "entra";  // the one that removes a list of members in one request
  row.connector = "null";
  row.config = "{}";
  row.settings = "{}";
  row.policy = options.policy;
  row.state = options.paused ? port::IntegrationState::paused : port::IntegrationState::active;
  row.created = row.modified = now;
  port::Transaction first;
  first.ops.emplace_back(port::op::PutWorkspace{{workspace, "benchmark", now}});
  first.ops.emplace_back(port::op::PutIntegration{row});
  first.ops.emplace_back(port::op::PutGatewayToken{{crypto->sha256(port::bytes_of(token)), scope, now, {}}});
  commit(std::move(first));

  port::Transaction txn;
  for (std::size_t i = 0; i < options.users; ++i) {
    const auto name = "user" + std::to_string(i) + "@example.com";
    port::ResourceRow user;
    user.scope = scope;
    // In the order of their creation, as an IdP provisions them.
    user.id = random->id<ResourceId>(now - std::chrono::milliseconds(options.users - i));
    user.type = "User";
    user.external_id = "00u" + std::to_string(i);
    user.user_name_key = name;
    user.email_keys = {name};
    user.display_name_key = "given family" + std::to_string(i);
    user.created = user.modified = now;
    user.document = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":")" +
                    user.external_id + R"(","userName":")" + name +
                    R"(","name":{"givenName":"Given","familyName":"Family)" + std::to_string(i) +
                    R"("},"displayName":"Given Family)" + std::to_string(i) +
                    R"(","active":true,"emails":[{"value":")" + name + R"(","type":"work","primary":true}]})";
    users.push_back(user.id);
    port::SubjectRow subject;
    subject.scope = scope;
    subject.id = user.id;
    subject.access = true;
    subject.generation = 1;
    subject.desired = port::Desired::access;
    txn.ops.emplace_back(port::op::PutResource{std::move(user)});
    txn.ops.emplace_back(port::op::PutSubject{subject});
    if (options.bound) {
      port::BindingRow binding;
      binding.scope = scope;
      binding.subject = subject.id;
      binding.state = port::BindingState::bound;
      binding.account_id = "account-" + std::to_string(i);
      binding.was_bound = true;
      txn.ops.emplace_back(port::op::PutBinding{std::move(binding)});
    }
    if (txn.ops.size() >= 3000) {
      commit(std::move(txn));
      txn = {};
    }
  }
  if (options.group_members != 0) {
    port::ResourceRow g;
    g.scope = scope;
    g.id = group = random->id<ResourceId>(now);
    g.type = "Group";
    g.display_name_key = "everybody";
    g.created = g.modified = now;
    g.document = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Everybody"})";
    txn.ops.emplace_back(port::op::PutResource{std::move(g)});
    for (std::size_t i = 0; i < options.group_members; ++i) {
      txn.ops.emplace_back(port::op::AddMember{scope, {group, users[i], false}});
      if (txn.ops.size() >= 3000) {
        commit(std::move(txn));
        txn = {};
      }
    }
  }
  if (!txn.ops.empty()) commit(std::move(txn));
}

service::Request EngineWorld::request(const std::string& method, const std::string& path, std::string body) const {
  service::Request r;
  r.method = method;
  r.target = "/scim/v2/" + scope.integration.str() + path;
  r.headers = {{"Host", "localhost"},
               {"Authorization", "Bearer " + token},
               {"User-Agent", ""},
               {"Accept", "application/scim+json"}};
  if (!body.empty()) r.headers.push_back({"Content-Type", "application/scim+json; charset=utf-8"});
  r.body = std::move(body);
  r.peer = "127.0.0.1";
  return r;
}

Rate EngineWorld::drive(std::size_t count, std::size_t in_flight,
                        const std::function<service::Request(std::size_t)>& make) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable freed;
    std::size_t running = 0;
    std::size_t finished = 0;
    std::atomic<std::size_t> failures{0};
    std::string first_failure;
    std::vector<double> micros;
  };
  auto shared = std::make_shared<Shared>();
  shared->micros.resize(count);
  std::vector<service::Request> requests;  // made before the clock runs: they are no work of the engine
  requests.reserve(count);
  for (std::size_t i = 0; i < count; ++i) requests.push_back(make(i));
  const auto begin = clock.mono();
  for (std::size_t i = 0; i < count; ++i) {
    {
      std::unique_lock lock(shared->mutex);
      shared->freed.wait(lock, [&] { return shared->running < in_flight; });
      ++shared->running;
    }
    const auto sent = clock.mono();
    scim->handle(std::move(requests[i]), [shared, i, sent, this](const service::Response& response) {
      if (response.status >= 300 && shared->failures++ == 0) {
        const std::lock_guard lock(shared->mutex);
        shared->first_failure = std::to_string(response.status) + ' ' + response.body;
      }
      shared->micros[i] = static_cast<double>((clock.mono() - sent).count());
      bool wake = false;
      {
        const std::lock_guard lock(shared->mutex);
        --shared->running;
        ++shared->finished;
        wake = true;
      }
      if (wake) shared->freed.notify_one();
    });
  }
  {
    std::unique_lock lock(shared->mutex);
    shared->freed.wait(lock, [&] { return shared->finished == count; });
  }
  Rate rate;
  rate.requests = count;
  rate.failures = shared->failures;
  rate.first_failure = shared->first_failure;
  rate.seconds = static_cast<double>((clock.mono() - begin).count()) / 1e6;
  std::sort(shared->micros.begin(), shared->micros.end());
  rate.p50_us = shared->micros[count / 2];
  rate.p99_us = shared->micros[count * 99 / 100];
  return rate;
}

std::size_t EngineWorld::drain() {
  for (;;) {
    std::map<port::JobState, std::uint64_t> counts;
    std::promise<void> read;
    store->view(
        [&](port::Reader& reader) -> Result<void> {
          DEPROV_TRY(c, reader.job_counts(scope));
          counts = c;
          return {};
        },
        [&](const Result<void>&) { read.set_value(); });
    read.get_future().wait();
    std::uint64_t open = 0;
    std::uint64_t finished = 0;
    for (const auto& [state, n] : counts) (port::is_finished(state) ? finished : open) += n;
    if (open == 0) return finished;
    std::promise<void> waited;
    executor->post_at(clock.mono() + std::chrono::milliseconds(20), [&] { waited.set_value(); });
    waited.get_future().wait();
  }
}

void EngineWorld::wait_for_work() {
  for (bool left = true; left;) {
    std::promise<void> read;
    store->view(
        [&](port::Reader& reader) -> Result<void> {
          DEPROV_TRY(last, reader.last_work(scope, group));
          left = last.has_value();
          return {};
        },
        [&](const Result<void>&) { read.set_value(); });
    read.get_future().wait();
    if (!left) return;
    std::promise<void> waited;
    executor->post_at(clock.mono() + std::chrono::milliseconds(5), [&] { waited.set_value(); });
    waited.get_future().wait();
  }
}

std::pair<double, double> EngineWorld::request_to_call(std::size_t count) {
  const std::string body = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],)"
                           R"("Operations":[{"op":"replace","value":{"active":false}}]})";
  std::vector<double> to_call;
  std::vector<double> commits;
  const auto measured = [&](std::vector<double>& into, MonoTime since) {
    into.push_back(static_cast<double>((clock.mono() - since).count()));
  };
  for (std::size_t i = 0; i < count; ++i) {
    std::promise<void> verified;
    std::atomic<bool> in_progress = false;
    const auto begin = clock.mono();
    std::uint64_t seen = 0;
    // The request is one commit, `sent` the second; the third and fourth are its outcome and the verified result.
    auto watching = engine->subscribe([&](const port::Scope&) {
      const auto now = ++seen;
      if (now == 2 && !in_progress.exchange(true)) measured(to_call, begin);
      if (now == 4) verified.set_value();
    });
    scim->handle(request("PATCH", "/Users/" + users[i].str(), body), [](const service::Response&) {});
    verified.get_future().wait();
    watching.reset();
    const auto three = clock.mono();
    for (int n = 0; n < 3; ++n) {
      port::Transaction txn;
      port::op::AppendActivity a;
      a.scope = scope;
      a.at = clock.wall();
      a.event = "yardstick";
      a.actor = "benchmark";
      a.detail = "{}";
      txn.ops.emplace_back(std::move(a));
      commit(std::move(txn));
    }
    measured(commits, three);
  }
  const auto median = [](std::vector<double>& v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
  };
  return {median(to_call), median(commits)};
}

}  // namespace deprov::bench
