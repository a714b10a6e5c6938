// A library that was loaded: once for its bytes, and for as long as the process.
#pragma once

#include <deprov/error.hpp>
#include <deprov/port/crypto.hpp>
#include <memory>
#include <string>
#include "plugin/abi.hpp"
#include "plugin/trusted_file.hpp"

namespace deprov::plugin {

/// 64 digits. Nothing is remembered of the case that they were written in.
[[nodiscard]] std::string hash_of(const SealedCopy& copy, const port::Crypto& crypto);

/// Loads `copy`, and asks it for its table, which is checked as far as it can be without calling it.
/// Errors: `invalid_argument`, `unsupported`, with `path` as the place.
[[nodiscard]] Result<const deprov_connector_table_v1*> load_library(std::shared_ptr<const SealedCopy> copy,
                                                                    const std::string& hash,
                                                                    const std::string& path);

}  // namespace deprov::plugin
