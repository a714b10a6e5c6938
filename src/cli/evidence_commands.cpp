// `evidence`: export, verify, retain.
#include <unistd.h>
#include <boost/json/serialize.hpp>
#include <deprov/crypto/crypto.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include "cli/commands.hpp"
#include "cli/evidence.hpp"

namespace deprov::cli {

namespace {

namespace fs = std::filesystem;

struct EvidenceOptions {
  std::string from, to, out, path, against, manifest_hash, before;
};

constexpr const char* records_file = "records.jsonl";
constexpr const char* csv_file = "records.csv";
constexpr const char* manifest_file = "manifest.json";
constexpr const char* schema_file = "record.schema.json";

/// How far it is, on a terminal only, and gone when it is done.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what) : what_(std::move(what)), shown_(::isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (shown_ && any_) std::cerr << "\r\x1b[K" << std::flush;
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void at(std::uint64_t done, std::uint64_t total) {
    if (!shown_) return;
    any_ = true;
    std::cerr << "\r\x1b[K" << what_ << " " << done << " of " << total << " records" << std::flush;
  }

 private:
  std::string what_;
  bool shown_;
  bool any_ = false;
};

class OutFile {
 public:
  Result<void> open(const std::string& path) {
    path_ = path;
    if (path == "-") return {};
    if (fs::exists(path)) {
      return Error(Errc::conflict, "the file is there already", path,
                   "name another one: evidence is not written over");
    }
    file_.open(path, std::ios::binary);
    if (!file_) return Error(Errc::io, "the file cannot be written", path);
    return {};
  }
  Result<void> line(std::string_view text) {
    auto& out = path_ == "-" ? std::cout : static_cast<std::ostream&>(file_);
    out << text << '\n';
    if (!out) return Error(Errc::io, "writing failed", path_, "see whether the disk is full");
    return {};
  }
  Result<void> close() {
    if (path_ == "-") {
      std::cout.flush();
      return {};
    }
    file_.close();
    if (!file_) return Error(Errc::io, "writing failed", path_, "see whether the disk is full");
    return {};
  }

