// The hash chain of the activity: which bytes are hashed, and how a run of records is verified.
#pragma once

#include <array>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/port/records.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace deprov::port {

using Salt = std::array<std::uint8_t, 16>;

/// A place in a chain. The place before the first record is seq 0 with a hash of zeros.
struct ChainHead {
  std::uint64_t seq = 0;
  Sha256 hash{};
  friend bool operator==(const ChainHead&, const ChainHead&) = default;
};

/// SHA-256 of the salted detail. The chain covers this hash only, so that the detail can be deleted and
/// the chain still holds; the salt keeps a deleted detail from being guessed.
[[nodiscard]] Sha256 activity_detail_hash(const Crypto& crypto, const Salt& salt, std::string_view detail);

/// The canonical bytes, version 1, of a record: a tag with the version, the previous hash, workspace,
/// integration, seq, time, event, actor, subject, job, detail hash. Integers are big-endian, texts carry
/// their length, so that no two records have the same bytes.
[[nodiscard]] std::string activity_bytes(const Sha256& previous, const ActivityRow& row);

/// SHA-256 of `activity_bytes`. Reads neither `row.hash` nor salt and detail.
[[nodiscard]] Sha256 activity_hash(const Crypto& crypto, const Sha256& previous, const ActivityRow& row);

/// Finds any record that was edited, removed, inserted or reordered, in constant memory.
/// *Thread safety*: one thread at a time.
class ChainVerifier {
 public:
  /// Verifies the chain of `scope` onwards from `head`, which is trusted.
  ChainVerifier(const Crypto& crypto, Scope scope, ChainHead head = {}) noexcept
      : crypto_(&crypto), scope_(scope), head_(head) {}
  /// The record that follows. Errors: `store_corrupt`, naming the seq and what is wrong with it; the
  /// verifier then stays where it was.
  [[nodiscard]] Result<void> feed(const ActivityRow& row);
  /// The last record that was found right.
  [[nodiscard]] const ChainHead& head() const noexcept { return head_; }

 private:
  const Crypto* crypto_;
  Scope scope_;
  ChainHead head_;
};

/// Verifies a run of records that begins right after `from`. A removed end shows only against `expected`,
/// the head that was noted elsewhere. Answers with the head of the run. Errors: `store_corrupt`.
[[nodiscard]] Result<ChainHead> verify_chain(const Crypto& crypto, const Scope& scope, const ChainHead& from,
                                             std::span<const ActivityRow> rows,
                                             const std::optional<ChainHead>& expected = std::nullopt);

}  // namespace deprov::port
