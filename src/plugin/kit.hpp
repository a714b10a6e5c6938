// The conformance kit: what a connector of a vendor has to keep to, one check at a time.
#pragma once

#include <boost/json/object.hpp>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/plugin/recording.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/port/http_transport.hpp>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace deprov::plugin {

/// What a vendor gives the kit to work with.
struct Fixture {
  boost::json::object config;
  std::optional<connector::Match> account;    ///< disabled, enabled, and left enabled
  std::optional<connector::Match> removable;  ///< removed
};
/// Of `{"config": {}, "account": {"user_name": "", "external_id": "", "emails": []}, "removable": {}}`; all of it
/// may be absent. Errors: `invalid_argument`.
[[nodiscard]] Result<Fixture> parse_fixture(const boost::json::value& value);

struct Check {
  std::string_view name;  ///< group.name
  std::string_view what;  ///< one sentence
  /// Whether it is also of use where the connector runs in a worker: it looks at answers, not at this process.
  bool in_worker = false;
};
/// In the order in which they should run.
[[nodiscard]] std::span<const Check> checks() noexcept;

struct Verdict {
  enum class Is { passed, failed, skipped };
  /// Of one that was skipped, what was not there: something that its caller could have given, something that the
  /// connector does not offer, or something that this build or process cannot do.
  enum class Lacks { nothing, not_given, not_offered, not_here };
  Is is = Is::passed;
  std::string detail;  ///< why it failed or was skipped
  Lacks lacks = Lacks::nothing;
};
[[nodiscard]] std::string_view to_string(Verdict::Is is) noexcept;
[[nodiscard]] std::string_view to_string(Verdict::Lacks lacks) noexcept;

/// Runs one check on `library`, which may do anything to this process: call it in one of its own, of which
/// standard output and error are nobody's, and end that without ado. `worker`: the program to run the connector
/// in; empty: this process. `record`: is told of each HTTP exchange, as `Options::record`.
[[nodiscard]] Verdict run_check(std::string_view name, const std::string& library, const Fixture& fixture,
                                port::HttpTransport& http, const port::Crypto& crypto,
                                const std::string& worker = {},
                                std::function<void(const RecordedExchange&)> record = {});

}  // namespace deprov::plugin
