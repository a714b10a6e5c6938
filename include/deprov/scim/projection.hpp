// What of a resource is returned: `attributes`, `excludedAttributes` and `returned` (RFC 7644 section 3.9).
#pragma once

#include <deprov/scim/match.hpp>
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
  /// Names in any form of path, `emails[type eq "work"].value` too: of the values those that match. Unknown ones
  /// and filters that nobody understands or that ask for what is never returned select nothing; of what is rows (a
  /// Group's members) a filter is left out of account in what is asked for, and takes nothing away. With both
  /// lists, what is excluded is taken from what was asked for. `returned: always` stays and `never` goes whatever
  /// the lists say.
  Projection(const TypeDef& type, std::span<const std::string> attributes, std::span<const std::string> excluded);

  /// What the client has just written: also what is `returned: request` is then seen, unless others were asked for
  /// (RFC 7643 section 7). Names as above.
  void wrote(std::span<const std::string> names);

  /// A copy of what may be seen.
  [[nodiscard]] json::object apply(const json::object& resource) const;
  /// Whether the attribute (of the core schema) is returned at all: asks before rows are read.
  [[nodiscard]] bool includes(std::string_view attribute) const noexcept;

 private:
  struct Part {
    Matcher values;
    const Attribute* sub;  ///< null: the values themselves
  };
  struct Choice {
    const Schema* schema;
    const Attribute* attribute;            ///< null: the whole schema
    std::vector<const Attribute*> subs{};  ///< by name
    bool whole = false;                    ///< the attribute itself, with what it shows of its own accord
    std::vector<Part> parts{};             ///< of those values that match
  };
  enum class List : bool { asked, excluded };
  static void choose(std::vector<Choice>& into, const TypeDef& type, std::span<const std::string> names,
                     List list);
  /// What a choice says of one value; null where it says nothing of the attribute.
  static const Choice* of_value(const Choice* choice, const json::value& value, Choice& made);
  static const Choice* find(const std::vector<Choice>& in, const Schema& schema,
                            const Attribute& attribute) noexcept;
  [[nodiscard]] bool wanted(const Schema& schema, const Attribute& attribute) const noexcept;
  [[nodiscard]] bool copy(const Schema& schema, const Attribute& attribute, const json::value& from,
                          json::value& to) const;
  [[nodiscard]] json::object copy_subs(const Attribute& attribute, const json::object& from, const Choice* named,
                                       const Choice* excluded, const Choice* written) const;
  /// One value of a multi-valued attribute, or the only one. Whether something of it is seen.
  [[nodiscard]] bool copy_value(const Attribute& attribute, const json::value& from, const Choice* named,
                                const Choice* excluded, const Choice* written, json::value& to) const;

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
