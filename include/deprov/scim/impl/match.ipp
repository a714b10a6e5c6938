#pragma once
#include <algorithm>
#include <deprov/scim/fold.hpp>
#include <deprov/scim/match.hpp>
#include <deprov/scim/sort.hpp>
#include <deprov/time.hpp>
#include <utility>

namespace deprov::scim {

struct Matcher::Node {
  Filter::Kind kind = Filter::Kind::present;
  CompareOp op = CompareOp::eq;
  bool never = false;                    ///< the attribute is unknown and has no value
  bool self = false;                     ///< the value that is asked about, not a member of it
  const Schema* extension = nullptr;     ///< look under its URN
  const Attribute* attribute = nullptr;  ///< null: the extension as a whole
  const Attribute* sub = nullptr;
  json::value literal{};
  std::string folded{};  ///< of a string literal, for attributes that are not caseExact
  WallTime moment{};
  std::vector<Node> operands{};

  /// What is compared.
  [[nodiscard]] const Attribute& leaf() const noexcept { return sub != nullptr ? *sub : *attribute; }
};

namespace detail {

using MatchNode = Matcher::Node;

/// RFC 7644 "pr": neither null nor empty.
inline bool has_value(const json::value& v) noexcept {
  if (v.is_null()) return false;
  if (const auto* s = v.if_string()) return !s->empty();
  if (const auto* a = v.if_array())
    return std::any_of(a->begin(), a->end(), [](const auto& e) { return has_value(e); });
  if (const auto* o = v.if_object())
    return std::any_of(o->begin(), o->end(), [](const auto& m) { return has_value(m.value()); });
  return true;
}

inline int compare_numbers(const json::value& a, const json::value& b) noexcept {
  const auto sign = [](const auto& x, const auto& y) { return x < y ? -1 : (y < x ? 1 : 0); };
  if (const auto* x = a.if_int64())
    if (const auto* y = b.if_int64()) return sign(*x, *y);
  if (const auto* x = a.if_uint64())
    if (const auto* y = b.if_uint64()) return sign(*x, *y);
  boost::system::error_code ec;
  return sign(a.to_number<double>(ec), b.to_number<double>(ec));
}

inline bool ordered(CompareOp op, int order) noexcept {
  switch (op) {
    case CompareOp::eq: return order == 0;
    case CompareOp::ne: return order != 0;
    case CompareOp::gt: return order > 0;
    case CompareOp::ge: return order >= 0;
    case CompareOp::lt: return order < 0;
    case CompareOp::le: return order <= 0;
    case CompareOp::co:
    case CompareOp::sw:
    case CompareOp::ew: return false;
  }
  return false;
}

inline bool text_matches(CompareOp op, std::string_view value, std::string_view literal) noexcept {
  switch (op) {
    case CompareOp::co: return value.find(literal) != std::string_view::npos;
    case CompareOp::sw: return value.starts_with(literal);
    case CompareOp::ew: return value.ends_with(literal);
    default: return ordered(op, value.compare(literal));
  }
}

inline bool is_text_op(CompareOp op) noexcept {
  return op == CompareOp::co || op == CompareOp::sw || op == CompareOp::ew;
}

/// One value that is no array.
inline bool value_matches(const MatchNode& n, const json::value& v) {
  const auto* text = v.if_string();
  switch (n.leaf().type) {
    case AttributeType::boolean:
      return v.is_bool() && (v.get_bool() == n.literal.get_bool()) == (n.op == CompareOp::eq);
    case AttributeType::integer:
    case AttributeType::decimal: return v.is_number() && ordered(n.op, compare_numbers(v, n.literal));
    case AttributeType::date_time: {
      if (text == nullptr) return false;
      if (is_text_op(n.op)) return text_matches(n.op, *text, n.literal.get_string());
      const auto moment = parse_rfc3339(*text);
      if (!moment) return n.op == CompareOp::ne;
      const auto order = moment->micros - n.moment.micros;
      return ordered(n.op, order < 0 ? -1 : (order > 0 ? 1 : 0));
    }
    case AttributeType::complex: return false;
    case AttributeType::string:
    case AttributeType::binary:
    case AttributeType::reference: break;
  }
  if (text == nullptr) return n.op == CompareOp::ne;
  const std::string_view literal = n.literal.get_string();
  if (n.leaf().case_exact) return text_matches(n.op, *text, literal);
  if (n.op == CompareOp::eq) return equal_folded(*text, literal);
  if (n.op == CompareOp::ne) return !equal_folded(*text, literal);
  return text_matches(n.op, fold(*text), n.folded);
}

/// Any of the values that `v` holds once `sub` is taken of each.
template <class Test>
bool any_value(const json::value* v, const Attribute* sub, bool when_absent, const Test& test) {
  if (v == nullptr || v->is_null()) return when_absent;
  if (const auto* a = v->if_array()) {
    if (a->empty()) return when_absent;
    for (const auto& e : *a)
      if (any_value(&e, sub, when_absent, test)) return true;
    return false;
  }
  if (sub == nullptr) return test(*v);
  const auto* o = v->if_object();
  return any_value(o != nullptr ? o->if_contains(sub->name) : nullptr, nullptr, when_absent, test);
}

/// `object` is the resource or a complex value, `self` a value that is no object.
inline bool node_matches(const MatchNode& n, const json::object* object, const json::value* self) {
  switch (n.kind) {
    case Filter::Kind::all_of:
      for (const auto& o : n.operands)
        if (!node_matches(o, object, self)) return false;
      return true;
    case Filter::Kind::any_of:
      for (const auto& o : n.operands)
        if (node_matches(o, object, self)) return true;
      return false;
    case Filter::Kind::negate: return !node_matches(n.operands.front(), object, self);
    default: break;
  }
  const json::value* v = nullptr;
  if (!n.never) {
    if (n.self) {
      v = self;
    } else if (object != nullptr) {
      if (n.extension != nullptr) {
        v = object->if_contains(n.extension->id);
        if (n.attribute != nullptr && v != nullptr) {
          const auto* inner = v->if_object();
          v = inner != nullptr ? inner->if_contains(n.attribute->name) : nullptr;
        }
      } else {
        v = object->if_contains(n.attribute->name);
      }
    }
  }
  const auto present = [](const json::value& e) { return has_value(e); };
  if (n.kind == Filter::Kind::value_path)
    return any_value(v, nullptr, false,
                     [&](const json::value& e) { return node_matches(n.operands.front(), e.if_object(), &e); });
  if (n.kind == Filter::Kind::present) return any_value(v, n.sub, false, present);
  if (n.literal.is_null()) return any_value(v, n.sub, false, present) == (n.op == CompareOp::ne);
  return any_value(v, n.sub, n.op == CompareOp::ne, [&](const json::value& e) { return value_matches(n, e); });
}

class MatchCompiler {
 public:
  MatchCompiler(const TypeDef* type, const Attribute* values, UnknownAttribute unknown)
      : type_(type), values_(values), unknown_(unknown) {}

