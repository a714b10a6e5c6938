#include "plugin/redaction.hpp"
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

namespace deprov::plugin {

namespace {

// ---- known secrets

/// What is left of a secret in base64 wherever it begins in what was encoded: the characters that its own bytes
/// alone make.
std::string within_base64(std::string_view secret, std::size_t offset, std::string_view last_two) {
  const std::string alphabet =
      std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").append(last_two);
  const auto whole = std::string(offset, '\0').append(secret);
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : whole) {
    bits = ((bits << 8U) | static_cast<unsigned char>(c)) & 0xFFFFFFU;
    for (count += 8; count >= 6; count -= 6) out.push_back(alphabet[(bits >> (count - 6)) & 0x3FU]);
  }
  return out.substr((offset * 8 + 5) / 6);
}

/// A text, and where each of its bytes came from.
struct Decoded {
  std::string text;
  std::vector<std::size_t> from;  ///< one more than bytes: the end
};

std::optional<std::uint32_t> number(std::string_view digits, unsigned base) {
  std::uint32_t out = 0;
  if (digits.empty()) return std::nullopt;
  for (const char c : digits) {
    const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                           : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                           : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A' + 10)
                                                  : 16U;
    if (digit >= base || out > 0x10FFFF) return std::nullopt;
    out = out * base + digit;
  }
  return out;
}

void put_code_point(std::string& out, std::uint32_t point) {
  const unsigned more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr std::array<std::uint32_t, 4> lead{0, 0xC0, 0xE0, 0xF0};
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  put(lead[more] | (point >> (6 * more)));
  for (auto left = more; left > 0; --left) put(0x80U | ((point >> (6 * (left - 1))) & 0x3FU));
}

/// The escape at the front of `in`, decoded behind `out`; how many bytes it has, 0 where there is none.
using Escape = std::size_t (*)(std::string_view in, std::string& out);
struct Escapes {
  Escape escape;
  std::string_view begin;  ///< bytes that one may begin with
};

std::size_t percent(std::string_view in, std::string& out) {
  if (in[0] != '%' || in.size() < 3) return 0;
  const auto byte = number(in.substr(1, 2), 16);
  if (!byte) return 0;
  out.push_back(static_cast<char>(static_cast<unsigned char>(*byte)));
  return 3;
}

std::size_t form(std::string_view in, std::string& out) {
  if (in[0] != '+') return percent(in, out);
  out.push_back(' ');
  return 1;
}

std::optional<std::uint32_t> unit_of_json(std::string_view in) {
  if (in.size() < 6 || in[0] != '\\' || in[1] != 'u') return std::nullopt;
  return number(in.substr(2, 4), 16);
}

std::size_t json_escape(std::string_view in, std::string& out) {
  if (in[0] != '\\' || in.size() < 2) return 0;
  if (const auto unit = unit_of_json(in)) {
    if (*unit < 0xD800 || *unit > 0xDFFF) {
      put_code_point(out, *unit);
      return 6;
    }
    const auto low = unit_of_json(in.substr(6));
    if (*unit > 0xDBFF || !low || *low < 0xDC00 || *low > 0xDFFF) return 0;
    put_code_point(out, 0x10000 + ((*unit - 0xD800) << 10U) + (*low - 0xDC00));
    return 12;
  }
  constexpr std::string_view letters = "\"\\/'bfnrt", meant = "\"\\/'\b\f\n\r\t";
  const auto at = letters.find(in[1]);
  if (at == std::string_view::npos) return 0;
  out.push_back(meant[at]);
  return 2;
}

std::size_t xml_reference(std::string_view in, std::string& out) {
  if (in[0] != '&') return 0;
  in = in.substr(0, most_bytes_for_one);
  const auto end = in.find(';');
  if (end == std::string_view::npos) return 0;
  const auto name = in.substr(1, end - 1);
  if (!name.empty() && name[0] == '#') {
    const bool hexadecimal = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    const auto point = number(name.substr(hexadecimal ? 2 : 1), hexadecimal ? 16 : 10);
    if (!point || *point > 0x10FFFF || (*point >= 0xD800 && *point <= 0xDFFF)) return 0;
    put_code_point(out, *point);
    return end + 1;
  }
  constexpr std::array<std::pair<std::string_view, char>, 5> names{
      {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}};
  const auto* it =
      std::find_if(names.begin(), names.end(), [&](const auto& known) { return known.first == name; });
  if (it == names.end()) return 0;
  out.push_back(it->second);
  return end + 1;
}

/// False: there is nothing to decode.
bool decode(Decoded& text, const Escapes& escapes) {
  const std::string_view in = text.text;
  auto next = in.find_first_of(escapes.begin);
  if (next == std::string_view::npos) return false;
  Decoded out;
  out.text.reserve(in.size());
  out.from.reserve(text.from.size());
  bool any = false;
  for (std::size_t at = 0; at < in.size(); next = in.find_first_of(escapes.begin, at)) {
    // What is none is as it is.
    const auto end = std::min(next, in.size());
    out.text.append(in.substr(at, end - at));
    out.from.insert(out.from.end(), text.from.begin() + static_cast<std::ptrdiff_t>(at),
                    text.from.begin() + static_cast<std::ptrdiff_t>(end));
    if (end == in.size()) break;
    const auto before = out.text.size();
    const auto bytes = escapes.escape(in.substr(end), out.text);
    if (bytes == 0) out.text.push_back(in[end]);
    out.from.insert(out.from.end(), out.text.size() - before, text.from[end]);
    any = any || bytes != 0;
    at = end + std::max<std::size_t>(bytes, 1);
  }
  out.from.push_back(text.from.back());
  text = std::move(out);
  return any;
}

/// Marks where `forms` stand.
void mark(const Decoded& text, const std::vector<std::string>& forms, std::vector<bool>& marked) {
  for (const auto& f : forms) {
    std::size_t done = 0;  // an overlapping one begins inside of what is marked
    for (auto at = text.text.find(f); at != std::string::npos; at = text.text.find(f, at + 1)) {
      const auto end = text.from[at + f.size()];
      for (auto i = std::max(done, text.from[at]); i < end; ++i) marked[i] = true;
      done = end;
    }
  }
}

// ---- names

/// "Api-Key" and "api_key" are "apikey".
std::string bare_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      out.push_back(static_cast<char>(c + 32));
    } else if (c != '-' && c != '_' && c != '.') {
      out.push_back(c);
    }
  }
  return out;
}

