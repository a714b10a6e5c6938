#include "cli/evidence.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <deprov/runtime/clock.hpp>
#include <fstream>
#include <utility>
#include <vector>
#include "cli/output.hpp"

namespace deprov::cli {

namespace {

constexpr std::size_t page = 500;
constexpr std::size_t chunk = 1U << 18U;
constexpr std::size_t max_manifest = 64U << 20U;

std::string id_or_empty(const json::value& v) {
  return v.is_string() ? std::string(v.get_string()) : std::string{};
}

Error unreadable(const std::string& path) { return {Errc::not_found, "the file cannot be read", path}; }

/// Calls `each` with pieces of the file.
template <class F>
Result<void> read_pieces(const std::string& path, F&& each) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return unreadable(path);
  std::vector<char> buffer(chunk);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto n = static_cast<std::size_t>(in.gcount());
    if (n == 0) break;
    DEPROV_CHECK(each(std::string_view(buffer.data(), n)));
  }
  if (in.bad()) return Error(Errc::io, "reading failed", path);
  return {};
}

}  // namespace

Result<std::string> moment(const std::string& text, std::string_view option) {
  const auto full = text.size() == 10 ? text + "T00:00:00Z" : text;
  auto t = parse_rfc3339(full);
  if (!t) {
    return Error(Errc::invalid_argument, "\"" + text + "\" is no time", std::string(option),
                 "give 2026-11-24 or 2026-11-24T08:00:00Z");
  }
  return to_rfc3339(*t);
}

Result<evidence::Manifest> export_evidence(Api& api, const port::Crypto& crypto, const ExportRange& range,
                                           const ExportSink& sink) {
  std::string query;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    query += (query.empty() ? "?" : "&") + std::string(name) + "=" + url_encoded(value);
  };
  add("from", range.from);
  add("to", range.to);
  add("integration", range.integration);
  DEPROV_TRY(found, api.call("GET", "/evidence/chains" + query));
  const auto& chains = found.at("items").as_array();
  evidence::Manifest head;
  std::uint64_t total = 0;
  for (const auto& c : chains) {
    const auto workspace = WorkspaceId::parse(cell(c, "workspace"));
    if (!workspace) return Error(Errc::protocol, "the server names a workspace that is no id", "/evidence/chains");
    head.workspace = *workspace;
    const auto last = c.at("last_seq").to_number<std::uint64_t>();
    if (last != 0) total += last - c.at("anchor_seq").to_number<std::uint64_t>();
  }
  const auto time = [](const std::string& text) -> std::optional<WallTime> {
    if (text.empty()) return std::nullopt;
    auto t = parse_rfc3339(text);
    return t ? std::optional<WallTime>(*t) : std::nullopt;
  };
  head.from = time(range.from);
  head.to = time(range.to);
  head.created = runtime::SystemClock().wall();
  evidence::Exporter exporter(crypto, std::move(head));
  DEPROV_CHECK(sink.line(exporter.header_line()));
  std::uint64_t done = 0;
  for (const auto& c : chains) {
    port::Scope scope;
    scope.workspace = exporter.manifest().workspace;
    const auto integration = id_or_empty(c.at("integration"));
    if (const auto id = IntegrationId::parse(integration)) scope.integration = *id;
    DEPROV_TRY(anchor, evidence::parse_sha256(cell(c, "anchor_hash")));
    const auto first = c.at("anchor_seq").to_number<std::uint64_t>();
    const auto last = c.at("last_seq").to_number<std::uint64_t>();
    DEPROV_CHECK(sink.line(exporter.chain_line(scope, cell(c, "name"), {first, anchor})));
    for (auto after = first; after < last;) {
      auto path = "/evidence/records?after=" + std::to_string(after) + "&upto=" + std::to_string(last) +
                  "&limit=" + std::to_string(page);
      if (!integration.empty()) path += "&integration=" + integration;
      DEPROV_TRY(answer, api.call("GET", path));
      const auto& items = answer.at("items").as_array();
      if (items.empty())
        return Error(Errc::store_corrupt, "records are missing from the store",
                     "seq " + std::to_string(after + 1));
      for (const auto& item : items) {
        DEPROV_TRY(record, evidence::parse_record(item));
        after = record.row.seq;
        // What the store says of the record before is left to the verifier to compare.
        const auto out = exporter.add(std::move(record.row));
        DEPROV_CHECK(sink.line(evidence::Exporter::record_line(out)));
        if (sink.record) DEPROV_CHECK(sink.record(out));
        ++done;
      }
      if (sink.progress) sink.progress(done, total);
    }
  }
  DEPROV_CHECK(sink.line(exporter.manifest_line()));
  return exporter.manifest();
}

