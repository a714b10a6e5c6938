#pragma once
#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deprov/json_schema.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deprov {

namespace detail::schema {

namespace json = boost::json;

inline constexpr int max_depth = 64;
inline constexpr std::array<std::string_view, 7> type_names{"null",    "boolean", "object", "array",
                                                            "integer", "number",  "string"};
inline constexpr std::array<std::string_view, 10> annotations{"$schema",     "$id",      "$comment", "title",
                                                              "description", "default",  "examples", "deprecated",
                                                              "readOnly",    "writeOnly"};

/// A failure with how near the instance came: an alternative that is ruled out by its `const` or `enum`
/// is farther away than one in which only a member is missing.
struct Mismatch {
  Error error;
  bool ruled_out = false;
};
using Check = std::optional<Mismatch>;

inline std::string escape_pointer(std::string_view token) {
  std::string out;
  for (const char c : token) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

inline Check fail(const std::string& where, std::string text, std::string advice = {}, bool ruled_out = false) {
  return Mismatch{Error(Errc::invalid_argument, std::move(text), where, std::move(advice)), ruled_out};
}

inline std::optional<long double> number_of(const json::value& v) {
  if (const auto* i = v.if_int64()) return static_cast<long double>(*i);
  if (const auto* u = v.if_uint64()) return static_cast<long double>(*u);
  if (const auto* d = v.if_double()) return static_cast<long double>(*d);
  return std::nullopt;
}

/// Equality of JSON Schema: numbers by value whatever their notation.
inline bool same(const json::value& a, const json::value& b) {
  if (const auto x = number_of(a))
    if (const auto y = number_of(b)) return *x == *y;
  return a == b;
}

inline bool is_type(const json::value& v, std::string_view name) {
  if (name == "null") return v.is_null();
  if (name == "boolean") return v.is_bool();
  if (name == "object") return v.is_object();
  if (name == "array") return v.is_array();
  if (name == "string") return v.is_string();
  if (name == "number") return v.is_number();
  if (name == "integer")
    return v.is_int64() || v.is_uint64() || (v.is_double() && std::trunc(v.get_double()) == v.get_double());
  return false;
}

inline std::string_view type_of(const json::value& v) {
  for (const auto name : type_names)
    if (is_type(v, name)) return name;
  return "number";
}

inline std::size_t code_points(std::string_view s) {
  return static_cast<std::size_t>(
      std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

inline bool looks_like_uri(std::string_view s) {
  const auto colon = s.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 >= s.size()) return false;
  for (std::size_t i = 0; i < colon; ++i) {
    const char c = s[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    if (!letter && !(i > 0 && later)) return false;
  }
  return std::none_of(s.begin(), s.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; });
}

inline std::string list_of(const json::array& values) {
  std::string out;
  for (const auto& v : values) out.append(out.empty() ? "" : ", ").append(json::serialize(v));
  return out;
}

inline std::string text_of(const json::value& number) { return json::serialize(number); }

Check validate(const json::object& schema, const json::value& v, const std::string& where, int depth);

inline Check validate_any(const json::value& schema, const json::value& v, const std::string& where, int depth) {
  if (schema.is_bool()) return schema.get_bool() ? Check{} : fail(where, "is not allowed here");
  return validate(schema.get_object(), v, where, depth + 1);
}

/// `ruled_out` of the alternative's own discriminators comes first, then the depth of the place.
inline bool nearer(const Mismatch& a, const Mismatch& b) {
  if (a.ruled_out != b.ruled_out) return !a.ruled_out;
  return a.error.where().size() > b.error.where().size();
}

inline bool of_another_type(const json::value& schema, const json::value& v) {
  const auto* o = schema.if_object();
  const auto* t = o != nullptr ? o->if_contains("type") : nullptr;
  return t != nullptr && t->is_string() && !is_type(v, t->get_string());
}

inline Check alternatives(const json::object& schema, const json::value& v, const std::string& where, int depth) {
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const auto* list = schema.if_contains(keyword);
    if (list == nullptr) continue;
    std::size_t fitting = 0;
    Check nearest;
    for (const auto& alternative : list->get_array()) {
      auto r = validate_any(alternative, v, where, depth);
      if (r && of_another_type(alternative, v)) r->ruled_out = true;
      if (!r)
        ++fitting;
      else if (!nearest || nearer(*r, *nearest))
        nearest = std::move(r);
    }
    if (fitting == 0) return nearest;
    if (keyword == "oneOf" && fitting > 1)
      return fail(where, "fits " + std::to_string(fitting) + " of the alternatives of which it has to fit one");
  }
  if (const auto* list = schema.if_contains("allOf"))
    for (const auto& part : list->get_array())
      if (auto r = validate_any(part, v, where, depth)) return r;
  return {};
}

inline Check scalars(const json::object& schema, const json::value& v, const std::string& where) {
  if (const auto* t = schema.if_contains("type")) {
    const bool fits = t->is_string()
                          ? is_type(v, t->get_string())
                          : std::any_of(t->get_array().begin(), t->get_array().end(),
                                        [&](const json::value& n) { return is_type(v, n.get_string()); });
    if (!fits) {
      const auto wanted = t->is_string() ? std::string(t->get_string()) : "one of " + list_of(t->get_array());
      return fail(where, "has to be " + wanted + ", and is " + std::string(type_of(v)));
    }
  }
  if (const auto* c = schema.if_contains("const"); c != nullptr && !same(*c, v))
    return fail(where, "has to be " + json::serialize(*c), {}, true);
  if (const auto* e = schema.if_contains("enum")) {
    const auto& values = e->get_array();
    if (std::none_of(values.begin(), values.end(), [&](const json::value& x) { return same(x, v); }))
      return fail(where, "has to be one of " + list_of(values), {}, true);
  }
  if (const auto number = number_of(v)) {
    if (const auto* m = schema.if_contains("minimum"); m != nullptr && *number < *number_of(*m))
      return fail(where, "has to be at least " + text_of(*m) + ", and is " + text_of(v));
    if (const auto* m = schema.if_contains("maximum"); m != nullptr && *number > *number_of(*m))
      return fail(where, "has to be at most " + text_of(*m) + ", and is " + text_of(v));
    if (const auto* m = schema.if_contains("exclusiveMinimum"); m != nullptr && *number <= *number_of(*m))
      return fail(where, "has to be more than " + text_of(*m) + ", and is " + text_of(v));
    if (const auto* m = schema.if_contains("exclusiveMaximum"); m != nullptr && *number >= *number_of(*m))
      return fail(where, "has to be less than " + text_of(*m) + ", and is " + text_of(v));
  }
  if (const auto* s = v.if_string()) {
    const auto length = static_cast<long double>(code_points(*s));
    if (const auto* m = schema.if_contains("minLength"); m != nullptr && length < *number_of(*m))
      return fail(where, s->empty() ? std::string("must not be empty")
                                    : "has to have at least " + text_of(*m) + " characters");
    if (const auto* m = schema.if_contains("maxLength"); m != nullptr && length > *number_of(*m))
      return fail(where, "has to have at most " + text_of(*m) + " characters");
    if (const auto* f = schema.if_contains("format"); f != nullptr && *f == "uri" && !looks_like_uri(*s))
      return fail(where, "has to be an absolute URI", "give the scheme as well, such as https://host/path");
  }
  return {};
}

inline Check object_members(const json::object& schema, const json::object& o, const std::string& where,
                            int depth) {
  if (const auto* m = schema.if_contains("minProperties");
      m != nullptr && static_cast<long double>(o.size()) < *number_of(*m))
    return fail(where, "has to have at least " + text_of(*m) + " members");
  if (const auto* m = schema.if_contains("maxProperties");
      m != nullptr && static_cast<long double>(o.size()) > *number_of(*m))
    return fail(where, "has to have at most " + text_of(*m) + " members");
  const auto* p = schema.if_contains("properties");
  const json::object* properties = p == nullptr ? nullptr : &p->get_object();
  if (properties != nullptr) {
    // Members that tell the alternatives of a `oneOf` apart come first, so that an error is about them.
    for (const bool constant : {true, false})
      for (const auto& [name, sub] : *properties) {
        if ((sub.is_object() && sub.get_object().contains("const")) != constant) continue;
        if (const auto* member = o.if_contains(name))
          if (auto r = validate_any(sub, *member, where + "/" + escape_pointer(name), depth)) return r;
      }
  }
  if (const auto* required = schema.if_contains("required"))
    for (const auto& name : required->get_array())
      if (!o.contains(name.get_string())) {
        bool tells_apart = false;
        if (properties != nullptr)
          if (const auto* sub = properties->if_contains(name.get_string()))
            tells_apart = sub->is_object() && sub->get_object().contains("const");
        return fail(where, "the member \"" + std::string(name.get_string()) + "\" is missing", {}, tells_apart);
      }
  const auto* additional = schema.if_contains("additionalProperties");
  if (additional == nullptr) return {};
  for (const auto& [name, member] : o) {
    if (properties != nullptr && properties->contains(name)) continue;
    const auto place = where + "/" + escape_pointer(name);
    if (additional->is_bool()) {
      if (additional->get_bool()) break;
      std::string known;
      if (properties != nullptr)
        for (const auto& [k, sub] : *properties)
          known.append(known.empty() ? "" : ", ").append(std::string_view(k));
      return fail(place, "is not a member that is known here",
                  known.empty() ? std::string{} : "the members are: " + known);
    }
    if (auto r = validate_any(*additional, member, place, depth)) return r;
  }
  return {};
}

inline Check array_items(const json::object& schema, const json::array& a, const std::string& where, int depth) {
  if (const auto* m = schema.if_contains("minItems");
      m != nullptr && static_cast<long double>(a.size()) < *number_of(*m))
    return fail(where,
                a.empty() ? std::string("must not be empty") : "has to have at least " + text_of(*m) + " items");
  if (const auto* m = schema.if_contains("maxItems");
      m != nullptr && static_cast<long double>(a.size()) > *number_of(*m))
    return fail(where, "has to have at most " + text_of(*m) + " items, and has " + std::to_string(a.size()));
  if (const auto* items = schema.if_contains("items"))
    for (std::size_t i = 0; i < a.size(); ++i)
      if (auto r = validate_any(*items, a[i], where + "/" + std::to_string(i), depth)) return r;
  if (const auto* unique = schema.if_contains("uniqueItems"); unique != nullptr && unique->get_bool()) {
    std::vector<std::pair<std::string, std::size_t>> seen;
    seen.reserve(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) seen.emplace_back(json::serialize(a[i]), i);
    std::sort(seen.begin(), seen.end());
    for (std::size_t i = 1; i < seen.size(); ++i)
      if (seen[i - 1].first == seen[i].first)
        return fail(where + "/" + std::to_string(seen[i].second), "is there twice");
  }
  return {};
}

DEPROV_INLINE Check validate(const json::object& schema, const json::value& v, const std::string& where,
                             int depth) {
  if (depth > max_depth)
    return Mismatch{Error(Errc::limit_exceeded, "is nested deeper than " + std::to_string(max_depth), where),
                    false};
  if (auto r = scalars(schema, v, where)) return r;
  if (const auto* o = v.if_object())
    if (auto r = object_members(schema, *o, where, depth)) return r;
  if (const auto* a = v.if_array())
    if (auto r = array_items(schema, *a, where, depth)) return r;
  return alternatives(schema, v, where, depth);
}

// The schema itself.

Check check(const json::value& schema, const std::string& where, int depth);

inline bool one_of(std::string_view s, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), s) != names.end();
}