bool contains_any(std::string_view bare, const auto& words) {
  return std::any_of(std::begin(words), std::end(words),
                     [&](std::string_view word) { return bare.find(word) != std::string::npos; });
}

/// `in_query`: where a key is none of a record, and a code none of an error.
bool speaks_of_credentials(std::string_view name, bool in_query = false) {
  const auto bare = bare_name(name);
  static constexpr std::array<std::string_view, 15> parts{
      "password",   "passwd",        "passphrase", "passcode", "secret",  "token",     "apikey",    "accesskey",
      "privatekey", "authorization", "assertion",  "cookie",   "session", "signature", "credential"};
  static constexpr std::array<std::string_view, 7> wholes{"pwd", "pass", "otp", "jwt", "key", "sig", "code"};
  if (contains_any(bare, parts)) return true;
  const auto local = std::string_view(bare).substr(bare.rfind(':') + 1);
  const auto* end = wholes.end() - (in_query ? 0 : 3);
  return std::find(wholes.begin(), end, local) != end;
}

bool is_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
         c == '.' || c == ':';
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::size_t after_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

std::size_t count_backslashes(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of('\\', at), text.size()) - at;
}

/// Where the string ends whose quote is at `at`, behind `level` backslashes: 1 in JSON in JSON, 3 in one more.
/// What stands in it has more of them.
std::size_t end_of_string(std::string_view text, std::size_t at, std::size_t level) {
  const char quote = text[at];
  std::size_t run = 0;
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++run;
      continue;
    }
    if (text[at] == quote && run < level) return at - run;  // the string around it ends
    if (text[at] == quote && (run - level) % (2 * (level + 1)) == 0) return at + 1;
    run = 0;
  }
  return text.size();
}

/// Where the JSON array or object that begins at `at` ends.
std::size_t end_of_nested(std::string_view text, std::size_t at) {
  std::size_t depth = 0, run = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = std::max(end_of_string(text, at, run), at + 1);
      run = 0;
      continue;
    }
    run = c == '\\' ? run + 1 : 0;
    if (c == '{' || c == '[') ++depth;
    ++at;
    if ((c == '}' || c == ']') && --depth == 0) break;
  }
  return at;
}

/// Where the word at `at` ends; the scheme of an HTTP authentication and what comes with it are one.
std::size_t end_of_word(std::string_view text, std::size_t at, std::string_view ends) {
  auto end = std::min(text.find_first_of(ends, at), text.size());
  const auto first = bare_name(text.substr(at, end - at));
  if (first == "bearer" || first == "basic" || first == "digest" || first == "token") {
    const auto next = std::min(text.find_first_not_of(" \t", end), text.size());
    if (next > end) end = std::min(text.find_first_of(ends, next), text.size());
  }
  if (end < text.size() && text[end] == '"')  // of JSON in JSON
    while (end > at && text[end - 1] == '\\') --end;
  return end;
}

/// Where the user of the URL ends whose colon is at `at`, with its '@'; 0 where there is none.
std::size_t end_of_user(std::string_view text, std::size_t at, std::size_t& begin) {
  begin = at + 1;
  for (int slashes = 0; slashes < 2; ++slashes) {
    begin += count_backslashes(text, begin);  // of JSON
    if (begin >= text.size() || text[begin] != '/') return 0;
    ++begin;
  }
  const auto end = std::min(text.find_first_of("/?#\\\"<> \t\r\n", begin), text.size());
  const auto user = text.substr(begin, end - begin).rfind('@');
  return user == std::string_view::npos ? 0 : begin + user + 1;
}

