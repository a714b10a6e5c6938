// PATCH (RFC 7644 section 3.5.2): parsing, and applying it to a resource atomically.
#pragma once

#include <cstdint>
#include <deprov/scim/member.hpp>
#include <deprov/scim/path.hpp>
#include <deprov/scim/schema.hpp>
#include <optional>
#include <string>
#include <vector>

namespace deprov::scim {

inline constexpr std::string_view patch_op_urn = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

struct PatchOperation {
  enum class Op : std::uint8_t { add, remove, replace };
  Op op = Op::add;
  std::optional<Path> path{};
  std::optional<json::value> value{};  ///< nothing if the request had no `value`
};

struct PatchRequest {
  std::vector<PatchOperation> operations;
};

/// Strict RFC form, `op` in any case (the letters of the RFC's own examples vary); the dialect layer has made
/// everything else of it. Takes the values out of `body`.
/// Errors: `invalid_syntax`, `invalid_path`, `invalid_value`, `no_target` (remove without path),
/// `limit_exceeded`; the place is `Operations[i]`.
[[nodiscard]] Result<PatchRequest> parse_patch(json::value&& body, const Limits& limits = {});

struct PatchOptions {
  /// `emails[type eq "work"].value` on a resource without such an e-mail creates it instead of failing with
  /// `no_target`; only for filters that are `eq` terms joined by `and`. Entra ID depends on it.
  bool create_absent_values = false;
  /// The same for `replace`, of which RFC 7644 section 3.5.2.3 wants `no_target`; counts only with the above.
  bool create_on_replace = true;
  /// `remove` of a multi-valued attribute with a `value` takes the listed values away instead of being refused.
  /// Entra ID and JumpCloud send it; taking it for "remove all" has emptied groups elsewhere. Of a single value,
  /// or of a sub-attribute, likewise: it goes if it is the one that is named, and stays, with a note, if it is
  /// not.
  bool remove_listed_values = false;
  /// Attributes that no schema knows are ignored, with a note, instead of refused.
  bool ignore_unknown = false;
};

struct PatchResult {
  bool changed = false;              ///< the document is not what it was
  std::vector<std::string> changes;  ///< top-level attributes or extension URNs that differ now, in canonical case
  std::vector<std::size_t> changed_by;  ///< for each of `changes` the operation that touched it last
  MemberOps members;                    ///< steps for the rows, in order; `changed` does not speak of them
  bool created_values = false;          ///< `create_absent_values` was needed
  std::vector<std::string> notes;       ///< what was ignored, one sentence each
};

/// Whether each path names an attribute of the type, as `apply` wants it: what is wrong with a request whatever it
/// is applied to. Errors (the place is `Operations[i].path`): `invalid_path`.
[[nodiscard]] Result<void> check_paths(const PatchRequest& patch, const TypeDef& type,
                                       const PatchOptions& options = {});

/// Applies all operations, or none: on failure `resource` holds what it held before. `resource` is a stored
/// document: canonical names, no row attribute.
/// `schemas` follows the extensions that the resource has afterwards.
/// Errors (the place is `Operations[i]`): `no_target`, `mutability`, `invalid_value`, `invalid_path`,
/// `limit_exceeded`.
[[nodiscard]] Result<PatchResult> apply(PatchRequest&& patch, json::object& resource, const TypeDef& type,
                                        const PatchOptions& options = {}, const Limits& limits = {});

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/patch.ipp>
#include <deprov/scim/impl/patch_apply.ipp>
#endif
