#pragma once
#include <charconv>
#include <deprov/scim/impl/fold.ipp>
#include <deprov/scim/query.hpp>

namespace deprov::scim {

namespace detail {

inline int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

inline Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto plain = std::min(text.find_first_of("+%", i), text.size());
    out.append(text.substr(i, plain - i));
    i = plain;
    if (i == text.size()) break;
    if (text[i] == '+') {
      out.push_back(' ');
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return Error(Errc::invalid_value, "a % is not followed by two hexadecimal digits",
                     "query, \"" + std::string(text.substr(0, 100)) + "\"");
      const char c = static_cast<char>(high * 16 + low);
      out.push_back(c);
      i += 2;
    }
  }
  if (out.find('\0') != std::string::npos)
    return Error(Errc::invalid_value, "it holds the character U+0000", "query");
  if (!valid_utf8(out)) return Error(Errc::invalid_value, "it is not UTF-8", "query");
  return out;
}

inline std::string_view trimmed(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

/// The comma that ends a name. Those between the brackets of a value filter end none; brackets that are never
/// closed are no value filter's.
inline std::size_t end_of_name(std::string_view list) noexcept {
  bool brackets = false;
  bool text = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const char c = list[i];
    if (text) {
      if (c == '\\') ++i;
      if (c == '"') text = false;
    } else if (brackets) {
      if (c == '"') text = true;
      if (c == ']') brackets = false;
    } else if (c == ',') {
      return i;
    } else if (c == '[') {
      brackets = true;
    }
  }
  return brackets ? list.find(',') : std::string_view::npos;
}

inline void append_names(std::string_view list, std::vector<std::string>& out) {
  while (!list.empty()) {
    const auto comma = end_of_name(list);
    const auto name = trimmed(list.substr(0, comma));
    if (!name.empty()) out.emplace_back(name);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
}

inline Result<std::int64_t> whole_number(std::string_view text, std::string_view name) {
  text = trimmed(text);
  std::int64_t n = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), n);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size())
    return Error(Errc::invalid_value, "\"" + std::string(text.substr(0, 40)) + "\" is no integer",
                 std::string(name));
  return n;
}

inline Result<bool> is_descending(std::string_view order) {
  if (iequals(order, "descending")) return true;
  if (iequals(order, "ascending")) return false;
  return Error(Errc::invalid_value, "\"" + std::string(order.substr(0, 40)) + "\" is no order", "sortOrder",
               "use ascending or descending");
}

/// RFC 9865 section 2.1.
inline Error wrong_count(const Query& q, const Error& error) {
  return q.cursor ? Error(Errc::invalid_count, error.detail(), "count") : error;
}

/// Whoever gives both means one of them, and we cannot know which.
inline Result<void> check_paging(const Query& q) {
  if (q.cursor && q.start_index > 1)
    return Error(Errc::invalid_value, "a page is named by cursor or by startIndex, not by both", "startIndex",
                 "leave startIndex out");
  return {};
}

inline Result<void> check_filter_length(const std::optional<std::string>& filter, const Limits& limits) {
  if (filter && filter->size() > limits.max_filter_length)
    return Error(Errc::limit_exceeded,
                 "the filter has " + std::to_string(filter->size()) + " bytes, more than max_filter_length (" +
                     std::to_string(limits.max_filter_length) + ")",
                 "filter");
  return {};
}

}  // namespace detail

DEPROV_INLINE Result<std::vector<std::pair<std::string, std::string>>> parse_query_pairs(std::string_view query,
                                                                                         const Limits& limits) {
  if (query.size() > limits.max_query_bytes)
    return Error(Errc::limit_exceeded,
                 "the query has " + std::to_string(query.size()) + " bytes, more than max_query_bytes (" +
                     std::to_string(limits.max_query_bytes) + ")",
                 "query", "use POST with /.search");
  std::vector<std::pair<std::string, std::string>> out;
  if (query.starts_with('?')) query.remove_prefix(1);
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    if (!pair.empty()) {
      const auto equals = pair.find('=');
      DEPROV_TRY(key, detail::percent_decode(pair.substr(0, equals)));
      DEPROV_TRY(value, detail::percent_decode(equals == std::string_view::npos ? std::string_view()
                                                                                : pair.substr(equals + 1)));
      out.emplace_back(std::move(key), std::move(value));
    }
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return out;
}

namespace detail {

/// What is said twice in different ways cannot be followed, and nobody knows which was meant.
inline Result<void> check_said_once(const std::vector<std::pair<std::string, std::string>>& pairs) {
  for (const std::string_view name : {"startIndex", "count", "cursor", "sortBy", "sortOrder"}) {
    const std::string* first = nullptr;
    for (const auto& [key, value] : pairs) {
      if (!iequals(key, name) || (trimmed(value).empty() && name != "cursor")) continue;
      if (first != nullptr && trimmed(*first) != trimmed(value))
        return Error(Errc::invalid_value, "two different values are given", std::string(name), "send it once");
      first = &value;
    }
  }
  return {};
}

}  // namespace detail

