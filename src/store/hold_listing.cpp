#include <deprov/port/hold_listing.hpp>
#include <string>

namespace deprov::port {

Sha256 hold_listing(const Crypto& crypto, const Sha256& before, const HoldItemRow& row) {
  std::string bytes(reinterpret_cast<const char*>(before.data()), before.size());
  const auto id = [&](const Uuid& u) {
    bytes.append(reinterpret_cast<const char*>(u.bytes.data()), u.bytes.size());
  };
  const auto number = [&](std::uint64_t n) {
    for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>((n >> shift) & 0xFFU));
  };
  id(row.hold.value);
  number(row.seq);
  id(row.subject.value);
  id(row.job.value);
  number(row.generation);
  number(static_cast<std::uint64_t>(row.cause));
  number(row.state == HoldItemState::sent ? 1 : 0);
  return crypto.sha256(bytes_of(bytes));
}

}  // namespace deprov::port
