// What the feeds of several IdPs share: reading their documents with bounds, and links that may be followed.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace deprov::idp {

namespace json = boost::json;

// Of feed.hpp, which comes below: with bodies in the headers, it leads back here.
struct FeedResponse;
struct FeedAnswer;
enum class FeedFailureKind : std::uint8_t;

/// Bounds on what an IdP may answer. Each is named in the error that it causes.
struct FeedBounds {
  std::size_t max_body_bytes = std::size_t{16} << 20U;
  std::size_t max_depth = 32;                              ///< of nested JSON arrays and objects
  std::size_t max_string_bytes = std::size_t{256} << 10U;  ///< of one JSON string
  std::size_t max_link_bytes = 16'384;                     ///< of a link to follow
  std::size_t max_id_bytes = 255;                          ///< of an IdP's own id of anything
};

/// A body as JSON. Errors: `protocol` where it is none, as a page that was cut off; `limit_exceeded`.
[[nodiscard]] Result<json::value> parse_answer(std::string_view body, const FeedBounds& bounds = {});

/// Whether a link that an answer held may be followed: it leads to where the feed is, so that no credential is
/// sent elsewhere, and has no characters in it that a URL has not (RFC 3986 appendix A), since parsers disagree
/// about what such a text names. Errors: `protocol`, `limit_exceeded`; the link itself is not in them, since it
/// may hold a token.
[[nodiscard]] Result<void> check_link(std::string_view link, std::string_view origin,
                                      const FeedBounds& bounds = {});

/// A text member. Empty where there is none, it is null, or no text.
[[nodiscard]] std::string_view text_in(const json::object& o, std::string_view name) noexcept;
/// An object member, or null.
[[nodiscard]] const json::object* object_in(const json::object& o, std::string_view name) noexcept;
/// The id of something: a text that is not empty, has no spaces or control characters and keeps to the bound.
/// Errors: `protocol`, `limit_exceeded`.
[[nodiscard]] Result<std::string_view> id_in(const json::object& o, std::string_view name,
                                             const FeedBounds& bounds = {});
/// A point in time (RFC 3339); nothing where there is none or it is null. Errors: `protocol` where it is something
/// else.
[[nodiscard]] Result<std::optional<WallTime>> time_in(const json::object& o, std::string_view name);

/// A header that is a number of at most 18 digits and nothing else.
[[nodiscard]] std::optional<std::int64_t> number_in(const FeedResponse& response, std::string_view name);

/// A text of the other side for people: one line, at most `most` bytes, no half characters.
[[nodiscard]] std::string shown(std::string_view text, std::size_t most = 200);

/// Whether two secrets are the same. Time depends on their lengths only.
[[nodiscard]] bool same_secret(std::string_view a, std::string_view b) noexcept;

/// What `url` of a feed's config is: the URL without slashes at its end. Errors: `invalid_argument` at `where` for
/// one that is none, has a user, a query or a fragment, and for http without `allow_http`.
[[nodiscard]] Result<std::string> feed_base_url(std::string_view url, bool allow_http, std::string_view where);

/// A failure that ends a round at once.
[[nodiscard]] FeedAnswer refused(FeedFailureKind kind, std::string detail);
[[nodiscard]] FeedAnswer refused(const Error& why);

}  // namespace deprov::idp

#include <deprov/idp/feed.hpp>

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/feed_wire.ipp>
#endif
