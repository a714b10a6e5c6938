// POST /Bulk (RFC 7644 section 3.7): each operation goes the way of a single request and is a transaction of its
// own. Neighbours of which none can tell whether another came before it are handed to the store together, in their
// order, so that they share its group commits; everything else waits until what came before it is durable.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/scim/bulk.hpp>
#include <deprov/scim/error.hpp>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>
#include "service/scim_call.hpp"
#include "service/scim_http.hpp"
#include "service/scim_unique.hpp"

namespace deprov::service {

namespace {

namespace json = boost::json;

constexpr std::size_t most_in_a_run = 64;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// One request being worked off, on the executor.
class BulkRun : public std::enable_shared_from_this<BulkRun> {
 public:
  BulkRun(Call call, scim::BulkRequest request) : call_(std::move(call)), fail_on_errors_(request.fail_on_errors) {
    operations_.resize(request.operations.size());
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      auto& op = operations_[i];
      op.asked = std::move(request.operations[i]);
      if (op.asked.method != "POST" || op.asked.problem.code() != Errc::ok) continue;
      by_bulk_id_.emplace(op.asked.bulk_id, i);
      known_.push_back(op.asked.bulk_id);
    }
  }

  void start() { later(); }

 private:
  enum class State { waiting, open, done };
  struct Operation {
    scim::BulkOperation asked;
    State state = State::waiting;
    bool good = false;
    int status = 0;
    std::string location, version, id;
    json::value response;             ///< of what failed
    ResourceId promised;              ///< given to others before it was created; nil: to nobody
    std::vector<std::size_t> relies;  ///< the operations that it refers to
    bool in_run = false;              ///< with its neighbours
  };

  void later() {
    call_->engine.ports().executor.post([self = shared_from_this()] { self->step(); });
  }

  /// Carries out what is next. What an operation refers to comes before it, whatever the order in the request.
  void step() {
    while (true) {
      if (!undo_.empty()) return undo_next();
      if (stack_.empty()) {
        while (next_ < operations_.size() && operations_[next_].state != State::waiting) ++next_;
        if (next_ == operations_.size() || (fail_on_errors_ && errors_ >= *fail_on_errors_)) return answer();
        if (const auto end = end_of_run(next_); end > next_ + 1) return send_run(next_, end);
        open(next_);
      }
      const auto index = stack_.back();
      if (operations_[index].asked.problem.code() != Errc::ok) {
        failed(index, operations_[index].asked.problem);
        continue;
      }
      const auto before = stack_.size();
      if (auto ready = resolve(index); !ready) {
        failed(index, ready.error());
        continue;
      }
      if (stack_.size() != before) continue;  // first what it refers to
      return send(index);
    }
  }

  /// What an operation can be a neighbour as. Creations of what is nobody's group, which can only meet in a value
  /// that is unique: the store takes them in their order. Changes of users that touch no such value, each of
  /// another user.
  enum class Shape { alone, creation, change };
  struct Neighbour {
    Shape shape = Shape::alone;
    std::string key;  ///< of a change: whose
  };

  [[nodiscard]] Neighbour neighbour(const scim::BulkOperation& op) const {
    Neighbour out;
    if (op.problem.code() != Errc::ok || op.path.find_first_of("?%") != std::string::npos || refers(op))
      return out;
    std::string_view path = op.path;
    while (path.starts_with('/')) path.remove_prefix(1);
    while (path.ends_with('/')) path.remove_suffix(1);
    const auto slash = path.find('/');
    const auto* type = call_->context->registry->endpoint(path.substr(0, slash));
    if (type == nullptr || type->row_attribute() != nullptr) return out;
    if (op.method == "POST") {
      if (slash == std::string_view::npos) out.shape = Shape::creation;
      return out;
    }
    if (slash == std::string_view::npos || path.find('/', slash + 1) != std::string_view::npos) return out;
    if (op.method != "DELETE" && (op.method != "PATCH" || has_unique_keys(*type) || names_user(op.data)))
      return out;
    out.shape = Shape::change;
    out.key = std::string(path.substr(slash + 1));
    std::transform(out.key.begin(), out.key.end(), out.key.begin(), lower);
    return out;
  }

