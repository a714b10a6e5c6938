#include "capi_target.hpp"
#include <deprov.h>
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <vector>

namespace deprov::fuzz {

namespace {

namespace json = boost::json;

constexpr std::size_t most_requests = 8;
constexpr std::size_t most_headers = 24;
constexpr int most_pieces = 64;

deprov_str str(std::string_view s) { return {s.data(), s.size()}; }
std::string_view view(deprov_str s) {
  return s.ptr == nullptr ? std::string_view{} : std::string_view(s.ptr, s.len);
}

/// A handle, freed, and what was wrong with the call that made it.
template <class T, void (*Free)(T*)>
class Owned {
 public:
  Owned() = default;
  ~Owned() { Free(p_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  T** out() { return &p_; }
  [[nodiscard]] T* get() const { return p_; }

 private:
  T* p_ = nullptr;
};
using Engine = Owned<deprov_engine, deprov_engine_free>;
using Failure = Owned<deprov_error, deprov_error_free>;
using Buffer = Owned<deprov_buffer, deprov_buffer_free>;
using Response = Owned<deprov_response, deprov_response_free>;
using Rows = Owned<deprov_rows, deprov_rows_free>;

bool is_json(std::string_view text) {
  boost::system::error_code ec;
  (void)json::parse(text, ec);
  return !ec;
}
std::string member(std::string_view record, std::string_view name) {
  Buffer value;
  (void)deprov_record_get(str(record), str(name), value.out(), nullptr);
  return std::string(view(deprov_buffer_get(value.get())));
}

/// Every failure has a name and words, and they are text.
std::string check_error(deprov_status status, const deprov_error* error) {
  const auto number = std::to_string(status);
  if (error == nullptr) return "status " + number + " comes without an error";
  if (deprov_error_get_status(error) != status) return "the error of status " + number + " has another status";
  if (view(deprov_status_get_name(status)) == "unknown") return "status " + number + " has no name";
  if (status == DEPROV_ERR_INTERNAL) return "a fault: " + std::string(view(deprov_error_get_message(error)));
  for (const auto part : {deprov_error_get_message(error), deprov_error_get_detail(error)})
    if (view(part).empty()) return "the error of status " + number + " says nothing";
  for (const auto part :
       {deprov_error_get_message(error), deprov_error_get_where(error), deprov_error_get_advice(error)}) {
    std::string quoted = "\"";
    for (const char c : view(part))
      if (c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20) quoted += c;
    if (!is_json(quoted + "\"")) return "the error of status " + number + " is no text";
  }
  return {};
}

std::string check_body(const deprov_response* response, std::string_view body) {
  if (body.empty()) return {};
  for (std::size_t i = 0; i < deprov_response_get_header_count(response); ++i) {
    const auto header = deprov_response_get_header(response, i);
    std::string name(view(header.name));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto type = view(header.value);
    const bool one = type.starts_with("application/json") || type.starts_with("application/scim+json") ||
                     type.starts_with("application/problem+json");
    if (name == "content-type" && one && !is_json(body))
      return "what is called JSON is none: " + std::string(body);
  }
  return {};
}

std::string check_response(deprov_response* response) {
  const auto status = deprov_response_get_status(response);
  const bool later = status == 501 || status == 503 || status == 507;
  if (status < 200 || status > 599 || (status >= 500 && !later))
    return "the answer is " + std::to_string(status) + ": " +
           std::string(view(deprov_response_get_body(response)));
  const auto headers = deprov_response_get_header_count(response);
  for (std::size_t i = 0; i < headers + 2; ++i) {
    const auto header = deprov_response_get_header(response, i);
    if (view(header.name).empty() != (i >= headers))
      return "a header has no name, or there is one more than counted";
    for (const auto part : {header.name, header.value})
      if (view(part).find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
        return "a header goes on in the next line: " + std::string(view(part));
  }
  deprov_str piece{};
  if (deprov_response_is_streaming(response) == 0) {
    if (deprov_response_read(response, 0, &piece, nullptr) != DEPROV_ERR_INVALID_ARGUMENT)
      return "a body that is whole comes in pieces as well";
    return check_body(response, view(deprov_response_get_body(response)));
  }
  if (!view(deprov_response_get_body(response)).empty()) return "a body in pieces is there as a whole, too";
  std::string whole;
  for (int i = 0; i < most_pieces; ++i) {
    Failure error;
    const auto read = deprov_response_read(response, 0, &piece, error.out());
    if (read == DEPROV_END) return check_body(response, whole);
    if (read != DEPROV_OK) return read == DEPROV_ERR_TIMEOUT ? std::string{} : check_error(read, error.get());
    whole += view(piece);
  }
  return {};
}

struct Request {
  std::string_view method, target, body, peer, workspace, subject;
  bool local = false;
  std::vector<deprov_header> headers;
};

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

Request parse(std::string_view text) {
  Request r;
  const auto first = take_line(text);
  const auto space = first.find(' ');
  r.method = first.substr(0, space);
  if (space != std::string_view::npos) r.target = first.substr(space + 1);
  while (!text.empty()) {
    const auto line = take_line(text);
    if (line.empty()) break;
    const auto colon = line.find(": ");
    const auto name = line.substr(0, colon);
    const auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 2);
    if (name == "!as") {
      r.local = value == "local";
    } else if (name == "!peer") {
      r.peer = value;
    } else if (name == "!workspace") {
      r.workspace = value;
    } else if (name == "!subject") {
      r.subject = value;
    } else if (r.headers.size() < most_headers) {
      r.headers.push_back({str(name), str(value)});
    }
  }
  r.body = text;
  return r;
}

class World {
 public:
  /// Says what is wrong where it cannot be made.
  std::string make() {
    static constexpr std::string_view key = "0123456789abcdef0123456789abcdef";
    deprov_engine_options options{};
    options.struct_size = sizeof options;
    options.store = DEPROV_STORE_MEMORY;
    options.key_source = DEPROV_KEY_BYTES;
    options.key_bytes = str(key);
    options.host_driven = 1;  // one thread, so that what was found is found again
    if (deprov_engine_open(&options, engine_.out(), nullptr) != DEPROV_OK) return "no engine";
    Buffer record;
    if (deprov_workspace_create(engine_.get(), str("acme"), str("owner"), record.out(), nullptr) != DEPROV_OK)
      return "no workspace";
    workspace_ = member(view(deprov_buffer_get(record.get())), "id");
    owner_ = member(view(deprov_buffer_get(record.get())), "owner_token");
    const auto by = local();
    Buffer made;
    if (deprov_integration_create(engine_.get(), &by,
                                  str(R"({"name": "Wiki", "idp": "okta", "connector": "null"})"), made.out(),
                                  nullptr) != DEPROV_OK)
      return "no integration";
    id_ = member(view(deprov_buffer_get(made.get())), "id");
    scim_ = member(view(deprov_buffer_get(made.get())), "scim_base_path");
    token_ = member(view(deprov_buffer_get(made.get())), "scim_token");
    Response added;
    const auto post = parse(post_ = replaced("POST @scim/Users\nAuthorization: Bearer @token\n\n"
                                             R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],)"
                                             R"( "userName": "ann", "externalId": "e1", "active": true})"));
    if (call(post, added) != DEPROV_OK || deprov_response_get_status(added.get()) != 201) return "no user";
    user_ = member(view(deprov_response_get_body(added.get())), "id");
    return {};
  }

