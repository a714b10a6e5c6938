// The admin API as commands see it: in this process on a data directory, or over HTTP.
#pragma once

#include <boost/json/value.hpp>
#include <deprov/error.hpp>
#include <deprov/instance/instance.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/service/http.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace deprov::cli {

namespace json = boost::json;

class Api {
 public:
  virtual ~Api() = default;
  /// Sends, and answers with the body (null where there is none). An error that the API answered comes
  /// back as that error.
  Result<json::value> call(std::string_view method, const std::string& path, const json::value& body = {});
  /// The same with a body that is not JSON.
  Result<json::value> call_raw(std::string_view method, const std::string& path, std::string body);
  [[nodiscard]] virtual bool remote() const noexcept = 0;

 protected:
  struct Answer {
    int status = 0;
    std::string body;
  };
  virtual Result<Answer> send(service::Request request) = 0;

 private:
  Result<json::value> answer_to(service::Request request);
};

/// The data directory of a command, opened with its jobs left alone.
/// Errors: `store_locked` and `not_found` with what to do about it; those of `Instance::open`.
[[nodiscard]] Result<std::unique_ptr<Instance>> open_instance(InstanceOptions options);

/// The store in `data`, as the local administrator of `workspace` (id or name; empty: the only one).
/// `any_workspace` does without one, for commands about workspaces.
[[nodiscard]] Result<std::unique_ptr<Api>> open_local(const std::string& data, const std::string& workspace,
                                                      bool any_workspace, plugin::Options plugins = {});
/// A running server. Errors: `invalid_argument` for a URL that is none.
[[nodiscard]] Result<std::unique_ptr<Api>> open_remote(std::string url, std::string token,
                                                       const std::string& ca_file);

/// Starts something that completes later, from any thread, and waits for it.
template <class T, class Start>
T wait_for(Start&& start) {
  runtime::Event event;
  auto got = std::make_shared<std::optional<T>>();
  start([event, got](T value) mutable {
    got->emplace(std::move(value));
    event.set();
  });
  event.wait();
  return std::move(**got);
}

/// For what stands behind `=` in a URL, or between its slashes.
[[nodiscard]] std::string url_encoded(std::string_view text);

}  // namespace deprov::cli
