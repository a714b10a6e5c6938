// Subjects, jobs, activity, holds and notifications, one record after the other.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cstdint>
#include <deprov/runtime/notice.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include "core.hpp"
#include "guard.hpp"

namespace json = boost::json;
using namespace deprov;

namespace {

/// A page on its way. The engine has a share in it: rows may be freed before the answer is there.
struct Page {
  std::mutex mutex;
  bool asked_for = false;
  std::optional<service::Response> answer;
  runtime::Notice ready;    // up while there is an answer
  std::uint64_t token = 0;  // whose event says so
  std::weak_ptr<capi::Events> events;

  void arrived(service::Response response) {
    std::uint64_t who = 0;
    {
      const std::lock_guard lock(mutex);
      answer = std::move(response);
      ready.set();
      who = std::exchange(token, 0);
    }
    if (who == 0) return;
    if (const auto queue = events.lock()) queue->finish(who, nullptr);
  }
};

}  // namespace

struct deprov_rows {
  std::shared_ptr<capi::Core> core;
  capi::Caller by;
  int32_t kind = 0;
  std::string path;      // with the parameters that stay
  std::string position;  // of the row that was given last: an id, or a number
  std::string restart;
  std::deque<json::value> page;
  std::string upto;  // where the page ends, of notifications
  std::shared_ptr<Page> next = std::make_shared<Page>();
  std::string row;
  bool ended = false;
};

namespace {

constexpr std::uint32_t usual_page = 200;
constexpr std::uint32_t largest_page = 1000;

/// What a restart begins with, so that one of another kind is seen.
std::string_view prefix_of(int32_t kind) {
  switch (kind) {
    case DEPROV_ROWS_SUBJECTS: return "s1:";
    case DEPROV_ROWS_JOBS: return "j1:";
    case DEPROV_ROWS_HOLDS: return "h1:";
    case DEPROV_ROWS_ACTIVITY: return "a1:";
    case DEPROV_ROWS_NOTIFICATIONS: return "n1:";
    default: return "";
  }
}

/// Chains have numbers, everything else has ids; they grow, and behind their end there may be more later.
bool is_chain(int32_t kind) { return kind == DEPROV_ROWS_ACTIVITY || kind == DEPROV_ROWS_NOTIFICATIONS; }

bool is_position(int32_t kind, const std::string& text) {
  if (!is_chain(kind)) return Uuid{} != parse_uuid(text).value_or(Uuid{});
  std::uint64_t seq = 0;
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), seq);
  return ec == std::errc{} && at == text.data() + text.size();
}

Result<std::string> path_of(const deprov_rows_options& in) {
  DEPROV_TRY(integration, capi::text(in.integration, "options.integration"));
  if (!integration.empty() && !parse_uuid(integration))
    return Error(Errc::invalid_argument, "not a UUID", "options.integration", "give the id of the integration");
  const auto below = integration.empty() ? std::string{} : "/integrations/" + integration;
  const auto needed = [&]() -> Result<void> {
    if (!integration.empty()) return {};
    return Error(Errc::invalid_argument, "these rows are those of one integration", "options.integration");
  };
  const auto page = std::to_string(in.page == 0 ? usual_page : std::min(in.page, largest_page));
  std::string path;
  switch (in.kind) {
    case DEPROV_ROWS_SUBJECTS:
      DEPROV_CHECK(needed());
      path = below + "/subjects?limit=" + page;
      break;
    case DEPROV_ROWS_JOBS:
      path = "/jobs?limit=" + page + (integration.empty() ? "" : "&integration=" + integration);
      break;
    case DEPROV_ROWS_ACTIVITY: path = below + "/activity?limit=" + page; break;
    case DEPROV_ROWS_HOLDS:
      DEPROV_CHECK(needed());
      path = below + "/holds?limit=" + page;
      break;
    case DEPROV_ROWS_NOTIFICATIONS:
      path = (integration.empty() ? std::string("/workspace") : below) + "/notifications?limit=" + page;
      break;
    default:
      return Error(Errc::invalid_argument, std::to_string(in.kind) + " is no kind of rows", "options.kind",
                   "see DEPROV_ROWS_SUBJECTS and those after it");
  }
  DEPROV_TRY(filter, capi::text(in.filter, "options.filter"));
  if (filter.find_first_of(" #\r\n") != std::string::npos || filter.size() > 4096)
    return Error(Errc::invalid_argument, "not encoded for URLs, or longer than 4096 bytes", "options.filter");
  if (!filter.empty()) path += "&" + filter;
  return path;
}

