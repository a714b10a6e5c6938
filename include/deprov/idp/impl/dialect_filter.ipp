#pragma once
#include <deprov/idp/impl/dialect_values.ipp>
#include <deprov/scim/path.hpp>
#include <deprov/scim/query.hpp>
#include <optional>
#include <utility>

namespace deprov::idp::detail {

inline void percent_encode(std::string_view text, std::string& out) {
  static constexpr char hex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      const auto u = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(hex[u >> 4U]);
      out.push_back(hex[u & 0x0FU]);
    }
  }
}

/// Brings filters, and the brackets of PATCH paths, into the form that the grammar has.
class FilterRules {
 public:
  FilterRules(const ActiveRules& rules, const scim::TypeDef* type, const scim::Limits& limits)
      : rules_(rules), type_(type), limits_(limits) {}

  struct Read {
    scim::Filter filter;
    bool changed = false;  ///< it is not what the text says to the letter
  };
  /// Nothing if it is beyond help.
  [[nodiscard]] std::optional<Read> filter(std::string_view text) const {
    auto parsed = scim::parse_filter(text, limits_);
    bool changed = false;
    if (!parsed) {
      if (!rules_.allow(RuleId::unquoted_filter_values) || parsed.error().code() != Errc::invalid_filter)
        return std::nullopt;
      parsed = scim::parse_filter(quoted(text), limits_);
      if (!parsed || !rules_.use(RuleId::unquoted_filter_values)) return std::nullopt;
      changed = true;
    }
    if (type_ != nullptr && literals(*parsed, nullptr)) changed = true;
    return Read{std::move(*parsed), changed};
  }

  [[nodiscard]] std::optional<std::string> path(std::string_view text, const scim::Resolved& target) const {
    auto parsed = scim::parse_path(text, limits_);
    bool changed = false;
    if (!parsed) {
      if (!rules_.allow(RuleId::unquoted_filter_values) || parsed.error().code() != Errc::invalid_filter)
        return std::nullopt;
      parsed = scim::parse_path(quoted(text), limits_);
      if (!parsed || !rules_.use(RuleId::unquoted_filter_values)) return std::nullopt;
      changed = true;
    }
    if (parsed->value_filter && literals(*parsed->value_filter, target.attribute)) changed = true;
    if (!changed) return std::nullopt;
    return scim::to_string(*parsed);
  }

 private:
  /// Literals of another type than their attribute's: "True" for a boolean, a number for text.
  bool literals(scim::Filter& f, const scim::Attribute* within) const {
    bool changed = false;
    const scim::Attribute* attribute = nullptr;
    if (within != nullptr) {
      attribute = within->find(f.attr.attribute);
    } else if (const auto r = type_->resolve(f.attr)) {
      attribute = r->leaf();
    }
    if (f.kind == scim::Filter::Kind::compare && attribute != nullptr) {
      if (attribute->type == scim::AttributeType::complex && attribute->find("value") != nullptr)
        attribute = attribute->find("value");
      changed = literal(f.value, *attribute);
    }
    for (auto& o : f.operands) {
      const auto* inner = f.kind == scim::Filter::Kind::value_path ? attribute : within;
      if (f.kind == scim::Filter::Kind::value_path && inner == nullptr) continue;
      changed = literals(o, inner) || changed;
    }
    return changed;
  }
  bool literal(json::value& v, const scim::Attribute& a) const {
    using T = scim::AttributeType;
    if (a.type == T::boolean && v.is_string()) {
      const bool yes = scim::iequals(v.get_string(), "true");
      if ((!yes && !scim::iequals(v.get_string(), "false")) || !rules_.use(RuleId::string_booleans)) return false;
      v = yes;
      return true;
    }
    const bool text = a.type == T::string || a.type == T::reference;
    if (!text || v.is_string() || v.is_null() || v.is_double() || !rules_.use(RuleId::unquoted_filter_values))
      return false;
    v = json::serialize(v);
    return true;
  }

  /// Quotes put around what stands unquoted behind an operator.
  static std::string quoted(std::string_view text) {
    static constexpr std::string_view operators[] = {"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"};
    const auto space = [](char c) { return c == ' ' || c == '\t'; };
    std::string out;
    std::size_t i = 0;
    bool value_next = false;
    while (i < text.size()) {
      if (space(text[i])) {
        out.push_back(text[i++]);
        continue;
      }
      if (text[i] == '"') {  // a string as it should be
        const std::size_t start = i++;
        while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
        i = std::min(i + 1, text.size());
        out.append(text.substr(start, i - start));
        value_next = false;
        continue;
      }
      if (value_next) {
        i = append_value(text, i, out);
        value_next = false;
        continue;
      }
      if (text[i] == '(' || text[i] == ')' || text[i] == '[' || text[i] == ']') {
        out.push_back(text[i++]);
        continue;
      }
      const std::size_t start = i;
      while (i < text.size() && !space(text[i]) &&
             std::string_view("()[]\"").find(text[i]) == std::string_view::npos)
        ++i;
      const auto word = text.substr(start, i - start);
      out.append(word);
      const bool behind_name = start > 0 && space(text[start - 1]);
      for (const auto op : operators) value_next = value_next || (behind_name && scim::iequals(word, op));
    }
    return out;
  }
  /// Up to the next closing bracket, or an `and` or `or` that stands alone.
  static std::size_t append_value(std::string_view text, std::size_t i, std::string& out) {
    std::size_t end = text.size();
    for (std::size_t k = i; k < text.size(); ++k) {
      if (text[k] == ')' || text[k] == ']') {
        end = k;
        break;
      }
      if (text[k] != ' ') continue;
      const auto rest = text.substr(k + 1);
      if ((rest.size() > 4 && scim::iequals(rest.substr(0, 4), "and ")) ||
          (rest.size() > 3 && scim::iequals(rest.substr(0, 3), "or "))) {
        end = k;
        break;
      }
    }
    auto value = text.substr(i, end - i);
    while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
    const bool word =
        scim::iequals(value, "true") || scim::iequals(value, "false") || scim::iequals(value, "null");
    if (word) {
      out.append(value);
    } else if (value.size() >= 2 && value.front() == '\'' && value.back() == '\'') {
      out.append(json::serialize(json::value(value.substr(1, value.size() - 2))));
    } else {
      out.append(json::serialize(json::value(value)));
    }
    return end;
  }

  const ActiveRules& rules_;
  const scim::TypeDef* type_;
  const scim::Limits& limits_;
};

}  // namespace deprov::idp::detail
