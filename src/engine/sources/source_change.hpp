// What a source is told, put into its row, when it is made and when it is changed.
#pragma once

#include <deprov/engine/sources.hpp>
#include <deprov/idp/fingerprint.hpp>

namespace deprov::engine {

/// Config and sealed secrets, into a row that has its id and kind; `key` is that of the fingerprints, and nobody's
/// of a receiver of events. Errors: `invalid_argument`, those of sealing.
[[nodiscard]] Result<void> put_config(Engine::Impl& impl, port::SourceRow& row, json::object config,
                                      const idp::FingerprintKey& key);

/// `config` with what `change` gives in the place of what it has. Errors: `invalid_argument`.
[[nodiscard]] Result<json::object> changed_config(std::string_view kind, json::object config,
                                                  const json::object& change);

}  // namespace deprov::engine
