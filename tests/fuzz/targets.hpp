// What is fuzzed: each target takes any bytes, and answers with what it found wrong, or with nothing.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace deprov::fuzz {

struct Target {
  std::string_view name;  ///< and the folder of its corpus
  std::string (*run)(std::string_view input);
};

[[nodiscard]] std::span<const Target> targets();

}  // namespace deprov::fuzz
