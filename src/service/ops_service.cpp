#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <deprov/engine/sources.hpp>
#include <deprov/service/ops_service.hpp>

namespace deprov::service {

namespace {

/// In full: a sum that is rounded to a few digits would stand still while it grows.
std::string number(double v) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), v).ptr;
  return {buffer.data(), end};
}

class Text {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    out_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ");
    out_.append(type).append("\n");
  }
  void sample(std::string_view name, std::string_view labels, double value) {
    out_.append(name);
    if (!labels.empty()) out_.append("{").append(labels).append("}");
    out_.append(" ").append(number(value)).append("\n");
  }
  void sample(std::string_view name, std::string_view labels, std::uint64_t value) {
    out_.append(name);
    if (!labels.empty()) out_.append("{").append(labels).append("}");
    out_.append(" ").append(std::to_string(value)).append("\n");
  }
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    family(name, "counter", help);
    sample(name, "", value);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string label(std::string_view name, std::string_view value) {
  std::string out(name);
  out.append("=\"");
  for (const char c : value) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (c != '\n') out.push_back(c);
  }
  return out.append("\"");
}

using JobCounts = std::map<port::Scope, std::map<port::JobState, std::uint64_t>>;
using Sources = std::vector<port::SourceRow>;

void write_sources(Text& t, const Sources& sources, WallTime now) {
  const auto each = [&](std::string_view name, std::string_view help, auto value) {
    t.family(name, "gauge", help);
    for (const auto& s : sources) {
      const std::optional<double> v = value(s);
      if (v)
        t.sample(name, label("integration", s.scope.integration.str()) + "," + label("source", s.id.str()), *v);
    }
  };
  const auto seconds = [](Duration d) { return static_cast<double>(d.count()) / 1e6; };
  using Row = port::SourceRow;
  const auto none = std::optional<double>{};
  each("deprov_source_failing", "1 while a source fails and what was inferred from it waits.",
       [](const Row& s) { return std::optional(s.failing_since.micros != 0 ? 1.0 : 0.0); });
  each("deprov_source_users", "Users of its last complete list.",
       [](const Row& s) { return std::optional(static_cast<double>(s.users)); });
  each("deprov_source_lag_seconds", "How old what is known of it is.",
       [&](const Row& s) { return s.succeeded.micros == 0 ? none : std::optional(seconds(now - s.succeeded)); });
  each("deprov_source_next_poll_seconds", "How long until it is read again; less than 0: it is overdue.",
       [&](const Row& s) { return s.due.micros == 0 ? none : std::optional(seconds(s.due - now)); });
  each("deprov_source_quota_remaining", "Requests that its API last said may still be made.", [&](const Row& s) {
    const auto health = engine::poll_health(s);
    return health && health->quota_remaining ? std::optional(static_cast<double>(*health->quota_remaining)) : none;
  });
}

void write_jobs(Text& t, const engine::Metrics& m, const JobCounts& jobs) {
  t.family("deprov_jobs", "gauge", "Jobs in the store by integration and state.");
  for (const auto& [scope, counts] : jobs) {
    for (const auto& [state, count] : counts) {
      t.sample("deprov_jobs",
               label("integration", scope.integration.str()) + "," + label("state", port::to_string(state)),
               count);
    }
  }
  t.family("deprov_jobs_finished_total", "counter", "Jobs that ended since the start, by state.");
  for (const auto& [state, count] : m.finished)
    t.sample("deprov_jobs_finished_total", label("state", state), count);
  t.family("deprov_attempts_total", "counter", "Connector calls by operation and outcome.");
  for (const auto& [key, count] : m.attempts) {
    const auto slash = key.find('/');
    t.sample("deprov_attempts_total",
             label("operation", key.substr(0, slash)) + "," +
                 label("outcome", slash == std::string::npos ? "" : key.substr(slash + 1)),
             count);
  }
}

void write_ttd(Text& t, const engine::Metrics& m) {
  constexpr std::string_view name = "deprov_time_to_deprovision_seconds";
  t.family(name, "histogram", "From the first evidence to the end of the removal.");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < m.ttd_counts.size(); ++i) {
    sum += m.ttd_counts[i];
    const auto bound = i < m.ttd_bounds.size() ? number(m.ttd_bounds[i]) : std::string("+Inf");
    t.sample(std::string(name) + "_bucket", label("le", bound), sum);
  }
  t.sample(std::string(name) + "_sum", "", m.ttd_sum);
  t.sample(std::string(name) + "_count", "", sum);
}

