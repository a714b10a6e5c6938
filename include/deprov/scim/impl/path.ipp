#pragma once
#include <deprov/scim/impl/filter_parse.ipp>
#include <deprov/scim/path.hpp>
#include <utility>

namespace deprov::scim {

DEPROV_INLINE Result<Path> parse_path(std::string_view text, const Limits& limits) {
  const auto fail = [&](std::string detail, std::string where = "path") {
    return Error(Errc::invalid_path, std::move(detail), std::move(where),
                 "use attribute, attribute.subAttribute, attribute[filter] or attribute[filter].subAttribute");
  };
  DEPROV_CHECK(detail::check_filter_text(text, limits, Errc::invalid_path, "path"));
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.empty()) return fail("the path is empty");

  Path path;
  const auto bracket = text.find('[');
  detail::AttrPathView name;
  if (!detail::split_attr_path(text.substr(0, bracket), name))
    return fail("\"" + std::string(text.substr(0, 200)) + "\" is no path");
  path.attr = {std::string(name.schema), std::string(name.attribute), std::string(name.sub)};
  if (bracket == std::string_view::npos) return path;

  if (path.attr.attribute.empty() || !path.attr.sub.empty())
    return fail("a filter in brackets stands behind what is no multi-valued attribute");
  std::size_t at = bracket + 1;
  auto filter = detail::FilterParser(text, limits).brackets(at);
  if (!filter) {
    const auto& e = filter.error();
    if (e.code() == Errc::limit_exceeded) return e.within("path");
    return Error(e.code(), e.detail(), "path " + std::string(text.substr(0, 200)), e.advice());
  }
  path.value_filter = std::move(*filter);
  if (at == text.size()) return path;
  if (text[at] != '.' || !detail::is_attr_name(text.substr(at + 1)))
    return fail("expected . and a sub-attribute behind the brackets of \"" + std::string(text.substr(0, 200)) +
                "\"");
  path.attr.sub = std::string(text.substr(at + 1));
  return path;
}

DEPROV_INLINE std::string to_string(const Path& path) {
  if (!path.value_filter) return to_string(path.attr);
  AttrPath front = path.attr;
  front.sub.clear();
  std::string out = to_string(front) + "[" + to_string(*path.value_filter) + "]";
  if (!path.attr.sub.empty()) out += "." + path.attr.sub;
  return out;
}

}  // namespace deprov::scim
