#include <deprov/connectors/connectors.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/crypto/keys.hpp>
#include <deprov/http/curl_transport.hpp>
#include <deprov/instance/instance.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <future>
#include <utility>

namespace deprov {

// In the order in which they depend on each other; destroyed the other way round.
struct Instance::Parts {
  runtime::SystemClock clock;
  std::unique_ptr<port::Crypto> crypto = crypto::make_crypto();
  std::unique_ptr<port::Random> random = crypto::make_system_random();
  std::unique_ptr<runtime::ThreadedExecutor> executor = std::make_unique<runtime::ThreadedExecutor>("deprov");
  std::unique_ptr<port::HttpTransport> http;
  std::unique_ptr<port::Store> store;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<service::ScimService> scim;
  std::unique_ptr<service::AdminService> admin;
  std::unique_ptr<service::OpsService> ops;
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
}  // namespace

Instance::Instance(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<Instance>> Instance::open(InstanceOptions options) {
  auto parts = std::make_unique<Parts>();
  http::CurlOptions outbound;
  outbound.egress = options.egress;
  parts->http = http::make_curl_transport(outbound);
  store::SqliteStoreOptions so;
  so.directory = options.directory;
  so.create = options.create;
  DEPROV_TRY(store, store::open_sqlite_store(*parts->crypto, so));
  parts->store = std::move(store);
  const auto key_file = options.key_file.empty() ? options.directory + "/master.key" : options.key_file;
  DEPROV_TRY(key, key_of(*parts->store, key_file, *parts->random));

  engine::Options eo;
  eo.connectors = builtin_connectors();
  for (auto& [id, kind] : options.connectors) eo.connectors.insert_or_assign(id, kind);
  const auto bytes = key.bytes();
  eo.master_key.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  eo.background = options.background;
  DEPROV_TRY(engine, engine::Engine::create({*parts->executor, parts->clock, *parts->random, *parts->store,
                                             *parts->http, *parts->crypto},
                                            std::move(eo)));
  parts->engine = std::move(engine);
  parts->scim = std::make_unique<service::ScimService>(*parts->engine, std::move(options.scim));
  parts->admin = std::make_unique<service::AdminService>(*parts->engine);
  parts->ops = std::make_unique<service::OpsService>(*parts->engine, std::move(options.more_metrics));
  parts->router = std::make_unique<service::Router>(*parts->scim, *parts->admin, *parts->ops);
  std::unique_ptr<Instance> instance(new Instance(std::move(parts)));
  DEPROV_CHECK(instance->wait<void>([&](engine::Done<void> done) { instance->engine().start(std::move(done)); }));
  instance->ops().set_ready(true);
  return instance;
}

Instance::~Instance() {
  (void)close(std::chrono::seconds(10));
  parts_->executor->stop();
  // The store's last completions may still post to the executor, which keeps them without running them.
  parts_->router.reset();
  parts_->scim.reset();
  parts_->admin.reset();
  parts_->ops.reset();
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

void Instance::block(const std::function<void(std::function<void()>)>& body) {
  auto finished = std::make_shared<std::promise<void>>();
  auto waiting = finished->get_future();
  body([finished] { finished->set_value(); });
  waiting.wait();
}

}  // namespace deprov
