// From what HTTP answered to the one outcome it stands for. Pure.
#pragma once

#include <deprov/connector/connector.hpp>
#include <deprov/port/http_transport.hpp>
#include <deprov/time.hpp>
#include <string>
#include <vector>

namespace deprov::connectors {

/// What kind of request it was. After a change that may have arrived nothing but a definite answer tells
/// whether it was carried out (R18).
enum class Nature : std::uint8_t { read, change };

/// No response came. `call_ended`: the call's own time was the limit, not that of one request.
[[nodiscard]] connector::Reply reply_of_failure(const port::HttpFailure& failure, Nature nature, bool call_ended);

/// A response whose status is not 2xx. `now` and `bound` are for Retry-After.
[[nodiscard]] connector::Reply reply_of_status(const port::HttpResponse& response, Nature nature, WallTime now,
                                               Duration bound);

/// A 2xx whose body cannot be what it should.
[[nodiscard]] connector::Reply reply_of_nonsense(std::string detail, Nature nature);

[[nodiscard]] connector::Reply reply_of(connector::Outcome outcome, std::string detail);

/// Without secrets and control characters, at most 1,000 bytes, cut between UTF-8 sequences.
[[nodiscard]] std::string clean_detail(std::string detail, const std::vector<std::string>& secrets);

}  // namespace deprov::connectors
