// `connector check`: each check of the kit in a process of its own, so that a connector can only end that.
#pragma once

#include <deprov/error.hpp>
#include <string>
#include <vector>
#include "cli/commands.hpp"

namespace deprov::cli {

struct CheckOptions {
  std::string library;
  std::string fixture;
  std::string junit;
  std::string record;  ///< a file for what the connector exchanges over HTTP
  std::vector<std::string> only;
  bool require_all = false;  ///< what was skipped for something that is not the connector's choice has failed
  int time_limit = 60;
  std::string placement;  ///< "in_process", "worker", or both
  std::string worker;     ///< deprov-connector-worker; empty: the one that comes with this program
  int verdict_to = -1;    ///< a descriptor: this is the process of one check
};

/// Exit code 1 where a check failed, or was skipped and may not be. Errors: `invalid_argument`, `not_found`, `io`.
[[nodiscard]] Result<int> check_connector(const Session& session, const CheckOptions& options);

}  // namespace deprov::cli
