// Small functions on texts and on the configuration, for the connectors here.
#pragma once

#include <charconv>
#include <cstdint>
#include <deprov_connector.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace deprov_connectors {

/// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
inline bool is_utf8(std::string_view s) noexcept {
  for (std::size_t i = 0; i < s.size();) {
    const auto b = static_cast<unsigned char>(s[i]);
    const std::size_t n = b < 0x80                ? 1
                          : b >= 0xC2 && b < 0xE0 ? 2
                          : (b & 0xF0U) == 0xE0   ? 3
                          : b >= 0xF0 && b < 0xF5 ? 4
                                                  : 0;
    if (n == 0 || i + n > s.size()) return false;
    for (std::size_t k = 1; k < n; ++k)
      if ((static_cast<unsigned char>(s[i + k]) & 0xC0U) != 0x80) return false;
    const auto second = n > 1 ? static_cast<unsigned char>(s[i + 1]) : 0U;
    if ((b == 0xE0 && second < 0xA0) || (b == 0xED && second > 0x9F) || (b == 0xF0 && second < 0x90) ||
        (b == 0xF4 && second > 0x8F))
      return false;
    i += n;
  }
  return true;
}

inline char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
inline std::string lowered(std::string_view s) {
  std::string out(s);
  for (auto& c : out) c = lower(c);
  return out;
}
/// Only the letters of ASCII have two cases here.
inline bool same_ignoring_case(std::string_view a, std::string_view b) { return lowered(a) == lowered(b); }

inline std::optional<std::int64_t> to_number(std::string_view s) noexcept {
  std::int64_t n = 0;
  const auto r = std::from_chars(s.data(), s.data() + s.size(), n);
  if (r.ec != std::errc() || r.ptr != s.data() + s.size()) return std::nullopt;
  return n;
}

/// The configuration, which fits the manifest's schema; what the schema cannot say is thrown by these.
class Settings {
 public:
  explicit Settings(const deprov_sdk::Connection& connection) : json_(connection.config("").value_or("{}")) {}

  [[nodiscard]] std::optional<std::string> find(const std::string& pointer) const { return json_.find(pointer); }
  [[nodiscard]] std::string text(const std::string& pointer, const std::string& otherwise = {}) const {
    return without_zero(pointer, json_.find(pointer).value_or(otherwise));
  }
  [[nodiscard]] std::int64_t number(const std::string& pointer, std::int64_t otherwise) const {
    const auto text = json_.find(pointer);
    if (!text) return otherwise;
    const auto n = to_number(*text);
    if (!n) throw std::invalid_argument("config" + pointer + ": is no whole number");
    return *n;
  }
  [[nodiscard]] std::size_t count(const std::string& pointer) const { return json_.count(pointer); }

 private:
  /// The libraries below take C strings.
  static std::string without_zero(const std::string& pointer, std::string text) {
    if (text.find('\0') != std::string::npos)
      throw std::invalid_argument("config" + pointer + ": has a zero byte in it");
    return text;
  }
  deprov_sdk::Json json_;
};

/// Overwrites a secret that is not needed any more.
inline void wipe(std::string& s) noexcept {
  volatile char* p = s.data();
  for (std::size_t i = 0; i < s.size(); ++i) p[i] = 0;
  s.clear();
}

}  // namespace deprov_connectors
