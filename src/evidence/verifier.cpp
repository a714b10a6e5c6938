#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/evidence/verifier.hpp>

namespace deprov::evidence {

namespace {

std::string_view text_of(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_string() ? std::string_view(v->get_string()) : std::string_view{};
}

std::string seq_text(std::uint64_t first, std::uint64_t last) {
  return first == last ? "record " + std::to_string(first)
                       : "records " + std::to_string(first) + " to " + std::to_string(last);
}

}  // namespace

std::string_view to_string(ProblemKind k) noexcept {
  constexpr std::array<std::string_view, 7> names{"edited",    "removed",    "inserted", "reordered",
                                                  "truncated", "unreadable", "manifest"};
  return names[static_cast<std::size_t>(k)];
}

void Verifier::problem(ProblemKind kind, const Chains::value_type* chain, std::uint64_t seq, std::uint64_t last,
                       std::string what) {
  if (++report_.problem_count > max_problems) return;
  Problem p;
  p.kind = kind;
  if (chain != nullptr) {
    p.chain = chain->first;
    p.chain_name = chain->second.name;
  }
  p.seq = seq;
  p.last_seq = last;
  p.line = line_;
  p.what = std::move(what);
  report_.problems.push_back(std::move(p));
}

void Verifier::expect(const Manifest& manifest) {
  manifest_ = manifest;
  manifest_sha256_ = manifest_hash(manifest, *crypto_);
  for (const auto& part : manifest.chains) {
    auto& c = chains_[part.scope];
    c.name = part.name;
    c.anchor = part.anchor;
    c.next = part.anchor.seq + 1;
    c.last = part.anchor.hash;
  }
}

void Verifier::expect_heads(const Manifest& earlier) {
  for (const auto& part : earlier.chains) {
    auto& c = chains_[part.scope];
    if (c.name.empty()) c.name = part.name;
    if (part.head.seq != 0) c.noted[part.head.seq] = part.head.hash;
  }
}

void Verifier::line(std::string_view text) {
  ++line_;
  lines_ = true;
  if (text.empty()) return;
  if (over_) return problem(ProblemKind::inserted, nullptr, 0, 0, "a line stands after the manifest");
  if (text.size() > max_line) {
    return problem(ProblemKind::unreadable, nullptr, 0, 0,
                   "the line has more than " + std::to_string(max_line) + " bytes");
  }
  boost::system::error_code ec;
  const auto value = json::parse(text, ec);
  if (ec || !value.is_object())
    return problem(ProblemKind::unreadable, nullptr, 0, 0, "the line is no JSON object");
  const auto& o = value.get_object();
  const auto type = text_of(o, "type");
  if (type == "header") return header_line(o, text);
  if (type == "chain") return chain_line(o, text);
  if (type == "manifest") return manifest_line(value, text);
  auto record = parse_record(value);
  if (!record) {
    // Which one it was is told where it can be, so that it does not look missing besides.
    const auto* seq = o.if_contains("seq");
    const auto workspace = WorkspaceId::parse(text_of(o, "workspace"));
    port::Scope scope;
    if (workspace) scope.workspace = *workspace;
    if (const auto id = IntegrationId::parse(text_of(o, "integration"))) scope.integration = *id;
    const bool numbered = seq != nullptr && seq->is_int64() && seq->get_int64() > 0;
    const auto& e = record.error();
    if (told_as_edited(scope, numbered ? static_cast<std::uint64_t>(seq->get_int64()) : 0, e)) return;
    return problem(ProblemKind::unreadable, nullptr, 0, 0, e.message());
  }
  auto chain = chains_.find(record->row.scope);
  if (chain == chains_.end() && !manifest_) {
    // Its line may be missing: the manifest, which comes last, will tell.
    chain = chains_.try_emplace(record->row.scope).first;
    auto& c = chain->second;
    c.anchor = {record->row.seq - 1, record->previous};
    c.next = record->row.seq;
    c.last = record->previous;
  }
  if (chain == chains_.end()) {
    return problem(ProblemKind::inserted, nullptr, record->row.seq, record->row.seq,
                   "the record is of a chain that the export does not have");
  }
  check_place(*chain, record->row.seq);
  // The line says more than is hashed: the time for people, the names of members, their order.
  check(*chain, *record, Exporter::record_line(*record) == text);
}

void Verifier::record(const Record& record, bool as_written) {
  ++line_;
  const auto chain = chains_.find(record.row.scope);
  if (chain == chains_.end()) {
    return problem(ProblemKind::inserted, nullptr, record.row.seq, record.row.seq,
                   "the record is of a chain that the export does not have");
  }
  if (!current_ || *current_ != record.row.scope) {
    if (chain->second.begins_at == 0)
      current_ = record.row.scope;
    else
      check_place(*chain, record.row.seq);
  }
  if (chain->second.begins_at == 0) chain->second.begins_at = line_;
  check(*chain, record, as_written);
}

void Verifier::check_place(const Chains::value_type& entry, std::uint64_t seq) {
  // What comes a second time is told as that.
  if (entry.second.begins_at == 0 || !current_ || *current_ == entry.first || seq < entry.second.next) return;
  problem(ProblemKind::reordered, &entry, seq, seq, "it stands among the records of another chain");
}

bool Verifier::told_as_edited(const port::Scope& scope, std::uint64_t seq, const Error& why) {
  const auto chain = chains_.find(scope);
  if (chain == chains_.end() || seq != chain->second.next) return false;
  problem(ProblemKind::edited, &*chain, seq, seq, why.where() + " " + why.detail());
  ++chain->second.next;
  chain->second.linked = false;
  ++chain->second.records;
  chain->second.unread = true;
  return true;
}

void Verifier::unreadable(const port::Scope& scope, std::uint64_t seq, const Error& why) {
  ++line_;
  if (!told_as_edited(scope, seq, why)) problem(ProblemKind::unreadable, nullptr, 0, 0, why.message());
}

void Verifier::unreadable(std::string what) {
  ++line_;
  problem(ProblemKind::unreadable, nullptr, 0, 0, std::move(what));
}

void Verifier::missing(std::string what) { problem(ProblemKind::removed, nullptr, 0, 0, std::move(what)); }

void Verifier::header_line(const json::object& o, std::string_view text) {
  if (!header_.empty() || line_ != 1)
    return problem(ProblemKind::inserted, nullptr, 0, 0, "a header stands in the middle");
  header_ = text;
  if (text_of(o, "format") != format_name)
    problem(ProblemKind::unreadable, nullptr, 0, 0, "the format is one that this program does not know");
}

void Verifier::chain_line(const json::object& o, std::string_view text) {
  port::Scope scope;
  const auto workspace = WorkspaceId::parse(text_of(o, "workspace"));
  const auto integration = text_of(o, "integration");
  const auto id = IntegrationId::parse(integration);
  const auto* seq = o.if_contains("anchor_seq");
  const auto hash = parse_sha256(text_of(o, "anchor_hash"));
  if (!workspace || (!integration.empty() && !id) || seq == nullptr || !seq->is_int64() || seq->get_int64() < 0 ||
      !hash)
    return problem(ProblemKind::unreadable, nullptr, 0, 0, "the line that begins a chain cannot be understood");
  scope.workspace = *workspace;
  if (id) scope.integration = *id;
  auto& entry = *chains_.try_emplace(scope).first;
  auto& chain = entry.second;
  const port::ChainHead anchor{static_cast<std::uint64_t>(seq->get_int64()), *hash};
  const bool known = manifest_ && std::any_of(manifest_->chains.begin(), manifest_->chains.end(),
                                              [&](const ChainPart& p) { return p.scope == scope; });
  if (!known) chain.name = std::string(text_of(o, "name"));
  if (!chain.begins.empty()) return problem(ProblemKind::inserted, &entry, 0, 0, "the chain begins a second time");
  chain.begins = text;
  chain.begins_at = line_;
  current_ = scope;
  if (chain.records != 0)
    return problem(ProblemKind::reordered, &entry, 0, 0,
                   "the line that begins the chain stands after its records");
  if (manifest_) {
    if (!known || !(chain.anchor == anchor))
      problem(ProblemKind::edited, &entry, 0, 0, "the chain begins elsewhere than the manifest says");
    return;
  }
  chain.anchor = anchor;
  chain.next = anchor.seq + 1;
  chain.last = anchor.hash;
  chain.linked = true;
  if (anchor.seq == 0 && anchor.hash != port::Sha256{})
    problem(ProblemKind::edited, &entry, 0, 0, "the place before the first record has a hash");
}

void Verifier::manifest_line(const json::value& v, std::string_view text) {
  over_ = true;
  auto parsed = parse_manifest(v, *crypto_);
  if (!parsed) return problem(ProblemKind::manifest, nullptr, 0, 0, parsed.error().message());
  const auto sha = manifest_hash(*parsed, *crypto_);
  if (manifest_ && sha != manifest_sha256_)
    return problem(ProblemKind::manifest, nullptr, 0, 0, "the manifest in the records is not the one beside them");
  manifest_ = std::move(*parsed);
  manifest_sha256_ = sha;
  if (json::serialize(to_json(*manifest_, *crypto_)) != text)
    problem(ProblemKind::manifest, nullptr, 0, 0, "the manifest is not as an export writes it");
}

void Verifier::check_frame() {
  if (!over_) problem(ProblemKind::truncated, nullptr, 0, 0, "the manifest is missing, with which an export ends");
  if (header_.empty())
    problem(ProblemKind::removed, nullptr, 0, 0, "the header is missing, with which an export begins");
  if (!manifest_) return;
  auto head = *manifest_;
  head.chains.clear();
  Exporter exporter(*crypto_, std::move(head));
  if (!header_.empty() && header_ != exporter.header_line())
    problem(ProblemKind::edited, nullptr, 0, 0, "the header says something else than the manifest");
  for (const auto& part : manifest_->chains) {
    auto& entry = *chains_.try_emplace(part.scope).first;
    auto& chain = entry.second;
    if (chain.name.empty()) chain.name = part.name;
    if (chain.begins.empty()) {
      // Where no record of it came either, that is told of the records.
      if (chain.records != 0 || part.head.seq == part.anchor.seq)
        problem(ProblemKind::removed, &entry, 0, 0, "the line that begins the chain is missing");
    } else if (chain.begins != exporter.chain_line(part.scope, part.name, part.anchor) &&
               chain.anchor == part.anchor) {
      problem(ProblemKind::edited, &entry, 0, 0, "the line that begins the chain is not as an export writes it");
    }
  }
}

void Verifier::check_order() {
  std::uint64_t before = 0;
  for (const auto& part : manifest_->chains) {
    const auto entry = chains_.find(part.scope);
    if (entry == chains_.end() || entry->second.begins_at == 0) continue;
    if (entry->second.begins_at < before)
      problem(ProblemKind::reordered, &*entry, 0, 0,
              "the chain stands before one that it follows in the manifest");
    before = std::max(before, entry->second.begins_at);
  }
}

bool Verifier::fill_gap(Chain& chain, std::uint64_t seq) {
  auto gap = chain.gaps.upper_bound(seq);
  if (gap == chain.gaps.begin()) return false;
  --gap;
  const auto [first, last] = *gap;
  if (seq > last) return false;
  chain.gaps.erase(gap);
  if (first < seq) chain.gaps[first] = seq - 1;
  if (seq < last) chain.gaps[seq + 1] = last;
  return true;
}

void Verifier::check(Chains::value_type& entry, const Record& r, bool as_written) {
  auto& chain = entry.second;
  const auto seq = r.row.seq;
  ++chain.records;
  bool whole = true;
  const auto edited = [&](std::string what) {
    if (whole) problem(ProblemKind::edited, &entry, seq, seq, std::move(what));
    whole = false;
  };
  if (port::activity_hash(*crypto_, r.previous, r.row) != r.row.hash) edited("the record is not what was hashed");
  if (r.row.detail.has_value() != r.row.salt.has_value()) {
    edited("only one of detail and salt is left of it");
  } else if (r.row.detail) {
    ++chain.details;
    if (port::activity_detail_hash(*crypto_, *r.row.salt, *r.row.detail) != r.row.detail_hash)
      edited("the detail is not what was hashed");
  } else {
    ++chain.details_deleted;
  }
  if (!as_written) edited("the line is not as an export writes this record");
  if (const auto noted = chain.noted.find(seq); noted != chain.noted.end()) {
    if (whole && noted->second != r.row.hash) edited("it has another hash than was noted earlier");
    chain.noted.erase(noted);
  }
  if (seq == chain.next) {
    // What a record that was edited says of its neighbour counts for nothing.
    if (whole && chain.linked && r.previous != chain.last) {
      if (seq == chain.anchor.seq + 1) {
        edited("it does not follow the anchor of its chain");
      } else {
        problem(ProblemKind::edited, &entry, seq - 1, seq - 1,
                "it is not the record that record " + std::to_string(seq) + " was chained to");
      }
    }
  } else if (seq > chain.next) {
    if (chain.gaps.size() < max_gaps) {
      chain.gaps[chain.next] = seq - 1;
    } else {
      problem(ProblemKind::removed, &entry, chain.next, seq - 1, seq_text(chain.next, seq - 1) + " not there");
    }
  } else {
    if (fill_gap(chain, seq)) {
      problem(ProblemKind::reordered, &entry, seq, seq,
              "it stands after record " + std::to_string(chain.next - 1));
    } else {
      problem(ProblemKind::inserted, &entry, seq, seq,
              seq <= chain.anchor.seq ? "it is of before the export's beginning" : "a second record has this seq");
    }
    return;
  }
  chain.next = seq + 1;
  chain.last = r.row.hash;
  chain.linked = whole;
  if (!whole) {
    // Its own hash may still be the true one: then the next record is chained to it.
    chain.linked = false;
  }
}

void Verifier::close(Chains::value_type& entry) {
  auto& chain = entry.second;
  for (const auto& [first, last] : chain.gaps) {
    const bool beginning = first == chain.anchor.seq + 1;
    problem(beginning ? ProblemKind::truncated : ProblemKind::removed, &entry, first, last,
            (beginning ? "the beginning is missing: " : "missing: ") + seq_text(first, last));
  }
  for (const auto& [seq, hash] : chain.noted) {
    if (seq <= chain.anchor.seq) continue;  // this export begins later
    problem(ProblemKind::truncated, &entry, std::min(chain.next, seq), seq,
            "the chain was known to reach record " + std::to_string(seq));
  }
  report_.records += chain.records;
  report_.details += chain.details;
  report_.details_deleted += chain.details_deleted;
  ++report_.chains;
  if (!manifest_) return;
  const auto part = std::find_if(manifest_->chains.begin(), manifest_->chains.end(),
                                 [&](const ChainPart& p) { return p.scope == entry.first; });
  if (part == manifest_->chains.end()) {
    if (chain.records != 0 && chain.begins_at == 0) {
      problem(ProblemKind::inserted, &entry, chain.anchor.seq + 1, chain.next - 1,
              "records of a chain that the export does not have");
    } else if (chain.records != 0 || chain.noted.empty()) {
      problem(ProblemKind::inserted, &entry, 0, 0, "the manifest does not know this chain");
    }
    return;
  }
  if (!(part->anchor == chain.anchor)) {
    return problem(ProblemKind::edited, &entry, 0, 0, "the chain begins elsewhere than the manifest says");
  }
  const auto last = chain.next - 1;
  if (last < part->head.seq) {
    problem(ProblemKind::truncated, &entry, last + 1, part->head.seq,
            "the end is missing: " + seq_text(last + 1, part->head.seq));
  } else if (last > part->head.seq) {
    problem(ProblemKind::inserted, &entry, part->head.seq + 1, last,
            seq_text(part->head.seq + 1, last) + " stand after the end");
  } else if (chain.linked && chain.last != part->head.hash) {
    problem(ProblemKind::edited, &entry, last, last, "it is not the last record that the manifest names");
  }
  if (part->details != chain.details && chain.records == part->records && !chain.unread) {
    problem(ProblemKind::edited, &entry, 0, 0,
            "the manifest counts " + std::to_string(part->details) + " details, there are " +
                std::to_string(chain.details));
  }
}

Report Verifier::finish(bool needs_manifest) {
  line_ = 0;
  if (manifest_) {
    // A chain of which nothing at all came is still one that has to be there.
    for (const auto& part : manifest_->chains) {
      auto [it, added] = chains_.try_emplace(part.scope);
      if (!added) continue;
      it->second.name = part.name;
      it->second.anchor = part.anchor;
      it->second.next = part.anchor.seq + 1;
      it->second.last = part.anchor.hash;
    }
  } else if (needs_manifest && !lines_) {
    problem(ProblemKind::truncated, nullptr, 0, 0, "the manifest is missing, with which an export ends");
  }
  if (!noted_.empty() && noted_ != manifest_sha256_) {
    problem(ProblemKind::manifest, nullptr, 0, 0,
            manifest_ ? "the manifest is another one than was noted: " + manifest_sha256_
                      : "no manifest is there to compare with the hash that was noted");
  }
  if (lines_) check_frame();
  if (manifest_) check_order();
  for (auto& chain : chains_) close(chain);
  report_.manifest_sha256 = manifest_sha256_;
  return std::move(report_);
}

json::object to_json(const Report& report) {
  const auto number = [](std::uint64_t n) { return n == 0 ? json::value(nullptr) : json::value(n); };
  json::array problems;
  for (const auto& p : report.problems) {
    const bool of_integration = p.chain && !p.chain->integration.is_nil();
    problems.push_back(json::object{
        {"kind", to_string(p.kind)},
        {"integration", of_integration ? json::value(p.chain->integration.str()) : json::value(nullptr)},
        {"chain", p.chain ? json::value(p.chain_name) : json::value(nullptr)},
        {"seq", number(p.seq)},
        {"last_seq", number(p.last_seq)},
        {"line", number(p.line)},
        {"what", p.what}});
  }
  const auto& sha256 = report.manifest_sha256;
  return {{"holds", report.holds()},
          {"chains", report.chains},
          {"records", report.records},
          {"details", report.details},
          {"details_deleted", report.details_deleted},
          {"problem_count", report.problem_count},
          {"problems", std::move(problems)},
          {"manifest_sha256", sha256.empty() ? json::value(nullptr) : json::value(sha256)}};
}

}  // namespace deprov::evidence
