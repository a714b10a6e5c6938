#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <deprov/evidence/record.hpp>
#include <optional>

namespace deprov::evidence {

namespace {

Error malformed(std::string_view member, std::string what) {
  return {Errc::invalid_syntax, std::move(what), std::string(member), "compare with another copy of the export"};
}

template <std::size_t N>
std::string hex_of(const std::array<std::uint8_t, N>& bytes) {
  return to_hex({bytes.data(), bytes.size()});
}

template <std::size_t N>
bool parse_hex(std::string_view text, std::array<std::uint8_t, N>& out) {
  if (text.size() != 2 * N) return false;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i < N; ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

template <class IdType>
json::value id_json(const IdType& id) {
  if (id.is_nil()) return nullptr;
  return json::value(id.str());
}

/// Microseconds as a decimal number: JSON's own numbers lose digits beyond 2^53 in some readers.
std::string micros_text(WallTime t) { return std::to_string(t.micros); }

constexpr std::string_view schema_text = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:deprov:schema:evidence-record:1",
  "title": "A record of the activity of deprov, as exported",
  "description": "hash = SHA-256 of the canonical bytes deprov.activity/1: the text deprov.activity/1; previous (32 bytes); workspace (16 bytes); integration (16 bytes, zero where null); seq (8 bytes); at_us (8 bytes); event; actor; subject (16 bytes, zero where null); job (16 bytes, zero where null); detail_hash (32 bytes). Integers are big-endian, two's complement; event and actor are UTF-8 behind their length (8 bytes). detail_hash = SHA-256 of the text deprov.detail/1, salt (16 bytes), detail. previous is the hash of the record with seq - 1 in the same chain, zero for seq 1. A chain is that of one integration, or of the workspace where integration is null.",
  "type": "object",
  "additionalProperties": false,
  "required": ["type", "canonical", "workspace", "integration", "seq", "at", "at_us", "event", "actor", "subject", "job",
    "previous", "detail_hash", "hash", "salt", "detail"],
  "properties": {
    "type": {"const": "record"},
    "canonical": {"const": "deprov.activity/1"},
    "workspace": {"type": "string", "minLength": 36, "maxLength": 36},
    "integration": {"type": ["string", "null"], "minLength": 36, "maxLength": 36},
    "seq": {"type": "integer", "minimum": 1, "maximum": 1099511627775},
    "at": {"type": "string", "description": "RFC 3339, for people; made of at_us"},
    "at_us": {"type": "string", "minLength": 1, "maxLength": 20, "description": "microseconds since 1970, a decimal number"},
    "event": {"type": "string", "minLength": 1},
    "actor": {"type": "string", "description": "who: idp:..., principal:..., engine, rule:..., local"},
    "subject": {"type": ["string", "null"], "minLength": 36, "maxLength": 36},
    "job": {"type": ["string", "null"], "minLength": 36, "maxLength": 36},
    "previous": {"type": "string", "minLength": 64, "maxLength": 64},
    "detail_hash": {"type": "string", "minLength": 64, "maxLength": 64},
    "hash": {"type": "string", "minLength": 64, "maxLength": 64},
    "salt": {"type": ["string", "null"], "minLength": 32, "maxLength": 32, "description": "null where retention deleted it with the detail"},
    "detail": {"type": ["string", "null"], "description": "the text of a JSON object, byte for byte as hashed"}
  }
})json";

/// What both forms carry, as text; nothing stands for null.
struct Fields {
  std::string_view workspace, at, at_us, event, actor, previous, detail_hash, hash;
  std::optional<std::string_view> integration, subject, job, salt, detail;
  std::uint64_t seq = 0;
};

template <class IdType>
bool read_id(const std::optional<std::string_view>& text, IdType& out) {
  if (!text) return true;
  const auto id = IdType::parse(*text);
  if (!id || id->is_nil() || id->str() != *text) return false;
  out = *id;
  return true;
}

Result<Record> record_of(const Fields& f) {
  Record r;
  if (!read_id(std::optional(f.workspace), r.row.scope.workspace)) return malformed("workspace", "is no id");
  if (!read_id(f.integration, r.row.scope.integration)) return malformed("integration", "is no id");
  if (!read_id(f.subject, r.row.subject)) return malformed("subject", "is no id");
  if (!read_id(f.job, r.row.job)) return malformed("job", "is no id");
  r.row.seq = f.seq;
  const auto* end = f.at_us.data() + f.at_us.size();
  const auto number = std::from_chars(f.at_us.data(), end, r.row.at.micros);
  if (number.ec != std::errc{} || number.ptr != end || micros_text(r.row.at) != f.at_us)
    return malformed("at_us", "is no number");
  if (to_rfc3339(r.row.at) != f.at) return malformed("at", "is another time than at_us");
  r.row.event = f.event;
  r.row.actor = f.actor;
  if (!parse_hex(f.previous, r.previous)) return malformed("previous", "is no SHA-256");
  if (!parse_hex(f.detail_hash, r.row.detail_hash)) return malformed("detail_hash", "is no SHA-256");
  if (!parse_hex(f.hash, r.row.hash)) return malformed("hash", "is no SHA-256");
  if (f.salt && !parse_hex(*f.salt, r.row.salt.emplace())) return malformed("salt", "is no salt of 16 bytes");
  if (f.detail) r.row.detail.emplace(*f.detail);
  return r;
}

void append_cell(std::string& out, std::string_view text) {
  if (!out.empty()) out.push_back(',');
  if (text.find_first_of("\",\r\n") == std::string_view::npos) {
    out.append(text);
    return;
  }
  out.push_back('"');
  for (const char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
}

}  // namespace

std::string to_hex(port::Bytes bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const auto b : bytes) {
    out.push_back(digits[b >> 4U]);
    out.push_back(digits[b & 15U]);
  }
  return out;
}

