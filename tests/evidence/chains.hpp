// Chains of records made by hand, and the export of them as lines.
#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/evidence/manifest.hpp>
#include <deprov/evidence/verifier.hpp>
#include <memory>
#include <string>
#include <vector>
#include "catch.hpp"

namespace deprov::test::evidence {

inline const port::Crypto& digests() {
  static const auto instance = crypto::make_crypto();
  return *instance;
}

inline port::Scope scope(std::uint8_t integration) {
  port::Scope s;
  s.workspace.value.bytes[15] = 1;
  s.integration.value.bytes[15] = integration;
  return s;
}

/// Records `first` to `last` of a chain that begins at 1, every fifth of them without its detail.
inline std::vector<port::ActivityRow> chain(const port::Scope& where, std::uint64_t first, std::uint64_t last) {
  std::vector<port::ActivityRow> rows;
  port::Sha256 previous{};
  for (std::uint64_t seq = 1; seq <= last; ++seq) {
    port::ActivityRow r;
    r.scope = where;
    r.seq = seq;
    r.at = {1'700'000'000'123'456 + static_cast<std::int64_t>(seq) * 1'000'000};
    r.event = seq % 2 == 0 ? "removal.verified" : "removal.requested";
    r.actor = "idp:okta";
    if (seq % 3 != 0) r.subject.value.bytes[0] = static_cast<std::uint8_t>(seq);
    if (seq % 4 == 0) r.job.value.bytes[1] = 7;
    r.salt.emplace().fill(static_cast<std::uint8_t>(seq));
    r.detail = "{\"cause\":\"deactivated\",\"text\":\"a, \\\"b\\\"\\n\",\"n\":" + std::to_string(seq) + "}";
    r.detail_hash = port::activity_detail_hash(digests(), *r.salt, *r.detail);
    if (seq % 5 == 0) {
      r.salt.reset();
      r.detail.reset();
    }
    r.hash = port::activity_hash(digests(), previous, r);
    previous = r.hash;
    if (seq >= first) rows.push_back(r);
  }
  return rows;
}

inline port::ChainHead anchor_of(const port::Scope& where, std::uint64_t first) {
  if (first == 1) return {};
  return {first - 1, chain(where, first - 1, first - 1).front().hash};
}

/// What an export of some chains looks like.
struct Export {
  std::vector<std::string> lines;
  std::vector<std::string> csv;
  deprov::evidence::Manifest manifest;

  explicit Export(const std::vector<std::vector<port::ActivityRow>>& chains) {
    deprov::evidence::Manifest head;
    head.workspace = scope(0).workspace;
    head.created = {1'700'000'100'000'000};
    deprov::evidence::Exporter out(digests(), head);
    lines.push_back(out.header_line());
    for (const auto& rows : chains) {
      const auto& where = rows.front().scope;
      lines.push_back(out.chain_line(where, "chain", anchor_of(where, rows.front().seq)));
      for (const auto& row : rows) {
        const auto record = out.add(row);
        lines.push_back(deprov::evidence::Exporter::record_line(record));
        csv.push_back(deprov::evidence::to_csv(record));
      }
    }
    lines.push_back(out.manifest_line());
    manifest = out.manifest();
  }
  /// The line of a record in the first chain.
  std::string& at(std::uint64_t seq) { return lines.at(static_cast<std::size_t>(seq) + 1); }
};

inline deprov::evidence::Report verify(const std::vector<std::string>& lines) {
  deprov::evidence::Verifier v(digests());
  for (const auto& l : lines) v.line(l);
  return v.finish();
}

/// "edited 5", "removed 3-4", one problem each, in order.
inline std::vector<std::string> problems(const deprov::evidence::Report& report) {
  std::vector<std::string> out;
  for (const auto& p : report.problems) {
    std::string text(to_string(p.kind));
    if (p.seq != 0) text += " " + std::to_string(p.seq);
    if (p.last_seq != p.seq) text += "-" + std::to_string(p.last_seq);
    out.push_back(text);
  }
  return out;
}

}  // namespace deprov::test::evidence
