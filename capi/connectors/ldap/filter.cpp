#include "ldap/filter.hpp"
#include <ldap.h>
#include <array>
#include <memory>
#include "common/text.hpp"

namespace deprov_ldap {

namespace {

constexpr char digits[] = "0123456789abcdef";

bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int from_hex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = deprov_connectors::lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/// The first three fields are little-endian.
constexpr std::array<std::size_t, 16> guid_order{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

struct FreeDn {
  void operator()(LDAPDN dn) const noexcept { ldap_dnfree(dn); }
};
using Dn = std::unique_ptr<std::remove_pointer_t<LDAPDN>, FreeDn>;

Dn parse(const std::string& text) {
  LDAPDN dn = nullptr;
  if (ldap_str2dn(text.c_str(), &dn, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS) return nullptr;
  return Dn(dn);
}

std::string normal_form(LDAPDN dn) {
  char* text = nullptr;
  if (ldap_dn2str(dn, &text, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS || text == nullptr) return {};
  auto out = deprov_connectors::lowered(text);
  ldap_memfree(text);
  return out;
}

}  // namespace

std::string escaped(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (is_letter_or_digit(c) || c == '-' || c == '_' || c == '.' || c == '@') {
      out += c;
    } else {
      const auto b = static_cast<unsigned char>(c);
      out.append({'\\', digits[b >> 4U], digits[b & 15U]});
    }
  }
  return out;
}

std::string equals(const std::string& attribute, std::string_view value) {
  std::string out = "(";
  return out.append(attribute).append("=").append(escaped(value)).append(")");
}

bool is_one_filter(std::string_view filter) noexcept {
  // A parenthesis that belongs to a value is written \28 or \29, so that those which are there make the tree.
  if (filter.size() < 3 || filter.front() != '(' || filter.back() != ')') return false;
  int depth = 0;
  for (std::size_t i = 0; i < filter.size(); ++i) {
    if (filter[i] == '(') ++depth;
    if (filter[i] == ')' && --depth == 0 && i + 1 != filter.size()) return false;
    if (filter[i] == '\0' || depth < 0) return false;
  }
  return depth == 0;
}

bool is_attribute(std::string_view name) noexcept {
  if (name.empty() || name.size() > 100 || !is_letter_or_digit(name.front())) return false;
  for (const char c : name)
    if (!is_letter_or_digit(c) && c != '-' && c != '.') return false;
  return true;
}

bool is_name(const std::string& dn) { return !dn.empty() && parse(dn) != nullptr; }

bool same_name(const std::string& a, const std::string& b) {
  const auto x = parse(a), y = parse(b);
  return x && y && normal_form(x.get()) == normal_form(y.get());
}

std::string guid_to_text(std::string_view bytes) {
  if (bytes.size() != guid_order.size()) return {};
  std::string out;
  for (std::size_t i = 0; i < guid_order.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    const auto b = static_cast<unsigned char>(bytes[guid_order[i]]);
    out.append({digits[b >> 4U], digits[b & 15U]});
  }
  return out;
}

std::string guid_from_text(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) return {};
    if (!dash) plain += text[i];
  }
  if (plain.size() != 32) return {};
  std::string out(guid_order.size(), '\0');
  for (std::size_t i = 0; i < guid_order.size(); ++i) {
    const int high = from_hex(plain[2 * i]), low = from_hex(plain[2 * i + 1]);
    if (high < 0 || low < 0) return {};
    out[guid_order[i]] = static_cast<char>(high * 16 + low);
  }
  return out;
}

}  // namespace deprov_ldap