 private:
  std::string path_;
  std::ofstream file_;
};

Result<ExportRange> range_of(Api& api, const Session& session, const EvidenceOptions& o) {
  ExportRange range;
  if (!o.from.empty()) {
    DEPROV_TRY(from, moment(o.from, "--from"));
    range.from = from;
  }
  if (!o.to.empty()) {
    DEPROV_TRY(to, moment(o.to, "--to"));
    range.to = to;
  }
  if (!session.integration.empty()) {
    DEPROV_TRY(id, find_integration(api, session.integration));
    range.integration = id;
  }
  return range;
}

Result<int> export_all(const Session& session, const EvidenceOptions& o) {
  const bool file = o.out == "-" || o.out.ends_with(".jsonl");
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(range, range_of(*api, session, o));
  const auto crypto = crypto::make_crypto();
  OutFile records;
  OutFile csv;
  if (!file) {
    std::error_code ec;
    fs::create_directories(o.out, ec);
    if (ec) return Error(Errc::io, "the directory cannot be made: " + ec.message(), "--out " + o.out);
    DEPROV_CHECK(csv.open(o.out + "/" + csv_file));
    DEPROV_CHECK(csv.line(std::string(evidence::csv_heading()) + "\r"));
  }
  DEPROV_CHECK(records.open(file ? o.out : o.out + "/" + records_file));
  ExportSink sink;
  sink.line = [&](std::string_view text) { return records.line(text); };
  if (!file) sink.record = [&](const evidence::Record& r) { return csv.line(evidence::to_csv(r) + "\r"); };
  const auto progress = std::make_shared<ProgressLine>("exporting");
  sink.progress = [progress](std::uint64_t done, std::uint64_t total) { progress->at(done, total); };
  DEPROV_TRY(manifest, export_evidence(*api, *crypto, range, sink));
  DEPROV_CHECK(records.close());
  const auto summary = evidence::to_json(manifest, *crypto);
  if (!file) {
    DEPROV_CHECK(csv.close());
    OutFile whole;
    DEPROV_CHECK(whole.open(o.out + "/" + manifest_file));
    DEPROV_CHECK(whole.line(json::serialize(summary)));
    DEPROV_CHECK(whole.close());
    OutFile schema;
    std::error_code ec;
    fs::remove(o.out + "/" + schema_file, ec);
    DEPROV_CHECK(schema.open(o.out + "/" + schema_file));
    DEPROV_CHECK(schema.line(json::serialize(evidence::record_schema())));
    DEPROV_CHECK(schema.close());
  }
  auto& out = o.out == "-" ? std::cerr : std::cout;
  if (session.as_json) {
    out << json::serialize(json::object{{"out", o.out}, {"manifest", summary}}) << std::endl;
  } else {
    out << cell(summary, "records") << " records of " << manifest.chains.size() << " chains; "
        << cell(summary, "details_deleted") << " details were deleted by retention\n"
        << "manifest sha256 " << cell(summary, "sha256") << "  (note it elsewhere)\n";
  }
  return exit_ok;
}

json::object to_json(const std::string& file, const evidence::Report& r) {
  json::object out{{"file", file}};
  for (auto& member : evidence::to_json(r)) out.emplace(member.key(), std::move(member.value()));
  return out;
}

void print_report(const std::string& file, const evidence::Report& r) {
  for (const auto& p : r.problems) {
    std::string line = file;
    if (p.line != 0) line += ":" + std::to_string(p.line);
    line += ": " + std::string(to_string(p.kind));
    if (p.chain) line += ", chain \"" + p.chain_name + "\"";
    if (p.seq != 0) line += ", seq " + std::to_string(p.seq);
    if (p.last_seq != p.seq) line += " to " + std::to_string(p.last_seq);
    std::cout << safe(line + ": " + p.what) << "\n";
  }
  if (r.problem_count > r.problems.size())
    std::cout << safe(file) << ": " << r.problem_count - r.problems.size() << " more problems\n";
  std::cout << safe(file) << ": " << r.records << " records of " << r.chains << " chains "
            << (r.holds() ? "hold" : "do not hold") << "; " << r.details_deleted
            << " details were deleted by retention\n";
}

using Reports = std::vector<std::pair<std::string, evidence::Report>>;

Result<void> verify_path(const EvidenceOptions& o, const port::Crypto& crypto, Reports& reports) {
  std::error_code ec;
  const bool directory = fs::is_directory(o.path, ec);
  if (!directory) {
    evidence::Verifier verifier(crypto);
    if (!o.manifest_hash.empty()) verifier.expect_manifest(o.manifest_hash);
    DEPROV_TRY(report, verify_lines(o.path, verifier));
    reports.emplace_back(o.path, std::move(report));
    return {};
  }
  const auto manifest_path = o.path + "/" + manifest_file;
  auto manifest = read_manifest(manifest_path, crypto, true);
  if (!manifest) {
    if (manifest.error().code() != Errc::store_corrupt && manifest.error().code() != Errc::invalid_syntax)
      return manifest.error();
    evidence::Verifier verifier(crypto);
    verifier.unreadable(manifest.error().message());
    reports.emplace_back(manifest_path, verifier.finish(false));
  }
  for (const auto* name : {records_file, csv_file}) {
    const auto path = o.path + "/" + name;
    const bool csv = std::string_view(name) == csv_file;
    if (csv && !manifest) continue;
    evidence::Verifier verifier(crypto);
    if (csv && !fs::exists(path)) {
      verifier.missing("the file is missing, which an export has beside " + std::string(records_file));
      reports.emplace_back(path, verifier.finish(false));
      continue;
    }
    if (manifest) verifier.expect(*manifest);
    if (!o.manifest_hash.empty()) verifier.expect_manifest(o.manifest_hash);
    DEPROV_TRY(report, csv ? verify_csv(path, verifier) : verify_lines(path, verifier));
    reports.emplace_back(path, std::move(report));
  }
  return {};
}

/// The store's own chains: what an export would hold, without the file.
Result<void> verify_store(const Session& session, const EvidenceOptions& o, const port::Crypto& crypto,
                          Reports& reports) {
  DEPROV_TRY(api, session.open());
  DEPROV_TRY(range, range_of(*api, session, o));
  evidence::Verifier verifier(crypto);
  if (!o.against.empty()) {
    std::error_code ec;
    const bool directory = std::filesystem::is_directory(o.against, ec);
    DEPROV_TRY(earlier, read_manifest(directory ? o.against + "/manifest.json" : o.against, crypto));
    verifier.expect_heads(earlier);
  }
  ExportSink sink;
  sink.line = [&](std::string_view text) -> Result<void> {
    verifier.line(text);
    return {};
  };
  const auto progress = std::make_shared<ProgressLine>("verifying");
  sink.progress = [progress](std::uint64_t done, std::uint64_t total) { progress->at(done, total); };
  DEPROV_CHECK(export_evidence(*api, crypto, range, sink));
  const auto where = !session.data.empty()     ? session.data
                     : !session.server.empty() ? session.server
                                               : std::string("the server's store");
  reports.emplace_back(where, verifier.finish());
  return {};
}

Result<int> verify(const Session& session, const EvidenceOptions& o) {
  const auto crypto = crypto::make_crypto();
  Reports reports;
  if (!o.path.empty()) {
    if (!o.against.empty()) {
      return Error(Errc::invalid_argument, "a store is compared with an earlier manifest, and a file has its own",
                   "--against", "use --manifest-hash for a file");
    }
    DEPROV_CHECK(verify_path(o, *crypto, reports));
  } else {
    DEPROV_CHECK(verify_store(session, o, *crypto, reports));
  }
  bool holds = true;
  json::array files;
  for (const auto& [file, report] : reports) {
    holds = holds && report.holds();
    if (session.as_json) {
      files.push_back(to_json(file, report));
    } else {
      print_report(file, report);
    }
  }
  if (session.as_json) print_json(json::object{{"holds", holds}, {"files", std::move(files)}});
  return holds ? exit_ok : exit_broken;
}

Result<int> retain(const Session& session, const EvidenceOptions& o) {
  DEPROV_TRY(before, moment(o.before, "--before"));
  DEPROV_TRY(api, session.open());
  std::vector<std::pair<std::string, std::string>> chains;  // id, name
  if (!session.integration.empty()) {
    DEPROV_TRY(id, find_integration(*api, session.integration));
    chains.emplace_back(id, session.integration);
  } else {
    DEPROV_TRY(found, api->call("GET", "/evidence/chains"));
    for (const auto& c : found.at("items").as_array())
      chains.emplace_back(c.at("integration").is_null() ? std::string{} : cell(c, "integration"), cell(c, "name"));
  }
  json::array items;
  std::vector<std::vector<std::string>> rows;
  for (const auto& [id, name] : chains) {
    json::object body{{"before", before}};
    if (!id.empty()) body["integration"] = id;
    DEPROV_TRY(done, api->call("POST", "/evidence/retain", body));
    items.push_back(json::object{{"integration", id.empty() ? json::value(nullptr) : json::value(id)},
                                 {"name", name},
                                 {"details_deleted", done.at("details_deleted")}});
    rows.push_back({name, cell(done, "details_deleted")});
  }
  if (session.as_json) {
    print_json(json::object{{"before", before}, {"items", std::move(items)}});
  } else {
    print_table({"CHAIN", "DETAILS DELETED"}, rows);
  }
  return exit_ok;
}

}  // namespace

