#include <algorithm>
#include <array>
#include <deprov/connectors/connectors.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/crypto/keys.hpp>
#include <deprov/http/curl_transport.hpp>
#include <deprov/instance/instance.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/host_executor.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include <deprov/service/event_service.hpp>
#include <deprov/store/memory_store.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <future>
#include <new>
#include <utility>

namespace deprov {

namespace {
/// The host says what time it is; how it passes is the machine's affair, which the timers follow.
class HostClock final : public port::Clock {
 public:
  explicit HostClock(std::shared_ptr<port::Clock> wall) : wall_(std::move(wall)) {}
  [[nodiscard]] WallTime wall() const override { return wall_ ? wall_->wall() : machine_.wall(); }
  [[nodiscard]] MonoTime mono() const override { return machine_.mono(); }

 private:
  std::shared_ptr<port::Clock> wall_;
  runtime::SystemClock machine_;
};
}  // namespace

// In the order in which they depend on each other; destroyed the other way round.
struct Instance::Parts {
  explicit Parts(const InstanceOptions& options) : clock(options.clock) {
    if (options.host_driven) {
      host = std::make_unique<runtime::HostExecutor>();
    } else {
      thread = std::make_unique<runtime::ThreadedExecutor>("deprov");
    }
  }
  [[nodiscard]] port::Executor& executor() const noexcept {
    if (host) return *host;
    return *thread;
  }

