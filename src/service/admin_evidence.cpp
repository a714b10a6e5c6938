// Evidence leaves here: which chains there are, their records page by page, and all of it as one stream.
#include <algorithm>
#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/evidence/manifest.hpp>
#include <limits>
#include <utility>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

constexpr std::uint64_t scanned_at_once = 50'000;
constexpr std::size_t records_a_piece = 500;

struct Range {
  std::optional<WallTime> from, to;
  std::optional<IntegrationId> integration;
};

struct ChainRange {
  port::Scope scope;
  std::string name;
  port::ChainHead anchor;
  std::uint64_t last = 0;  ///< 0: no record of the range
  std::uint64_t head = 0;
};

Result<std::optional<WallTime>> time_of(const AdminCall& call, std::string_view name) {
  const auto it = call.query.find(name);
  if (it == call.query.end()) return std::optional<WallTime>{};
  auto t = parse_rfc3339(it->second);
  if (!t)
    return Error(Errc::invalid_argument, "not a time", "query parameter " + std::string(name),
                 "give it as 2026-11-24T00:00:00Z");
  return std::optional<WallTime>(*t);
}

Result<Range> range_of(const AdminCall& call) {
  Range range;
  DEPROV_TRY(from, time_of(call, "from"));
  DEPROV_TRY(to, time_of(call, "to"));
  DEPROV_TRY(integration, id_of<IntegrationId>(call, "integration"));
  if (from && to && *to < *from)  // nothing would look like no evidence
    return Error(Errc::invalid_argument, "the range ends before it begins", "query parameter to",
                 "give the earlier time as from");
  range.from = from;
  range.to = to;
  range.integration = integration;
  return range;
}

/// The chains of a workspace, those of deleted integrations included, or of one integration (R21: of this
/// workspace).
Result<std::vector<ChainRange>> chains_of(port::Reader& reader, WorkspaceId workspace, const Range& range) {
  std::vector<ChainRange> chains;
  if (!range.integration) {
    ChainRange own;
    own.scope.workspace = workspace;
    own.name = "workspace";
    chains.push_back(std::move(own));
  }
  DEPROV_TRY(rows, reader.integrations_ever(workspace));
  for (auto& row : rows) {
    if (range.integration && *range.integration != row.scope.integration) continue;
    ChainRange chain;
    chain.scope = row.scope;
    chain.name = std::move(row.name);
    chains.push_back(std::move(chain));
  }
  if (range.integration && chains.empty()) {
    return Error(Errc::not_found, "there is no such integration", "integration " + range.integration->str(),
                 "list them with GET /api/v1/integrations");
  }
  for (auto& chain : chains) {
    DEPROV_TRY(head, reader.activity_head(chain.scope));
    chain.head = head;
  }
  return chains;
}

/// Finds the records of a range of time, piece by piece: times need not rise along a chain.
class Collector : public std::enable_shared_from_this<Collector> {
 public:
  using Done = port::UniqueFunction<void(Result<std::vector<ChainRange>>)>;
  Collector(engine::Engine& engine, WorkspaceId workspace, Range range, Done done)
      : engine_(engine), workspace_(workspace), range_(std::move(range)), done_(std::move(done)) {}

  void start() {
    step([this](port::Reader& reader) -> Result<void> {
      DEPROV_TRY(chains, chains_of(reader, workspace_, range_));
      chains_ = std::move(chains);
      return {};
    });
  }

 private:
  template <class F>
  void step(F body) {
    auto self = shared_from_this();
    engine_.view([self, body](port::Reader& reader) { return body(reader); },
                 [self](const Result<void>& read) {
                   if (!read) return self->done_(read.error());
                   self->next();
                 });
  }

  void next() {
    if (at_ == chains_.size()) return done_(std::move(chains_));
    step([this](port::Reader& reader) { return look(reader); });
  }

  Result<void> look(port::Reader& reader) {
    auto& chain = chains_[at_];
    if (!range_.from && !range_.to) {
      chain.last = chain.head;
      ++at_;
      return {};
    }
    if (scanned_ < chain.head) {
      const auto upto = std::min(scanned_ + scanned_at_once, chain.head);
      const auto from = range_.from.value_or(WallTime{std::numeric_limits<std::int64_t>::min()});
      const auto to = range_.to.value_or(WallTime{std::numeric_limits<std::int64_t>::max()});
      DEPROV_TRY(span, reader.activity_span(chain.scope, scanned_, upto, from, to));
      if (span) {
        if (chain.last == 0) chain.anchor.seq = span->first - 1;
        chain.last = span->last;
      }
      scanned_ = upto;
      if (scanned_ < chain.head) return {};
    }
    if (chain.anchor.seq != 0) {
      DEPROV_TRY(page, reader.activity(chain.scope, chain.anchor.seq - 1, 1));
      if (page.rows.size() != 1 || page.rows.front().seq != chain.anchor.seq)
        return Error(Errc::store_corrupt, "a record is missing", "seq " + std::to_string(chain.anchor.seq));
      chain.anchor.hash = page.rows.front().hash;
    }
    scanned_ = 0;
    ++at_;
    return {};
  }

