// The activity: page by page, or as a stream of server-sent events.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

constexpr Duration heartbeat = std::chrono::seconds(15);
constexpr std::size_t events_a_piece = 200;

/// All of it lives on the executor; the stream handed out is only a handle.
struct Follower : std::enable_shared_from_this<Follower> {
  Follower(engine::Engine& e, engine::Principal p, port::Scope s, std::uint64_t a)
      : engine(e), by(std::move(p)), scope(s), after(a) {}

  engine::Engine& engine;
  engine::Principal by;
  port::Scope scope;
  std::uint64_t after;
  bool greeted = false;
  bool grown = true;  ///< the chain may have grown since it was last read
  bool over = false;
  bool reading = false;
  port::UniqueFunction<void(std::optional<std::string>)> waiting;
  port::TimerId timer = 0;
  std::unique_ptr<engine::Engine::Subscription> subscription;

  void subscribe() {
    subscription = engine.subscribe([weak = weak_from_this()](const port::Scope& where) {
      const auto self = weak.lock();
      if (!self || where != self->scope) return;
      self->grown = true;
      self->work();
    });
  }

  void end() {
    over = true;
    subscription.reset();
    engine.ports().executor.cancel(timer);
    timer = 0;
    give(std::nullopt);
  }

  void give(std::optional<std::string> piece) {
    if (!waiting) return;
    engine.ports().executor.cancel(timer);
    timer = 0;
    auto to = std::move(waiting);
    waiting = {};
    to(std::move(piece));
  }

  void wait(port::UniqueFunction<void(std::optional<std::string>)> done) {
    waiting = std::move(done);
    if (over) return give(std::nullopt);
    if (!greeted) {
      greeted = true;
      return give("retry: 1000\n: activity from " + std::to_string(after) + "\n\n");
    }
    work();
    if (!waiting) return;
    const auto weak = weak_from_this();
    timer = engine.ports().executor.post_at(engine.ports().clock.mono() + heartbeat, [weak] {
      if (const auto self = weak.lock()) self->give(": still here\n\n");
    });
  }

  void work() {
    if (!waiting || reading || over || !grown) return;
    grown = false;
    reading = true;
    auto piece = std::make_shared<std::string>();
    auto seq = std::make_shared<std::uint64_t>(after);
    auto more = std::make_shared<bool>(false);
    auto gone = std::make_shared<bool>(false);
    const auto self = shared_from_this();
    engine.view(
        [self, from = after, piece, seq, more, gone](port::Reader& reader) -> Result<void> {
          DEPROV_TRY(allowed, self->still_allowed(reader));
          if (!allowed) {
            *gone = true;
            return {};
          }
          DEPROV_TRY(page, reader.activity(self->scope, from, events_a_piece));
          for (const auto& row : page.rows) {
            *seq = row.seq;
            *piece += "id: " + std::to_string(row.seq) +
                      "\nevent: activity\ndata: " + json::serialize(to_json(row)) + "\n\n";
          }
          *more = page.more;
          return {};
        },
        [self, piece, seq, more, gone](const Result<void>& read) {
          self->reading = false;
          if (!read || *gone) return self->end();
          self->after = *seq;
          self->grown = self->grown || *more;
          if (!piece->empty()) return self->give(std::move(*piece));
          self->work();
        });
  }

  /// A principal that was removed, and an integration that was deleted, end the stream.
  Result<bool> still_allowed(port::Reader& reader) const {
    if (!scope.integration.is_nil()) {
      DEPROV_TRY(row, reader.integration(scope));
      if (!row || row->state == port::IntegrationState::deleted) return false;
    }
    if (by.id.is_nil()) return true;
    DEPROV_TRY(principals, reader.principals(by.workspace));
    for (const auto& p : principals)
      if (p.id == by.id) return engine::Engine::may_manage_integrations(p.role);
    return false;
  }
};

class ActivityStream final : public BodyStream {
 public:
  ActivityStream(engine::Engine& engine, const engine::Principal& by, const port::Scope& scope,
                 std::uint64_t after)
      : executor_(engine.ports().executor), follower_(std::make_shared<Follower>(engine, by, scope, after)) {
    executor_.post([f = follower_] {
      if (!f->over) f->subscribe();
    });
  }
  ~ActivityStream() override {
    executor_.post([f = std::move(follower_)] {
      f->waiting = {};
      f->end();
    });
  }
  ActivityStream(const ActivityStream&) = delete;
  ActivityStream& operator=(const ActivityStream&) = delete;

