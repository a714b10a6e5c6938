// Why an exchange over HTTP gave nothing, in words.
#pragma once

#include <deprov/port/http_transport.hpp>
#include <string>

namespace deprov::engine {

/// For people, at most 500 bytes: the status of an answer that is not a good one, or why there is none.
[[nodiscard]] std::string exchange_failure(const port::HttpResult& result);

}  // namespace deprov::engine