  engine::Engine& engine_;
  WorkspaceId workspace_;
  Range range_;
  Done done_;
  std::vector<ChainRange> chains_;
  std::size_t at_ = 0;
  std::uint64_t scanned_ = 0;
};

void collect(const CallPtr& call, Collector::Done done) {
  auto range = range_of(*call);
  if (!range) return done(range.error());
  std::make_shared<Collector>(call->engine, call->by.workspace, *range, std::move(done))->start();
}

void list_chains(const CallPtr& call) {
  collect(call, [call](Result<std::vector<ChainRange>> chains) {
    if (!chains) return fail(call, chains.error());
    json::array items;
    for (const auto& c : *chains) {
      items.push_back(json::object{{"workspace", c.scope.workspace.str()},
                                   {"integration", id_json(c.scope.integration)},
                                   {"name", c.name},
                                   {"anchor_seq", c.anchor.seq},
                                   {"anchor_hash", hash_text(c.anchor.hash)},
                                   {"last_seq", c.last},
                                   {"head_seq", c.head}});
    }
    answer(call, 200, json::object{{"items", std::move(items)}});
  });
}

void list_records(const CallPtr& call) {
  const auto after = number_of(*call, "after", 0);
  if (!after) return fail(call, after.error());
  const auto upto = number_of(*call, "upto", std::numeric_limits<std::uint64_t>::max());
  if (!upto) return fail(call, upto.error());
  const auto limit = limit_of(*call, 100, 1000);
  if (!limit) return fail(call, limit.error());
  const auto range = range_of(*call);
  if (!range) return fail(call, range.error());
  read(call,
       [call, range = *range, after = *after, upto = *upto,
        limit = *limit](port::Reader& reader) -> Result<json::value> {
         const port::Scope scope{call->by.workspace, range.integration.value_or(IntegrationId{})};
         if (range.integration) DEPROV_CHECK(chains_of(reader, scope.workspace, range));
         port::Sha256 previous{};
         // With the record before, for its hash.
         DEPROV_TRY(page, reader.activity(scope, after == 0 ? 0 : after - 1, limit + (after == 0 ? 0 : 1)));
         json::array items;
         json::value next;
         for (auto& row : page.rows) {
           const auto hash = row.hash;
           if (row.seq > upto) break;
           if (row.seq > after) {
             next = row.seq;
             items.push_back(evidence::to_json({std::move(row), previous}));
           }
           previous = hash;
         }
         if (!page.more || (!page.rows.empty() && page.rows.back().seq >= upto)) next = nullptr;
         return json::value(json::object{{"items", std::move(items)}, {"next", std::move(next)}});
       });
}

// ---- all of it

struct Progress {
  Progress(engine::Engine& e, std::vector<ChainRange> c, evidence::Manifest head)
      : engine(e), chains(std::move(c)), exporter(e.ports().crypto, std::move(head)) {}
  engine::Engine& engine;
  std::vector<ChainRange> chains;
  evidence::Exporter exporter;
  std::size_t at = 0;
  std::uint64_t after = 0;
  bool begun = false;     ///< the header is out
  bool in_chain = false;  ///< its first line is out
  bool over = false;
  std::string piece;
  port::UniqueFunction<void(std::optional<std::string>)> done;
  std::atomic<bool> closed = false;
};

/// Reads until a piece is full or the chains are at their end.
Result<void> read_piece(Progress& p, port::Reader& reader) {
  std::size_t left = records_a_piece;
  while (left != 0 && p.at < p.chains.size()) {
    auto& chain = p.chains[p.at];
    if (!p.in_chain) {
      p.piece += p.exporter.chain_line(chain.scope, chain.name, chain.anchor) + "\n";
      p.after = chain.anchor.seq;
      p.in_chain = true;
    }
    if (p.after < chain.last) {
      DEPROV_TRY(page, reader.activity(chain.scope, p.after, left));
      if (page.rows.empty())
        return Error(Errc::store_corrupt, "records are missing", "seq " + std::to_string(p.after + 1));
      for (auto& row : page.rows) {
        if (row.seq > chain.last) break;
        p.after = row.seq;
        --left;
        p.piece += evidence::Exporter::record_line(p.exporter.add(std::move(row))) + "\n";
      }
    }
    if (p.after >= chain.last) {
      ++p.at;
      p.in_chain = false;
    }
  }
  if (p.at == p.chains.size()) {
    p.piece += p.exporter.manifest_line() + "\n";
    p.over = true;
  }
  return {};
}

