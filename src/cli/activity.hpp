// Reading several chains of the activity as one.
#pragma once

#include <boost/json/array.hpp>
#include <cstdint>
#include <string>
#include <vector>
#include "cli/api.hpp"

namespace deprov::cli {

/// One chain and how far it was read.
struct Chain {
  std::string path;  ///< of the admin API
  std::uint64_t after = 0;
};

/// What is new in the chains, in the order of time; moves them on.
[[nodiscard]] Result<json::array> read_chains(Api& api, std::vector<Chain>& chains, std::size_t limit);
/// One record for people.
[[nodiscard]] std::string activity_line(const json::value& record);

}  // namespace deprov::cli
