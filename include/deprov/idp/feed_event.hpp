// What an IdP says may have changed, whether it was told by a call of the IdP or found in its log. It names whom
// to read again, and is never an effect (R5).
#pragma once

#include <boost/json/object.hpp>
#include <deprov/error.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp {

namespace json = boost::json;

/// One thing that may have changed.
struct HookHint {
  std::string id{};                  ///< the same for every delivery of this event; empty: it has none
  std::string type{};                ///< the source's own name of it
  std::optional<WallTime> at{};      ///< when it happened, as the source says
  std::vector<std::string> users{};  ///< immutable ids of whom to read again
  /// Whom it is about cannot be told: everybody is read.
  bool read_all = false;
  /// The source's changes are polled now, out of turn.
  bool poll_now = false;
  /// The subscription that brought it needs care, which whoever keeps it is told.
  std::string subscription{};
};

/// A System Log event of Okta, which event hooks deliver and the log lists.
/// Nothing: it says nothing of access to the app `app` (its id), or did not succeed. Types that nobody asked for
/// are nothing too. Errors: `protocol` for what is no such event.
[[nodiscard]] Result<std::optional<HookHint>> read_okta_event(const json::object& event, std::string_view app);
/// The types of events that `read_okta_event` understands; the hookable ones of them are what a hook subscribes
/// to.
[[nodiscard]] std::span<const std::string_view> okta_event_types() noexcept;

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/feed_event.ipp>
#endif
