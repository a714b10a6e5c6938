// The entry point of libFuzzer for the target DEPROV_FUZZ_TARGET; the preset `fuzz` builds one program for each.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include "targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto& t : deprov::fuzz::targets()) {
    if (t.name != DEPROV_FUZZ_TARGET) continue;
    const auto wrong = t.run({reinterpret_cast<const char*>(data), size});
    if (wrong.empty()) return 0;
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  std::abort();  // no such target
}