DEPROV_INLINE Result<Query> parse_query(std::string_view query, const Limits& limits) {
  DEPROV_TRY(pairs, parse_query_pairs(query, limits));
  DEPROV_CHECK(detail::check_said_once(pairs));
  Query q;
  for (auto& [key, value] : pairs) {
    if (iequals(key, "cursor")) q.cursor = std::string(detail::trimmed(value));
  }
  for (auto& [key, value] : pairs) {
    if (detail::trimmed(value).empty()) continue;
    if (iequals(key, "filter")) {
      if (q.filter && *q.filter != value)
        return Error(Errc::invalid_value, "two different filters are given", "filter", "join them by and");
      q.filter = std::move(value);
    } else if (iequals(key, "startIndex")) {
      DEPROV_TRY(n, detail::whole_number(value, "startIndex"));
      q.start_index = std::max<std::int64_t>(1, n);
    } else if (iequals(key, "count")) {
      auto n = detail::whole_number(value, "count");
      if (!n) return detail::wrong_count(q, n.error());
      q.count = std::max<std::int64_t>(0, *n);
    } else if (iequals(key, "sortBy")) {
      q.sort_by = std::string(detail::trimmed(value));
    } else if (iequals(key, "sortOrder")) {
      DEPROV_TRY(descending, detail::is_descending(detail::trimmed(value)));
      q.descending = descending;
    } else if (iequals(key, "attributes")) {
      detail::append_names(value, q.attributes);
    } else if (iequals(key, "excludedAttributes")) {
      detail::append_names(value, q.excluded_attributes);
    }
  }
  DEPROV_CHECK(detail::check_paging(q));
  DEPROV_CHECK(detail::check_filter_length(q.filter, limits));
  return q;
}

DEPROV_INLINE Result<Query> parse_search(const json::value& body, const Limits& limits) {
  const auto wrong = [](std::string_view name, const json::value& v, std::string_view expected) {
    return Error(Errc::invalid_syntax, "expected " + std::string(expected) + ", not " + std::string(kind_name(v)),
                 std::string(name));
  };
  const auto* o = body.if_object();
  if (o == nullptr) return wrong({}, body, "a SearchRequest as an object");
  Query q;
  bool named = false;
  for (const auto& m : *o) {
    const auto& v = m.value();
    const std::string_view key = m.key();
    if (v.is_null()) continue;
    const auto integer = [&](std::int64_t least) -> Result<std::int64_t> {
      if (const auto* n = v.if_int64()) return std::max(*n, least);
      return wrong(key, v, "an integer");
    };
    const auto names = [&](std::vector<std::string>& out) -> Result<void> {
      if (const auto* s = v.if_string()) {
        detail::append_names(*s, out);
        return {};
      }
      const auto* a = v.if_array();
      if (a == nullptr) return wrong(key, v, "an array of strings");
      for (const auto& e : *a) {
        const auto* s = e.if_string();
        if (s == nullptr) return wrong(key, e, "strings");
        detail::append_names(*s, out);
      }
      return {};
    };
    if (iequals(key, "schemas")) {
      if (const auto* a = v.if_array())
        for (const auto& e : *a) named = named || (e.is_string() && iequals(e.get_string(), search_request_urn));
    } else if (iequals(key, "filter")) {
      const auto* s = v.if_string();
      if (s == nullptr) return wrong(key, v, "a string");
      if (!detail::trimmed(*s).empty()) q.filter = std::string(*s);
    } else if (iequals(key, "startIndex")) {
      DEPROV_TRY(n, integer(1));
      q.start_index = n;
    } else if (iequals(key, "count")) {
      auto n = integer(0);
      if (!n) return o->contains("cursor") ? Error(Errc::invalid_count, n.error().detail(), "count") : n.error();
      q.count = *n;
    } else if (iequals(key, "cursor")) {
      const auto* s = v.if_string();
      if (s == nullptr) return wrong(key, v, "a string");
      q.cursor = std::string(detail::trimmed(*s));
    } else if (iequals(key, "sortBy")) {
      const auto* s = v.if_string();
      if (s == nullptr) return wrong(key, v, "a string");
      if (!detail::trimmed(*s).empty()) q.sort_by = std::string(detail::trimmed(*s));
    } else if (iequals(key, "sortOrder")) {
      const auto* s = v.if_string();
      if (s == nullptr) return wrong(key, v, "a string");
      DEPROV_TRY(descending, detail::is_descending(detail::trimmed(*s)));
      q.descending = descending;
    } else if (iequals(key, "attributes")) {
      DEPROV_CHECK(names(q.attributes));
    } else if (iequals(key, "excludedAttributes")) {
      DEPROV_CHECK(names(q.excluded_attributes));
    }
  }
  if (!named)
    return Error(Errc::invalid_syntax, "it does not name " + std::string(search_request_urn), "schemas",
                 "a search body is a SearchRequest message (RFC 7644 section 3.4.3)");
  DEPROV_CHECK(detail::check_paging(q));
  DEPROV_CHECK(detail::check_filter_length(q.filter, limits));
  return q;
}

}  // namespace deprov::scim