inline Check check_list(const json::value& value, const std::string& place, int depth) {
  if (!value.is_array() || value.get_array().empty()) return fail(place, "has to be a non-empty array of schemas");
  for (std::size_t i = 0; i < value.get_array().size(); ++i)
    if (auto r = check(value.get_array()[i], place + "/" + std::to_string(i), depth + 1)) return r;
  return {};
}

inline Check check_types(const json::value& value, const std::string& place) {
  const auto known = [](const json::value& n) {
    return n.is_string() &&
           std::find(type_names.begin(), type_names.end(), std::string_view(n.get_string())) != type_names.end();
  };
  const bool good = value.is_array() ? !value.get_array().empty() &&
                                           std::all_of(value.get_array().begin(), value.get_array().end(), known)
                                     : known(value);
  return good ? Check{} : fail(place, "names a type that JSON Schema does not have");
}

inline Check check_keyword(std::string_view key, const json::value& value, const std::string& place, int depth) {
  if (key == "type") return check_types(value, place);
  if (key == "const") return {};
  if (key == "enum")
    return value.is_array() && !value.get_array().empty() ? Check{} : fail(place, "has to be a non-empty array");
  if (key == "properties") {
    if (!value.is_object()) return fail(place, "has to be an object of schemas");
    for (const auto& [name, sub] : value.get_object())
      if (auto r = check(sub, place + "/" + escape_pointer(name), depth + 1)) return r;
    return {};
  }
  if (key == "required") {
    const bool good = value.is_array() && std::all_of(value.get_array().begin(), value.get_array().end(),
                                                      [](const json::value& n) { return n.is_string(); });
    return good ? Check{} : fail(place, "has to be an array of strings");
  }
  if (one_of(key, {"additionalProperties", "items"})) return check(value, place, depth + 1);
  if (one_of(key, {"anyOf", "oneOf", "allOf"})) return check_list(value, place, depth);
  if (one_of(key, {"minProperties", "maxProperties", "minItems", "maxItems", "minLength", "maxLength"}))
    return is_type(value, "integer") && *number_of(value) >= 0 ? Check{}
                                                               : fail(place, "has to be an integer from 0");
  if (one_of(key, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}))
    return value.is_number() ? Check{} : fail(place, "has to be a number");
  if (key == "uniqueItems") return value.is_bool() ? Check{} : fail(place, "has to be a boolean");
  if (key == "format")
    return value.is_string() && value.get_string() == "uri" ? Check{} : fail(place, "has to be \"uri\"");
  if (key.substr(0, 2) == "x-" || std::find(annotations.begin(), annotations.end(), key) != annotations.end())
    return {};
  return fail(place, "is a keyword that is not understood here", "see the list in deprov/json_schema.hpp");
}

DEPROV_INLINE Check check(const json::value& schema, const std::string& where, int depth) {
  if (depth > max_depth)
    return Mismatch{Error(Errc::limit_exceeded, "is nested deeper than " + std::to_string(max_depth), where),
                    false};
  if (schema.is_bool()) return {};
  if (!schema.is_object()) return fail(where, "a schema is an object or a boolean");
  for (const auto& [key, value] : schema.get_object())
    if (auto r = check_keyword(key, value, where + "/" + escape_pointer(key), depth)) return r;
  return {};
}

}  // namespace detail::schema

DEPROV_INLINE Result<void> check_json_schema(const boost::json::value& schema) {
  if (auto r = detail::schema::check(schema, {}, 0)) return std::move(r->error);
  return {};
}

DEPROV_INLINE Result<void> validate_json(const boost::json::value& schema, const boost::json::value& instance) {
  if (auto r = detail::schema::validate_any(schema, instance, {}, 0)) return std::move(r->error);
  return {};
}

}  // namespace deprov