  [[nodiscard]] std::string replaced(std::string_view text) const {
    std::string out(text);
    for (const auto& [name, value] : {std::pair<std::string_view, const std::string&>{"@scim", scim_},
                                      {"@id", id_},
                                      {"@user", user_},
                                      {"@token", token_},
                                      {"@owner", owner_},
                                      {"@workspace", workspace_}})
      for (auto at = out.find(name); at != std::string::npos; at = out.find(name, at + value.size()))
        out.replace(at, name.size(), value);
    return out;
  }

  std::string ask(const Request& r) {
    Failure error;
    if (r.method.starts_with('!')) return manage(r);
    Response response;
    const auto status = call(r, response, &error);
    if ((status == DEPROV_OK) != (response.get() != nullptr)) return "there is an answer to what failed, or none";
    if (status != DEPROV_OK) return check_error(status, error.get());
    if (error.get() != nullptr) return "what went well has an error";
    return check_response(response.get());
  }

  /// Whatever was asked, what is told of it is text, and the engine ends.
  std::string end() {
    const auto by = local();
    deprov_rows_options options{};
    options.struct_size = sizeof options;
    options.kind = DEPROV_ROWS_ACTIVITY;
    options.integration = str(id_);
    Rows rows;
    deprov_str row{};
    if (deprov_rows_open(engine_.get(), &by, &options, rows.out(), nullptr) == DEPROV_OK)
      for (int i = 0; i < most_pieces && deprov_rows_next(rows.get(), &row, nullptr) == DEPROV_OK; ++i)
        if (!is_json(view(row))) return "a record of the activity is no JSON: " + std::string(view(row));
    Buffer report;
    const auto closed = deprov_engine_close(engine_.get(), 1000, report.out(), nullptr);
    if (closed != DEPROV_OK && closed != DEPROV_ERR_TIMEOUT) return "the engine does not close";
    return is_json(view(deprov_buffer_get(report.get()))) ? std::string{} : "the report of closing is no JSON";
  }

