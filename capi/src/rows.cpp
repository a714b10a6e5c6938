// Subjects, jobs, activity and holds, one record after the other.
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
    case DEPROV_ROWS_ACTIVITY: return "a1:";
    default: return "";
  }
}

bool is_position(int32_t kind, const std::string& text) {
  if (kind != DEPROV_ROWS_ACTIVITY) return Uuid{} != parse_uuid(text).value_or(Uuid{});
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
      path = below + "/holds?limit=" + std::to_string(largest_page);
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

std::string path_of_next(const deprov_rows& rows) {
  auto path = rows.path;
  if (!rows.position.empty()) path += (rows.kind == DEPROV_ROWS_JOBS ? "&before=" : "&after=") + rows.position;
  return path;
}

/// A chain grows: behind its end there may be more when it is asked again.
bool needs_page(const deprov_rows& rows) {
  return rows.page.empty() && (!rows.ended || rows.kind == DEPROV_ROWS_ACTIVITY);
}

/// Asks for the next page, unless that was done. Without waiting.
void ask(deprov_rows& rows) {
  {
    const std::lock_guard lock(rows.next->mutex);
    if (std::exchange(rows.next->asked_for, true)) return;
  }
  std::optional<capi::Caller> local;
  auto request = capi::admin_request(rows.by, "GET", path_of_next(rows), {}, local);
  rows.core->start(std::move(request), std::move(local),
                   [page = rows.next](service::Response response) { page->arrived(std::move(response)); });
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
  auto& item = rows.page.front();
  const auto prefix = prefix_of(rows.kind);
  auto row = json::serialize(item);
  if (!prefix.empty()) {
    const auto& o = item.as_object();
    auto position =
        rows.kind == DEPROV_ROWS_ACTIVITY ? json::serialize(o.at("seq")) : std::string(o.at("id").as_string());
    rows.restart = std::string(prefix) + position;
    rows.position = std::move(position);
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
      const bool ours = !prefix.empty() && restart.rfind(prefix, 0) == 0;
      if (!ours || !is_position(in.kind, restart.substr(prefix.size())))
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
