#include <deprov/port/activity_chain.hpp>

namespace deprov::port {
namespace {

constexpr std::string_view header_tag = "deprov.activity/1";
constexpr std::string_view detail_tag = "deprov.detail/1";

template <std::size_t N>
void put(std::string& out, const std::array<std::uint8_t, N>& bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), N);
}
void put(std::string& out, std::uint64_t v) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>((v >> shift) & 0xFFU));
}
void put(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint64_t>(text.size()));
  out.append(text);
}

Error broken(std::uint64_t seq, std::string what) {
  return {Errc::store_corrupt, "the activity chain is broken: " + std::move(what), "seq " + std::to_string(seq),
          "compare with an exported copy; records before this one are intact"};
}

}  // namespace

Sha256 activity_detail_hash(const Crypto& crypto, const Salt& salt, std::string_view detail) {
  std::string bytes;
  bytes.reserve(detail_tag.size() + salt.size() + detail.size());
  bytes.append(detail_tag);
  put(bytes, salt);
  bytes.append(detail);
  return crypto.sha256(bytes_of(bytes));
}

std::string activity_bytes(const Sha256& previous, const ActivityRow& row) {
  std::string bytes;
  bytes.reserve(header_tag.size() + 160 + row.event.size() + row.actor.size());
  bytes.append(header_tag);
  put(bytes, previous);
  put(bytes, row.scope.workspace.value.bytes);
  put(bytes, row.scope.integration.value.bytes);
  put(bytes, row.seq);
  put(bytes, static_cast<std::uint64_t>(row.at.micros));
  put(bytes, std::string_view(row.event));
  put(bytes, std::string_view(row.actor));
  put(bytes, row.subject.value.bytes);
  put(bytes, row.job.value.bytes);
  put(bytes, row.detail_hash);
  return bytes;
}

Sha256 activity_hash(const Crypto& crypto, const Sha256& previous, const ActivityRow& row) {
  return crypto.sha256(bytes_of(activity_bytes(previous, row)));
}

Result<void> ChainVerifier::feed(const ActivityRow& row) {
  const auto expected = head_.seq + 1;
  if (row.scope != scope_) return broken(expected, "the record belongs to another chain");
  if (row.seq != expected) {
    return broken(expected, row.seq > expected
                                ? "records are missing, the next one has seq " + std::to_string(row.seq)
                                : "a record with seq " + std::to_string(row.seq) + " stands in its place");
  }
  if (activity_hash(*crypto_, head_.hash, row) != row.hash)
    return broken(row.seq, "the record was changed, or the one before it was");
  if (row.detail.has_value() != row.salt.has_value())
    return broken(row.seq, "only one of detail and salt is left of the record");
  if (row.detail && activity_detail_hash(*crypto_, *row.salt, *row.detail) != row.detail_hash)
    return broken(row.seq, "the detail of the record was changed");
  head_ = {row.seq, row.hash};
  return {};
}

Result<ChainHead> verify_chain(const Crypto& crypto, const Scope& scope, const ChainHead& from,
                               std::span<const ActivityRow> rows, const std::optional<ChainHead>& expected) {
  ChainVerifier verifier(crypto, scope, from);
  for (const auto& row : rows) DEPROV_CHECK(verifier.feed(row));
  if (expected && expected->seq > verifier.head().seq)
    return broken(verifier.head().seq + 1,
                  "the end is missing, the chain was known to reach seq " + std::to_string(expected->seq));
  if (expected && *expected != verifier.head())
    return broken(verifier.head().seq, "the head is not the one that was noted");
  return verifier.head();
}

}  // namespace deprov::port
