// Which indexes answer a filter together, and what has to be read of a resource to decide the rest.
#pragma once

#include <deprov/scim/filter.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <string>
#include <vector>

namespace deprov::scim {

/// Terms whose hits together are all that can match: one conjunct of an `and`, or every operand of an `or`. Each
/// term is an equality and says what is left to check on its own hits. Empty: no index answers the filter. At most
/// 100 terms.
[[nodiscard]] std::vector<IndexedTerm> index_terms(const Filter& filter);

/// The moments of `meta.lastModified` outside of which nothing matches; both ends are included.
struct TimeRange {
  std::optional<WallTime> from, to;
};
/// Nothing where the filter does not bound it.
[[nodiscard]] std::optional<TimeRange> modified_range(const Filter& filter);

/// What a filter asks of an attribute that is kept in rows, such as `members`.
struct RowQuestions {
  bool any = false;                ///< the attribute is mentioned
  bool all = false;                ///< only the whole list answers it
  bool present = false;            ///< whether there is one at all
  std::vector<std::string> named;  ///< whether these are among them
};
[[nodiscard]] RowQuestions row_questions(const Filter& filter, std::string_view attribute);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/index_plan.ipp>
#endif