void write_lanes(Text& t, const engine::Metrics& m) {
  const auto each = [&](std::string_view name, std::string_view help, auto value) {
    t.family(name, "gauge", help);
    for (const auto& [scope, lane] : m.lanes)
      t.sample(name, label("integration", scope.integration.str()), static_cast<std::uint64_t>(value(lane)));
  };
  t.family("deprov_held", "gauge", "Removals that the guard made wait for a person.");
  for (const auto& [scope, held] : m.held)
    t.sample("deprov_held", label("integration", scope.integration.str()), held);
  using engine::LaneStatus;
  each("deprov_lane_jobs_in_flight", "Jobs of the lane in memory.",
       [](const LaneStatus& l) { return l.in_flight; });
  each("deprov_lane_calls", "Connector calls under way.", [](const LaneStatus& l) { return l.calls; });
  each("deprov_lane_concurrency", "Calls that may be under way now.",
       [](const LaneStatus& l) { return l.concurrency; });
  each("deprov_lane_breaker_open", "1 while a failing app is left alone.",
       [](const LaneStatus& l) { return l.breaker_open ? 1U : 0U; });
  each("deprov_lane_paused", "1 while the lane stands still.",
       [](const LaneStatus& l) { return l.paused.empty() ? 0U : 1U; });
  each("deprov_lane_stopped", "1 while the kill switch is on.",
       [](const LaneStatus& l) { return l.stopped ? 1U : 0U; });
}

void write_faults(Text& t, const engine::Metrics& m) {
  t.family("deprov_integration_unusable", "gauge",
           "1 for each integration whose stored policy or settings are refused; its IdP is answered 503.");
  for (const auto& fault : m.faults)
    t.sample("deprov_integration_unusable", label("integration", fault.scope.integration.str()), std::uint64_t{1});
}

void write_events(Text& t, const engine::Metrics& m) {
  t.family("deprov_security_events_total", "counter",
           "Security event tokens since the start, by what became of them.");
  for (const auto* result : {"taken", "repeated", "refused"}) {
    const auto it = m.events.find(result);
    t.sample("deprov_security_events_total", label("result", result),
             it == m.events.end() ? std::uint64_t{0} : it->second);
  }
}

void write_webhooks(Text& t, const engine::Metrics& m) {
  t.family("deprov_webhook_deliveries_total", "counter",
           "Messages to webhooks since the start, by result; `failed` is an attempt that is repeated.");
  for (const auto* result : {"delivered", "failed", "dead"}) {
    const auto it = m.deliveries.find(result);
    t.sample("deprov_webhook_deliveries_total", label("result", result),
             it == m.deliveries.end() ? std::uint64_t{0} : it->second);
  }
  const auto skipped = m.deliveries.find("skipped_events");
  t.counter("deprov_webhook_events_skipped_total", "Events that were too old when their turn came.",
            skipped == m.deliveries.end() ? 0 : skipped->second);
  t.family("deprov_webhook_outbox_messages", "gauge", "Messages on their way, by webhook.");
  for (const auto& [key, w] : m.webhooks)
    t.sample("deprov_webhook_outbox_messages", label("webhook", key.second.str()), w.messages);
  t.family("deprov_webhook_outbox_records", "gauge",
           "Records of the activity that wait to be looked at, by webhook.");
  for (const auto& [key, w] : m.webhooks)
    t.sample("deprov_webhook_outbox_records", label("webhook", key.second.str()), w.records);
}

void write_store(Text& t, const port::StoreStats& s) {
  t.counter("deprov_store_commits_total", "Transactions made durable.", s.commits);
  t.counter("deprov_store_batches_total", "Group commits.", s.batches);
  t.counter("deprov_store_conflicts_total", "Transactions that had to be decided again.", s.conflicts);
  t.counter("deprov_store_failures_total", "Group commits that the disk refused.", s.failures);
  t.counter("deprov_store_statements_total", "Statements run.", s.statements);
  t.counter("deprov_store_rows_total", "Rows written.", s.rows);
  t.counter("deprov_store_wal_bytes_total", "Bytes written to the write-ahead log.", s.wal_bytes);
  t.family("deprov_store_queue_depth", "gauge", "Transactions that wait now.");
  t.sample("deprov_store_queue_depth", "", s.queued);
}

