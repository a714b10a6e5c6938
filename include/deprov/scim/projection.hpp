// What of a resource is returned: `attributes`, `excludedAttributes` and `returned` (RFC 7644 section 3.9).
#pragma once

#include <deprov/scim/schema.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::scim {

/// Bound to a type, which must outlive it. Immutable; safe from any thread.
class Projection {
 public:
  /// Everything that is returned by default.
  explicit Projection(const TypeDef& type);
  /// Names in any form of path; unknown ones select nothing. With both lists, what is excluded is taken from what
  /// was asked for. `returned: always` stays and `never` goes whatever the lists say.
  Projection(const TypeDef& type, std::span<const std::string> attributes, std::span<const std::string> excluded);

  /// What the client has just written: also what is `returned: request` is then seen, unless others were asked for
  /// (RFC 7643 section 7). Names as above.
  void wrote(std::span<const std::string> names);

  /// A copy of what may be seen.
  [[nodiscard]] json::object apply(const json::object& resource) const;
  /// Whether the attribute (of the core schema) is returned at all: asks before rows are read.
  [[nodiscard]] bool includes(std::string_view attribute) const noexcept;

 private:
  struct Choice {
    const Schema* schema;
    const Attribute* attribute;          ///< null: the whole schema
    std::vector<const Attribute*> subs;  ///< by name
    bool whole = false;                  ///< the attribute itself, with what it shows of its own accord
  };
  static void choose(std::vector<Choice>& into, const TypeDef& type, std::span<const std::string> names);
  static const Choice* find(const std::vector<Choice>& in, const Schema& schema,
                            const Attribute& attribute) noexcept;
  [[nodiscard]] bool wanted(const Schema& schema, const Attribute& attribute) const noexcept;
  [[nodiscard]] bool copy(const Schema& schema, const Attribute& attribute, const json::value& from,
                          json::value& to) const;
  [[nodiscard]] json::object copy_subs(const Schema& schema, const Attribute& attribute,
                                       const json::object& from) const;

  const TypeDef* type_;
  bool only_named_ = false;
  std::vector<Choice> named_;
  std::vector<Choice> excluded_;
  std::vector<Choice> written_;
};

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/projection.ipp>
#endif