  Result<MatchNode> compile(const Filter& f) {
    MatchNode n;
    n.kind = f.kind;
    n.op = f.op;
    switch (f.kind) {
      case Filter::Kind::all_of:
      case Filter::Kind::any_of:
      case Filter::Kind::negate:
        for (const auto& o : f.operands) {
          DEPROV_TRY(child, compile(o));
          n.operands.push_back(std::move(child));
        }
        if (n.operands.empty()) return Error(Errc::invalid_filter, "an expression has no operand");
        return n;
      case Filter::Kind::value_path: return value_path(f, std::move(n));
      case Filter::Kind::present:
      case Filter::Kind::compare: break;
    }
    DEPROV_CHECK(find_attribute(f, n));
    if (n.never) {
      n.literal = f.value;
      return n;
    }
    if (n.attribute != nullptr &&
        (n.attribute->mutability == Mutability::write_only || n.leaf().mutability == Mutability::write_only))
      return Error(Errc::invalid_filter, "it is write-only: no filter can ask for it",
                   "filter, " + to_string(f.attr));
    if (f.kind == Filter::Kind::present) return n;
    DEPROV_CHECK(check(f, n));
    return n;
  }

 private:
  Result<MatchNode> value_path(const Filter& f, MatchNode&& n) {
    DEPROV_CHECK(find_attribute(f, n));
    if (n.never) return std::move(n);
    if (n.attribute == nullptr || f.operands.size() != 1)
      return Error(Errc::invalid_filter, "brackets stand behind what is no attribute", to_string(f.attr));
    MatchCompiler inner(nullptr, n.attribute, unknown_);
    DEPROV_TRY(child, inner.compile(f.operands.front()));
    n.operands.push_back(std::move(child));
    return std::move(n);
  }

  Result<void> find_attribute(const Filter& f, MatchNode& n) const {
    if (values_ != nullptr) {
      if (f.attr.schema.empty() && f.attr.sub.empty()) {
        n.attribute = values_->find(f.attr.attribute);
        if (n.attribute == nullptr && values_->type != AttributeType::complex &&
            iequals(f.attr.attribute, "value")) {
          n.attribute = values_;
          n.self = true;
        }
      }
    } else if (const auto r = type_->resolve(f.attr)) {
      n.extension = r->extension ? r->schema : nullptr;
      n.attribute = r->attribute;
      n.sub = r->sub;
      if (n.attribute != nullptr || n.extension != nullptr) return {};
    }
    if (n.attribute != nullptr) return {};
    if (unknown_ == UnknownAttribute::no_value) {
      n.never = true;
      return {};
    }
    const std::string of = values_ != nullptr ? values_->name : type_->name();
    return Error(Errc::invalid_filter, of + " has no attribute \"" + to_string(f.attr) + "\"", "filter");
  }

