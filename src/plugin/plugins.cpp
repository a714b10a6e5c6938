// Kinds of connectors whose code is a plugin's.
#include <dirent.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deprov/plugin/plugins.hpp>
#include <memory>
#include <utility>
#include "plugin/elf.hpp"
#include "plugin/host.hpp"
#include "plugin/library.hpp"
#include "plugin/placed_kind.hpp"

namespace deprov::plugin {

namespace {

constexpr std::size_t most_in_a_directory = 256;
constexpr std::string_view suffix = ".so";

class PluginConnector final : public connector::Connector {
 public:
  PluginConnector(std::shared_ptr<deprov_connector_connection> connection, port::Executor& executor,
                  void* instance)
      : connection_(std::move(connection)), executor_(executor), instance_(instance) {}

  ~PluginConnector() override {
    connection_->close([&] { (void)contained(*connection_, "close", [&] { table().close(instance_); }); });
  }
  PluginConnector(const PluginConnector&) = delete;
  PluginConnector& operator=(const PluginConnector&) = delete;

  [[nodiscard]] const connector::Description& describe() const override {
    return connection_->plugin().manifest.description;
  }

  connector::CallId start(connector::Call call, connector::Completion done) override {
    if (!describe().of(call.operation).supported) {
      done(not_in_manifest(call.operation));
      return 0;
    }
    auto* made = connection_->add(std::move(call), std::move(done));
    const auto id = made->id;
    on_executor([connection = connection_, instance = instance_, made] { begin(*connection, instance, made); });
    return id;
  }

  void cancel(connector::CallId id) override {
    on_executor([connection = connection_, instance = instance_, id] {
      auto* call = connection->cancel(id);
      if (call == nullptr) return;
      if (const auto f = connection->plugin().table->cancel; f != nullptr)
        connection->in_turn([&] { (void)contained(*connection, "cancel", [&] { f(instance, call); }); });
      host_table().call_free(call);
    });
  }

 private:
  [[nodiscard]] const deprov_connector_table_v1& table() const { return *connection_->plugin().table; }

  template <class F>
  void on_executor(F f) {
    if (executor_.running_here()) {
      f();
    } else {
      executor_.post(std::move(f));
    }
  }

  static void begin(deprov_connector_connection& connection, void* instance, deprov_connector_call* call) {
    const auto& host = host_table();
    auto* ours = host.call_retain(call);  // whatever the connector does with its own
    bool well = true;
    const bool open = connection.in_turn([&] {
      well = contained(connection, "start",
                       [&] { connection.plugin().table->start(instance, &ours->request, call); });
    });
    if (!open) {
      host.call_free(call);  // nobody else has it
    } else if (!well) {
      connector::Reply reply;
      reply.outcome = connector::is_change(ours->call.operation) ? connector::Outcome::unknown_outcome
                                                                 : connector::Outcome::internal;
      reply.detail = "an exception came out of the connector";
      (void)connection.finish(ours->id, std::move(reply));
    }
    host.call_free(ours);
  }

  template <class F>
  static bool contained(const deprov_connector_connection& connection, std::string_view name, F f) {
    try {
      f();
      return true;
    } catch (...) {
      connection.fault("an exception came out of its function " + std::string(name) +
                       "; it belongs inside of the connector");
      return false;
    }
  }
  const std::shared_ptr<deprov_connector_connection> connection_;
  port::Executor& executor_;
  void* const instance_;
};

class PluginKind final : public port::ConnectorKind {
 public:
  explicit PluginKind(std::shared_ptr<const Plugin> plugin) : plugin_(std::move(plugin)) {}

  [[nodiscard]] const connector::Description& describe() const override { return plugin_->manifest.description; }

  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const json::object& config,
                                                                   port::ConnectorHost host) const override {
    auto connection = std::make_shared<deprov_connector_connection>(plugin_, config, host);
    const auto& h = host_table();
    const std::unique_ptr<deprov_connector_text, void (*)(deprov_connector_text*)> problem(h.text_new(),
                                                                                           h.text_free);
    void* instance = nullptr;
    std::int32_t status = DEPROV_ERR_INTERNAL;
    const auto where = "connector " + describe().id;
    try {
      status = plugin_->table->open(connection.get(), &instance, problem.get());
    } catch (...) {
      connection->shut();
      return Error(Errc::internal, "an exception came out of its function open", where,
                   "ask its vendor for a mended one");
    }
    if (status != DEPROV_OK) {
      auto said = connection->clean(view(h.text_get(problem.get())), 1000);
      connection->shut();
      return Error(Errc::invalid_argument, said.empty() ? "could not be opened, and says nothing of why" : said,
                   where, "correct the configuration");
    }
    return std::unique_ptr<connector::Connector>(
        std::make_unique<PluginConnector>(std::move(connection), host.executor, instance));
  }