  /// Whether it speaks of a bulkId, known or not.
  [[nodiscard]] bool refers(const scim::BulkOperation& op) const {
    bool any = false;
    scim::BulkOperation copy = op;
    scim::resolve_bulk_references(copy, known_, [&](const std::string&) {
      any = true;
      return std::nullopt;
    });
    return any;
  }

  /// Whether `userName`, which is unique, may be among what a PATCH changes: as a key or in a path.
  // NOLINTNEXTLINE(misc-no-recursion): as deep as what was parsed, which has a bound
  [[nodiscard]] static bool names_user(const json::value& v) {
    const auto in = [](std::string_view text) {
      constexpr std::string_view name = "username";
      const auto found = std::search(text.begin(), text.end(), name.begin(), name.end(),
                                     [](char a, char b) { return lower(a) == b; });
      return found != text.end();
    };
    if (const auto* s = v.if_string()) return in(*s);
    if (const auto* a = v.if_array()) return std::any_of(a->begin(), a->end(), names_user);
    const auto* o = v.if_object();
    return o != nullptr &&
           std::any_of(o->begin(), o->end(), [&](const auto& m) { return in(m.key()) || names_user(m.value()); });
  }

  /// Behind the last operation that can be sent together with the one at `first`.
  [[nodiscard]] std::size_t end_of_run(std::size_t first) const {
    if (fail_on_errors_) return first + 1;  // it may have to end behind any of them
    std::unordered_set<std::string> keys;
    auto end = first;
    Shape shape = Shape::alone;
    while (end < operations_.size() && end - first < most_in_a_run && operations_[end].state == State::waiting) {
      auto next = neighbour(operations_[end].asked);
      if (next.shape == Shape::alone || (end != first && next.shape != shape)) break;
      shape = next.shape;
      if (shape == Shape::change && !keys.insert(std::move(next.key)).second) break;
      ++end;
    }
    return std::max(end, first + 1);
  }

  void send_run(std::size_t first, std::size_t end) {
    under_way_ = end - first;
    for (auto i = first; i < end; ++i) {
      operations_[i].state = State::open;
      operations_[i].in_run = true;
    }
    for (auto i = first; i < end; ++i) send(i);
  }

  void open(std::size_t index) {
    operations_[index].state = State::open;
    stack_.push_back(index);
  }

  Error unresolved(std::size_t index, const std::string& bulk_id, std::string_view why) const {
    // RFC 7644 section 3.7.1 wants 409, and table 9 has invalidValue for what cannot be used.
    return Error(Errc::conflict, "\"bulkId:" + bulk_id.substr(0, 100) + "\" " + std::string(why),
                 "Operations[" + std::to_string(index) + "]");
  }

  /// Puts ids in the place of bulkIds, or opens what has to come first.
  Result<void> resolve(std::size_t index) {
    Result<void> result;
    auto& op = operations_[index];
    std::map<std::string, std::string> ids;
    std::optional<std::size_t> first;
    const auto look = [&](const std::string& bulk_id) -> std::optional<std::string> {
      const auto it = by_bulk_id_.find(bulk_id);
      if (it == by_bulk_id_.end()) {
        if (result) result = unresolved(index, bulk_id, "is the bulkId of no POST of this request");
        return std::nullopt;
      }
      auto& other = operations_[it->second];
      if (other.state == State::waiting) {
        if (!first) first = it->second;
        return std::nullopt;
      }
      if (other.state == State::done && !other.good) {
        if (result) result = unresolved(index, bulk_id, "was not created");
        return std::nullopt;
      }
      op.relies.push_back(it->second);
      if (other.state == State::done) return other.id;
      // A circle: it is told beforehand which id it will have (RFC 7644 section 3.7.1).
      if (other.promised.is_nil()) {
        other.promised = call_->engine.ports().random.id<ResourceId>(call_->arrived);
        promised_->emplace(other.promised, is_group(other.asked.path));
      }
      return other.promised.str();
    };
    scim::BulkOperation copy = op.asked;
    op.relies.clear();
    scim::resolve_bulk_references(copy, known_, look);
    if (!result) return result;
    if (first) {
      open(*first);
    } else {
      op.asked = std::move(copy);
    }
    return {};
  }

