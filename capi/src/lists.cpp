// Lists of sources whose rows come from the host.
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/engine/sources.hpp>
#include <deprov/utf8.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>
#include "core.hpp"
#include "guard.hpp"
#include "service/admin_call.hpp"

namespace json = boost::json;
using namespace deprov;

namespace {

/// What was given in a step, checked and copied.
struct Step {
  int32_t kind = DEPROV_LIST_ADD;
  std::vector<engine::SourceUser> users;
  std::optional<std::uint64_t> count;
  std::string failure;
};

/// Whose list it is. A token is looked at again by each call, since it may have been taken away.
void as_principal(capi::Core& core, const capi::Caller& by, engine::Done<engine::Principal> done) {
  auto& engine = core.instance().engine();
  if (!by.token.empty()) return engine.authenticate(by.token, std::move(done));
  engine::Principal local;
  local.workspace = by.workspace;
  local.role = port::Role::owner;
  done(std::move(local));
}

/// Shared with what is under way: the handle may be freed meanwhile.
class List : public std::enable_shared_from_this<List> {
 public:
  List(std::shared_ptr<capi::Core> core, capi::Caller by, WorkId id)
      : core_(std::move(core)), by_(std::move(by)), id_(id), text_(id.str()) {}

  [[nodiscard]] const std::shared_ptr<capi::Core>& core() const noexcept { return core_; }
  [[nodiscard]] const std::string& id() const noexcept { return text_; }
  [[nodiscard]] std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return offset_;
  }
  [[nodiscard]] bool ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

  /// One call at a time. Errors: `conflict`, `closed`.
  Result<void> reserve() {
    DEPROV_CHECK(core_->is_open());
    const std::lock_guard lock(mutex_);
    if (busy_) {
      return Error(Errc::conflict, "another call on this list is under way", "list " + text_,
                   "wait until it has ended");
    }
    busy_ = true;
    return {};
  }
  void release() {
    const std::lock_guard lock(mutex_);
    busy_ = false;
  }
  /// `done` gets what the admin API would answer. Reserved before.
  void run(Step step, engine::Done<json::object> done) {
    auto finish = [self = shared_from_this(), kind = step.kind,
                   done = std::move(done)](Result<json::object> answer) mutable {
      self->settle(kind, answer);
      done(std::move(answer));
    };
    as_principal(*core_, by_,
                 [self = shared_from_this(), step = std::move(step),
                  finish = std::move(finish)](Result<engine::Principal> by) mutable {
                   if (!by) return finish(by.error());
                   self->start(std::move(*by), std::move(step), std::move(finish));
                 });
  }

 private:
  template <class F>
  void start(engine::Principal by, Step step, F finish) {
    auto sources = core_->instance().engine().sources();
    switch (step.kind) {
      case DEPROV_LIST_ADD:
        return sources.add_users(std::move(by), id_, count(), std::move(step.users),
                                 [finish = std::move(finish)](Result<std::uint64_t> offset) mutable {
                                   if (!offset) return finish(offset.error());
                                   finish(json::object{{"offset", *offset}});
                                 });
      case DEPROV_LIST_END: return sources.end(std::move(by), id_, step.count, std::move(finish));
      default:
        return sources.give_up(std::move(by), id_, std::move(step.failure),
                               [finish = std::move(finish)](Result<void> done) mutable {
                                 if (!done) return finish(done.error());
                                 finish(json::object{});
                               });
    }
  }
  void settle(int32_t kind, const Result<json::object>& answer) {
    const std::lock_guard lock(mutex_);
    busy_ = false;
    if (kind == DEPROV_LIST_ADD) {
      if (answer) offset_ = answer->at("offset").to_number<std::uint64_t>();
    } else {
      ended_ = ended_ || answer || kind == DEPROV_LIST_END;
    }
  }

  const std::shared_ptr<capi::Core> core_;
  const capi::Caller by_;
  const WorkId id_;
  const std::string text_;
  mutable std::mutex mutex_;
  std::uint64_t offset_ = 0;
  bool busy_ = false;
  bool ended_ = false;
};

}  // namespace

struct deprov_list {
  std::shared_ptr<List> list;
};

