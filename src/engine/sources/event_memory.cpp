#include "engine/sources/event_memory.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace deprov::engine {

namespace {

constexpr std::size_t fact_key_bytes = 16;
constexpr std::size_t fact_bytes = fact_key_bytes + 16;
constexpr std::size_t most_unlinked = 100;
constexpr std::size_t most_candidates = 5;
constexpr std::uint64_t generation = 1;
constexpr Duration kept = std::chrono::hours(24 * 30) + std::chrono::hours(1);

void append(std::string& out, std::uint64_t word) {
  for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<char>((word >> (8 * i)) & 0xFFU));
}

std::uint64_t word_at(std::string_view bytes, std::size_t at) {
  std::uint64_t word = 0;
  for (unsigned i = 0; i < 8; ++i)
    word |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[at + i])) << (8 * i);
  return word;
}

Error unreadable(SourceId source) {
  return {Errc::store_corrupt, "what is remembered of a source does not parse", "source " + source.str(),
          "restore the store from a backup"};
}

}  // namespace

std::uint64_t short_digest(const port::Crypto& crypto, std::string_view bytes) {
  const auto digest = crypto.sha256(port::bytes_of(bytes));
  return word_at({reinterpret_cast<const char*>(digest.data()), digest.size()}, 0);
}

std::string EventMemory::digest(std::string_view kind, std::string_view key) const {
  std::string text(kind);
  text.push_back('\0');
  text.append(key);
  const auto bytes = crypto_.sha256(port::bytes_of(text));
  return {reinterpret_cast<const char*>(bytes.data()), fact_key_bytes};
}

Result<EventMemory::Piece*> EventMemory::piece(std::uint8_t place) {
  if (const auto it = pieces_.find(place); it != pieces_.end()) return &it->second;
  DEPROV_TRY(page,
             reader_.source_pieces({scope_, source_, port::SourcePart::seen, generation, generation}, place, 1));
  Piece piece;
  if (!page.rows.empty() && page.rows.front().place == place) {
    const auto& bytes = page.rows.front().bytes;
    if (bytes.size() % fact_bytes != 8) return unreadable(source_);
    piece.forgotten = {static_cast<std::int64_t>(word_at(bytes, 0))};
    for (std::size_t at = 8; at < bytes.size(); at += fact_bytes) {
      Fact fact{bytes.substr(at, fact_key_bytes),
                word_at(bytes, at + fact_key_bytes),
                {static_cast<std::int64_t>(word_at(bytes, at + fact_key_bytes + 8))}};
      if (now_ - fact.issued <= kept) piece.facts.push_back(std::move(fact));
    }
  }
  return &pieces_.emplace(place, std::move(piece)).first->second;
}

Result<std::optional<std::uint64_t>> EventMemory::find(std::string_view kind, std::string_view key) {
  const auto wanted = digest(kind, key);
  DEPROV_TRY(p, piece(static_cast<std::uint8_t>(wanted.front())));
  for (const auto& fact : p->facts)
    if (fact.key == wanted) return std::optional(fact.value);
  return std::optional<std::uint64_t>{};
}

Result<bool> EventMemory::may_be_forgotten(std::string_view kind, std::string_view key, WallTime issued) {
  DEPROV_TRY(p, piece(static_cast<std::uint8_t>(digest(kind, key).front())));
  return issued <= p->forgotten;
}

Result<void> EventMemory::remember(std::string_view kind, std::string_view key, std::uint64_t value,
                                   WallTime issued) {
  auto wanted = digest(kind, key);
  DEPROV_TRY(p, piece(static_cast<std::uint8_t>(wanted.front())));
  p->changed = true;
  for (auto& fact : p->facts) {
    if (fact.key != wanted) continue;
    fact.value = value;
    fact.issued = std::max(fact.issued, issued);
    return {};
  }
  if (p->facts.size() >= most_facts) {
    const auto oldest = std::min_element(p->facts.begin(), p->facts.end(),
                                         [](const Fact& a, const Fact& b) { return a.issued < b.issued; });
    p->forgotten = std::max(p->forgotten, oldest->issued);
    p->facts.erase(oldest);
  }
  p->facts.push_back({std::move(wanted), value, issued});
  return {};
}