Response plain(int status, std::string_view type, std::string body) {
  Response r;
  r.status = status;
  r.headers.push_back({"Content-Type", std::string(type)});
  r.headers.push_back({"Cache-Control", "no-store"});
  r.body = std::move(body);
  return r;
}

Response state(int status, std::string_view word, std::string_view why = {}, std::size_t faults = 0) {
  boost::json::object o{{"status", word}};
  if (faults != 0) o["unusable_integrations"] = faults;
  if (!why.empty()) o["reason"] = why;
  return plain(status, "application/json", boost::json::serialize(o));
}

/// 127.0.0.0/8, the same as an IPv6 address (RFC 4291), and ::1.
bool is_loopback(std::string_view address) {
  constexpr std::string_view mapped = "::ffff:";
  if (address.substr(0, mapped.size()) == mapped) address.remove_prefix(mapped.size());
  return address == "::1" || address.substr(0, 4) == "127.";
}

}  // namespace

void RequestCounts::count(std::string_view service, std::string_view method, int status) {
  // Methods are what clients say; only those that mean something get a series of their own.
  constexpr std::string_view known[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};
  std::string_view word = "other";
  for (const auto k : known)
    if (k == method) word = k;
  const std::lock_guard lock(mutex_);
  ++counts_[{std::string(service), std::string(word), status}];
}

std::string RequestCounts::text() const {
  Text t;
  t.family("deprov_http_requests_total", "counter", "Requests answered, by service, method and status.");
  const std::lock_guard lock(mutex_);
  for (const auto& [key, count] : counts_) {
    t.sample("deprov_http_requests_total",
             label("service", std::get<0>(key)) + "," + label("method", std::get<1>(key)) + "," +
                 label("status", std::to_string(std::get<2>(key))),
             count);
  }
  return t.take();
}

OpsService::OpsService(engine::Engine& engine, std::function<std::string()> more, OpsOptions options)
    : engine_(engine), options_(std::move(options)), more_(std::move(more)) {}

bool OpsService::disk_takes_writes() {
  constexpr auto rest = std::chrono::seconds(30);
  const auto stats = engine_.ports().store.stats();
  const auto now = engine_.ports().clock.mono();
  const std::lock_guard lock(mutex_);
  if (stats.failures != failures_) {
    failures_ = stats.failures;
    not_before_ = now + rest;
  }
  return !stats.failing || now >= not_before_;
}

std::optional<Response> OpsService::refusal(const Request& request, OpsOptions::Metrics metrics) const {
  if (!options_.token.empty()) {
    constexpr std::string_view scheme = "Bearer ";
    const auto given = request.header("Authorization").value_or("");
    const auto& crypto = engine_.ports().crypto;
    const auto digest = [&](std::string_view text) { return crypto.sha256(port::bytes_of(text)); };
    if (given.substr(0, scheme.size()) == scheme &&
        crypto.equal(digest(given.substr(scheme.size())), digest(options_.token)))
      return std::nullopt;
    auto r = state(401, "unauthorized", "metrics are for who shows their token");
    r.headers.push_back({"WWW-Authenticate", "Bearer realm=\"deprov metrics\""});
    return r;
  }
  if (metrics == OpsOptions::Metrics::anybody) return std::nullopt;
  if (metrics == OpsOptions::Metrics::nobody) return state(404, "there is nothing at this address");
  bool local = is_loopback(request.peer);
  for (const auto* name : {"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"})
    if (request.header(name)) local = false;
  if (local) return std::nullopt;
  return state(403, "forbidden",
               "metrics are for this machine alone; whoever runs the server may set a token "
               "(--metrics-token-file) or a listener of their own (--ops-listen)");
}

void OpsService::handle(Request request, Responder respond) {
  answer(std::move(request), std::move(respond), options_.metrics);
}

void OpsService::Inner::handle(Request request, Responder respond) {
  auto counted = [&ops = ops_, method = request.method, respond = std::move(respond)](Response response) mutable {
    ops.requests().count("ops", method, response.status);
    respond(std::move(response));
  };
  ops_.answer(std::move(request), std::move(counted), OpsOptions::Metrics::anybody);
}

