// IdP dialects: what IdPs really send, turned into the RFC's form before anything else sees it (R11).
#pragma once

#include <bitset>
#include <cstdint>
#include <deprov/scim/filter.hpp>
#include <deprov/scim/patch.hpp>
#include <deprov/scim/resource.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp {

namespace json = boost::json;

/// The tolerances, append-only.
enum class RuleId : std::uint8_t {
  op_case,
  empty_path,
  missing_schemas,
  schema_urns,
  unknown_schemas,
  unknown_attributes,
  read_only_echo,
  flat_keys,
  string_booleans,
  bare_values,
  wrapped_values,
  stringified_values,
  empty_text_removes,
  remove_listed_values,
  create_absent_values,
  unquoted_filter_values,
  base_url_flag,
  method_override,
  value_list,
  null_members,
  operation_name,
  discovery_names,
  raw_spaces,
  doubled_base,
  slash_paths,
  scim_1_patch,
};

/// One tolerance. Its name is stable: it stands on the activity and in `deprov dialects`.
struct Rule {
  RuleId id;
  std::string_view name;  ///< "string-booleans"
  std::string_view text;  ///< what is understood, in one sentence
};
/// All of them, in the order of RuleId.
[[nodiscard]] std::span<const Rule> rules() noexcept;

/// A set of rules; a rule's bit is its RuleId.
class RuleSet {
 public:
  [[nodiscard]] bool has(RuleId id) const noexcept { return bits_[static_cast<std::size_t>(id)]; }
  void add(RuleId id) noexcept { bits_.set(static_cast<std::size_t>(id)); }
  [[nodiscard]] bool empty() const noexcept { return bits_.none(); }
  [[nodiscard]] std::size_t size() const noexcept { return bits_.count(); }
  friend bool operator==(const RuleSet&, const RuleSet&) = default;

 private:
  std::bitset<64> bits_;
};
/// Their names.
[[nodiscard]] std::vector<std::string_view> rule_ids(const RuleSet& set);

/// How a successful PATCH is answered.
enum class PatchAnswer : std::uint8_t { resource_200, no_content_204 };
/// `resource` and `no_content`, the words of the setting `patch_answer`.
[[nodiscard]] std::string_view to_string(PatchAnswer a) noexcept;

struct Dialect {
  std::string_view name;   ///< "okta"
  std::string_view title;  ///< "Okta"
  RuleSet rules;           ///< what it tolerates
  PatchAnswer patch_answer = PatchAnswer::resource_200;
  /// The IdP never gives an `externalId` to another person or changes it (DESIGN section 1).
  bool external_id_immutable = false;
  /// It tests a connection with a user that it creates and deletes. Whoever is deleted within `probe_span` of
  /// being created may be that one, under the e-mail of somebody real.
  bool probes = false;
  /// Members of groups that are no resource here are kept as sent, and not refused.
  bool keeps_unknown_members = false;
};

/// How long a user of an IdP's own connection test lives at most.
inline constexpr Duration probe_span = std::chrono::minutes(10);

/// `generic`, `okta`, `entra`, `onelogin`, `jumpcloud`, `ping`, `google`: the words that `--idp` takes.
[[nodiscard]] std::span<const Dialect> dialects() noexcept;
/// By name in any case, or null.
[[nodiscard]] const Dialect* find_dialect(std::string_view name) noexcept;

struct Header {
  std::string_view name;
  std::string_view value;
};
/// Whether one of Entra ID's flags (`aadOptscim062020`, `AzureAdScimPatch062020`, `AzureAdScimPatch2017`) is a
/// parameter of the query. As such it is ignored like any unknown one.
[[nodiscard]] bool has_entra_flag(std::string_view query) noexcept;

/// Who sends: Entra ID by ADSCIMVersion or its flag in the query, the others by User-Agent; `generic` if nothing
/// tells. Bodies tell more: see `NormalRequest::dialect`.
[[nodiscard]] const Dialect& detect(std::span<const Header> headers, std::string_view query = {}) noexcept;

enum class Method : std::uint8_t { get, post, put, patch, remove };

/// A request as it came, taken apart by the HTTP layer. Views must stay alive during `normalize`.
struct RawRequest {
  Method method = Method::get;
  const scim::TypeDef* type = nullptr;  ///< of the addressed endpoint; null for others (discovery, root)
  std::string_view query;               ///< behind the `?`, still encoded
  std::span<const Header> headers;
  json::value body;     ///< null if there is none
  bool search = false;  ///< the body is that of `/.search`, whatever its schemas say
};

/// The request in the RFC's form.
struct NormalRequest {
  /// Never null. `generic` may have detected another, by `detect` or by shapes that one IdP alone sends.
  const Dialect* dialect = nullptr;
  std::string query;  ///< encoded; only `filter` may have been rewritten
  /// The query's only `filter`, parsed; nothing if there is none, several, or one that the grammar refuses.
  std::optional<scim::Filter> filter;
  json::value body;
  scim::PatchOptions patch_options;                  ///< for `scim::apply`
  scim::Leniency leniency = scim::Leniency::strict;  ///< for `scim::normalize` and `scim::replace`
  PatchAnswer patch_answer = PatchAnswer::resource_200;
  /// The rules that were used. `create_absent_values` shows only when the PATCH is applied: add it if
  /// `PatchResult::created_values` says so.
  RuleSet fired;
};

/// What is not understood is left as it is, for the strict parts behind it to refuse by name. Errors:
/// `invalid_value` for a PATCH that says two things about one attribute, also by its path and its value.
[[nodiscard]] Result<NormalRequest> normalize(const Dialect& dialect, RawRequest&& request,
                                              const scim::Limits& limits = {});

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/dialect.ipp>
#include <deprov/idp/impl/dialect_detect.ipp>
#include <deprov/idp/impl/dialect_rules.ipp>
#endif