void EventMemory::put(port::Transaction& txn) const {
  for (const auto& [place, piece] : pieces_) {
    if (!piece.changed) continue;
    port::SourcePieceRow row;
    row.scope = scope_;
    row.source = source_;
    row.part = port::SourcePart::seen;
    row.place = place;
    row.generation = generation;
    row.bytes.reserve(8 + piece.facts.size() * fact_bytes);
    append(row.bytes, static_cast<std::uint64_t>(piece.forgotten.micros));
    for (const auto& fact : piece.facts) {
      row.bytes += fact.key;
      append(row.bytes, fact.value);
      append(row.bytes, static_cast<std::uint64_t>(fact.issued.micros));
    }
    txn.ops.emplace_back(port::op::PutSourcePiece{std::move(row)});
  }
}

// ---- who could not be linked

Result<std::vector<UnlinkedSubject>> read_unlinked(port::Reader& reader, const port::Scope& scope,
                                                   SourceId source) {
  std::vector<UnlinkedSubject> all;
  DEPROV_TRY(page,
             reader.source_pieces({scope, source, port::SourcePart::unlinked, generation, generation}, 0, 1));
  if (page.rows.empty()) return all;
  boost::system::error_code ec;
  const auto value = json::parse(page.rows.front().bytes, ec);
  if (ec || !value.is_array()) return unreadable(source);
  for (const auto& v : value.get_array()) {
    const auto* o = v.if_object();
    const auto text = [&](std::string_view name) {
      const auto* t = o->if_contains(name);
      return t != nullptr && t->is_string() ? std::string(t->get_string()) : std::string{};
    };
    const auto number = [&](std::string_view name) {
      const auto* n = o->if_contains(name);
      return n != nullptr && n->is_int64() ? n->get_int64() : std::int64_t{0};
    };
    if (o == nullptr) return unreadable(source);
    UnlinkedSubject one;
    one.subject = text("subject");
    one.why = text("why");
    one.event = text("event");
    one.count = static_cast<std::uint64_t>(number("count"));
    one.first = {number("first")};
    one.last = {number("last")};
    if (const auto* ids = o->if_contains("candidates"); ids != nullptr && ids->is_array())
      for (const auto& id : ids->get_array())
        if (const auto parsed = id.is_string() ? ResourceId::parse(id.get_string()) : std::nullopt)
          one.candidates.push_back(*parsed);
    all.push_back(std::move(one));
  }
  return all;
}

void add_unlinked(std::vector<UnlinkedSubject>& all, UnlinkedSubject one) {
  if (one.candidates.size() > most_candidates) one.candidates.resize(most_candidates);
  one.count = 1;
  for (auto it = all.begin(); it != all.end(); ++it) {
    if (it->subject != one.subject) continue;
    one.count += it->count;
    one.first = it->first;
    all.erase(it);
    break;
  }
  all.insert(all.begin(), std::move(one));
  if (all.size() > most_unlinked) all.resize(most_unlinked);
}

port::op::PutSourcePiece put_unlinked(const port::Scope& scope, SourceId source,
                                      const std::vector<UnlinkedSubject>& all) {
  json::array out;
  for (const auto& one : all) {
    json::array candidates;
    for (const auto& id : one.candidates) candidates.emplace_back(id.str());
    out.push_back(json::object{{"subject", one.subject},
                               {"why", one.why},
                               {"event", one.event},
                               {"count", static_cast<std::int64_t>(one.count)},
                               {"first", one.first.micros},
                               {"last", one.last.micros},
                               {"candidates", std::move(candidates)}});
  }
  port::SourcePieceRow row;
  row.scope = scope;
  row.source = source;
  row.part = port::SourcePart::unlinked;
  row.generation = generation;
  row.bytes = json::serialize(out);
  return {std::move(row)};
}

}  // namespace deprov::engine
