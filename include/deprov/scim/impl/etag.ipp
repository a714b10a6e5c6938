#pragma once
#include <algorithm>
#include <charconv>
#include <deprov/scim/etag.hpp>

namespace deprov::scim {

DEPROV_INLINE std::string format_etag(std::uint64_t version) { return "W/\"" + std::to_string(version) + "\""; }

DEPROV_INLINE bool EntityTags::matches(std::uint64_t version) const noexcept {
  return any || std::find(versions.begin(), versions.end(), version) != versions.end();
}

DEPROV_INLINE Result<EntityTags> parse_etags(std::string_view header) {
  const auto fail = [&] {
    return Error(Errc::invalid_value, "\"" + std::string(header.substr(0, 100)) + "\" is no list of entity tags",
                 {}, "send what meta.version or the ETag header said, such as W/\"7\"");
  };
  EntityTags out;
  std::string_view rest = header;
  const auto skip = [&](std::string_view what) {
    while (!rest.empty() && what.find(rest.front()) != std::string_view::npos) rest.remove_prefix(1);
  };
  bool some = false;
  for (skip(" \t,"); !rest.empty(); skip(" \t")) {
    if (some) {
      if (rest.front() != ',') return fail();
      skip(" \t,");
      if (rest.empty()) break;
    }
    some = true;
    if (rest.front() == '*') {
      out.any = true;
      rest.remove_prefix(1);
      continue;
    }
    if (rest.starts_with("W/") || rest.starts_with("w/")) rest.remove_prefix(2);
    std::string_view tag;
    if (!rest.empty() && rest.front() == '"') {
      const auto end = rest.find('"', 1);
      if (end == std::string_view::npos) return fail();
      tag = rest.substr(1, end - 1);
      rest.remove_prefix(end + 1);
    } else {
      tag = rest.substr(0, rest.find_first_of(" \t,"));
      rest.remove_prefix(tag.size());
      if (tag.empty() || tag.find('"') != std::string_view::npos) return fail();
    }
    std::uint64_t version = 0;
    const auto r = std::from_chars(tag.data(), tag.data() + tag.size(), version);
    if (r.ec == std::errc() && r.ptr == tag.data() + tag.size()) out.versions.push_back(version);
  }
  if (!some) return fail();
  return out;
}

}  // namespace deprov::scim