  [[nodiscard]] bool is_group(std::string_view path) const {
    while (path.starts_with('/')) path.remove_prefix(1);
    const auto* type = call_->context->registry->endpoint(path.substr(0, path.find_first_of("/?")));
    return type != nullptr && type->row_attribute() != nullptr;
  }

  [[nodiscard]] Call make(std::size_t index, const std::string& method, const std::string& path) {
    Request request;
    request.method = method;
    request.target = call_->options.prefix + "/" + call_->scope().integration.str() +
                     (path.starts_with('/') ? path : "/" + path);
    request.peer = call_->request.peer;
    request.subject = call_->request.subject;
    for (const auto& h : call_->request.headers)
      if (!scim::iequals(h.name, "If-Match") && !scim::iequals(h.name, "If-None-Match"))
        request.headers.push_back(h);
    auto sub = std::make_shared<ScimCall>(
        call_->engine, call_->options, std::move(request), [self = shared_from_this(), index](Response response) {
          self->call_->engine.ports().executor.post([self, index, response = std::move(response)]() mutable {
            self->arrived(index, std::move(response));
          });
        });
    sub->keep = call_->keep;
    sub->arrived = call_->arrived;
    sub->request_id = call_->request_id + "." + std::to_string(index);
    sub->context = call_->context;
    sub->base = call_->base;
    sub->brief = true;
    sub->operation = index;
    sub->promised = promised_;
    return sub;
  }

  void send(std::size_t index) {
    auto& op = operations_[index];
    auto sub = make(index, op.asked.method, op.asked.path);
    if (!op.asked.version.empty()) sub->request.headers.push_back({"If-Match", op.asked.version});
    sub->new_id = op.promised;
    sub->in_turn = op.in_run;
    sub->sent = std::move(op.asked.data);
    const auto target = parse_scim_target(sub->request.path(), call_->options.prefix);
    if (!target)
      return failed_later(index, Error(Errc::invalid_path, "\"" + op.asked.path.substr(0, 200) + "\" is no path",
                                       "Operations[" + std::to_string(index) + "].path"));
    run_operation(sub, target->segments);
  }

  void failed_later(std::size_t index, const Error& error) {
    failed(index, error);
    if (operations_[index].in_run && --under_way_ != 0) return;
    later();
  }

  void failed(std::size_t index, const Error& error) {
    auto& op = operations_[index];
    const auto answer = scim::error_answer(error.code());
    op.status = static_cast<int>(answer.status);
    op.response = scim::error_body(
        answer.status, error.code() == Errc::conflict ? std::string_view("invalidValue") : answer.scim_type,
        error.message());
    finished(index, false);
  }

  void arrived(std::size_t index, Response response) {
    auto& op = operations_[index];
    if (op.state == State::done) {  // it was taken back
      if (response.status >= 300) op.response = scim::error_body(409, "invalidValue", left_behind(op));
      return step();
    }
    op.status = response.status;
    if (const auto tag = response.header("ETag")) op.version = std::string(*tag);
    if (const auto at = response.header("Location")) op.location = std::string(*at);
    const bool good = response.status < 300;
    if (!good) {
      boost::system::error_code ec;
      op.response = json::parse(response.body, ec);
      name_promised(op.response);
    } else if (op.asked.method == "POST") {
      op.id = op.location.substr(op.location.rfind('/') + 1);
    } else if (op.asked.method != "DELETE") {
      op.status = 200;
    }
    finished(index, good);
    if (op.in_run && --under_way_ != 0) return;
    step();
  }

  /// An id that was promised and given to nobody says nothing to the client, which knows the bulkId.
  void name_promised(json::value& response) const {
    auto* o = response.if_object();
    auto* detail = o != nullptr ? o->if_contains("detail") : nullptr;
    if (detail == nullptr || !detail->is_string()) return;
    std::string text(detail->get_string());
    for (const auto& op : operations_) {
      if (op.promised.is_nil() || op.good) continue;
      const auto id = op.promised.str();
      for (auto at = text.find(id); at != std::string::npos; at = text.find(id, at))
        text.replace(at, id.size(), "bulkId:" + op.asked.bulk_id);
    }
    *detail = text;
  }