std::string path_at(const std::string& path, int32_t kind, const std::string& position) {
  if (position.empty()) return path;
  const bool backwards = kind == DEPROV_ROWS_JOBS || kind == DEPROV_ROWS_HOLDS;
  return path + (backwards ? "&before=" : "&after=") + position;
}
std::string path_of_next(const deprov_rows& rows) { return path_at(rows.path, rows.kind, rows.position); }

bool needs_page(const deprov_rows& rows) { return rows.page.empty() && (!rows.ended || is_chain(rows.kind)); }

/// A page of notifications looks at so many records of the activity and no more. Where nothing is to be told of
/// any of them: where to look on.
std::optional<std::string> nothing_told(int32_t kind, const service::Response& response) {
  if (kind != DEPROV_ROWS_NOTIFICATIONS || response.status != 200) return std::nullopt;
  const auto page = json::parse(response.body);
  const auto& o = page.as_object();
  if (!o.at("items").as_array().empty() || !o.at("more").as_bool()) return std::nullopt;
  return json::serialize(o.at("upto"));
}

/// One page from there on, without waiting. `core` is there while its engine answers.
void ask_at(const std::weak_ptr<capi::Core>& core, const capi::Caller& by, const std::string& path, int32_t kind,
            const std::string& position, const std::shared_ptr<Page>& page) {
  const auto engine = core.lock();
  if (!engine) return;
  std::optional<capi::Caller> local;
  auto request = capi::admin_request(by, "GET", path_at(path, kind, position), {}, local);
  engine->start(std::move(request), std::move(local), [core, by, path, kind, page](service::Response response) {
    if (const auto on = nothing_told(kind, response)) {
      if (const auto still = core.lock(); still && still->is_open())
        return ask_at(core, by, path, kind, *on, page);
    }
    page->arrived(std::move(response));
  });
}

/// Asks for the next page, unless that was done. Without waiting.
void ask(deprov_rows& rows) {
  {
    const std::lock_guard lock(rows.next->mutex);
    if (std::exchange(rows.next->asked_for, true)) return;
  }
  ask_at(rows.core, rows.by, rows.path, rows.kind, rows.position, rows.next);
}

void be_at(deprov_rows& rows, std::string position) {
  rows.restart = std::string(prefix_of(rows.kind)) + position;
  rows.position = std::move(position);
}

Result<void> fetch(deprov_rows& rows) {
  auto& next = *rows.next;
  if (!next.ready.is_set()) {
    DEPROV_CHECK(rows.core->is_open());
    rows.core->may_wait();
    ask(rows);
    (void)rows.core->instance().wait_until(next.ready, capi::milliseconds(INT64_MAX));
  }
  std::optional<service::Response> answer;
  {
    const std::lock_guard lock(next.mutex);
    answer = std::exchange(next.answer, std::nullopt);
    next.ready.clear();
    next.asked_for = false;
  }
  DEPROV_TRY(body, capi::admin_answer(std::move(*answer), path_of_next(rows)));
  auto page = json::parse(body);
  auto& o = page.as_object();
  for (auto& item : o.at("items").as_array()) rows.page.push_back(std::move(item));
  if (rows.kind == DEPROV_ROWS_NOTIFICATIONS) {
    rows.ended = !o.at("more").as_bool();
    rows.upto = json::serialize(o.at("upto"));
    if (rows.page.empty() && rows.upto != "0") be_at(rows, rows.upto);
    return {};
  }
  const auto* more = o.if_contains("next");
  rows.ended = more == nullptr || more->is_null();
  return {};
}