  void next(port::UniqueFunction<void(std::optional<std::string>)> done) override {
    executor_.post([f = follower_, done = std::move(done)]() mutable { f->wait(std::move(done)); });
  }

 private:
  port::Executor& executor_;
  std::shared_ptr<Follower> follower_;
};

Result<std::uint64_t> start_of(const AdminCall& call) {
  // A browser that reconnects says what it saw last; that is newer than what the address says.
  if (const auto last = call.request.header("Last-Event-ID")) {
    std::uint64_t v = 0;
    const auto [at, ec] = std::from_chars(last->data(), last->data() + last->size(), v);
    if (ec != std::errc{} || at != last->data() + last->size())
      return Error(Errc::invalid_argument, "not a whole number", "Last-Event-ID");
    return v;
  }
  return number_of(call, "after", 0);
}

/// The chain of a deleted integration stays to be read: it says what was abandoned, and by whom.
Result<void> chain_of(port::Reader& reader, const AdminCall& call, const port::Scope& scope) {
  if (scope.integration.is_nil()) return {};
  DEPROV_TRY(row, reader.integration(scope));
  if (!row) return integration_of(reader, call).error();
  return {};
}

void activity(const CallPtr& call, const port::Scope& scope) {
  const auto after = start_of(*call);
  if (!after) return fail(call, after.error());
  const auto limit = limit_of(*call, 100, 1000);
  if (!limit) return fail(call, limit.error());
  const auto it = call->query.find("follow");
  const bool follow = it != call->query.end() && it->second != "false";
  auto body = [call, scope, after = *after, limit = *limit](port::Reader& reader) -> Result<json::value> {
    DEPROV_CHECK(chain_of(reader, *call, scope));
    DEPROV_TRY(page, reader.activity(scope, after, limit));
    DEPROV_TRY(head, reader.activity_head(scope));
    json::array items;
    for (const auto& row : page.rows) items.push_back(to_json(row));
    json::value next;
    if (page.more && !page.rows.empty()) next = page.rows.back().seq;
    return json::value(json::object{{"items", std::move(items)}, {"next", std::move(next)}, {"head", head}});
  };
  if (!follow) return read(call, std::move(body));
  call->engine.view(
      [call, scope](port::Reader& reader) -> Result<void> {
        if (!scope.integration.is_nil()) DEPROV_CHECK(integration_of(reader, *call));
        return {};
      },
      [call, scope, after = *after](Result<void> done) {
        if (!done) return fail(call, done.error());
        Response r;
        r.headers.push_back({"Content-Type", "text/event-stream"});
        r.headers.push_back({"Cache-Control", "no-store"});
        r.stream = follow_activity(call->engine, call->by, scope, after);
        call->respond(std::move(r));
      });
}

void of_workspace(const CallPtr& call) { activity(call, {call->by.workspace, {}}); }
void of_integration(const CallPtr& call) { activity(call, call->scope()); }

}  // namespace

std::shared_ptr<BodyStream> follow_activity(engine::Engine& engine, const engine::Principal& by,
                                            const port::Scope& scope, std::uint64_t after) {
  return std::make_shared<ActivityStream>(engine, by, scope, after);
}

void add_activity_routes(std::vector<AdminRoute>& routes) {
  const std::vector<AdminParameter> query{
      {"after", "seq", "The seq of the last record that was seen."},
      {"limit", "limit", "1 to 1000, default 100."},
      {"follow", "boolean",
       "A stream of server-sent events that goes on; `id` is the seq, Last-Event-ID resumes."}};
  routes.push_back({"GET", "/activity", "listWorkspaceActivity", "activity",
                    "The chain of acts on the workspace itself", Needs::integrations, query, "", 200,
                    "ActivityList", of_workspace});
  routes.push_back({"GET", "/integrations/{integration}/activity", "listActivity", "activity",
                    "The chain of one integration", Needs::integrations, query, "", 200, "ActivityList",
                    of_integration});
}

}  // namespace deprov::service
