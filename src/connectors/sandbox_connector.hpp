// The sandbox: an app in a file, as slow and as unreliable as one wants it.
#pragma once

#include <deprov/port/connector.hpp>
#include <memory>

namespace deprov::connectors {

[[nodiscard]] std::shared_ptr<const port::ConnectorKind> make_sandbox_kind();

}  // namespace deprov::connectors
