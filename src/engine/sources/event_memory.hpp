// What a receiver of security events remembers, so that nothing takes effect twice, or after what came later.
#pragma once

#include <deprov/engine/events.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/port/store.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::engine {

/// Facts about tokens, each by the digest of its key, spread over 256 pieces of the source; a decision reads and
/// writes the few that it touches. A fact is forgotten 30 days after its token was issued, or earlier where its
/// piece is full; then the piece knows up to when it forgot, and older tokens are refused. Used for one call of a
/// deciding body, while its Reader lives.
class EventMemory {
 public:
  static constexpr std::size_t most_facts = 1024;  ///< in a piece

  EventMemory(port::Reader& reader, const port::Scope& scope, SourceId source, const port::Crypto& crypto,
              WallTime now)
      : reader_(reader), scope_(scope), source_(source), crypto_(crypto), now_(now) {}

  /// The value that was remembered; nothing: it was not.
  [[nodiscard]] Result<std::optional<std::uint64_t>> find(std::string_view kind, std::string_view key);
  /// Whether facts of tokens that were issued then may have been forgotten already, where this one would be.
  [[nodiscard]] Result<bool> may_be_forgotten(std::string_view kind, std::string_view key, WallTime issued);
  [[nodiscard]] Result<void> remember(std::string_view kind, std::string_view key, std::uint64_t value,
                                      WallTime issued);
  /// Writes what has changed.
  void put(port::Transaction& txn) const;

 private:
  struct Fact {
    std::string key;  ///< 16 bytes
    std::uint64_t value = 0;
    WallTime issued;
  };
  struct Piece {
    WallTime forgotten;  ///< facts of tokens up to then may be gone
    std::vector<Fact> facts;
    bool changed = false;
  };
  [[nodiscard]] std::string digest(std::string_view kind, std::string_view key) const;
  [[nodiscard]] Result<Piece*> piece(std::uint8_t place);

  port::Reader& reader_;
  port::Scope scope_;
  SourceId source_;
  const port::Crypto& crypto_;
  WallTime now_;
  std::map<std::uint8_t, Piece> pieces_;
};

/// The first eight bytes of a digest of these bytes.
[[nodiscard]] std::uint64_t short_digest(const port::Crypto& crypto, std::string_view bytes);

/// The subjects that could not be linked, as stored.
[[nodiscard]] Result<std::vector<UnlinkedSubject>> read_unlinked(port::Reader& reader, const port::Scope& scope,
                                                                 SourceId source);
/// Adds one, or counts it once more; the oldest beyond 100 is left out.
void add_unlinked(std::vector<UnlinkedSubject>& all, UnlinkedSubject one);
[[nodiscard]] port::op::PutSourcePiece put_unlinked(const port::Scope& scope, SourceId source,
                                                    const std::vector<UnlinkedSubject>& all);

}  // namespace deprov::engine
