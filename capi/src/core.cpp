#include "core.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/runtime/clock.hpp>
#include <utility>
#include "service/admin_call.hpp"

namespace deprov::capi {

namespace json = boost::json;

Core::Core(Key, std::unique_ptr<Instance> instance, std::shared_ptr<Calls> calls, std::shared_ptr<const Log> log)
    : log_(std::move(log)), calls_(std::move(calls)), instance_(std::move(instance)) {}

std::shared_ptr<Core> Core::make(std::unique_ptr<Instance> instance, std::shared_ptr<Calls> calls,
                                 std::shared_ptr<const Log> log) {
  // In one piece of memory: nothing can fail once there is a core.
  auto core = std::make_shared<Core>(Key{}, std::move(instance), std::move(calls), std::move(log));
  core->events_->belong_to(core);
  return core;
}

Core::~Core() { finish(); }

void Core::finish() {
  if (!instance_) return;
  (void)close(std::chrono::seconds(10), nullptr);
  // Completions of connectors and of requests may still come, and find nobody.
  calls_->shut();
  instance_.reset();
}

void Core::may_wait() const {
  if (instance_->engine().ports().executor.running_here()) throw WrongThread{};
}

Result<void> Core::is_open() const {
  const std::lock_guard lock(mutex_);
  if (closing_) return Error(Errc::closed, "the engine is closed", "engine");
  return {};
}

void Core::start(service::Request&& request, std::optional<Caller>&& local, service::Responder respond) {
  if (!local) return instance_->handler().handle(std::move(request), std::move(respond));
  engine::Principal by;
  by.workspace = local->workspace;
  by.role = port::Role::owner;
  if (by.workspace.is_nil()) return instance_->admin().handle_as(by, std::move(request), std::move(respond));
  struct Waiting {
    service::Request request;
    service::Responder respond;
  };
  auto waiting = std::make_shared<Waiting>(Waiting{std::move(request), std::move(respond)});
  instance_->engine().view(
      [workspace = by.workspace](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(row, reader.workspace(workspace));
        if (row) return {};
        return Error(Errc::not_found, "there is no such workspace", "workspace " + workspace.str(),
                     "list them with GET /api/v1/workspaces");
      },
      [this, by, waiting](Result<void> found) {
        if (!found) return waiting->respond(service::error_response(found.error()));
        instance_->admin().handle_as(by, std::move(waiting->request), std::move(waiting->respond));
      });
}

Result<service::Response> Core::call(service::Request&& request, std::optional<Caller>&& local) {
  DEPROV_CHECK(is_open());
  may_wait();
  // Many requests are answered inside `start`: nothing is set up for waiting before it turns out that this one is
  // not.
  struct Waited {
    std::optional<service::Response> answer;
    runtime::Notice done;
  };
  const auto waited = std::make_shared<Waited>();
  start(std::move(request), std::move(local), [waited](service::Response&& answer) {
    waited->answer = std::move(answer);
    waited->done.set();
  });
  while (!waited->done.is_set()) (void)instance_->wait_until(waited->done, std::chrono::hours(1));
  return std::move(*waited->answer);
}

void Core::add_body(const std::shared_ptr<Body>& body) {
  bool closed = false;
  {
    const std::lock_guard lock(mutex_);
    closed = closing_;
    bodies_.erase(std::remove_if(bodies_.begin(), bodies_.end(), [](const auto& b) { return b.expired(); }),
                  bodies_.end());
    bodies_.push_back(body);
  }
  if (closed) body->close();
}

std::string Core::text_of(const Left& left) {
  json::array requests;
  for (const auto token : left.requests) requests.emplace_back(std::to_string(token));
  json::array calls;
  for (const auto& c : left.calls)
    calls.push_back(json::object{{"connector", c.connector}, {"operation", c.operation}, {"account", c.account}});
  return json::serialize(json::object{{"requests", std::move(requests)}, {"calls", std::move(calls)}});
}

Core::Left Core::close_now(Duration deadline) {
  const runtime::SystemClock clock;
  const auto until = runtime::after(clock.mono(), deadline);
  std::vector<std::weak_ptr<Body>> bodies;
  {
    const std::lock_guard lock(mutex_);
    bodies.swap(bodies_);
  }
  events_->refuse();
  instance_->engine().ports().executor.post([calls = calls_] { calls->cancel_all(); });
  for (const auto& weak : bodies)
    if (const auto body = weak.lock()) body->close();
  (void)instance_->close(deadline);
  (void)instance_->wait_until(events_->idle(), until - clock.mono());
  Left left{events_->end(), calls_->stragglers()};
  if (left.requests.empty() && left.calls.empty()) {
    (*log_)(DEPROV_LOG_INFO, "the engine was closed");
  } else {
    (*log_)(DEPROV_LOG_WARNING, "the engine was closed at its deadline; left were " + text_of(left));
  }
  return left;
}

Result<void> Core::close(Duration deadline, std::string* report) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = !std::exchange(closing_, true);
  }
  if (first) {
    auto left = close_now(deadline);
    const std::lock_guard lock(mutex_);
    left_ = std::move(left);
    closed_.set();
  } else if (!closed_.is_set() && !instance_->wait_until(closed_, deadline)) {
    return Error(Errc::timeout, "another thread is closing the engine", "engine");
  }
  const std::lock_guard lock(mutex_);
  if (report != nullptr) *report = text_of(*left_);
  if (left_->requests.empty() && left_->calls.empty()) return {};
  return Error(Errc::timeout,
               std::to_string(left_->requests.size()) + " requests and " + std::to_string(left_->calls.size()) +
                   " calls to connectors had not ended at the deadline",
               "engine", "what they did is read back at the next start");
}

}  // namespace deprov::capi
