// The connectors that come with deprov.
#pragma once

#include <deprov/port/connector.hpp>

namespace deprov {

/// "scim": apps that speak SCIM 2.0. "sandbox": an app in a file, for trying policies out and for tests.
/// "null": an app that does everything at once and keeps next to nothing, for benchmarks.
[[nodiscard]] port::ConnectorKinds builtin_connectors();

}  // namespace deprov