  void finished(std::size_t index, bool good) {
    auto& op = operations_[index];
    op.state = State::done;
    op.good = good;
    op.asked.data = nullptr;
    if (!op.in_run) stack_.pop_back();
    if (!good) ++errors_;
    if (good || op.promised.is_nil()) return;
    // Others were created in the belief that this one would be: they go too, the last one first.
    std::vector<bool> gone(operations_.size());
    gone[index] = true;
    for (bool more = true; more;) {
      more = false;
      for (std::size_t i = 0; i < operations_.size(); ++i) {
        const auto& other = operations_[i];
        if (gone[i] || other.state != State::done || !other.good) continue;
        for (const auto r : other.relies) gone[i] = gone[i] || gone[r];
        if (!gone[i]) continue;
        more = true;
        undo_.push_back(i);
      }
    }
  }

  static std::string left_behind(const Operation& op) {
    return "what it refers to could not be created; it was created as " + op.id + " and could not be taken back";
  }

  void undo_next() {
    const auto index = undo_.back();
    undo_.pop_back();
    auto& op = operations_[index];
    op.good = false;
    ++errors_;
    op.status = 409;
    op.location.clear();
    op.version.clear();
    op.response =
        scim::error_body(409, "invalidValue", "what it refers to could not be created, and so it was taken back");
    auto path = op.asked.path.substr(0, op.asked.path.find('?'));
    while (!path.empty() && path.back() == '/') path.pop_back();
    auto sub = make(index, "DELETE", path + "/" + op.id);
    const auto target = parse_scim_target(sub->request.path(), call_->options.prefix);
    if (target) return run_operation(sub, target->segments);
    later();
  }

  void answer() {
    json::array list;
    for (auto& op : operations_) {
      if (op.state != State::done) continue;
      json::object o{{"method", op.asked.method}};
      if (!op.asked.bulk_id.empty()) o.emplace("bulkId", op.asked.bulk_id);
      if (!op.location.empty()) {
        o.emplace("location", op.location);
      } else if (op.asked.method != "POST" && !op.asked.path.empty()) {
        auto path = op.asked.path.substr(0, op.asked.path.find('?'));
        o.emplace("location", call_->base + (path.starts_with('/') ? path : "/" + path));
      }
      if (!op.version.empty()) o.emplace("version", op.version);
      o.emplace("status", std::to_string(op.status));
      if (!op.good) o.emplace("response", std::move(op.response));
      list.emplace_back(std::move(o));
    }
    call_->json(json::serialize(json::object{{"schemas", json::array{json::value(scim::bulk_response_urn)}},
                                             {"Operations", std::move(list)}}));
  }

  Call call_;
  std::optional<std::uint64_t> fail_on_errors_;
  std::vector<Operation> operations_;
  std::unordered_map<std::string, std::size_t> by_bulk_id_;
  std::vector<std::string> known_;
  std::shared_ptr<PromisedIds> promised_ = std::make_shared<PromisedIds>();
  std::vector<std::size_t> stack_;  ///< open ones; each waits for the one above it
  std::vector<std::size_t> undo_;
  std::size_t next_ = 0;
  std::size_t under_way_ = 0;  ///< of a run
  std::uint64_t errors_ = 0;
};

}  // namespace

void handle_bulk(const Call& call) {
  if (call->request.body.size() > call->options.bulk_payload)
    return call->fail(Error(Errc::limit_exceeded,
                            "the body has " + std::to_string(call->request.body.size()) +
                                " bytes, more than maxPayloadSize (" + std::to_string(call->options.bulk_payload) +
                                ")",
                            "Bulk", "send less at once"));
  auto body = scim::parse_json(call->request.body, call->options.limits);
  if (!body) return call->fail(body.error());
  call->request.body.clear();
  call->request.body.shrink_to_fit();
  auto request = scim::parse_bulk(std::move(*body), call->options.bulk_operations);
  if (!request) return call->fail(request.error());
  std::make_shared<BulkRun>(call, std::move(*request))->start();
}

}  // namespace deprov::service