  HostClock clock;
  std::unique_ptr<port::Crypto> crypto = crypto::make_crypto();
  std::unique_ptr<port::Random> random = crypto::make_system_random();
  std::unique_ptr<runtime::HostExecutor> host;  // one of both
  std::unique_ptr<runtime::ThreadedExecutor> thread;
  std::unique_ptr<port::HttpTransport> http;
  std::unique_ptr<port::Store> store;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<service::ScimService> scim;
  std::unique_ptr<service::AdminService> admin;
  std::unique_ptr<service::OpsService> ops;
  std::unique_ptr<service::EventService> events;
  std::unique_ptr<service::Router> router;
  bool closed = false;
};

namespace {
Result<bool> in_use(port::Store& store) {
  bool any = false;
  const auto finished = std::make_shared<std::promise<Result<void>>>();
  auto waiting = finished->get_future();
  store.view(
      [&any](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rows, reader.workspaces());
        any = !rows.empty();
        return {};
      },
      [finished](Result<void> read) { finished->set_value(std::move(read)); });
  DEPROV_CHECK(waiting.get());
  return any;
}

/// Makes one for a store that is new; another than its own would open nothing that was sealed before.
Result<crypto::Key> key_of(port::Store& store, const std::string& file, port::Random& random) {
  auto loaded = crypto::load_key_file(file);
  if (loaded || loaded.error().code() != Errc::not_found) return loaded;
  DEPROV_TRY(used, in_use(store));
  if (!used) return crypto::load_or_create_key_file(file, random);
  return Error(Errc::invalid_argument, "the master key of this store is not there", file,
               "restore the file that belongs to this data, or name it where it is (DEPROV_MASTER_KEY_FILE)");
}

/// The keys before the present one: those of the host, and what a rotation left beside the file.
Result<std::vector<crypto::Key>> former_keys(const InstanceOptions& options, const std::string& key_file) {
  auto keys = options.former_keys;
  if (key_file.empty()) return keys;
  auto former = crypto::load_key_file(crypto::former_key_path(key_file));
  if (former) {
    keys.push_back(*former);
  } else if (former.error().code() != Errc::not_found) {
    return former.error();
  }
  return keys;
}

std::string text_of(const crypto::Key& key) {
  const auto bytes = key.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
}  // namespace

Instance::Instance(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<Instance>> Instance::open(InstanceOptions options) {
  if (options.in_memory && !options.directory.empty()) {
    return Error(Errc::invalid_argument, "a store in memory has no directory", "directory",
                 "leave the directory out, or open the store that is in it");
  }
  auto parts = std::make_unique<Parts>(options);
  auto connectors = builtin_connectors();
  DEPROV_TRY(plugins, plugin::load_plugins(options.plugins, *parts->crypto));
  for (auto& [id, kind] : plugins) {
    if (connectors.contains(id) || options.connectors.contains(id)) {
      return Error(Errc::uniqueness, "a plugin has the id of a connector that is there already", "connector " + id,
                   "take the plugin out, or have its vendor rename it");
    }
    connectors.emplace(id, kind);
  }
  http::CurlOptions outbound;
  outbound.egress = options.egress;
  parts->http = http::make_curl_transport(outbound);
  if (options.in_memory) {
    store::MemoryStoreOptions mo;
    mo.executor = &parts->executor();
    parts->store = store::make_memory_store(*parts->crypto, std::move(mo));
  } else {
    store::SqliteStoreOptions so;
    so.directory = options.directory;
    so.create = options.create;
    so.readers = options.host_driven ? 0 : options.readers;
    if (options.host_driven) so.executor = &parts->executor();
    DEPROV_TRY(store, store::open_sqlite_store(*parts->crypto, so));
    parts->store = std::move(store);
  }
  if (!options.key && options.in_memory && options.key_file.empty()) {
    std::array<std::uint8_t, crypto::Key::size> chance{};
    parts->random->fill(chance);
    options.key.emplace(chance);
  }
  std::string key_file;
  // One that is kept elsewhere may be that of other stores, too: who keeps it replaces it.
  if (options.rotate_key && (options.key || options.in_memory || !options.key_file.empty()))
    return Error(Errc::invalid_argument, "the master key is not kept in the data directory", "rotate_key",
                 "put a new key in its place, and the old one beside it: " +
                     crypto::former_key_path(options.key_file.empty() ? "FILE" : options.key_file) +
                     ", until every store that it opens was opened once");
  if (!options.key) {
    key_file = options.key_file.empty() ? options.directory + "/master.key" : options.key_file;
    // A store in memory is always new, and so may make its key.
    DEPROV_TRY(key, options.in_memory ? crypto::load_or_create_key_file(key_file, *parts->random)
                                      : key_of(*parts->store, key_file, *parts->random));
    options.key.emplace(key);
    if (options.rotate_key) {
      DEPROV_CHECK(crypto::rotate_key_file(key_file, *parts->random));
      DEPROV_TRY(fresh, crypto::load_key_file(key_file));
      options.key.emplace(fresh);
    }
  }

  engine::Options eo;
  eo.connectors = std::move(connectors);
  for (auto& [id, kind] : options.connectors) eo.connectors.insert_or_assign(id, kind);
  if (options.connector_ids) {
    for (const auto& id : *options.connector_ids)
      if (!eo.connectors.contains(id))
        return Error(Errc::invalid_argument, "this program knows no connector by this word", "connector " + id);
    std::erase_if(eo.connectors, [&](const auto& kind) {
      const auto& ids = *options.connector_ids;
      return std::find(ids.begin(), ids.end(), kind.first) == ids.end();
    });
  }
  eo.may_name_file = [directories = options.config_directories](const std::string& path) {
    return is_beneath(directories, path);
  };
  eo.master_key = text_of(*options.key);
  DEPROV_TRY(former, former_keys(options, key_file));
  for (const auto& key : former) eo.former_keys.push_back(text_of(key));
  eo.background = options.background;
  DEPROV_TRY(engine, engine::Engine::create({parts->executor(), parts->clock, *parts->random, *parts->store,
                                             *parts->http, *parts->crypto},
                                            std::move(eo)));
  parts->engine = std::move(engine);
  parts->scim = std::make_unique<service::ScimService>(*parts->engine, std::move(options.scim));
  parts->admin = std::make_unique<service::AdminService>(*parts->engine);
  parts->ops = std::make_unique<service::OpsService>(*parts->engine, std::move(options.more_metrics),
                                                     std::move(options.ops));
  parts->events = std::make_unique<service::EventService>(*parts->engine);
  parts->router =
      std::make_unique<service::Router>(*parts->scim, *parts->admin, *parts->ops, "/scim/v2", parts->events.get());
  std::unique_ptr<Instance> instance(new Instance(std::move(parts)));
  DEPROV_CHECK(instance->wait<void>([&](engine::Done<void> done) { instance->engine().start(std::move(done)); }));
  if (options.key_file.empty() && former.size() > options.former_keys.size())
    DEPROV_CHECK(crypto::forget_former_key(key_file));
  instance->ops().set_ready(true);
  return instance;
}

Instance::~Instance() {
  try {
    (void)close(std::chrono::seconds(10));
  } catch (const std::bad_alloc&) {
    // What is stored is as good as after a crash, and the threads end below.
  }
  if (parts_->thread) parts_->thread->stop();
  // The store's last completions may still post to the executor, which keeps them without running them.
  parts_->router.reset();
  parts_->scim.reset();
  parts_->admin.reset();
  parts_->ops.reset();
  parts_->events.reset();
  parts_->engine.reset();
  parts_->store.reset();
}

engine::Engine& Instance::engine() noexcept { return *parts_->engine; }
service::Handler& Instance::handler() noexcept { return *parts_->router; }
service::AdminService& Instance::admin() noexcept { return *parts_->admin; }
service::OpsService& Instance::ops() noexcept { return *parts_->ops; }

Result<void> Instance::close(Duration deadline) {
  if (std::exchange(parts_->closed, true)) return {};
  parts_->ops->set_ready(false);
  return wait<void>([&](engine::Done<void> done) { parts_->engine->close(deadline, std::move(done)); });
}

std::optional<MonoTime> Instance::pump(Duration budget) {
  return parts_->host ? parts_->host->pump(budget) : std::nullopt;
}

int Instance::descriptor() const noexcept { return parts_->host ? parts_->host->descriptor() : -1; }

bool Instance::wait_until(const runtime::Notice& notice, Duration timeout) {
  return parts_->host ? parts_->host->pump_until(notice, timeout) : notice.wait_for(timeout);
}

void Instance::block(const std::function<void(std::function<void()>)>& body) {
  if (parts_->host) {
    runtime::Notice finished;
    body([finished]() mutable { finished.set(); });
    while (!parts_->host->pump_until(finished, std::chrono::hours(1))) {
    }
    return;
  }
  auto finished = std::make_shared<std::promise<void>>();
  auto waiting = finished->get_future();
  body([finished] { finished->set_value(); });
  waiting.wait();
}

}  // namespace deprov
