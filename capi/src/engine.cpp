// Opening, closing and driving an engine.
#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/scheme.hpp>
#include <boost/url/url_view.hpp>
#include <deprov/runtime/clock.hpp>
#include <utility>
#include "connector.hpp"
#include "core.hpp"
#include "guard.hpp"

namespace deprov::capi {

namespace {

class WallClock final : public port::Clock {
 public:
  using Read = int64_t (*)(void*);
  WallClock(UserData user, Read read) : user_(std::move(user)), read_(read) {}
  [[nodiscard]] WallTime wall() const override { return {read_(user_.get())}; }
  [[nodiscard]] MonoTime mono() const override { return machine_.mono(); }

 private:
  UserData user_;
  Read read_;
  runtime::SystemClock machine_;
};

Result<void> take_key(const deprov_engine_options& in, const UserData& user, InstanceOptions& out) {
  std::array<std::uint8_t, crypto::Key::size> bytes{};
  switch (in.key_source) {
    case DEPROV_KEY_DEFAULT: break;
    case DEPROV_KEY_FILE: {
      DEPROV_TRY(file, text(in.key_file, "options.key_file"));
      if (file.empty()) return Error(Errc::invalid_argument, "names no file", "options.key_file");
      out.key_file = std::move(file);
      break;
    }
    case DEPROV_KEY_BYTES:
      if (in.key_bytes.ptr == nullptr || in.key_bytes.len != bytes.size()) {
        return Error(Errc::invalid_argument, "has " + std::to_string(in.key_bytes.len) + " bytes",
                     "options.key_bytes", "give 32 random bytes");
      }
      std::copy_n(in.key_bytes.ptr, bytes.size(), reinterpret_cast<char*>(bytes.data()));
      out.key.emplace(bytes);
      break;
    case DEPROV_KEY_CALLBACK: {
      if (in.key == nullptr) return null_argument("options.key");
      const auto status = in.key(user.get(), bytes.data());
      if (status != DEPROV_OK) return Error(errc_of(status), "the host gave no master key", "options.key");
      out.key.emplace(bytes);
      break;
    }
    default:
      return Error(Errc::invalid_argument, std::to_string(in.key_source) + " is no source of a key",
                   "options.key_source", "see DEPROV_KEY_DEFAULT and those after it");
  }
  // What is on the stack of a host that was asked is wiped like every other key.
  volatile std::uint8_t* wipe = bytes.data();
  for (std::size_t i = 0; i < bytes.size(); ++i) wipe[i] = 0;
  return {};
}

/// Errors name no more of it than its scheme: a URL may hold a password.
Result<void> take_store_url(const deprov_engine_options& in, InstanceOptions& out) {
  constexpr const char* where = "options.store_url";
  constexpr const char* advice = "give file:///DIRECTORY, or memory:";
  if (in.store != DEPROV_STORE_DIRECTORY || in.directory.len != 0)
    return Error(Errc::invalid_argument, "is given beside a store or a directory", where, "give one of them");
  const auto parsed = boost::urls::parse_uri(view(in.store_url));
  if (!parsed) return Error(Errc::invalid_argument, "is no URL", where, advice);
  const auto& url = *parsed;
  const bool plain = !url.has_userinfo() && !url.has_port() && !url.has_query() && !url.has_fragment();
  if (url.scheme() == "memory") {
    if (!plain || url.has_authority() || !url.encoded_path().empty())
      return Error(Errc::invalid_argument, "has more than its scheme", where, advice);
    out.in_memory = true;
    return {};
  }
  if (url.scheme_id() != boost::urls::scheme::file) {
    return Error(Errc::unsupported, "there is no store for the scheme \"" + std::string(url.scheme()) + "\"",
                 where, advice);
  }
  auto path = url.path();
  if (!plain || (!url.host().empty() && url.host() != "localhost") || path.size() < 2 || path.front() != '/' ||
      path.find('\0') != std::string::npos)
    return Error(Errc::invalid_argument, "names no directory of this machine", where, advice);
  out.directory = std::move(path);
  return {};
}

Result<void> take_store(const deprov_engine_options& in, InstanceOptions& out) {
  out.create = in.must_exist == 0;
  constexpr std::uint32_t most_readers = 64;
  if (in.store_readers > most_readers)
    return Error(Errc::limit_exceeded, "more than 64 readers", "options.store_readers");
  if (in.store_readers != 0) out.readers = in.store_readers;
  if (!is_text(in.store_url)) return no_text(in.store_url, "options.store_url");
  if (in.store_url.len != 0) return take_store_url(in, out);
  DEPROV_TRY(directory, text(in.directory, "options.directory"));
  switch (in.store) {
    case DEPROV_STORE_DIRECTORY:
      if (directory.empty()) {
        return Error(Errc::invalid_argument, "names no directory", "options.directory",
                     "name one, or choose DEPROV_STORE_MEMORY");
      }
      break;
    case DEPROV_STORE_MEMORY: out.in_memory = true; break;
    default:
      return Error(Errc::invalid_argument, std::to_string(in.store) + " is no store", "options.store",
                   "see DEPROV_STORE_DIRECTORY and DEPROV_STORE_MEMORY");
  }
  out.directory = std::move(directory);
  return {};
}

Result<void> take_connectors(const deprov_engine_options& in, const std::shared_ptr<Calls>& calls,
                             InstanceOptions& out) {
  if (in.connector_count != 0 && in.connectors == nullptr) return null_argument("options.connectors");
  for (std::size_t i = 0; i < in.connector_count; ++i) {
    const auto* c = in.connectors[i];
    if (c == nullptr) return null_argument("options.connectors[" + std::to_string(i) + "]");
    const auto& id = c->kind->description.id;
    if (!out.connectors.emplace(id, make_port_kind(c->kind, calls)).second)
      return Error(Errc::uniqueness, "two connectors have the id \"" + id + "\"", "options.connectors");
  }
  return {};
}

Result<void> take_plugins(const deprov_engine_options& in, const std::shared_ptr<const Log>& log,
                          InstanceOptions& out) {
  if (in.plugin_directory_count != 0 && in.plugin_directories == nullptr)
    return null_argument("options.plugin_directories");
  if (in.plugin_file_count != 0 && in.plugin_files == nullptr) return null_argument("options.plugin_files");
  for (std::size_t i = 0; i < in.plugin_directory_count; ++i) {
    DEPROV_TRY(directory, text(in.plugin_directories[i], "options.plugin_directories"));
    out.plugins.directories.push_back(std::move(directory));
  }
  for (std::size_t i = 0; i < in.plugin_file_count; ++i) {
    DEPROV_TRY(path, text(in.plugin_files[i].path, "options.plugin_files"));
    DEPROV_TRY(hash, text(in.plugin_files[i].sha256, "options.plugin_files"));
    out.plugins.files.push_back({std::move(path), std::move(hash)});
  }
  DEPROV_TRY(worker, text(in.plugin_worker, "options.plugin_worker"));
  auto& bounds = out.plugins.worker;
  bounds.program = std::move(worker);
  if (in.worker_memory_bytes != 0) bounds.memory_bytes = in.worker_memory_bytes;
  if (in.worker_cpu_seconds != 0) bounds.cpu_seconds = in.worker_cpu_seconds;
  if (in.worker_files != 0) bounds.files = in.worker_files;
  if (in.worker_calls != 0) bounds.calls = in.worker_calls;
  if (in.reserved != 0 || in.worker_reserved != 0)
    return Error(Errc::unsupported, "has to be 0", "options.reserved");
  if (in.plugin_placement != DEPROV_PLACEMENT_IN_PROCESS && in.plugin_placement != DEPROV_PLACEMENT_WORKER) {
    return Error(Errc::invalid_argument, std::to_string(in.plugin_placement) + " is no placement",
                 "options.plugin_placement", "see DEPROV_PLACEMENT_IN_PROCESS and DEPROV_PLACEMENT_WORKER");
  }
  if (in.plugin_placement == DEPROV_PLACEMENT_WORKER) out.plugins.placement = port::Placement::worker;
  out.plugins.log = [log](plugin::LogLevel level, std::string_view message) {
    (*log)(level == plugin::LogLevel::error     ? DEPROV_LOG_ERROR
           : level == plugin::LogLevel::warning ? DEPROV_LOG_WARNING
                                                : DEPROV_LOG_INFO,
           message);
  };
  return {};
}

}  // namespace

}  // namespace deprov::capi