 private:
  [[nodiscard]] deprov_caller local() const { return {sizeof(deprov_caller), str(workspace_), {nullptr, 0}}; }

  deprov_status call(const Request& r, Response& response, Failure* error = nullptr) const {
    deprov_request request{};
    request.struct_size = sizeof request;
    request.as = r.local ? DEPROV_AS_LOCAL : DEPROV_AS_TOKEN;
    request.method = str(r.method);
    request.target = str(r.target);
    request.headers = r.headers.data();
    request.header_count = r.headers.size();
    request.body = str(r.body);
    request.peer = str(r.peer);
    request.workspace = str(r.workspace);
    request.subject = str(r.subject);
    auto** const why = error == nullptr ? nullptr : error->out();
    if (r.target.size() % 2 == 0) return deprov_engine_call(engine_.get(), &request, response.out(), why);
    return by_queue(request, response, why);
  }

  deprov_status by_queue(const deprov_request& request, Response& response, deprov_error** why) const {
    std::uint64_t token = 0;
    deprov_event event{};
    std::size_t taken = 0;
    auto* const engine = engine_.get();
    auto status = deprov_engine_ask(engine, &request, response.out(), &token, &event, 1, 0, &taken, why);
    while (status == DEPROV_OK && taken == 0) status = deprov_engine_next(engine, &event, 1, 60'000, &taken, why);
    if (status != DEPROV_OK) return status;
    if (event.token != token || event.user != response.out() || event.status != DEPROV_OK) std::abort();
    *response.out() = event.response;
    return status;
  }

  std::string manage(const Request& r) const {
    const auto by = local();
    Buffer record;
    Failure error;
    const auto status = deprov_admin_call(engine_.get(), &by, str(r.method.substr(1)), str(r.target), str(r.body),
                                          record.out(), error.out());
    if (status != DEPROV_OK)
      return record.get() == nullptr ? check_error(status, error.get()) : "there is a record of what failed";
    const auto text = view(deprov_buffer_get(record.get()));
    if (record.get() != nullptr && !is_json(text)) return "a record is no JSON: " + std::string(text);
    Buffer value;
    Failure none;
    const auto got = deprov_record_get(str(text), str("id"), value.out(), none.out());
    return got == DEPROV_OK ? std::string{} : check_error(got, none.get());
  }

  Engine engine_;
  std::string workspace_, owner_, id_, scim_, token_, user_, post_;
};

}  // namespace

std::string capi(std::string_view input) {
  std::string small(input);
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const auto* address : {"http", ":/", "\\/", "\\u00"})
    if (small.find(address) != std::string::npos) return {};
  World world;
  if (auto wrong = world.make(); !wrong.empty()) return wrong;
  const auto text = world.replaced(input);
  std::string_view rest = text;
  for (std::size_t i = 0; i < most_requests && !rest.empty(); ++i) {
    const auto end = rest.find("\n%%\n");
    if (auto wrong = world.ask(parse(rest.substr(0, end))); !wrong.empty()) return wrong;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 4);
  }
  return world.end();
}

}  // namespace deprov::fuzz