  static Result<void> check(const Filter& f, MatchNode& n) {
    const auto fail = [&](std::string detail, std::string advice = {}) {
      return Error(Errc::invalid_filter, std::move(detail), "filter, " + to_string(f.attr), std::move(advice));
    };
    if (n.attribute == nullptr) return fail("a schema extension as a whole can only be tested with pr");
    n.literal = f.value;
    if (f.value.is_null()) {
      if (f.op != CompareOp::eq && f.op != CompareOp::ne)
        return fail("null cannot be compared by " + std::string(to_string(f.op)), "use eq, ne or pr");
      return {};
    }
    if (n.leaf().type == AttributeType::complex) {
      n.sub = n.attribute->find("value");
      if (n.sub == nullptr) return fail("it is complex and has no sub-attribute value", "name a sub-attribute");
    }
    const auto& leaf = n.leaf();
    const bool ordering = f.op >= CompareOp::gt;
    const auto expect = [&](bool right, std::string_view what) -> Result<void> {
      if (right) return {};
      return fail("it is of type " + std::string(to_string(leaf.type)) + " and cannot be compared with " +
                      std::string(kind_name(f.value)),
                  "compare it with " + std::string(what));
    };
    switch (leaf.type) {
      case AttributeType::boolean:
        DEPROV_CHECK(expect(f.value.is_bool(), "true or false"));
        if (ordering || is_text_op(f.op))
          return fail("a boolean cannot be compared by " + std::string(to_string(f.op)));
        return {};
      case AttributeType::integer:
      case AttributeType::decimal:
        DEPROV_CHECK(expect(f.value.is_number(), "a number"));
        if (is_text_op(f.op)) return fail("a number cannot be compared by " + std::string(to_string(f.op)));
        return {};
      case AttributeType::date_time: {
        DEPROV_CHECK(expect(f.value.is_string(), "a dateTime in quotes"));
        if (is_text_op(f.op)) return {};
        auto moment = parse_rfc3339(f.value.get_string());
        if (!moment) return fail(moment.error().detail(), moment.error().advice());
        n.moment = *moment;
        return {};
      }
      case AttributeType::binary:
        DEPROV_CHECK(expect(f.value.is_string(), "base64 text in quotes"));
        if (ordering || is_text_op(f.op))
          return fail("binary data cannot be compared by " + std::string(to_string(f.op)));
        return {};
      case AttributeType::string:
      case AttributeType::reference:
        DEPROV_CHECK(expect(f.value.is_string(), "a string in quotes"));
        if (!leaf.case_exact) n.folded = fold(f.value.get_string());
        return {};
      case AttributeType::complex: break;
    }
    return fail("it cannot be compared");
  }

  const TypeDef* type_;
  const Attribute* values_;
  UnknownAttribute unknown_;
};

}  // namespace detail

DEPROV_INLINE Result<Matcher> Matcher::compile(const Filter& filter, const TypeDef& type,
                                               UnknownAttribute unknown) {
  DEPROV_TRY(node, detail::MatchCompiler(&type, nullptr, unknown).compile(filter));
  return Matcher(std::make_shared<const Node>(std::move(node)));
}

DEPROV_INLINE Result<Matcher> Matcher::compile_values(const Filter& filter, const Attribute& attribute,
                                                      UnknownAttribute unknown) {
  DEPROV_TRY(node, detail::MatchCompiler(nullptr, &attribute, unknown).compile(filter));
  return Matcher(std::make_shared<const Node>(std::move(node)));
}

DEPROV_INLINE bool Matcher::operator()(const json::object& resource) const noexcept {
  return detail::node_matches(*root_, &resource, nullptr);
}

DEPROV_INLINE bool Matcher::value(const json::value& element) const noexcept {
  return detail::node_matches(*root_, element.if_object(), &element);
}

DEPROV_INLINE Result<bool> matches(const Filter& filter, const json::object& resource, const TypeDef& type) {
  DEPROV_TRY(m, Matcher::compile(filter, type));
  return m(resource);
}

DEPROV_INLINE int compare_by(const json::object& a, const json::object& b, const Resolved& attribute) noexcept {
  return compare(sort_key(a, attribute), sort_key(b, attribute));
}

}  // namespace deprov::scim
