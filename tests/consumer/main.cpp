// A small program of somebody else: it uses what the library has compiled.
#include <array>
#include <cstdint>
#include <deprov/uuid.hpp>
#include <iostream>

int main() {
  const std::array<std::uint8_t, 10> random{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const auto now = deprov::parse_rfc3339("2026-01-31T12:00:00Z");
  if (!now) {
    std::cerr << now.error() << '\n';
    return 1;
  }
  const auto id = deprov::WorkspaceId{deprov::make_uuid_v7(*now, random)};
  std::cout << id.str() << '\n';
  return deprov::WorkspaceId::parse(id.str()) == id ? 0 : 1;
}