void OpsService::answer(Request request, Responder respond, OpsOptions::Metrics for_whom) {
  const auto path = request.path();
  if (request.method != "GET" && request.method != "HEAD") {
    auto r = state(405, "the method is not offered here");
    r.headers.push_back({"Allow", "GET, HEAD"});
    return respond(std::move(r));
  }
  if (path == "/healthz") return respond(state(200, "ok"));
  const auto shared = std::make_shared<Responder>(std::move(respond));
  if (path == "/readyz") {
    if (!*ready_) return (*shared)(state(503, "not ready", "the engine is starting or stopping"));
    if (!disk_takes_writes())
      return (*shared)(state(503, "not ready", "the store's disk refuses to write; make room or mend it"));
    return engine_.view(
        [](port::Reader& reader) -> Result<void> {
          DEPROV_CHECK(reader.workspaces());
          return {};
        },
        [shared, faults = engine_.faults().size()](const Result<void>& read) {
          // One integration that cannot be used takes the server from none of the others.
          if (read) return (*shared)(state(200, "ready", {}, faults));
          (*shared)(state(503, "not ready", read.error().message()));
        });
  }
  if (path != "/metrics") return (*shared)(state(404, "there is nothing at this address"));
  if (auto refused = refusal(request, for_whom)) return (*shared)(std::move(*refused));
  auto jobs = std::make_shared<JobCounts>();
  auto sources = std::make_shared<Sources>();
  engine_.view(
      [jobs, sources](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rows, reader.integrations(std::nullopt));
        for (const auto& row : rows) {
          DEPROV_TRY(counts, reader.job_counts(row.scope));
          (*jobs)[row.scope] = std::move(counts);
          if (!row.sources) continue;
          DEPROV_TRY(found, reader.sources(row.scope));
          sources->insert(sources->end(), found.begin(), found.end());
        }
        return {};
      },
      [this, jobs, sources, shared, requests = requests_](const Result<void>& read) {
        if (!read) return (*shared)(state(500, "the store does not answer", read.error().message()));
        engine_.metrics([this, jobs, sources, shared, requests](Result<engine::Metrics> metrics) {
          if (!metrics) return (*shared)(state(500, "the engine does not answer", metrics.error().message()));
          Text t;
          write_jobs(t, *metrics, *jobs);
          write_ttd(t, *metrics);
          write_lanes(t, *metrics);
          write_faults(t, *metrics);
          write_sources(t, *sources, engine_.ports().clock.wall());
          write_webhooks(t, *metrics);
          write_events(t, *metrics);
          write_store(t, engine_.ports().store.stats());
          t.counter("deprov_requests_applied_total", "Effects of IdPs' requests stored.", metrics->applied);
          t.counter("deprov_requests_refused_total", "Effects of IdPs' requests refused.", metrics->refused);
          auto text = requests->text() + t.take();
          if (more_) text += more_();
          (*shared)(plain(200, "text/plain; version=0.0.4; charset=utf-8", std::move(text)));
        });
      });
}

Router::Router(Handler& scim, Handler& admin, OpsService& ops, std::string scim_prefix, Handler* events)
    : scim_(scim), admin_(admin), ops_(ops), scim_prefix_(std::move(scim_prefix)), events_(events) {}

void Router::handle(Request request, Responder respond) {
  const auto path = request.path();
  const auto below = [&](std::string_view prefix) {
    return path.substr(0, prefix.size()) == prefix && (path.size() == prefix.size() || path[prefix.size()] == '/');
  };
  const bool is_scim = below(scim_prefix_);
  const bool is_admin = !is_scim && below("/api");
  const bool is_event = !is_scim && events_ != nullptr && below("/events");
  auto& counts = ops_.requests();
  auto counted = [&counts,
                  service = is_scim    ? "scim"
                            : is_admin ? "admin"
                            : is_event ? "events"
                                       : "ops",
                  method = request.method, respond = std::move(respond)](Response response) mutable {
    counts.count(service, method, response.status);
    respond(std::move(response));
  };
  if (is_scim) return scim_.handle(std::move(request), std::move(counted));
  if (is_admin) return admin_.handle(std::move(request), std::move(counted));
  if (is_event) return events_->handle(std::move(request), std::move(counted));
  ops_.handle(std::move(request), std::move(counted));
}

}  // namespace deprov::service