/// 0: nothing has to be waited for.
Result<std::uint64_t> want(deprov_rows& rows, void* user) {
  if (!needs_page(rows)) return std::uint64_t{0};
  const auto& events = rows.core->events();
  auto& next = *rows.next;
  {
    const std::lock_guard lock(next.mutex);
    if (next.answer) return std::uint64_t{0};
    if (next.token != 0 && events->is_under_way(next.token))
      return Error(Errc::conflict, "a row was asked for already", "rows");
  }
  DEPROV_TRY(token, events->begin(DEPROV_EVENT_ROW, user));
  bool there = false;
  {
    const std::lock_guard lock(next.mutex);
    there = next.answer.has_value();  // meanwhile
    next.token = there ? 0 : token;
    next.events = events;
  }
  if (there) {
    events->finish(token, nullptr);
  } else {
    ask(rows);
  }
  return token;
}

void give(deprov_rows& rows) {
  const auto& item = rows.page.front();
  auto row = json::serialize(item);
  const auto& o = item.as_object();
  switch (rows.kind) {
    case DEPROV_ROWS_ACTIVITY: be_at(rows, json::serialize(o.at("seq"))); break;
    case DEPROV_ROWS_NOTIFICATIONS:
      be_at(rows, rows.page.size() == 1 ? rows.upto : json::serialize(o.at("last_seq")));
      break;
    default: be_at(rows, std::string(o.at("id").as_string()));
  }
  rows.row = std::move(row);
  rows.page.pop_front();
}

}  // namespace

deprov_status deprov_rows_open(deprov_engine* engine, const deprov_caller* by, const deprov_rows_options* options,
                               deprov_rows** rows, deprov_error** error) {
  if (rows != nullptr) *rows = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    if (engine == nullptr) return capi::null_argument("engine");
    if (rows == nullptr) return capi::null_argument("rows");
    deprov_rows_options in{};
    DEPROV_CHECK(capi::take_struct(options, "options", in));
    DEPROV_TRY(caller, capi::take_caller(by));
    DEPROV_TRY(path, path_of(in));
    DEPROV_TRY(restart, capi::text(in.restart, "options.restart"));
    auto made = std::make_unique<deprov_rows>();
    made->core = engine->core;
    made->by = std::move(caller);
    made->kind = in.kind;
    made->path = std::move(path);
    if (!restart.empty()) {
      const auto prefix = prefix_of(in.kind);
      if (restart.rfind(prefix, 0) != 0 || !is_position(in.kind, restart.substr(prefix.size())))
        return Error(Errc::invalid_cursor, "not a restart of these rows", "options.restart",
                     "give what deprov_rows_get_restart() answered for rows of the same kind");
      made->position = restart.substr(prefix.size());
      made->restart = std::move(restart);
    }
    *rows = made.release();
    return {};
  });
}

deprov_status deprov_rows_next(deprov_rows* rows, deprov_str* row, deprov_error** error) {
  if (row != nullptr) *row = {nullptr, 0};
  return capi::guard(error, [&]() -> Result<std::optional<capi::End>> {
    if (rows == nullptr) return capi::null_argument("rows");
    if (row == nullptr) return capi::null_argument("row");
    if (needs_page(*rows)) DEPROV_CHECK(fetch(*rows));
    if (rows->page.empty()) return std::optional<capi::End>(capi::End{});
    give(*rows);
    *row = capi::str(rows->row);
    return std::optional<capi::End>{};
  });
}

deprov_status deprov_rows_want(deprov_rows* rows, void* user, uint64_t* token, deprov_error** error) {
  if (token != nullptr) *token = 0;
  return capi::guard(error, [&]() -> Result<void> {
    if (rows == nullptr) return capi::null_argument("rows");
    if (token == nullptr) return capi::null_argument("token");
    DEPROV_TRY(begun, want(*rows, user));
    *token = begun;
    return {};
  });
}

deprov_str deprov_rows_get_restart(const deprov_rows* rows) {
  return rows == nullptr ? deprov_str{nullptr, 0} : capi::str(rows->restart);
}

void deprov_rows_free(deprov_rows* rows) { delete rows; }