Result<evidence::Report> verify_lines(const std::string& path, evidence::Verifier& verifier) {
  std::string rest;
  DEPROV_CHECK(read_pieces(path, [&](std::string_view bytes) -> Result<void> {
    for (auto end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
      rest.append(bytes.substr(0, end));
      verifier.line(rest);
      rest.clear();
      bytes.remove_prefix(end + 1);
    }
    // A line beyond its bound is cut: it is refused as a whole all the same.
    if (rest.size() <= evidence::Verifier::max_line) rest.append(bytes);
    return {};
  }));
  if (!rest.empty()) verifier.line(rest);
  return verifier.finish();
}

Result<evidence::Report> verify_csv(const std::string& path, evidence::Verifier& verifier) {
  evidence::CsvReader reader;
  std::vector<std::vector<std::string>> rows;
  bool heading = false;
  const auto take = [&]() -> Result<void> {
    for (const auto& row : rows) {
      if (!std::exchange(heading, true)) {
        std::string line;
        for (const auto& c : row) line.append(line.empty() ? "" : ",").append(c);
        if (line == evidence::csv_heading()) continue;
        verifier.unreadable("the heading is not that of an export");
        if (!evidence::parse_record(row)) continue;
      }
      auto record = evidence::parse_record(row);
      if (!record) {
        port::Scope scope;
        std::uint64_t seq = 0;
        if (row.size() > 2) {
          scope.workspace = WorkspaceId::parse(row[0]).value_or(WorkspaceId{});
          scope.integration = IntegrationId::parse(row[1]).value_or(IntegrationId{});
          std::from_chars(row[2].data(), row[2].data() + row[2].size(), seq);
        }
        verifier.unreadable(scope, seq, record.error());
        continue;
      }
      evidence::CsvReader again;
      std::vector<std::vector<std::string>> written;
      DEPROV_CHECK(again.feed(evidence::to_csv(*record) + "\r\n", written));
      verifier.record(*record, written.size() == 1 && written.front() == row);
    }
    rows.clear();
    return {};
  };
  const auto read = read_pieces(path, [&](std::string_view bytes) -> Result<void> {
    DEPROV_CHECK(reader.feed(bytes, rows));
    return take();
  });
  if (!read) return read.error();
  reader.finish(rows);
  DEPROV_CHECK(take());
  if (!heading) verifier.unreadable("the heading is missing");
  return verifier.finish();
}

Result<evidence::Manifest> read_manifest(const std::string& path, const port::Crypto& crypto, bool alone) {
  // Of a long export only the last line is wanted.
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return unreadable(path);
  const auto size = static_cast<std::uint64_t>(in.tellg());
  std::string tail;
  for (std::uint64_t take = 1U << 16U;; take *= 4) {
    const auto n = std::min(take, size);
    tail.resize(static_cast<std::size_t>(n));
    in.clear();
    in.seekg(static_cast<std::streamoff>(size - n));
    in.read(tail.data(), static_cast<std::streamsize>(n));
    if (!in) return Error(Errc::io, "reading failed", path);
    while (!tail.empty() && (tail.back() == '\n' || tail.back() == '\r')) tail.pop_back();
    const auto start = tail.rfind('\n');
    if (start != std::string::npos) {
      if (alone) return Error(Errc::store_corrupt, "there is more in it than the manifest", path);
      tail.erase(0, start + 1);
      break;
    }
    if (n == size) break;
    if (take >= max_manifest) {
      return Error(Errc::limit_exceeded, "its last line has more than " + std::to_string(max_manifest) + " bytes",
                   path);
    }
  }
  boost::system::error_code ec;
  const auto value = json::parse(tail, ec);
  if (ec) return Error(Errc::invalid_syntax, "no manifest: " + ec.message(), path);
  auto manifest = evidence::parse_manifest(value, crypto);
  if (!manifest) return manifest.error().within(path);
  return manifest;
}

}  // namespace deprov::cli