class EvidenceStream final : public BodyStream {
 public:
  explicit EvidenceStream(std::shared_ptr<Progress> progress) : progress_(std::move(progress)) {}
  EvidenceStream(const EvidenceStream&) = delete;
  EvidenceStream& operator=(const EvidenceStream&) = delete;
  ~EvidenceStream() override { progress_->closed = true; }

  void next(port::UniqueFunction<void(std::optional<std::string>)> done) override {
    auto& p = *progress_;
    if (p.over) return done(std::nullopt);
    if (!p.begun) {
      p.begun = true;
      return done(p.exporter.header_line() + "\n");
    }
    p.done = std::move(done);
    p.piece.clear();
    p.engine.view([progress = progress_](port::Reader& reader) { return read_piece(*progress, reader); },
                  [progress = progress_](const Result<void>& read) {
                    if (progress->closed) return;
                    // Without its manifest an export does not verify, so that a failure cannot pass for the end.
                    if (!read) progress->over = true;
                    auto call = std::move(progress->done);
                    call(read ? std::optional(std::move(progress->piece)) : std::nullopt);
                  });
  }

 private:
  std::shared_ptr<Progress> progress_;
};

void stream(const CallPtr& call) {
  collect(call, [call](Result<std::vector<ChainRange>> chains) {
    if (!chains) return fail(call, chains.error());
    const auto range = range_of(*call);
    evidence::Manifest head;
    head.workspace = call->by.workspace;
    head.from = range->from;
    head.to = range->to;
    head.created = call->engine.ports().clock.wall();
    Response r;
    r.headers.push_back({"Content-Type", "application/x-ndjson"});
    r.headers.push_back({"Cache-Control", "no-store"});
    r.stream = std::make_shared<EvidenceStream>(
        std::make_shared<Progress>(call->engine, std::move(*chains), std::move(head)));
    call->respond(std::move(r));
  });
}

void retain(const CallPtr& call) {
  auto before = parse_rfc3339(call->text("before"));
  if (!before) {
    return fail(call,
                Error(Errc::invalid_argument, "not a time", "body/before", "give it as 2026-11-24T00:00:00Z"));
  }
  IntegrationId id;
  if (const auto text = call->text("integration"); !text.empty()) {
    const auto parsed = IntegrationId::parse(text);
    if (!parsed) return fail(call, Error(Errc::invalid_argument, "not a UUID", "body/integration"));
    id = *parsed;
  }
  call->engine.delete_details(call->by, id, *before, [call](Result<std::uint64_t> deleted) {
    if (!deleted) return fail(call, deleted.error());
    answer(call, 200, json::object{{"details_deleted", *deleted}});
  });
}

}  // namespace

void add_evidence_routes(std::vector<AdminRoute>& routes) {
  const std::string_view tag = "evidence";
  const std::vector<AdminParameter> range{
      {"from", "string", "RFC 3339: from the first record of this time or later."},
      {"to", "string", "RFC 3339: to the last record before this time."},
      {"integration", "uuid", "Only the chain of this one, deleted or not."}};
  routes.push_back({"GET", "/evidence", "exportEvidence", tag,
                    "Evidence as JSON Lines: a header, each chain with its records, the manifest",
                    Needs::integrations, range, "", 200, "EvidenceLine", stream, "application/x-ndjson"});
  routes.push_back({"GET", "/evidence/chains", "listEvidenceChains", tag,
                    "The chains of the workspace, and which of their records are of a range of time",
                    Needs::integrations, range, "", 200, "EvidenceChainList", list_chains});
  routes.push_back({"GET",
                    "/evidence/records",
                    "listEvidenceRecords",
                    tag,
                    "Records of one chain with all that their hashes are made of",
                    Needs::integrations,
                    {{"integration", "uuid", "Its chain; left out: that of the workspace."},
                     {"after", "integer", "The seq of the last record that was seen."},
                     {"upto", "integer", "The seq of the last record that is wanted."},
                     {"limit", "integer", "1 to 1000, default 100."}},
                    "",
                    200,
                    "EvidenceRecordList",
                    list_records});
  routes.push_back({"POST",
                    "/evidence/retain",
                    "deleteDetails",
                    tag,
                    "Deletes the details of old records; their hashes stay, and the chain holds",
                    Needs::principals,
                    {},
                    "DeleteDetails",
                    200,
                    "DetailsDeleted",
                    retain});
}

}  // namespace deprov::service
