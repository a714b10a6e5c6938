// A connector that does nothing, so that benchmarks measure everything else.
#pragma once

#include <deprov/port/connector.hpp>
#include <memory>

namespace deprov::connectors {

/// Finds whoever is looked for, under the externalId or userName as the account's id. What an account's
/// state is, is remembered in one bit that stands for many accounts, so that memory stays constant; an
/// account that was never touched may therefore be shown as disabled once another was.
[[nodiscard]] std::shared_ptr<const port::ConnectorKind> make_null_kind();

}  // namespace deprov::connectors
