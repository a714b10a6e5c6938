#include <algorithm>
#include <deprov/http/egress.hpp>

namespace deprov::http {

namespace {

using Address = std::array<std::uint8_t, 16>;

struct Network {
  Address prefix;
  unsigned bits;
};

constexpr Address v4(std::uint8_t a, std::uint8_t b = 0, std::uint8_t c = 0, std::uint8_t d = 0) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d};
}

constexpr std::array never{Network{v4(0), 96 + 8},
                           Network{v4(169, 254), 96 + 16},
                           Network{v4(224), 96 + 4},
                           Network{v4(240), 96 + 4},
                           Network{{}, 128},
                           Network{{0xFE, 0x80}, 10},
                           Network{{0xFF}, 8},
                           Network{{0xFD, 0, 0x0E, 0xC2}, 32},  // where one cloud has its metadata
                           Network{v4(100, 100, 100, 200), 128},
                           Network{v4(168, 63, 129, 16), 128}};  // two more

constexpr std::array inside{Network{v4(127), 96 + 8},
                            Network{v4(10), 96 + 8},
                            Network{v4(172, 16), 96 + 12},
                            Network{v4(192, 168), 96 + 16},
                            Network{v4(100, 64), 96 + 10},
                            Network{v4(192, 0, 0), 96 + 24},
                            Network{v4(198, 18), 96 + 15},
                            Network{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128},
                            Network{{0xFC}, 7}};

bool is_in(const Address& a, const Network& n) {
  for (unsigned bit = 0; bit < n.bits; bit += 8) {
    const auto left = std::min(8U, n.bits - bit);
    const auto mask = static_cast<std::uint8_t>(0xFFU << (8U - left));
    if ((a[bit / 8] & mask) != (n.prefix[bit / 8] & mask)) return false;
  }
  return true;
}

template <class Networks>
bool is_in_any(const Address& a, const Networks& networks) {
  return std::any_of(networks.begin(), networks.end(), [&](const Network& n) { return is_in(a, n); });
}

/// The IPv4 address that an address of NAT64, 6to4 or the old compatible form leads to.
Address as_reached(const Address& a) {
  constexpr Network nat64{{0, 0x64, 0xFF, 0x9B}, 96};
  constexpr Network six_to_four{{0x20, 0x02}, 16};
  constexpr Network compatible{{}, 96};
  if (is_in(a, nat64)) return v4(a[12], a[13], a[14], a[15]);
  if (is_in(a, six_to_four)) return v4(a[2], a[3], a[4], a[5]);
  if (is_in(a, compatible) && (a[12] != 0 || a[13] != 0)) return v4(a[12], a[13], a[14], a[15]);
  return a;
}

}  // namespace

std::string_view to_string(Egress rule) noexcept {
  switch (rule) {
    case Egress::any: return "any";
    case Egress::own_networks: return "own_networks";
    case Egress::internet: return "internet";
  }
  return "unknown";
}

std::optional<Egress> egress_from(std::string_view name) noexcept {
  for (const auto rule : {Egress::any, Egress::own_networks, Egress::internet})
    if (name == to_string(rule)) return rule;
  return std::nullopt;
}

bool allows(Egress rule, const Address& address) noexcept {
  if (rule == Egress::any) return true;
  const auto reached = as_reached(address);
  if (is_in_any(reached, never)) return false;
  return rule != Egress::internet || !is_in_any(reached, inside);
}

}  // namespace deprov::http
