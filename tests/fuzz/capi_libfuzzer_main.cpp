// The entry point of libFuzzer for requests through the C interface.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include "capi_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto wrong = deprov::fuzz::capi({reinterpret_cast<const char*>(data), size});
  if (wrong.empty()) return 0;
  std::fprintf(stderr, "%s\n", wrong.c_str());
  std::abort();
}
