#pragma once
#include <algorithm>
#include <deprov/scim/bulk.hpp>
#include <unordered_set>
#include <utility>

namespace deprov::scim {

namespace detail {

inline constexpr std::string_view bulk_prefix = "bulkId:";

inline Error bulk_problem(Errc code, std::size_t index, std::string_view member, std::string detail,
                          std::string advice = {}) {
  std::string where = "Operations[" + std::to_string(index) + "]";
  if (!member.empty()) where += "." + std::string(member);
  return Error(code, std::move(detail), std::move(where), std::move(advice));
}

inline void parse_bulk_operation(json::value& from, std::size_t index, BulkOperation& out) {
  const auto fail = [&](std::string_view member, std::string detail, std::string advice = {}) {
    if (out.problem.code() == Errc::ok)
      out.problem = bulk_problem(Errc::invalid_syntax, index, member, std::move(detail), std::move(advice));
  };
  auto* o = from.if_object();
  if (o == nullptr) return fail({}, "expected an object, not " + std::string(kind_name(from)));
  for (auto& m : *o) {
    const std::string_view key = m.key();
    auto& v = m.value();
    const auto text = [&](std::string& into) {
      if (v.is_null()) return;
      if (const auto* s = v.if_string()) {
        into = std::string(*s);
      } else {
        fail(key, "expected a string, not " + std::string(kind_name(v)));
      }
    };
    if (iequals(key, "method")) {
      text(out.method);
    } else if (iequals(key, "bulkId")) {
      text(out.bulk_id);
    } else if (iequals(key, "version")) {
      text(out.version);
    } else if (iequals(key, "path")) {
      text(out.path);
    } else if (iequals(key, "data")) {
      out.data = std::move(v);
    }
  }
  for (const std::string_view method : {"POST", "PUT", "PATCH", "DELETE"})
    if (iequals(out.method, method)) out.method = method;
  const bool creates = out.method == "POST";
  if (!creates && out.method != "PUT" && out.method != "PATCH" && out.method != "DELETE")
    fail("method",
         out.method.empty() ? "it is required and missing"
                            : "\"" + out.method.substr(0, 40) + "\" is no method here",
         "use POST, PUT, PATCH or DELETE");
  if (out.path.empty())
    fail("path", "it is required and missing", "name an endpoint or a resource, such as /Users");
  if (out.method != "DELETE" && out.data.is_null()) fail("data", "it is required and missing");
  if (creates && out.bulk_id.empty())
    fail("bulkId", "a POST without a bulkId cannot be told apart in the answer", "give it one");
}

/// The known bulkId that a text goes on with: the longest, so that "a1" is not taken for "a".
inline const std::string* bulk_id_at(std::string_view text, const std::vector<std::string>& known) {
  const std::string* best = nullptr;
  for (const auto& id : known)
    if (text.starts_with(id) && (best == nullptr || best->size() < id.size())) best = &id;
  return best;
}

class BulkReferences {
 public:
  BulkReferences(const std::vector<std::string>& known, const BulkResolver& resolve)
      : known_(known), resolve_(resolve) {}

  /// References inside of a longer text.
  void inside(std::string& text) const {
    for (std::size_t at = text.find(bulk_prefix); at != std::string::npos; at = text.find(bulk_prefix, at)) {
      const auto start = at + bulk_prefix.size();
      auto id = std::string();
      if (const auto* k = bulk_id_at(std::string_view(text).substr(start), known_)) {
        id = *k;
      } else {
        id = text.substr(start, text.find_first_of("\"'/?&]) ", start) - start);
      }
      if (const auto to = resolve_(id)) {
        text.replace(at, bulk_prefix.size() + id.size(), *to);
        at += to->size();
      } else {
        at = start;
      }
    }
  }

