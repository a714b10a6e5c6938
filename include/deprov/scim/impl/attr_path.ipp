#pragma once
#include <deprov/scim/attr_path.hpp>
#include <utility>

namespace deprov::scim {

namespace detail {

inline bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
inline bool is_name_char(char c) noexcept { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; }

/// ATTRNAME; also `$ref`, which RFC 7643 has and the grammar of RFC 7644 forgot.
inline bool is_attr_name(std::string_view s) noexcept {
  if (!s.empty() && s.front() == '$') s.remove_prefix(1);
  if (s.empty() || !is_alpha(s.front())) return false;
  for (const char c : s)
    if (!is_name_char(c)) return false;
  return true;
}

struct AttrPathView {
  std::string_view schema, attribute, sub;
};

/// False if the text is no attrPath.
inline bool split_attr_path(std::string_view text, AttrPathView& out) noexcept {
  out = {};
  std::string_view name = text;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    if (!is_alpha(text.front())) return false;
    for (const char c : text)
      if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '[' || c == ']' || c == '(' || c == ')' ||
          c == '\\' || c == '<' || c == '>' || c == '^' || c == '`' || c == '{' || c == '|' || c == '}')
        return false;
    out.schema = text.substr(0, colon);
    name = text.substr(colon + 1);
  }
  const auto dot = name.find('.');
  out.attribute = name.substr(0, dot);
  const bool has_sub = dot != std::string_view::npos;
  if (has_sub) out.sub = name.substr(dot + 1);
  if (is_attr_name(out.attribute) && (!has_sub || is_attr_name(out.sub))) return true;
  if (colon == std::string_view::npos || name.empty()) return false;
  out = {text, {}, {}};  // a URN whose last part is no name, such as "urn:example:2.0"
  return true;
}

}  // namespace detail

DEPROV_INLINE std::string to_string(const AttrPath& path) {
  std::string out;
  out.reserve(path.schema.size() + path.attribute.size() + path.sub.size() + 2);
  out = path.schema;
  if (!path.attribute.empty()) {
    if (!out.empty()) out.push_back(':');
    out += path.attribute;
  }
  if (!path.sub.empty()) {
    out.push_back('.');
    out += path.sub;
  }
  return out;
}

DEPROV_INLINE Result<AttrPath> parse_attr_path(std::string_view text) {
  detail::AttrPathView v;
  if (!detail::split_attr_path(text, v))
    return Error(Errc::invalid_path, "\"" + std::string(text.substr(0, 200)) + "\" is no attribute path", {},
                 "use attribute, attribute.subAttribute, or either behind a schema URN and a colon");
  return AttrPath{std::string(v.schema), std::string(v.attribute), std::string(v.sub)};
}

}  // namespace deprov::scim
