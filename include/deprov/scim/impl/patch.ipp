#pragma once
#include <algorithm>
#include <deprov/scim/patch.hpp>
#include <initializer_list>
#include <utility>

namespace deprov::scim {

namespace detail {

/// What a message does not have cannot be understood, and may be what was meant: `values` for `value`.
inline Result<void> check_names(const json::object& o, std::initializer_list<std::string_view> known) {
  for (const auto& name : known) {
    std::size_t given = 0;
    for (const auto& m : o) given += iequals(m.key(), name) ? 1U : 0U;
    if (given > 1)
      return Error(Errc::invalid_syntax, "it is given twice, in different case", std::string(name),
                   "send it once");
  }
  for (const auto& m : o) {
    if (m.value().is_null()) continue;
    if (std::none_of(known.begin(), known.end(), [&](auto name) { return iequals(m.key(), name); }))
      return Error(Errc::invalid_syntax, "the message has no such member",
                   std::string(std::string_view(m.key()).substr(0, 200)), "see RFC 7644 section 3.5.2");
  }
  return {};
}

inline Result<PatchOperation> parse_operation(json::value& v, const Limits& limits) {
  auto* o = v.if_object();
  if (o == nullptr) return Error(Errc::invalid_syntax, "expected an object, not " + std::string(kind_name(v)));
  PatchOperation out;
  DEPROV_CHECK(check_names(*o, {"op", "path", "value"}));
  const auto* op = find(*o, "op");
  if (op == nullptr || !op->is_string())
    return Error(Errc::invalid_syntax, "it is missing or no string", "op", "use add, remove or replace");
  const std::string_view word = op->get_string();
  if (iequals(word, "replace")) {
    out.op = PatchOperation::Op::replace;
  } else if (iequals(word, "add")) {
    out.op = PatchOperation::Op::add;
  } else if (iequals(word, "remove")) {
    out.op = PatchOperation::Op::remove;
  } else {
    return Error(Errc::invalid_syntax, "the operation \"" + std::string(word.substr(0, 40)) + "\" is unknown",
                 "op", "use add, remove or replace");
  }
  if (const auto* path = find(*o, "path"); path != nullptr && !path->is_null()) {
    if (!path->is_string())
      return Error(Errc::invalid_path, "expected a string, not " + std::string(kind_name(*path)), "path");
    DEPROV_TRY(parsed, parse_path(path->get_string(), limits));
    out.path = std::move(parsed);
  }
  if (auto* value = find(*o, "value"); value != nullptr) out.value = std::move(*value);

  if (out.op == PatchOperation::Op::remove) {
    if (!out.path)
      return Error(Errc::no_target, "a remove operation needs a path", "path", "name the attribute to remove");
  } else {
    if (!out.value) return Error(Errc::invalid_value, "it is missing", "value", "an add or replace needs a value");
    if (!out.path && !out.value->is_object())
      return Error(Errc::invalid_value,
                   "without a path, the value has to be an object, not " + std::string(kind_name(*out.value)),
                   "value", "give a path, or an object of attributes");
  }
  return out;
}

}  // namespace detail

DEPROV_INLINE Result<PatchRequest> parse_patch(json::value&& body, const Limits& limits) {
  auto* o = body.if_object();
  if (o == nullptr)
    return Error(Errc::invalid_syntax, "expected a PatchOp as an object, not " + std::string(kind_name(body)));
  DEPROV_CHECK(detail::check_names(*o, {"schemas", "Operations"}));
  const auto* schemas = find(*o, "schemas");
  const auto* urns = schemas != nullptr ? schemas->if_array() : nullptr;
  bool named = false;
  if (urns != nullptr)
    for (const auto& e : *urns) named = named || (e.is_string() && iequals(e.get_string(), patch_op_urn));
  if (!named)
    return Error(Errc::invalid_syntax, "it does not name " + std::string(patch_op_urn), "schemas",
                 "a PATCH body is a PatchOp message (RFC 7644 section 3.5.2)");
  auto* list = find(*o, "Operations");
  auto* operations = list != nullptr ? list->if_array() : nullptr;
  if (operations == nullptr || operations->empty())
    return Error(Errc::invalid_syntax, "expected an array of one operation or more", "Operations");
  if (operations->size() > limits.max_operations)
    return Error(Errc::limit_exceeded,
                 std::to_string(operations->size()) + " operations are more than max_operations (" +
                     std::to_string(limits.max_operations) + ")",
                 "Operations", "send several requests");
  PatchRequest out;
  out.operations.reserve(operations->size());
  for (std::size_t i = 0; i < operations->size(); ++i) {
    auto operation = detail::parse_operation((*operations)[i], limits);
    if (!operation) return operation.error().within("Operations[" + std::to_string(i) + "]");
    out.operations.push_back(std::move(*operation));
  }
  return out;
}

}  // namespace deprov::scim
