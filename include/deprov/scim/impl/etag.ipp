#pragma once
#include <algorithm>
#include <array>
#include <charconv>
#include <deprov/scim/etag.hpp>

namespace deprov::scim {

DEPROV_INLINE std::string format_etag(Version version) {
  std::string out = "W/\"" + std::to_string(version.stored);
  if (version.derived != 0) {
    std::array<char, 16> hex{};
    const auto end = std::to_chars(hex.data(), hex.data() + hex.size(), version.derived, 16).ptr;
    out.push_back('.');
    out.append(hex.data(), end);
  }
  out.push_back('"');
  return out;
}

DEPROV_INLINE bool EntityTags::matches(Version version) const noexcept {
  return any || std::find(versions.begin(), versions.end(), version) != versions.end();
}

DEPROV_INLINE bool EntityTags::allows(Version version) const noexcept {
  return any || std::any_of(versions.begin(), versions.end(), [&](const Version& v) {
           return v.stored == version.stored && (v.derived == 0 || v.derived == version.derived);
         });
}

DEPROV_INLINE bool EntityTags::about_derived() const noexcept {
  return std::any_of(versions.begin(), versions.end(), [](const Version& v) { return v.derived != 0; });
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
    Version version;
    const auto* const end = tag.data() + tag.size();
    auto r = std::from_chars(tag.data(), end, version.stored);
    if (r.ec == std::errc() && r.ptr != end && *r.ptr == '.')
      r = std::from_chars(r.ptr + 1, end, version.derived, 16);
    if (r.ec == std::errc() && r.ptr == end) out.versions.push_back(version);
  }
  if (!some) return fail();
  return out;
}

}  // namespace deprov::scim
