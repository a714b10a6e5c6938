#pragma once
#include <boost/json/basic_parser_impl.hpp>
#include <deprov/error.hpp>
#include <deprov/scim/repeated_key.hpp>
#include <unordered_set>
#include <utility>
#include <vector>

namespace deprov::scim {

namespace detail {

/// Keeps the keys of the objects that are open, and stops at the first one that comes again.
struct RepeatedKeyHandler {
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using error_code = boost::system::error_code;
  struct Level {
    bool array = false;
    std::size_t next = 0;                  ///< of an array: where its next value stands
    std::string key{};                     ///< of an object: of the value that is read
    std::unordered_set<std::string> keys;  ///< of an object: so far
  };

  std::vector<Level> open;
  std::string key;
  std::optional<std::string> found;

  [[nodiscard]] std::string pointer() const {
    std::string out;
    for (const auto& level : open) {
      out += '/';
      if (level.array) {
        out += std::to_string(level.next - 1);
        continue;
      }
      for (const char c : level.key) {  // RFC 6901 section 3
        if (c == '~') out += "~0";
        if (c == '/') out += "~1";
        if (c != '~' && c != '/') out += c;
      }
    }
    return out;
  }
  bool value() {
    if (!open.empty() && open.back().array) ++open.back().next;
    return true;
  }
  bool begin(bool array) {
    value();
    open.push_back({array, 0, {}, {}});
    return true;
  }
  bool end() {
    open.pop_back();
    return true;
  }
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return begin(false); }
  bool on_object_end(std::size_t, error_code&) { return end(); }
  bool on_array_begin(error_code&) { return begin(true); }
  bool on_array_end(std::size_t, error_code&) { return end(); }
  bool on_key_part(boost::json::string_view s, std::size_t, error_code&) {
    key.append(s.data(), s.size());
    return true;
  }
  bool on_key(boost::json::string_view s, std::size_t, error_code& ec) {
    key.append(s.data(), s.size());
    auto& level = open.back();
    const bool first = level.keys.insert(key).second;
    level.key = std::exchange(key, {});
    if (first) return true;
    found = pointer();
    ec = make_error_code(Errc::invalid_syntax);
    return false;
  }
  bool on_string_part(boost::json::string_view, std::size_t, error_code&) { return true; }
  bool on_string(boost::json::string_view, std::size_t, error_code&) { return value(); }
  bool on_number_part(boost::json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, boost::json::string_view, error_code&) { return value(); }
  bool on_uint64(std::uint64_t, boost::json::string_view, error_code&) { return value(); }
  bool on_double(double, boost::json::string_view, error_code&) { return value(); }
  bool on_bool(bool, error_code&) { return value(); }
  bool on_null(error_code&) { return value(); }
  bool on_comment_part(boost::json::string_view, error_code&) { return true; }
  bool on_comment(boost::json::string_view, error_code&) { return true; }
};

}  // namespace detail

DEPROV_INLINE std::optional<std::string> repeated_key(std::string_view text) {
  boost::json::basic_parser<detail::RepeatedKeyHandler> parser(boost::json::parse_options{});
  boost::system::error_code ec;
  (void)parser.write_some(false, text.data(), text.size(), ec);
  return std::move(parser.handler().found);
}

}  // namespace deprov::scim
