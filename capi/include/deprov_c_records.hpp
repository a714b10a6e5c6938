// Records one after the other, lists of sources that go in, and evidence that is checked, for the C++ wrapper.
// Include deprov_c.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <deprov_c_base.hpp>
#include <optional>
#include <vector>

namespace deprov_c {

/// JSON records, one after the other. Throws Error.
class Rows {
 public:
  explicit Rows(deprov_rows* owned) noexcept : rows_(owned) {}
  /// Nothing: there are no more; of activity there may be again later.
  std::optional<std::string_view> next() {
    deprov_str row{};
    deprov_error* error = nullptr;
    const auto status = deprov_rows_next(rows_.get(), &row, &error);
    if (status == DEPROV_END) return std::nullopt;
    if (status != DEPROV_OK) detail::raise(status, error);
    return view(row);
  }
  /// 0: `next` would not wait. Otherwise an event DEPROV_EVENT_ROW with this token says so.
  uint64_t want(void* user = nullptr) {
    uint64_t token = 0;
    detail::check([&](deprov_error** e) { return deprov_rows_want(rows_.get(), user, &token, e); });
    return token;
  }
  [[nodiscard]] std::string restart() const { return std::string(view(deprov_rows_get_restart(rows_.get()))); }

 private:
  detail::Handle<deprov_rows, deprov_rows_free> rows_;
};

struct RowsOptions {
  int32_t kind = DEPROV_ROWS_SUBJECTS;
  std::string integration{};
  std::string restart{};
  std::string filter{};
  uint32_t page = 0;
};

/// One user of a list; the texts are borrowed.
struct ListUser {
  std::string_view id;  ///< the source's immutable id; by it a subject is found, as its config says
  std::string_view external_id{}, user_name{}, email{};
  bool active = true;
};

namespace detail {
inline std::vector<deprov_list_user> rows_of(const std::vector<ListUser>& users) {
  std::vector<deprov_list_user> rows;
  rows.reserve(users.size());
  for (const auto& u : users)
    rows.push_back({str(u.id), str(u.external_id), str(u.user_name), str(u.email), u.active ? 0 : 1, 0});
  return rows;
}
}  // namespace detail

struct ListOptions {
  std::string integration{};
  std::string source{};
  bool dry_run = false;
  uint32_t differences = 0;
  std::chrono::microseconds begun{0};  ///< since 1970; 0: now
};

/// A list of a source on its way; given up where it is gone before its end. Throws Error.
class List {
 public:
  explicit List(deprov_list* owned) noexcept : list_(owned) {}
  [[nodiscard]] std::string id() const { return std::string(view(deprov_list_get_id(get()))); }
  [[nodiscard]] uint64_t count() const noexcept { return deprov_list_get_count(get()); }
  /// The next users, at most 10,000.
  void add(const std::vector<ListUser>& users) {
    const auto rows = detail::rows_of(users);
    detail::check([&](deprov_error** e) { return deprov_list_add(get(), rows.data(), rows.size(), e); });
  }
  /// What differs and what follows, as JSON. `count`: how many users there should be.
  std::string end(std::optional<uint64_t> count = std::nullopt) {
    deprov_buffer* report = nullptr;
    detail::check([&](deprov_error** e) { return deprov_list_end(get(), count ? &*count : nullptr, &report, e); });
    return detail::take(report);
  }
  void give_up(std::string_view failure = {}) {
    detail::check([&](deprov_error** e) { return deprov_list_give_up(get(), str(failure), e); });
  }
  /// Without waiting; the event has the response that the admin API would give.
  uint64_t send_users(const std::vector<ListUser>& users, void* user = nullptr) {
    const auto rows = detail::rows_of(users);
    deprov_list_step step = made(DEPROV_LIST_ADD);
    step.users = rows.data();
    step.user_count = rows.size();
    return send(step, user);
  }
  uint64_t send_end(std::optional<uint64_t> count = std::nullopt, void* user = nullptr) {
    deprov_list_step step = made(DEPROV_LIST_END);
    step.has_count = count ? 1 : 0;
    step.count = count.value_or(0);
    return send(step, user);
  }
  uint64_t send_give_up(std::string_view failure = {}, void* user = nullptr) {
    deprov_list_step step = made(DEPROV_LIST_GIVE_UP);
    step.failure = str(failure);
    return send(step, user);
  }
  [[nodiscard]] deprov_list* get() const noexcept { return list_.get(); }

 private:
  static deprov_list_step made(int32_t kind) noexcept {
    deprov_list_step step{};
    step.struct_size = sizeof step;
    step.kind = kind;
    return step;
  }
  uint64_t send(const deprov_list_step& step, void* user) {
    uint64_t token = 0;
    detail::check([&](deprov_error** e) { return deprov_list_send(get(), &step, user, &token, e); });
    return token;
  }
  detail::Handle<deprov_list, deprov_list_free> list_;
};

/// Checks an export of evidence; needs no engine. Throws Error, but not for an export that does not hold.
class Verifier {
 public:
  /// `manifest_sha256`: noted elsewhere; `earlier`: the manifest of an earlier export. Each may be empty.
  explicit Verifier(std::string_view manifest_sha256 = {}, std::string_view earlier = {}) {
    const deprov_verifier_options o{sizeof o, str(manifest_sha256), str(earlier)};
    deprov_verifier* made = nullptr;
    detail::check([&](deprov_error** e) { return deprov_verifier_new(&o, &made, e); });
    verifier_.reset(made);
  }
  void feed(std::string_view bytes) {
    detail::check([&](deprov_error** e) { return deprov_verifier_feed(verifier_.get(), str(bytes), e); });
  }
  struct Verdict {
    bool holds;
    std::string report;  ///< JSON
  };
  Verdict finish() {
    int32_t holds = 0;
    deprov_buffer* report = nullptr;
    detail::check([&](deprov_error** e) { return deprov_verifier_finish(verifier_.get(), &holds, &report, e); });
    return {holds != 0, detail::take(report)};
  }

 private:
  detail::Handle<deprov_verifier, deprov_verifier_free> verifier_;
};

}  // namespace deprov_c