/// What is to be taken out, and what stands there instead.
struct Piece {
  std::size_t from = 0;
  std::size_t to = 0;
  std::string instead = std::string(taken_out);
};

/// Of an element whose start tag, which began at `open`, ends at `at`.
Piece of_element(std::string_view text, std::size_t open, std::size_t at) {
  if (open == std::string_view::npos || text[at - 1] == '/') return {};
  auto end = open + 1;
  while (end < at && is_name(text[end])) ++end;
  const auto name = text.substr(open + 1, end - open - 1);
  if (!speaks_of_credentials(name)) return {};
  return {at + 1, std::min(text.find("</" + std::string(name), at + 1), text.size())};
}

/// Of what stands behind the ':' or '=' at `at`. Nothing before `copied` counts.
Piece of_member(std::string_view text, std::size_t copied, std::size_t at) {
  const bool query = text[at] == '=';
  auto end = at;
  while (end > copied && is_space(text[end - 1])) --end;
  const bool quoted = end > copied && (text[end - 1] == '"' || text[end - 1] == '\'');
  if (!query && !quoted) {
    Piece user;
    if (const auto to = end_of_user(text, at, user.from); to != 0) {
      user.to = to - 1;
      return user;
    }
    // Else a port, or a time.
    if (at + 1 >= text.size() || !is_space(text[at + 1])) return {};
  }
  if (quoted) --end;
  std::size_t level = 0;  // JSON in JSON
  for (; quoted && end > copied && text[end - 1] == '\\'; --end) ++level;
  auto begin = end;
  while (begin > copied && is_name(text[begin - 1])) --begin;
  if (!speaks_of_credentials(text.substr(begin, end - begin), query)) return {};
  Piece out;
  out.from = after_spaces(text, at + 1);
  if (!query && quoted) {  // JSON stays JSON
    const std::string mark = std::string(level, '\\') + "\"";
    out.instead = mark + out.instead + mark;
  }
  const auto run = count_backslashes(text, out.from);
  const auto first = out.from + run < text.size() ? text[out.from + run] : '\0';
  if (first == '"' || (first == '\'' && run == 0)) {
    out.to = end_of_string(text, out.from + run, run);
  } else if (first == '{' || first == '[') {
    out.to = end_of_nested(text, out.from);
  } else {
    out.to = end_of_word(text, out.from, !query && quoted ? "&;,}]<>\"' \t\r\n" : "&<>\" \t\r\n");
  }
  return out;
}

}  // namespace

std::vector<std::string> forms_of(const std::vector<std::string>& secrets) {
  std::vector<std::string> out = secrets;
  for (const auto& secret : secrets)
    for (const std::size_t offset : {0U, 1U, 2U})
      for (const auto* last_two : {"+/", "-_"}) out.push_back(within_base64(secret, offset, last_two));
  std::erase_if(out, [](const std::string& s) { return s.size() < least_secret_bytes; });
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string without_known(std::string_view text, const std::vector<std::string>& forms, std::size_t most) {
  std::size_t longest = 0;
  for (const auto& f : forms) longest = std::max(longest, f.size());
  Decoded plain{std::string(text.substr(0, most + longest * most_bytes_for_one)), {}};
  for (std::size_t i = 0; i <= plain.text.size(); ++i) plain.from.push_back(i);
  std::vector<bool> marked(plain.text.size());
  if (!forms.empty()) {
    mark(plain, forms, marked);
    static constexpr std::array<Escapes, 4> all{
        {{&percent, "%"}, {&form, "%+"}, {&json_escape, "\\"}, {&xml_reference, "&"}}};
    for (const auto& escapes : all) {
      auto decoded = plain;
      for (int times = 0; times < 3 && decode(decoded, escapes); ++times) mark(decoded, forms, marked);
    }
  }
  std::string out;
  for (std::size_t i = 0; i < std::min(most, plain.text.size()); ++i) {
    if (!marked[i]) {
      out.push_back(plain.text[i]);
    } else if (i == 0 || !marked[i - 1]) {
      out.append(taken_out);
    }
  }
  return out;
}

std::string without_named(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  std::size_t open = std::string_view::npos;  // of a tag
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '<') open = at;
    Piece piece;
    if (c == '>') piece = of_element(text, std::exchange(open, std::string_view::npos), at);
    if (c == ':' || c == '=') piece = of_member(text, copied, at);
    if (piece.to <= piece.from) continue;
    out.append(text.substr(copied, piece.from - copied)).append(piece.instead);
    copied = piece.to;
    at = piece.to - 1;
  }
  return out.append(text.substr(copied));
}

bool carries_credentials(std::string_view header) {
  const auto bare = bare_name(header);
  return speaks_of_credentials(header) || bare.find("auth") != std::string::npos ||
         bare.find("key") != std::string::npos;
}

}  // namespace deprov::plugin
