// The API of an IdP that lives in a test: what it is asked, and what it answers.
#pragma once

#include <deprov/port/executor.hpp>
#include <deprov/port/http_transport.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace deprov::test {

/// What an IdP's API is asked, and what it answers.
struct ApiRequest {
  std::string method, url, authorization, body;
  std::string dpop{};  ///< the header of that name
};
using Api = std::function<port::HttpResponse(const ApiRequest&)>;

class ApiTransport final : public port::HttpTransport {
 public:
  explicit ApiTransport(Api api) : api_(std::move(api)) {}
  std::vector<std::string> log;  ///< of URLs, in the order of arrival
  port::Executor* executor = nullptr;
  port::HttpCallId send(port::HttpRequest request, port::UniqueFunction<void(port::HttpResult)> done) override {
    log.push_back(request.url);
    ApiRequest asked{request.method, request.url, {}, request.body};
    for (const auto& h : request.headers) {
      if (h.name == "Authorization") asked.authorization = h.value;
      if (h.name == "DPoP") asked.dpop = h.value;
    }
    auto result = std::make_shared<port::HttpResult>();
    result->response = api_(asked);
    executor->post([result, done = std::move(done)]() mutable { done(std::move(*result)); });
    return ++calls_;
  }
  void cancel(port::HttpCallId) override {}

 private:
  Api api_;
  port::HttpCallId calls_ = 0;
};

}  // namespace deprov::test