namespace {

Result<std::string> user_text(deprov_str s, std::size_t index, const char* member) {
  const auto where = [&] { return "users[" + std::to_string(index) + "]." + member; };
  DEPROV_TRY(out, capi::text(s, where()));
  if (!is_utf8(out)) return Error(Errc::invalid_argument, "not UTF-8", where());
  return std::move(out);
}

Result<std::vector<engine::SourceUser>> take_users(const deprov_list_user* users, std::size_t count) {
  constexpr std::size_t most = 10'000;
  if (count > most)
    return Error(Errc::limit_exceeded, "more than " + std::to_string(most) + " users at once", "users");
  if (count != 0 && users == nullptr) return capi::null_argument("users");
  std::vector<engine::SourceUser> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& u = users[i];
    if (u.reserved != 0)
      return Error(Errc::unsupported, "has to be 0", "users[" + std::to_string(i) + "].reserved");
    DEPROV_TRY(id, user_text(u.id, i, "id"));
    DEPROV_TRY(external_id, user_text(u.external_id, i, "external_id"));
    DEPROV_TRY(user_name, user_text(u.user_name, i, "user_name"));
    DEPROV_TRY(email, user_text(u.email, i, "email"));
    out.push_back(
        {std::move(id), std::move(external_id), std::move(user_name), std::move(email), u.inactive == 0});
  }
  return out;
}

Result<json::object> carry_out(const deprov_list* list, Step step) {
  const auto& of = list->list;
  DEPROV_CHECK(of->reserve());
  try {
    of->core()->may_wait();
  } catch (...) {
    of->release();
    throw;
  }
  return of->core()->instance().wait<json::object>([&](auto done) { of->run(std::move(step), std::move(done)); });
}

service::Response response_of(int32_t kind, Result<json::object> answer) {
  if (!answer) return service::error_response(answer.error());
  service::Response response;
  response.status = kind == DEPROV_LIST_GIVE_UP ? 204 : 200;
  if (kind == DEPROV_LIST_GIVE_UP) return response;
  response.headers.push_back({"Content-Type", "application/json"});
  response.body = json::serialize(*answer);
  return response;
}

Result<Step> take_step(const deprov_list_step* step) {
  deprov_list_step in{};
  DEPROV_CHECK(capi::take_struct(step, "step", in));
  Step out;
  out.kind = in.kind;
  switch (in.kind) {
    case DEPROV_LIST_ADD: {
      DEPROV_TRY(users, take_users(in.users, in.user_count));
      out.users = std::move(users);
      return out;
    }
    case DEPROV_LIST_END:
      if (in.has_count != 0) out.count = in.count;
      return out;
    case DEPROV_LIST_GIVE_UP: {
      DEPROV_TRY(failure, capi::text(in.failure, "step.failure"));
      out.failure = to_utf8(failure);
      return out;
    }
    default:
      return Error(Errc::invalid_argument, std::to_string(in.kind) + " is no step of a list", "step.kind",
                   "see DEPROV_LIST_ADD and those after it");
  }
}

/// An id of options, as a UUID.
template <class Id>
Result<Id> id_of(deprov_str s, const char* name) {
  DEPROV_TRY(bytes, capi::text(s, name));
  const auto id = Id::parse(bytes);
  if (!id) return Error(Errc::invalid_argument, "not a UUID", name);
  return *id;
}

}  // namespace

deprov_status deprov_list_begin(deprov_engine* engine, const deprov_caller* by, const deprov_list_options* options,
                                deprov_list** list, deprov_error** error) {
  if (list != nullptr) *list = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    if (engine == nullptr) return capi::null_argument("engine");
    if (list == nullptr) return capi::null_argument("list");
    deprov_list_options in{};
    DEPROV_CHECK(capi::take_struct(options, "options", in));
    DEPROV_TRY(caller, capi::take_caller(by));
    DEPROV_TRY(integration, id_of<IntegrationId>(in.integration, "options.integration"));
    DEPROV_TRY(source, id_of<SourceId>(in.source, "options.source"));
    engine::BeginList how;
    how.dry_run = in.dry_run != 0;
    if (in.differences != 0) how.differences = in.differences;
    if (in.begun_us != 0) how.begun = WallTime{in.begun_us};
    auto& core = *engine->core;
    DEPROV_CHECK(core.is_open());
    core.may_wait();
    DEPROV_TRY(id, core.instance().wait<WorkId>([&](auto done) {
      as_principal(core, caller, [&, done = std::move(done)](Result<engine::Principal> who) mutable {
        if (!who) return done(who.error());
        core.instance().engine().sources().begin(std::move(*who), integration, source, how, std::move(done));
      });
    }));
    *list = new deprov_list{std::make_shared<List>(engine->core, std::move(caller), id)};
    return {};
  });
}

