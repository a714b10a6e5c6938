#include "service/scim_references.hpp"
#include <algorithm>
#include <deprov/scim/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace deprov::service {

namespace {

namespace json = boost::json;

/// The endpoint in `.../Users/{id}`, or nothing.
std::string_view endpoint_of(std::string_view uri) {
  uri = uri.substr(0, uri.find_first_of("?#"));
  while (!uri.empty() && uri.back() == '/') uri.remove_suffix(1);
  const auto id = uri.rfind('/');
  if (id == std::string_view::npos || id + 1 == uri.size()) return {};
  uri = uri.substr(0, id);
  const auto slash = uri.rfind('/');
  return slash == std::string_view::npos ? uri : uri.substr(slash + 1);
}

class Checker {
 public:
  explicit Checker(const scim::SchemaRegistry& registry) : registry_(registry) {}

  Result<void> run(const json::object& from, const std::vector<scim::Attribute>& attributes,
                   const std::string& prefix) const {
    for (const auto& a : attributes) {
      const auto* v = from.if_contains(a.name);
      if (v == nullptr) continue;
      if (const auto* list = v->if_array()) {
        for (const auto& e : *list) DEPROV_CHECK(one(a, e, prefix));
      } else {
        DEPROV_CHECK(one(a, *v, prefix));
      }
    }
    return {};
  }

 private:
  Result<void> one(const scim::Attribute& a, const json::value& v, const std::string& prefix) const {
    if (const auto* o = v.if_object()) return run(*o, a.sub_attributes, prefix + a.name + ".");
    const auto* text = v.if_string();
    if (a.type != scim::AttributeType::reference || text == nullptr || text->empty()) return {};
    std::string expected;
    const auto* target = registry_.endpoint(endpoint_of(*text));
    for (const auto& name : a.reference_types) {
      const auto* type = registry_.type(name);
      if (type == nullptr || type == target) return {};  // "external", "uri", or the one that it is
      expected += (expected.empty() ? "" : " or ") + type->type().endpoint + "/{id}";
    }
    if (expected.empty()) return {};
    return Error(Errc::invalid_value,
                 "\"" + std::string(std::string_view(*text).substr(0, 200)) +
                     "\" is no reference to a resource of the types it may name",
                 prefix + a.name, "expected the URI of " + expected);
  }

  const scim::SchemaRegistry& registry_;
};

bool is_builtin(const scim::Schema& schema) noexcept {
  return scim::SchemaRegistry::builtin().schema(schema.id) != nullptr;
}

}  // namespace

Result<void> check_references(const scim::SchemaRegistry& registry, const scim::TypeDef& type,
                              const json::object& document) {
  if (&registry == &scim::SchemaRegistry::builtin()) return {};
  const Checker checker(registry);
  if (!is_builtin(type.core())) DEPROV_CHECK(checker.run(document, type.core().attributes, {}));
  for (const auto& e : type.extensions()) {
    const auto* v = document.if_contains(e->id);
    const auto* inner = v != nullptr ? v->if_object() : nullptr;
    if (inner != nullptr && !is_builtin(*e)) DEPROV_CHECK(checker.run(*inner, e->attributes, e->id + ":"));
  }
  return {};
}

}  // namespace deprov::service