 private:
  const std::shared_ptr<const Plugin> plugin_;
};

Result<std::shared_ptr<const port::ConnectorKind>> load_one(const std::string& path, const std::string* sha256,
                                                            const Options& options, const port::Crypto& crypto) {
  if (path.size() <= suffix.size() || path.compare(path.size() - suffix.size(), suffix.size(), suffix) != 0) {
    return Error(Errc::invalid_argument, "is not named *.so", path,
                 "name the library itself; its manifest lies beside it as *.json");
  }
  DEPROV_TRY(copy, SealedCopy::of(path));
  const auto hash = hash_of(copy, crypto);
  if (sha256 != nullptr && hash != *sha256) {
    return Error(Errc::forbidden, "has the SHA-256 " + hash + ", and " + *sha256 + " is allowed", path,
                 "get the file that was meant, or allow this one");
  }
  const auto beside = path.substr(0, path.size() - suffix.size()) + ".json";
  auto text = read_trusted(beside, max_manifest_bytes);
  if (!text && text.error().code() == Errc::not_found)
    return Error(Errc::not_found, "has no manifest beside it", path, "put the manifest at " + beside);
  if (!text) return text.error();
  auto manifest = parse_manifest(*text);
  if (!manifest) {
    const auto& e = manifest.error();
    return Error(e.code(), e.detail(), beside + ": " + e.where(),
                 e.advice().empty() ? "see `deprov connector schema` for what a manifest may say" : e.advice());
  }
  if (auto ok = check_elf(copy.bytes()); !ok) return ok.error().within(path);
  WorkerCode code{std::make_shared<const SealedCopy>(std::move(copy)), path, std::move(*text), options.worker};
  return make_placed_kind(Plugin{std::move(*manifest), nullptr, options.log, nullptr, options.record},
                          options.placement, std::move(code), hash);
}

Result<std::vector<std::string>> libraries_in(const std::string& directory) {
  DEPROV_CHECK(trusted_path(directory));
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
  if (!open) {
    return Error(Errc::io, std::string("cannot be listed: ") + std::strerror(errno), directory,
                 "name a directory that this user may read");
  }
  std::vector<std::string> out;
  while (const auto* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name.size() <= suffix.size() || name.substr(name.size() - suffix.size()) != suffix || name.front() == '.')
      continue;
    if (out.size() == most_in_a_directory)
      return Error(Errc::limit_exceeded, "has more than 256 libraries", directory, "take out what is not needed");
    out.push_back(directory + (directory.back() == '/' ? "" : "/") + std::string(name));
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::string> take_hash(const AllowedFile& file) {
  auto hash = file.sha256;
  for (auto& c : hash)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c + 32);
  const bool good = hash.size() == 64 && std::all_of(hash.begin(), hash.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                    });
  if (good) return hash;
  return Error(Errc::invalid_argument, "the SHA-256 is not of 64 hexadecimal digits", file.path,
               "take what sha256sum prints");
}

}  // namespace

std::shared_ptr<const port::ConnectorKind> make_kind(std::shared_ptr<const Plugin> plugin) {
  return std::make_shared<PluginKind>(std::move(plugin));
}

Result<port::ConnectorKinds> load_plugins(const Options& options, const port::Crypto& crypto) {
  port::ConnectorKinds kinds;
  const bool in_workers = options.placement == port::Placement::worker && !options.empty();
  if (in_workers && options.worker.program.empty()) {
    return Error(Errc::invalid_argument, "plugins are to run in workers, and no worker program is given", "worker",
                 "install deprov-connector-worker, and name it");
  }
  if (in_workers) DEPROV_CHECK(check_worker_program(options.worker.program));
  const auto add = [&](const std::string& path, const std::string* hash) -> Result<void> {
    DEPROV_TRY(kind, load_one(path, hash, options, crypto));
    const auto& id = kind->describe().id;
    if (kinds.emplace(id, kind).second) return {};
    return Error(Errc::uniqueness, "is the second one with the id \"" + id + "\"", path, "take one of them out");
  };
  for (const auto& directory : options.directories) {
    DEPROV_TRY(found, libraries_in(directory));
    for (const auto& path : found) DEPROV_CHECK(add(path, nullptr));
  }
  for (const auto& file : options.files) {
    DEPROV_TRY(hash, take_hash(file));
    DEPROV_CHECK(add(file.path, &hash));
  }
  return kinds;
}

}  // namespace deprov::plugin
