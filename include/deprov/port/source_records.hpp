// What is stored of sources besides SCIM push: their last complete lists, and what they said of subjects.
#pragma once

#include <cstdint>
#include <deprov/idp/grants.hpp>
#include <deprov/port/records.hpp>
#include <string>

namespace deprov::port {

/// A source of one integration: where changes come from besides SCIM push.
///
/// Its last complete list is stored in pieces, each a range of fingerprints, so that no transaction grows with the
/// list. A new list is written beside the old one, under the next generation, and only the pieces that differ; it
/// is nobody's list until one transaction raises `generation`, with the work that its changes call for. Of each
/// place the highest generation in [base, generation] counts.
struct SourceRow {
  Scope scope;
  SourceId id;
  std::string name;
  std::string kind;     ///< "file", "rows", "scim", "events"
  std::string config;   ///< JSON, secrets taken out
  std::string secrets;  ///< sealed JSON: the key of the fingerprints, and what was taken out of the config
  WallTime created;

  std::uint64_t generation = 0;  ///< of the last complete list; 0: there is none yet
  std::uint64_t base = 0;        ///< pieces of older generations count no more
  std::uint32_t places = 0;      ///< in how many pieces it is
  /// What a stored snapshot begins with, 24 bytes; behind them, of a polled source, what it keeps between rounds.
  /// Of a receiver of events: what it keeps of its stream.
  std::string header;
  std::uint64_t users = 0;  ///< in it
  WallTime begun;           ///< when reading it began
  WorkId work;              ///< works its changes off; nil: that is done

  WallTime attempted;          ///< when a list was last read, or tried; 0: never
  WallTime succeeded;          ///< when that was last complete; 0: never
  WallTime failing_since;      ///< R16: what was inferred from it waits; 0: it does not fail
  std::string failure;         ///< why it fails, for people
  std::uint32_t failures = 0;  ///< in a row
  WallTime due;                ///< when it is read again; 0: it is not read by itself
  std::uint64_t version = 0;
};

/// What a piece holds. Values are stored.
enum class SourcePart : std::uint8_t {
  snapshot = 0,  ///< users of the list, 24 bytes each
  changes = 1,   ///< subjects whose access the list changes: who, what, why and when, 25 bytes each
  seen = 2,      ///< of a receiver of events: what it took already, 32 bytes each
  unlinked = 3,  ///< likewise: whom its events named that nobody here is known by, as JSON
};

struct SourcePieceRow {
  Scope scope;
  SourceId source;
  SourcePart part = SourcePart::snapshot;
  std::uint32_t place = 0;
  std::uint64_t generation = 0;
  std::string bytes;
};

/// Which pieces are meant.
struct SourcePieces {
  Scope scope;
  SourceId source;
  SourcePart part = SourcePart::snapshot;
  std::uint64_t base = 0;
  std::uint64_t generation = 0;
};

/// The last word of a source on one subject, kept while it, or another source's, is that access ended.
struct GrantRow {
  Scope scope;
  ResourceId subject;
  SourceId source;  ///< nil: SCIM push
  idp::Says says = idp::Says::granted;
  idp::Cause cause = idp::Cause::none;
  WallTime begun;
  WallTime evidence_at;
};

}  // namespace deprov::port
