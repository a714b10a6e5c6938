#include "paths.hpp"

namespace deprov::test {

std::string source_dir() { return DEPROV_SOURCE_DIR; }
std::string program() { return DEPROV_PROGRAM; }

}  // namespace deprov::test
