#include "engine/sources/http_failure.hpp"
#include <string_view>

namespace deprov::engine {

namespace {
constexpr std::size_t most_reason = 500;

std::string_view what_of(port::HttpFailure::Kind kind) {
  using Kind = port::HttpFailure::Kind;
  switch (kind) {
    case Kind::resolve: return "the host was not found";
    case Kind::connect: return "no connection";
    case Kind::tls: return "TLS was not agreed";
    case Kind::timeout: return "no answer in time";
    case Kind::broken: return "the connection broke";
    case Kind::too_large: return "the answer is too large";
    case Kind::cancelled: return "cancelled";
    case Kind::protocol: break;
  }
  return "the answer is no HTTP";
}
}  // namespace

std::string exchange_failure(const port::HttpResult& result) {
  if (result.response) {
    const auto status = result.response->status;
    auto text = "answered with status " + std::to_string(status);
    if (status >= 300 && status < 400) text += "; redirects are not followed";
    return text;
  }
  const auto& f = result.failure;
  std::string text(what_of(f.kind));
  if (!f.detail.empty()) text.append(": ").append(f.detail);
  return text.substr(0, most_reason);
}

}  // namespace deprov::engine
