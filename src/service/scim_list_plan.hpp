// How a list is made: what is asked for, and which way to the resources is the cheapest.
#pragma once

#include <deprov/scim/index_plan.hpp>
#include <deprov/scim/match.hpp>
#include <deprov/scim/sort.hpp>
#include <optional>
#include <vector>
#include "service/scim_call.hpp"
#include "service/scim_render.hpp"

namespace deprov::service {

struct ListPlan {
  enum class Access {
    position,  ///< by id order, which the store counts without looking
    hits,      ///< what indexes answer for single values, by terms or by unique keys
    ordered,   ///< along an index that keeps an order
    scan,      ///< everything, by id
  };
  Access access = Access::position;

  struct Type {
    const scim::TypeDef* def = nullptr;
    std::optional<scim::Matcher> matcher;    ///< nothing: no filter
    std::optional<scim::Resolved> sort;      ///< nothing: the type has no such attribute
    MatchNeeds needs;                        ///< of filter and order together
    std::vector<scim::IndexedTerm> terms;    ///< of `hits`
    std::vector<std::string> unique_keys;    ///< of `hits`: whoever matches has one of these, see scim_unique.hpp
    std::vector<scim::Matcher> term_checks;  ///< one for each term that has a rest, in their order
  };
  std::vector<Type> types;
  port::ResourceOrder order;  ///< of `ordered`
  bool filtered = false;
  bool in_memory = false;  ///< sorted by keys that are kept for the page
  bool descending = false;
};

/// Errors: `invalid_filter`, `invalid_value` for a `sortBy` that no type knows or that cannot be sorted by,
/// `limit_exceeded`.
[[nodiscard]] Result<ListPlan> plan_list(const ScimCall& call, bool all_types);

/// How the store finds a term; nothing for the members of a group.
[[nodiscard]] std::optional<port::ResourceKey> store_key(const scim::IndexedTerm& term);

}  // namespace deprov::service