Result<port::Sha256> parse_sha256(std::string_view text) {
  port::Sha256 out{};
  if (!parse_hex(text, out)) return malformed({}, "is no SHA-256: 64 lower-case hexadecimal digits");
  return out;
}

json::object to_json(const Record& record) {
  const auto& r = record.row;
  json::object o;
  o["type"] = "record";
  o["canonical"] = canonical_name;
  o["workspace"] = r.scope.workspace.str();
  o["integration"] = id_json(r.scope.integration);
  o["seq"] = r.seq;
  o["at"] = to_rfc3339(r.at);
  o["at_us"] = micros_text(r.at);
  o["event"] = r.event;
  o["actor"] = r.actor;
  o["subject"] = id_json(r.subject);
  o["job"] = id_json(r.job);
  o["previous"] = hex_of(record.previous);
  o["detail_hash"] = hex_of(r.detail_hash);
  o["hash"] = hex_of(r.hash);
  o["salt"] = r.salt ? json::value(hex_of(*r.salt)) : json::value(nullptr);
  o["detail"] = r.detail ? json::value(*r.detail) : json::value(nullptr);
  return o;
}

Result<Record> parse_record(const json::value& value) {
  const auto* o = value.if_object();
  if (o == nullptr) return malformed({}, "is no JSON object");
  Fields f;
  Error problem;
  std::size_t known = 0;
  const auto member = [&](std::string_view name) -> const json::value* {
    const auto* v = o->if_contains(name);
    if (v == nullptr && problem.code() == Errc::ok) problem = malformed(name, "is missing");
    if (v != nullptr) ++known;
    return v;
  };
  const auto text = [&](std::string_view name) -> std::string_view {
    const auto* v = member(name);
    if (v != nullptr && v->is_string()) return v->get_string();
    if (problem.code() == Errc::ok) problem = malformed(name, "is no text");
    return {};
  };
  const auto nullable = [&](std::string_view name) -> std::optional<std::string_view> {
    const auto* v = member(name);
    if (v == nullptr || v->is_null()) return std::nullopt;
    if (v->is_string()) return std::string_view(v->get_string());
    if (problem.code() == Errc::ok) problem = malformed(name, "is neither text nor null");
    return std::nullopt;
  };
  if (text("type") != "record" && problem.code() == Errc::ok) problem = malformed("type", "is not \"record\"");
  if (text("canonical") != canonical_name && problem.code() == Errc::ok)
    problem = malformed("canonical", "is a version that this program does not know");
  f.workspace = text("workspace");
  f.integration = nullable("integration");
  if (const auto* seq = member("seq"); seq != nullptr) {
    if (seq->is_int64() && seq->get_int64() > 0) {
      f.seq = static_cast<std::uint64_t>(seq->get_int64());
    } else if (seq->is_uint64()) {
      f.seq = seq->get_uint64();
    } else if (problem.code() == Errc::ok) {
      problem = malformed("seq", "is no number from 1 on");
    }
  }
  f.at = text("at");
  f.at_us = text("at_us");
  f.event = text("event");
  f.actor = text("actor");
  f.subject = nullable("subject");
  f.job = nullable("job");
  f.previous = text("previous");
  f.detail_hash = text("detail_hash");
  f.hash = text("hash");
  f.salt = nullable("salt");
  f.detail = nullable("detail");
  if (problem.code() != Errc::ok) return problem;
  if (known != o->size()) return malformed({}, "has a member that no record has");
  return record_of(f);
}

