// A kind of connectors whose code runs where each connection wants it: in this process, or in one of its own.
#pragma once

#include <deprov/error.hpp>
#include <deprov/port/connector.hpp>
#include <memory>
#include <string>
#include "plugin/host.hpp"
#include "plugin/worker_session.hpp"

namespace deprov::plugin {

/// `plugin` without a table. Where `placement`, that of connections which do not say, is in this process, the code
/// is loaded now, and otherwise when a connection first wants it here. Errors: those of loading.
[[nodiscard]] Result<std::shared_ptr<const port::ConnectorKind>> make_placed_kind(Plugin plugin,
                                                                                  port::Placement placement,
                                                                                  WorkerCode code,
                                                                                  std::string hash);

/// Whether code and manifest belong together. Errors: `invalid_argument`.
[[nodiscard]] Result<void> check_identity(const deprov_connector_table_v1& table, const Manifest& manifest,
                                          const std::string& path);

/// What is answered to an operation that the manifest does not name.
[[nodiscard]] connector::Reply not_in_manifest(connector::Operation operation);

}  // namespace deprov::plugin