using namespace deprov;

deprov_status deprov_engine_open(const deprov_engine_options* options, deprov_engine** engine,
                                 deprov_error** error) {
  if (engine != nullptr) *engine = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    deprov_engine_options in{};
    auto taken = capi::take_struct(options, "options", in);
    const capi::UserData key_user(in.key_user, in.key_user_free);
    capi::UserData clock_user(in.clock_user, in.clock_user_free);
    capi::UserData log_user(in.log_user, in.log_user_free);
    auto record_user = std::make_shared<const capi::UserData>(in.plugin_record_user, in.plugin_record_user_free);
    if (!taken) return Error(taken.error());
    if (engine == nullptr) return capi::null_argument("engine");
    const auto log = std::make_shared<const capi::Log>(std::move(log_user), in.log);
    const auto calls = std::make_shared<capi::Calls>(log);
    InstanceOptions out;
    DEPROV_CHECK(capi::take_store(in, out));
    DEPROV_CHECK(capi::take_key(in, key_user, out));
    DEPROV_CHECK(capi::take_connectors(in, calls, out));
    DEPROV_CHECK(capi::take_plugins(in, log, out));
    if (in.plugin_record != nullptr) {
      out.plugins.record = [record_user, record = in.plugin_record](const plugin::RecordedExchange& exchange) {
        const auto text = boost::json::serialize(plugin::recorded_json(exchange));
        record(record_user->get(), capi::str(text));
      };
    }
    if (in.clock != nullptr) out.clock = std::make_shared<capi::WallClock>(std::move(clock_user), in.clock);
    out.background = in.look_only == 0;
    out.host_driven = in.host_driven != 0;
    DEPROV_TRY(instance, Instance::open(std::move(out)));
    auto made = std::make_unique<deprov_engine>();
    made->core = capi::Core::make(std::move(instance), calls, log);
    (*log)(DEPROV_LOG_INFO, "the engine was opened");
    *engine = made.release();
    return {};
  });
}