void add_evidence_commands(CLI::App& program, Session& session) {
  auto* group = program.add_subcommand("evidence", "Evidence: exported, verified, and deleted when it is old");
  group->require_subcommand(1);
  const auto options = std::make_shared<EvidenceOptions>();
  const auto range = [&](CLI::App* command) {
    command->add_option("--from", options->from, "From the first record of this time or later");
    command->add_option("--to", options->to, "To the last record before this time");
    command->add_option("--integration", session.integration, "Only this one, by id or name");
  };
  auto* out = add_command(*group, session, "export", "Records with their hashes, as JSON Lines and CSV",
                          [&session, options] { return export_all(session, *options); });
  range(out);
  out->add_option("--out", options->out,
                  "A directory, or a file whose name ends with .jsonl, or - for standard output")
      ->required();
  auto* check = add_command(*group, session, "verify",
                            "Check an export, which needs no store, or (--data, --server) the chains of a store",
                            [&session, options] { return verify(session, *options); });
  check->add_option("path", options->path, "What `evidence export` wrote: a file or a directory");
  check->add_option("--manifest-hash", options->manifest_hash, "The sha256 of its manifest that you noted");
  check->add_option("--against", options->against, "An earlier export of the store: its records must be there");
  check->footer("Exit codes: 0 it holds, 6 it does not, 1 it could not be read.");
  auto* old = add_command(*group, session, "retain", "Delete the details of old records; the chains still hold",
                          [&session, options] { return retain(session, *options); });
  old->add_option("--before", options->before, "Of records before this time")->required();
  old->add_option("--integration", session.integration,
                  "Only this one, by id or name; else all and the workspace's");
}

}  // namespace deprov::cli
