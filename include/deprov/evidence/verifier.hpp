// Checks an export without the store: finds any record that was edited, removed, inserted or reordered, and says
// which.
#pragma once

#include <cstdint>
#include <deprov/evidence/manifest.hpp>
#include <deprov/evidence/record.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::evidence {

enum class ProblemKind : std::uint8_t {
  edited,      ///< the record is not what was hashed, or not the one that its neighbour was chained to
  removed,     ///< records are missing in the middle
  inserted,    ///< a record too many
  reordered,   ///< a record stands in another place than its own
  truncated,   ///< the end is missing, or the beginning
  unreadable,  ///< a line that is no record
  manifest,    ///< the manifest is missing, edited, or another one than was expected
};
[[nodiscard]] std::string_view to_string(ProblemKind k) noexcept;

struct Problem {
  ProblemKind kind = ProblemKind::edited;
  std::optional<port::Scope> chain;  ///< nothing: it is about the file
  std::string chain_name;
  std::uint64_t seq = 0;       ///< of the record, or the first of several; 0: none
  std::uint64_t last_seq = 0;  ///< the last of several
  std::uint64_t line = 0;      ///< from 1 on; 0: none
  std::string what;            ///< for people
};

struct Report {
  std::uint64_t chains = 0;
  std::uint64_t records = 0;
  std::uint64_t details = 0;
  std::uint64_t details_deleted = 0;  ///< whose hash holds, and whose detail retention deleted
  std::uint64_t problem_count = 0;
  std::vector<Problem> problems;  ///< the first `Verifier::max_problems`
  std::string manifest_sha256;    ///< of the manifest that was checked against; empty: there was none
  [[nodiscard]] bool holds() const noexcept { return problem_count == 0; }
};
/// As `deprov evidence verify --json` and the C interface show it.
[[nodiscard]] json::object to_json(const Report& report);

/// Memory: a few words and one line for each chain, for each gap that is still open (at most `max_gaps` a chain),
/// and for each of the first problems; whatever the number of records. *Thread safety*: one thread at a time.
class Verifier {
 public:
  static constexpr std::size_t max_problems = 1000;
  static constexpr std::size_t max_gaps = 10'000;
  static constexpr std::size_t max_line = 16U << 20U;

  explicit Verifier(const port::Crypto& crypto) : crypto_(&crypto) {}

  /// What the chains are known to be, from a manifest beside the records.
  void expect(const Manifest& manifest);
  /// Heads that were noted earlier: the chains must reach them, and have these very records there.
  void expect_heads(const Manifest& earlier);
  /// The hash that was noted elsewhere.
  void expect_manifest(std::string sha256) { noted_ = std::move(sha256); }

  /// A line of an export (JSON Lines), without its line break.
  void line(std::string_view text);
  /// A record that came another way; its chain must have been expected. `as_written`: it looks as an export writes
  /// it, also where that is not hashed.
  void record(const Record& record, bool as_written = true);
  /// Counts a row that is none.
  void unreadable(std::string what);
  /// The same, where it says which record it should be.
  void unreadable(const port::Scope& scope, std::uint64_t seq, const Error& why);
  /// Counts something that should be there and is not.
  void missing(std::string what);
  /// The end. `needs_manifest`: one has to have come, as a line or by `expect`.
  [[nodiscard]] Report finish(bool needs_manifest = true);

 private:
  struct Chain {
    std::string name;
    port::ChainHead anchor;
    std::uint64_t next = 1;  ///< the seq that follows
    port::Sha256 last{};     ///< hash of the record before it
    bool linked = true;      ///< `last` is that of next - 1
    std::uint64_t records = 0;
    std::uint64_t details = 0;
    std::uint64_t details_deleted = 0;
    bool unread = false;          ///< a record could not be understood, so that its detail was not counted
    std::string begins;           ///< the line that begins it; empty: that has not come
    std::uint64_t begins_at = 0;  ///< which line that was
    std::map<std::uint64_t, std::uint64_t> gaps;  ///< first to last
    std::map<std::uint64_t, port::Sha256> noted;  ///< seq to hash, of earlier heads
  };
  using Chains = std::map<port::Scope, Chain>;

  void problem(ProblemKind kind, const Chains::value_type* chain, std::uint64_t seq, std::uint64_t last,
               std::string what);
  /// Whether it is the next record of a chain that was expected, and so not missing besides.
  bool told_as_edited(const port::Scope& scope, std::uint64_t seq, const Error& why);
  void header_line(const json::object& o, std::string_view text);
  void chain_line(const json::object& o, std::string_view text);
  void manifest_line(const json::value& v, std::string_view text);
  /// The lines between the records, of what was read as lines: what they say stands in the manifest, too.
  void check_frame();
  /// Chains stand in the manifest's order, and the records of one together.
  void check_order();
  void check_place(const Chains::value_type& entry, std::uint64_t seq);
  void check(Chains::value_type& chain, const Record& record, bool as_written);
  void close(Chains::value_type& chain);
  static bool fill_gap(Chain& chain, std::uint64_t seq);

  const port::Crypto* crypto_;
  Chains chains_;
  std::optional<Manifest> manifest_;
  std::string manifest_sha256_;
  std::string noted_;
  Report report_;
  std::uint64_t line_ = 0;
  bool lines_ = false;  ///< it came as lines
  std::string header_;
  std::optional<port::Scope> current_;  ///< whose records stand here
  bool over_ = false;                   ///< the manifest line has come
};

}  // namespace deprov::evidence