const json::value& record_schema() {
  static const json::value schema = json::parse({schema_text.data(), schema_text.size()});
  return schema;
}

std::string_view csv_heading() {
  return "workspace,integration,seq,at,at_us,event,actor,subject,job,previous,detail_hash,hash,salt,detail";
}

std::string to_csv(const Record& record) {
  const auto& r = record.row;
  std::string out = r.scope.workspace.str();
  append_cell(out, r.scope.integration.is_nil() ? "" : r.scope.integration.str());
  append_cell(out, std::to_string(r.seq));
  append_cell(out, to_rfc3339(r.at));
  append_cell(out, micros_text(r.at));
  append_cell(out, r.event);
  append_cell(out, r.actor);
  append_cell(out, r.subject.is_nil() ? "" : r.subject.str());
  append_cell(out, r.job.is_nil() ? "" : r.job.str());
  append_cell(out, hex_of(record.previous));
  append_cell(out, hex_of(r.detail_hash));
  append_cell(out, hex_of(r.hash));
  append_cell(out, r.salt ? hex_of(*r.salt) : "");
  append_cell(out, r.detail.value_or(""));
  return out;
}

Result<Record> parse_record(const std::vector<std::string>& cells) {
  if (cells.size() != 14)
    return malformed({}, "has " + std::to_string(cells.size()) + " cells where 14 are needed");
  const auto nullable = [&](std::size_t i) -> std::optional<std::string_view> {
    if (cells[i].empty()) return std::nullopt;
    return std::string_view(cells[i]);
  };
  Fields f;
  f.workspace = cells[0];
  f.integration = nullable(1);
  const auto* end = cells[2].data() + cells[2].size();
  const auto seq = std::from_chars(cells[2].data(), end, f.seq);
  if (seq.ec != std::errc{} || seq.ptr != end || f.seq == 0) return malformed("seq", "is no number from 1 on");
  f.at = cells[3];
  f.at_us = cells[4];
  f.event = cells[5];
  f.actor = cells[6];
  f.subject = nullable(7);
  f.job = nullable(8);
  f.previous = cells[9];
  f.detail_hash = cells[10];
  f.hash = cells[11];
  f.salt = nullable(12);
  f.detail = nullable(13);
  return record_of(f);
}

// ---- CSV

void CsvReader::end_cell() {
  row_.push_back(std::move(cell_));
  cell_.clear();
}

Result<void> CsvReader::feed(std::string_view bytes, std::vector<std::vector<std::string>>& rows) {
  for (const char c : bytes) {
    if (++size_ > max_row) {
      return Error(Errc::limit_exceeded, "a row has more than " + std::to_string(max_row) + " bytes", "csv",
                   "check that the file is what `evidence export` wrote");
    }
    if (quoted_ && !quote_seen_) {
      if (c == '"') {
        quote_seen_ = true;
      } else {
        cell_.push_back(c);
      }
      continue;
    }
    if (quote_seen_) {
      quote_seen_ = false;
      if (c == '"') {
        cell_.push_back(c);
        continue;
      }
      quoted_ = false;
    }
    if (c == '"' && cell_.empty()) {
      quoted_ = any_ = true;
    } else if (c == ',') {
      any_ = true;
      end_cell();
    } else if (c == '\n') {
      if (any_ || !cell_.empty()) {
        end_cell();
        rows.push_back(std::move(row_));
      }
      row_.clear();
      cell_.clear();
      size_ = 0;
      any_ = false;
    } else if (c != '\r') {
      any_ = true;
      cell_.push_back(c);
    }
  }
  return {};
}

void CsvReader::finish(std::vector<std::vector<std::string>>& rows) {
  if (!any_ && cell_.empty()) return;
  end_cell();
  rows.push_back(std::move(row_));
  row_.clear();
}

}  // namespace deprov::evidence
