// What can be known of a shared library from its bytes, before the loader maps it.
#pragma once

#include <deprov/error.hpp>
#include <span>
#include <string>
#include <vector>

namespace deprov::plugin {

/// A shared library for this machine whose segments are within the file; the dynamic loader takes that on trust,
/// and ends the process where it is not so. Errors: `invalid_argument`, `unsupported` (another machine).
[[nodiscard]] Result<void> check_elf(std::span<const unsigned char> bytes);

/// The names that it offers to others. Empty where there is no table of them.
[[nodiscard]] std::vector<std::string> exported_symbols(std::span<const unsigned char> bytes);

}  // namespace deprov::plugin