deprov_status deprov_engine_close(deprov_engine* engine, int64_t deadline_ms, deprov_buffer** report,
                                  deprov_error** error) {
  if (report != nullptr) *report = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    if (engine == nullptr) return capi::null_argument("engine");
    engine->core->may_wait();
    auto text = std::make_unique<deprov_buffer>();
    auto closed = engine->core->close(capi::milliseconds(deadline_ms), &text->bytes);
    if (report != nullptr) *report = text.release();
    return closed;
  });
}

void deprov_engine_free(deprov_engine* engine) {
  if (engine == nullptr) return;
  try {
    engine->core->finish();
  } catch (...) {
    std::terminate();  // nothing in there throws while there is memory
  }
  delete engine;
}

deprov_status deprov_engine_pump(deprov_engine* engine, int64_t budget_ms, int64_t* wait_ms,
                                 deprov_error** error) {
  if (wait_ms != nullptr) *wait_ms = 0;
  return capi::guard(error, [&]() -> Result<void> {
    if (engine == nullptr) return capi::null_argument("engine");
    auto& core = *engine->core;
    if (core.instance().descriptor() < 0)
      return Error(Errc::unsupported, "the engine has its own threads", "engine", "open it with host_driven");
    core.may_wait();
    const auto next = core.instance().pump(capi::milliseconds(budget_ms));
    if (wait_ms == nullptr) return {};
    *wait_ms = std::numeric_limits<int64_t>::max();
    if (!next) return {};
    const auto left = (*next - runtime::SystemClock().mono()).count();
    *wait_ms = left <= 0 ? 0 : (left - 1) / 1000 + 1;
    return {};
  });
}

int32_t deprov_engine_get_pump_descriptor(const deprov_engine* engine) {
  return engine == nullptr ? -1 : engine->core->instance().descriptor();
}

int32_t deprov_engine_get_event_descriptor(const deprov_engine* engine) {
  return engine == nullptr ? -1 : engine->core->events()->ready().descriptor();
}
