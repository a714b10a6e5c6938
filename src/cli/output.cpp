#include "cli/output.hpp"
#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <deprov/utf8.hpp>
#include <iostream>
#include <utility>

namespace deprov::cli {

namespace {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// JSON with numbers as people write them: 20 and 12.5, where the library says 2E1 and 1.25E1.
void write(const json::value& value, std::string& out) {
  if (const auto* number = value.if_double()) {
    std::array<char, 64> text{};
    const bool plain = std::abs(*number) < 1e15 && (*number == 0 || std::abs(*number) >= 1e-6);
    const auto end = std::to_chars(text.data(), text.data() + text.size(), *number,
                                   plain ? std::chars_format::fixed : std::chars_format::general);
    out.append(text.data(), end.ptr);
  } else if (const auto* object = value.if_object()) {
    out += '{';
    bool first = true;
    for (const auto& member : *object) {
      if (!std::exchange(first, false)) out += ',';
      out += json::serialize(json::string(member.key())) + ":";
      write(member.value(), out);
    }
    out += '}';
  } else if (const auto* array = value.if_array()) {
    out += '[';
    bool first = true;
    for (const auto& item : *array) {
      if (!std::exchange(first, false)) out += ',';
      write(item, out);
    }
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

std::string written(const json::value& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace

int exit_code(Errc code) noexcept {
  switch (code) {
    case Errc::not_found: return exit_not_found;
    case Errc::unauthorized:
    case Errc::forbidden:
    case Errc::conflict:
    case Errc::uniqueness: return exit_refused;
    case Errc::store_locked: return exit_in_use;
    default: return exit_failure;
  }
}

std::string safe(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    out.push_back(b < 0x20 || b == 0x7F ? '?' : c);
  }
  return out;
}

std::string xml_escaped(std::string_view text) {
  const auto whole = to_utf8(text);
  std::string out;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const char c = whole[i];
    switch (c) {
      case '&': out += "&amp;"; continue;
      case '<': out += "&lt;"; continue;
      case '>': out += "&gt;"; continue;
      case '"': out += "&quot;"; continue;
      case '\'': out += "&apos;"; continue;
      default: break;
    }
    if (const auto three = std::string_view(whole).substr(i, 3);
        three == "\xEF\xBF\xBE" || three == "\xEF\xBF\xBF") {
      out += "\xEF\xBF\xBD";  // U+FFFE and U+FFFF are no characters of XML
      i += 2;
      continue;
    }
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

void print_table(const std::vector<std::string>& heading, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  widths.reserve(heading.size());
  for (const auto& h : heading) widths.push_back(width_of(h));
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  const auto line = [&](const std::vector<std::string>& row) {
    std::string out;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto text = safe(row[i]);
      out += text;
      if (i + 1 < row.size()) out += std::string(widths[i] - std::min(widths[i], width_of(text)) + 2, ' ');
    }
    std::cout << out << "\n";
  };
  line(heading);
  for (const auto& row : rows) line(row);
}

void print_json(const json::value& value) { std::cout << written(value) << std::endl; }

void print_members(const json::value& object) {
  std::size_t width = 0;
  for (const auto& member : object.as_object()) width = std::max(width, member.key().size());
  for (const auto& member : object.as_object()) {
    const std::string name(member.key());
    std::cout << name << std::string(width - name.size() + 2, ' ') << safe(cell(object, name)) << "\n";
  }
}

void print_error(const Error& error, bool as_json) {
  if (as_json) {
    std::cerr << json::serialize(json::object{{"error",
                                               {{"code", to_string(error.code())},
                                                {"message", error.detail()},
                                                {"where", error.where()},
                                                {"advice", error.advice()}}}})
              << std::endl;
    return;
  }
  std::cerr << "deprov: " << safe(error.message()) << std::endl;
}

std::string cell(const json::value& object, std::string_view name) {
  const auto* o = object.if_object();
  const auto* v = o != nullptr ? o->if_contains(name) : nullptr;
  if (v == nullptr || v->is_null()) return "-";
  if (v->is_string()) return v->get_string().empty() ? "-" : std::string(v->get_string());
  return written(*v);
}

std::string duration_text(const json::value& milliseconds) {
  if (!milliseconds.is_number()) return "-";
  const double ms = milliseconds.to_number<double>();
  char buffer[48];
  if (ms < 1000) {
    std::snprintf(buffer, sizeof buffer, "%.0f ms", ms);
  } else if (ms < 120'000) {
    std::snprintf(buffer, sizeof buffer, "%.2f s", ms / 1000);
  } else {
    std::snprintf(buffer, sizeof buffer, "%.0f min", ms / 60'000);
  }
  return buffer;
}

bool reader_left() noexcept {
  pollfd out{STDOUT_FILENO, 0, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

std::string share_text(const json::value& share) {
  if (!share.is_number()) return "-";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f %%", share.to_number<double>() * 100);
  return buffer;
}

bool on_terminal() noexcept { return ::isatty(STDOUT_FILENO) == 1; }

}  // namespace deprov::cli