  void walk(json::value& v, std::string_view key) const {
    if (auto* o = v.if_object()) {
      for (auto& m : *o) walk(m.value(), m.key());
    } else if (auto* a = v.if_array()) {
      for (auto& e : *a) walk(e, key);
    } else if (auto* s = v.if_string()) {
      if (s->size() < bulk_prefix.size()) return;
      if (iequals(key, "path") || iequals(key, "$ref")) {
        auto text = std::string(*s);
        inside(text);
        *s = text;
      } else if (iequals(std::string_view(*s).substr(0, bulk_prefix.size()), bulk_prefix)) {
        // RFC 7644 section 3.7.2 replaces it wherever it stands. Where no reference is, and no POST has that id,
        // it is text like any other.
        const std::string id(std::string_view(*s).substr(bulk_prefix.size()));
        if (!iequals(key, "value") && std::find(known_.begin(), known_.end(), id) == known_.end()) return;
        if (const auto to = resolve_(id)) *s = *to;
      } else if (names_resource(*s)) {
        auto text = std::string(*s);
        inside(text);
        *s = text;
      }
    }
  }

  /// "/Users/bulkId:x", whole: the value of a reference, whatever its attribute is called.
  static bool names_resource(std::string_view text) {
    const auto at = text.rfind('/');
    return at != std::string_view::npos && text.substr(at + 1).starts_with(bulk_prefix) &&
           text.find(' ') == std::string_view::npos;
  }

 private:
  const std::vector<std::string>& known_;
  const BulkResolver& resolve_;
};

}  // namespace detail

DEPROV_INLINE Result<BulkRequest> parse_bulk(json::value&& body, std::size_t max_operations) {
  const auto fail = [](std::string_view where, std::string detail, std::string advice = {}) {
    return Error(Errc::invalid_syntax, std::move(detail), std::string(where), std::move(advice));
  };
  auto* o = body.if_object();
  if (o == nullptr) return fail({}, "expected a BulkRequest as an object, not " + std::string(kind_name(body)));
  BulkRequest out;
  bool named = false;
  json::array* operations = nullptr;
  for (auto& m : *o) {
    const std::string_view key = m.key();
    auto& v = m.value();
    if (iequals(key, "schemas")) {
      if (const auto* a = v.if_array())
        for (const auto& e : *a) named = named || (e.is_string() && iequals(e.get_string(), bulk_request_urn));
    } else if (iequals(key, "failOnErrors")) {
      if (v.is_null()) continue;
      const auto* n = v.if_int64();
      if (n == nullptr || *n < 0) return fail(key, "expected a whole number of errors");
      if (*n > 0) out.fail_on_errors = static_cast<std::uint64_t>(*n);
    } else if (iequals(key, "Operations")) {
      operations = v.if_array();
      if (operations == nullptr) return fail(key, "expected an array, not " + std::string(kind_name(v)));
    }
  }
  if (!named)
    return fail("schemas", "it does not name " + std::string(bulk_request_urn),
                "a body of /Bulk is a BulkRequest message (RFC 7644 section 3.7)");
  if (operations == nullptr) return fail("Operations", "it is required and missing");
  if (operations->size() > max_operations)
    return Error(Errc::limit_exceeded,
                 "there are " + std::to_string(operations->size()) + " operations, more than maxOperations (" +
                     std::to_string(max_operations) + ")",
                 "Operations", "send less at once");
  std::unordered_set<std::string> ids;
  out.operations.reserve(operations->size());
  for (auto& from : *operations) {
    const auto index = out.operations.size();
    auto& op = out.operations.emplace_back();
    detail::parse_bulk_operation(from, index, op);
    if (op.bulk_id.empty() || ids.insert(op.bulk_id).second || op.problem.code() != Errc::ok) continue;
    op.problem = detail::bulk_problem(
        Errc::invalid_value, index, "bulkId",
        "an operation before it has the bulkId \"" + op.bulk_id.substr(0, 100) + "\"", "give each its own");
  }
  return out;
}

DEPROV_INLINE void resolve_bulk_references(BulkOperation& operation, const std::vector<std::string>& known,
                                           const BulkResolver& resolve) {
  const detail::BulkReferences references(known, resolve);
  references.inside(operation.path);
  references.walk(operation.data, {});
}

}  // namespace deprov::scim