deprov_status deprov_list_open(deprov_engine* engine, const deprov_caller* by, deprov_str id, deprov_list** list,
                               deprov_error** error) {
  if (list != nullptr) *list = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    if (engine == nullptr) return capi::null_argument("engine");
    if (list == nullptr) return capi::null_argument("list");
    DEPROV_TRY(caller, capi::take_caller(by));
    DEPROV_TRY(work, id_of<WorkId>(id, "id"));
    *list = new deprov_list{std::make_shared<List>(engine->core, std::move(caller), work)};
    return {};
  });
}

deprov_str deprov_list_get_id(const deprov_list* list) {
  return list == nullptr ? deprov_str{nullptr, 0} : capi::str(list->list->id());
}

uint64_t deprov_list_get_count(const deprov_list* list) { return list == nullptr ? 0 : list->list->count(); }

deprov_status deprov_list_add(deprov_list* list, const deprov_list_user* users, size_t count,
                              deprov_error** error) {
  return capi::guard(error, [&]() -> Result<void> {
    if (list == nullptr) return capi::null_argument("list");
    Step step;
    DEPROV_TRY(taken, take_users(users, count));
    step.users = std::move(taken);
    DEPROV_CHECK(carry_out(list, std::move(step)));
    return {};
  });
}

deprov_status deprov_list_end(deprov_list* list, const uint64_t* count, deprov_buffer** report,
                              deprov_error** error) {
  if (report != nullptr) *report = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    if (list == nullptr) return capi::null_argument("list");
    Step step;
    step.kind = DEPROV_LIST_END;
    if (count != nullptr) step.count = *count;
    DEPROV_TRY(answer, carry_out(list, std::move(step)));
    if (report != nullptr) *report = new deprov_buffer{json::serialize(answer)};
    return {};
  });
}

deprov_status deprov_list_give_up(deprov_list* list, deprov_str failure, deprov_error** error) {
  return capi::guard(error, [&]() -> Result<void> {
    if (list == nullptr) return capi::null_argument("list");
    Step step;
    step.kind = DEPROV_LIST_GIVE_UP;
    DEPROV_TRY(why, capi::text(failure, "failure"));
    step.failure = to_utf8(why);
    DEPROV_CHECK(carry_out(list, std::move(step)));
    return {};
  });
}

deprov_status deprov_list_send(deprov_list* list, const deprov_list_step* step, void* user, uint64_t* token,
                               deprov_error** error) {
  if (token != nullptr) *token = 0;
  return capi::guard(error, [&]() -> Result<void> {
    if (list == nullptr) return capi::null_argument("list");
    DEPROV_TRY(in, take_step(step));
    const auto& of = list->list;
    DEPROV_CHECK(of->reserve());
    const auto& events = of->core()->events();
    auto begun = events->begin(DEPROV_EVENT_RESPONSE, user);
    if (!begun) {
      of->release();
      return begun.error();
    }
    if (token != nullptr) *token = *begun;
    const auto kind = in.kind;
    of->run(std::move(in), [events, kind, id = *begun](Result<json::object> r) {
      events->finish(id, capi::make_response(response_of(kind, std::move(r)), events));
    });
    return {};
  });
}

void deprov_list_free(deprov_list* list) {
  const std::unique_ptr<deprov_list> owned(list);
  if (list == nullptr || list->list->ended() || !list->list->core()->is_open()) return;
  try {
    Step step;
    step.kind = DEPROV_LIST_GIVE_UP;
    list->list->run(std::move(step), [](const Result<json::object>&) {});
  } catch (...) {  // no memory: it is given up by itself after ten minutes
  }
}
