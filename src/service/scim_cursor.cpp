#include "service/scim_cursor.hpp"
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

namespace deprov::service {

namespace {

namespace json = boost::json;

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t longest_key = 4096;
constexpr std::size_t longest_cursor = 32768;
constexpr std::int64_t format = 1;

std::string to_base64url(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    buffer = (buffer << 8U) | static_cast<std::uint8_t>(c);
    for (bits += 8; bits >= 6; bits -= 6) out.push_back(digits[(buffer >> (bits - 6)) & 63U]);
  }
  if (bits > 0) out.push_back(digits[(buffer << (6 - bits)) & 63U]);
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const auto at = digits.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    buffer = (buffer << 6U) | static_cast<std::uint32_t>(at);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>((buffer >> bits) & 0xFFU));
  }
  // A cursor has one form: nothing behind its last byte.
  if (bits >= 6 || (buffer & ((1U << bits) - 1U)) != 0) return std::nullopt;
  return out;
}

/// A key of its own, so that nothing sealed elsewhere can be taken for a cursor.
port::Sha256 cursor_key(const engine::Engine& engine) {
  const auto text = "deprov scim cursor v1:" + engine.options().master_key;
  return engine.ports().crypto.sha256(port::bytes_of(text));
}

std::string context_of(const port::Scope& scope) {
  return "cursor:" + scope.workspace.str() + ":" + scope.integration.str();
}

Error invalid() {
  return Error(Errc::invalid_cursor, "it was not given out for this query", "cursor",
               "leave it empty for the first page, then send the nextCursor of the page before");
}

std::string number_text(long double number) {
  std::array<char, 64> buffer{};
  const int n = std::snprintf(buffer.data(), buffer.size(), "%La", number);
  return std::string(buffer.data(), static_cast<std::size_t>(n));
}

}  // namespace

std::string query_fingerprint(const port::Crypto& crypto, std::string_view endpoint,
                              const std::optional<std::string>& filter, const std::optional<std::string>& sort_by,
                              bool descending) {
  json::array parts{json::value(endpoint)};
  parts.emplace_back(filter ? json::value(*filter) : json::value());
  parts.emplace_back(sort_by ? json::value(*sort_by) : json::value());
  parts.emplace_back(sort_by && descending);
  const auto text = json::serialize(parts);
  const auto hash = crypto.sha256(port::bytes_of(text));
  return to_base64url({reinterpret_cast<const char*>(hash.data()), 12});
}

Result<std::string> seal_cursor(const engine::Engine& engine, const port::Scope& scope, const Cursor& cursor,
                                WallTime expires) {
  const auto& place = cursor.place;
  if (place.key.text.size() > longest_key || place.user_name_key.size() > longest_key)
    return Error(Errc::too_many, "the value that the list is sorted by has more than 4096 bytes", "sortBy",
                 "sort by something else, or page by startIndex");
  json::array a;
  a.emplace_back(format);
  a.emplace_back(expires.micros);
  a.emplace_back(cursor.query);
  a.emplace_back(cursor.count);
  a.emplace_back(cursor.total ? static_cast<std::int64_t>(*cursor.total) : std::int64_t{-1});
  a.emplace_back(place.type);
  a.emplace_back(place.id.str());
  a.emplace_back(place.modified.micros);
  a.emplace_back(place.user_name_key);
  a.emplace_back(static_cast<std::int64_t>(place.key.kind));
  a.emplace_back(number_text(place.key.number));
  a.emplace_back(place.key.micros);
  a.emplace_back(place.key.text);
  const auto key = cursor_key(engine);
  const auto context = context_of(scope);
  DEPROV_TRY(sealed, engine.ports().crypto.seal(key, port::bytes_of(context), json::serialize(a)));
  return to_base64url(sealed);
}

Result<Cursor> open_cursor(const engine::Engine& engine, const port::Scope& scope, std::string_view text,
                           WallTime now) {
  if (text.size() > longest_cursor) return invalid();
  const auto sealed = from_base64url(text);
  if (!sealed) return invalid();
  const auto key = cursor_key(engine);
  const auto context = context_of(scope);
  const auto plain = engine.ports().crypto.open(key, port::bytes_of(context), *sealed);
  if (!plain) return invalid();
  // It is ours from here on; only its version can differ.
  boost::system::error_code ec;
  const auto value = json::parse(*plain, ec);
  const auto* a = value.if_array();
  if (ec || a == nullptr || a->size() != 13 || a->at(0) != format) return invalid();
  if (a->at(1).get_int64() <= now.micros)
    return Error(Errc::expired_cursor, "it is no longer good", "cursor", "begin again with an empty cursor");
  const auto id = ResourceId::parse(std::string_view(a->at(6).get_string()));
  if (!id) return invalid();
  Cursor cursor;
  cursor.query = std::string(a->at(2).get_string());
  cursor.count = a->at(3).get_int64();
  if (const auto total = a->at(4).get_int64(); total >= 0) cursor.total = static_cast<std::uint64_t>(total);
  auto& place = cursor.place;
  place.type = a->at(5).to_number<std::uint32_t>();
  place.id = *id;
  place.modified.micros = a->at(7).get_int64();
  place.user_name_key = std::string(a->at(8).get_string());
  place.key.kind = static_cast<scim::SortKey::Kind>(a->at(9).get_int64());
  place.key.number = std::strtold(a->at(10).get_string().c_str(), nullptr);
  place.key.micros = a->at(11).get_int64();
  place.key.text = std::string(a->at(12).get_string());
  return cursor;
}

}  // namespace deprov::service
