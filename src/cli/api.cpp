#include "cli/api.hpp"
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <deprov/http/curl_transport.hpp>
#include <utility>

namespace deprov::cli {

namespace {

Errc parse_errc(std::string_view word) {
  for (int i = 1; i <= static_cast<int>(Errc::internal); ++i) {
    const auto code = static_cast<Errc>(i);
    if (to_string(code) == word) return code;
  }
  return Errc::internal;
}

Error error_of(int status, const json::value& body) {
  const auto* object = body.if_object();
  const auto* error = object != nullptr ? object->if_contains("error") : nullptr;
  const auto text = [&](const char* name) {
    const auto* v = error != nullptr && error->is_object() ? error->get_object().if_contains(name) : nullptr;
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
  };
  if (text("message").empty()) {
    return {Errc::protocol, "the server answered " + std::to_string(status) + " without an error of ours",
            "--server", "check that the URL is that of a deprov server"};
  }
  return {parse_errc(text("code")), text("message"), text("where"), text("advice")};
}

class LocalApi final : public Api {
 public:
  LocalApi(std::unique_ptr<Instance> instance, engine::Principal by)
      : instance_(std::move(instance)), by_(std::move(by)) {}
  [[nodiscard]] bool remote() const noexcept override { return false; }

 protected:
  Result<Answer> send(service::Request request) override {
    auto response = wait_for<service::Response>(
        [&](auto done) { instance_->admin().handle_as(by_, std::move(request), std::move(done)); });
    return Answer{response.status, std::move(response.body)};
  }

 private:
  std::unique_ptr<Instance> instance_;
  engine::Principal by_;
};

class RemoteApi final : public Api {
 public:
  RemoteApi(std::string url, std::string token, const std::string& ca_file)
      : url_(std::move(url)), token_(std::move(token)), http_(http::make_curl_transport()) {
    peer_.ca_file = ca_file;
  }
  [[nodiscard]] bool remote() const noexcept override { return true; }

 protected:
  Result<Answer> send(service::Request request) override {
    port::HttpRequest out;
    out.method = std::move(request.method);
    out.url = url_ + request.target;
    out.headers = std::move(request.headers);
    out.headers.push_back({"Authorization", "Bearer " + token_});
    out.headers.push_back({"Accept", "application/json"});
    out.body = std::move(request.body);
    out.peer = peer_;
    // A list is compared with every subject before it is answered.
    if (out.url.find("/api/v1/lists/") != std::string::npos || out.url.ends_with("/poll"))
      out.timeout = std::chrono::minutes(10);
    auto result = wait_for<port::HttpResult>([&](auto done) { http_->send(std::move(out), std::move(done)); });
    if (!result.response) {
      return Error(Errc::unavailable, "the server does not answer: " + result.failure.detail, url_,
                   "check that it runs, and the URL");
    }
    return Answer{result.response->status, std::move(result.response->body)};
  }

 private:
  std::string url_;
  std::string token_;
  port::HttpPeer peer_;
  std::unique_ptr<port::HttpTransport> http_;
};

Result<WorkspaceId> choose_workspace(Instance& instance, const std::string& wanted) {
  engine::Principal machine;
  machine.role = port::Role::owner;
  DEPROV_TRY(rows, instance.wait<std::vector<port::WorkspaceRow>>(
                       [&](auto done) { instance.engine().list_workspaces(machine, std::move(done)); }));
  std::string names;
  for (const auto& row : rows) {
    if (!wanted.empty() && (row.name == wanted || row.id.str() == wanted)) return row.id;
    names += (names.empty() ? "" : ", ") + row.name;
  }
  if (wanted.empty() && rows.size() == 1) return rows.front().id;
  if (rows.empty()) {
    return Error(Errc::not_found, "the store has no workspace", "--workspace",
                 "make one with `deprov workspace create`");
  }
  if (wanted.empty())
    return Error(Errc::invalid_argument, "the store has several workspaces", "--workspace",
                 "name one of: " + names);
  return Error(Errc::not_found, "there is no workspace \"" + wanted + "\"", "--workspace", "there are: " + names);
}

}  // namespace

Result<json::value> Api::call(std::string_view method, const std::string& path, const json::value& body) {
  // Of an empty id a path is left that means something else: the list of all.
  if (path.back() == '/' || path.find("//") < path.find('?') || path.find("/?") != std::string::npos)
    return Error(Errc::not_found, "an empty id names nothing", {}, "ids are UUIDs");
  service::Request request;
  request.method = method;
  request.target = std::string(service::admin_base) + path;
  if (!body.is_null()) {
    request.body = json::serialize(body);
    request.headers.push_back({"Content-Type", "application/json"});
  }
  return answer_to(std::move(request));
}

Result<json::value> Api::call_raw(std::string_view method, const std::string& path, std::string body) {
  service::Request request;
  request.method = method;
  request.target = std::string(service::admin_base) + path;
  request.body = std::move(body);
  request.headers.push_back({"Content-Type", "application/octet-stream"});
  return answer_to(std::move(request));
}

Result<json::value> Api::answer_to(service::Request request) {
  DEPROV_TRY(answer, send(std::move(request)));
  json::value parsed;
  if (!answer.body.empty()) {
    boost::system::error_code ec;
    parsed = json::parse(answer.body, ec);
    if (ec) parsed = nullptr;
  }
  if (answer.status >= 200 && answer.status < 300) return parsed;
  return error_of(answer.status, parsed);
}

Result<std::unique_ptr<Instance>> open_instance(InstanceOptions options) {
  const auto data = options.directory;
  if (const char* key = std::getenv("DEPROV_MASTER_KEY_FILE"); key != nullptr) options.key_file = key;
  auto instance = Instance::open(std::move(options));
  if (instance) return instance;
  const auto& e = instance.error();
  if (e.code() == Errc::store_locked) {
    return Error(e.code(), e.detail(), data,
                 "talk to the server that uses it: --server URL --token TOKEN, or stop it");
  }
  // A plugin that is not there is another matter.
  if (e.code() == Errc::not_found && e.where() == data) {
    return Error(e.code(), "there is no deprov store in this directory", data,
                 "make one with `deprov init --data " + data + "`");
  }
  return instance;
}

Result<std::unique_ptr<Api>> open_local(const std::string& data, const std::string& workspace, bool any_workspace,
                                        plugin::Options plugins) {
  InstanceOptions options;
  options.directory = data;
  options.create = false;
  options.background = false;
  options.plugins = std::move(plugins);
  DEPROV_TRY(instance, open_instance(std::move(options)));
  engine::Principal by;
  by.role = port::Role::owner;
  if (!any_workspace) {
    DEPROV_TRY(id, choose_workspace(*instance, workspace));
    by.workspace = id;
  }
  return std::unique_ptr<Api>(std::make_unique<LocalApi>(std::move(instance), std::move(by)));
}

Result<std::unique_ptr<Api>> open_remote(std::string url, std::string token, const std::string& ca_file) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  if (url.rfind("http://", 0) != 0 && url.rfind("https://", 0) != 0) {
    return Error(Errc::invalid_argument, "not a URL that begins with http:// or https://", "--server",
                 "give it as http://host:port");
  }
  return std::unique_ptr<Api>(std::make_unique<RemoteApi>(std::move(url), std::move(token), ca_file));
}

std::string url_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
        c == '_' || c == '~') {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(digits[b >> 4U]);
      out.push_back(digits[b & 15U]);
    }
  }
  return out;
}

}  // namespace deprov::cli
