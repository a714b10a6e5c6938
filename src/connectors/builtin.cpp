#include <deprov/connectors/connectors.hpp>
#include "null_connector.hpp"
#include "sandbox_connector.hpp"
#include "scim_connector.hpp"

namespace deprov {

port::ConnectorKinds builtin_connectors() {
  port::ConnectorKinds kinds;
  for (auto& kind : {connectors::make_scim_kind(), connectors::make_sandbox_kind(), connectors::make_null_kind()})
    kinds.emplace(kind->describe().id, kind);
  return kinds;
}

}  // namespace deprov
