// The connector for apps that speak SCIM 2.0.
#pragma once

#include <deprov/port/connector.hpp>
#include <memory>

namespace deprov::connectors {

[[nodiscard]] std::shared_ptr<const port::ConnectorKind> make_scim_kind();

}  // namespace deprov::connectors
