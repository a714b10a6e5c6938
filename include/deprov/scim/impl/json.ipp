#pragma once
#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <deprov/scim/json.hpp>
#include <deprov/scim/repeated_key.hpp>
#include <string>
#include <utility>
#include <vector>

namespace deprov::scim {

namespace detail {

/// What Boost.JSON's own parser does, plus counting keys, so that a repeated key does not vanish silently.
struct JsonHandler {
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using error_code = boost::system::error_code;
  enum class Refusal { none, too_long, nul, number };

  json::value_stack stack;
  std::size_t max_string_bytes = 0;
  std::size_t keys = 0;
  Refusal refusal = Refusal::none;

  bool refuse(Refusal why, error_code& ec) {
    refusal = why;
    ec = make_error_code(Errc::invalid_syntax);
    return false;
  }
  bool text(std::string_view s, std::size_t total, error_code& ec) {
    if (total > max_string_bytes) return refuse(Refusal::too_long, ec);
    if (s.find('\0') != std::string_view::npos) return refuse(Refusal::nul, ec);
    return true;
  }
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t n, error_code&) {
    keys += n;
    stack.push_object(n);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t n, error_code&) {
    stack.push_array(n);
    return true;
  }
  bool on_key_part(json::string_view s, std::size_t total, error_code& ec) {
    if (!text(s, total, ec)) return false;
    stack.push_chars(s);
    return true;
  }
  bool on_key(json::string_view s, std::size_t total, error_code& ec) {
    if (!text(s, total, ec)) return false;
    stack.push_key(s);
    return true;
  }
  bool on_string_part(json::string_view s, std::size_t total, error_code& ec) {
    if (!text(s, total, ec)) return false;
    stack.push_chars(s);
    return true;
  }
  bool on_string(json::string_view s, std::size_t total, error_code& ec) {
    if (!text(s, total, ec)) return false;
    stack.push_string(s);
    return true;
  }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t i, json::string_view, error_code&) {
    stack.push_int64(i);
    return true;
  }
  bool on_uint64(std::uint64_t u, json::string_view, error_code&) {
    stack.push_uint64(u);
    return true;
  }
  bool on_double(double d, json::string_view text, error_code& ec) {
    std::from_chars(text.data(), text.data() + text.size(), d);  // which is exact; the parser's may be one off
    if (!std::isfinite(d)) return refuse(Refusal::number, ec);
    stack.push_double(d);
    return true;
  }
  bool on_bool(bool b, error_code&) {
    stack.push_bool(b);
    return true;
  }
  bool on_null(error_code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }
};

/// The depth is bounded by the parser.
inline std::size_t count_keys(const json::value& v) noexcept {
  std::size_t n = 0;
  if (const auto* o = v.if_object()) {
    n += o->size();
    for (const auto& m : *o)
      if (m.value().is_structured()) n += count_keys(m.value());
  } else if (const auto* a = v.if_array()) {
    for (const auto& e : *a)
      if (e.is_structured()) n += count_keys(e);
  }
  return n;
}

inline std::string line_and_column(std::string_view text, std::size_t at) {
  at = std::min(at, text.size());
  const auto before = text.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto last = before.rfind('\n');
  const auto column = last == std::string_view::npos ? at + 1 : at - last;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace detail

DEPROV_INLINE Result<json::value> parse_json(std::string_view text, const Limits& limits,
                                             json::storage_ptr storage) {
  if (text.size() > limits.max_body_bytes)
    return Error(Errc::limit_exceeded,
                 "the body has " + std::to_string(text.size()) + " bytes, more than max_body_bytes (" +
                     std::to_string(limits.max_body_bytes) + ")",
                 {}, "send fewer values in one request");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.starts_with("\xFE\xFF") || text.starts_with("\xFF\xFE"))
    return Error(Errc::invalid_syntax, "the body is not UTF-8 but begins with a UTF-16 byte order mark", {},
                 "send UTF-8 (RFC 8259 section 8.1)");
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return Error(Errc::invalid_syntax, "the body is empty where JSON is expected");

  json::parse_options options;
  options.max_depth = limits.max_depth;
  json::basic_parser<detail::JsonHandler> parser(options);
  auto& handler = parser.handler();
  handler.max_string_bytes = limits.max_string_bytes;
  handler.stack.reset(std::move(storage));
  boost::system::error_code ec;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && used < text.size()) ec = json::error::extra_data;
  if (ec) {
    const auto where = detail::line_and_column(text, used);
    switch (handler.refusal) {
      case detail::JsonHandler::Refusal::too_long:
        return Error(Errc::limit_exceeded,
                     "a string is longer than max_string_bytes (" + std::to_string(limits.max_string_bytes) + ")",
                     where);
      case detail::JsonHandler::Refusal::nul:
        return Error(Errc::invalid_syntax, "a string holds the character U+0000", where);
      case detail::JsonHandler::Refusal::number:
        return Error(Errc::invalid_syntax, "a number is out of range", where);
      case detail::JsonHandler::Refusal::none: break;
    }
    if (ec == json::error::too_deep)
      return Error(
          Errc::limit_exceeded,
          "arrays and objects are nested deeper than max_depth (" + std::to_string(limits.max_depth) + ")", where);
    return Error(Errc::invalid_syntax, "the body is not JSON: " + ec.message(), where);
  }
  json::value value = handler.stack.release();
  if (handler.keys != detail::count_keys(value))
    return Error(Errc::invalid_syntax, "an object names the same key twice", repeated_key(text).value_or(""),
                 "send each attribute once");
  return value;
}

DEPROV_INLINE bool iequals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<unsigned char>(a[i]);
    const auto y = static_cast<unsigned char>(b[i]);
    if (x == y) continue;
    const auto lx = static_cast<unsigned char>(x | 0x20U);
    if (lx != (y | 0x20U) || lx < 'a' || lx > 'z') return false;
  }
  return true;
}

DEPROV_INLINE const json::value* find(const json::object& object, std::string_view name) noexcept {
  if (const auto* v = object.if_contains(name)) return v;
  for (const auto& m : object)
    if (iequals(m.key(), name)) return &m.value();
  return nullptr;
}

DEPROV_INLINE json::value* find(json::object& object, std::string_view name) noexcept {
  return const_cast<json::value*>(find(static_cast<const json::object&>(object), name));
}

DEPROV_INLINE std::string_view kind_name(const json::value& value) noexcept {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_: return "a number";
    case json::kind::string: return "a string";
    case json::kind::array: return "an array";
    case json::kind::object: return "an object";
  }
  return "a value";
}

}  // namespace deprov::scim
