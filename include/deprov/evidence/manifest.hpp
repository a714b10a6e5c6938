// What an export says of itself: its chains, their anchors, their counts.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/evidence/record.hpp>
#include <deprov/port/activity_chain.hpp>
#include <optional>
#include <string>
#include <vector>

namespace deprov::evidence {

/// One chain in an export: its records from `anchor.seq + 1` to `head.seq`, without gaps.
struct ChainPart {
  port::Scope scope;
  std::string name;        ///< of the integration; "workspace" for the workspace's own chain
  port::ChainHead anchor;  ///< the place before the first record
  port::ChainHead head;    ///< the last record; the anchor where there is none
  std::uint64_t records = 0;
  std::uint64_t details = 0;          ///< records whose detail is there
  std::uint64_t details_deleted = 0;  ///< records whose detail retention deleted
};

struct Manifest {
  WorkspaceId workspace;
  std::optional<WallTime> from, to;  ///< the range that was asked for
  WallTime created;
  std::vector<ChainPart> chains;
};

/// With "sha256" as its last member: of the compact JSON of all the others, in their order.
[[nodiscard]] json::object to_json(const Manifest& manifest, const port::Crypto& crypto);
/// The hash that `to_json` puts into the manifest; note it elsewhere, and nobody can put another in its place.
[[nodiscard]] std::string manifest_hash(const Manifest& manifest, const port::Crypto& crypto);
/// Errors: `invalid_syntax`; `store_corrupt` where its own hash is not that of its content.
[[nodiscard]] Result<Manifest> parse_manifest(const json::value& value, const port::Crypto& crypto);

/// Makes the lines of an export, and the manifest of what it was given. Constant memory but for one entry per
/// chain.
class Exporter {
 public:
  /// `head` without its chains.
  Exporter(const port::Crypto& crypto, Manifest head) : crypto_(&crypto), manifest_(std::move(head)) {}

  [[nodiscard]] std::string header_line() const;
  /// The records that follow are of this chain, from right after `anchor` on.
  [[nodiscard]] std::string chain_line(const port::Scope& scope, const std::string& name,
                                       const port::ChainHead& anchor);
  /// The next record of the chain. It is exported as it is, whole or not: finding out is the verifier's part.
  [[nodiscard]] Record add(port::ActivityRow row);
  [[nodiscard]] static std::string record_line(const Record& record);
  [[nodiscard]] std::string manifest_line() const;
  [[nodiscard]] const Manifest& manifest() const noexcept { return manifest_; }

 private:
  const port::Crypto* crypto_;
  Manifest manifest_;
};

}  // namespace deprov::evidence
