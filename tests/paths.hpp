// Where things are on the machine that runs the tests.
#pragma once

#include <string>

namespace deprov::test {

/// The root of the source tree, for data files beside the tests.
[[nodiscard]] std::string source_dir();
/// The program `deprov` of this build.
[[nodiscard]] std::string program();

}  // namespace deprov::test
