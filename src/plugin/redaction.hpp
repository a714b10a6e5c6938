// What is taken out of a text that somebody may read, so that no credential is in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace deprov::plugin {

inline constexpr std::string_view taken_out = "***";
/// Shorter ones are not looked for: taking them out would garble everything.
inline constexpr std::size_t least_secret_bytes = 4;
/// So many bytes may say one of a secret, in the longest of the ways in which it is found.
inline constexpr std::size_t most_bytes_for_one = 12;

/// The forms in which `secrets` are looked for; how a text may escape them besides is `without_known`'s.
[[nodiscard]] std::vector<std::string> forms_of(const std::vector<std::string>& secrets);

/// The first `most` bytes of `text`, without `forms` wherever they begin in there: as they are, and where bytes of
/// them are escaped as in URLs, forms, JSON or XML, each byte as the writer liked, up to three times over.
[[nodiscard]] std::string without_known(std::string_view text, const std::vector<std::string>& forms,
                                        std::size_t most);

/// Without the values of JSON members, of forms and queries, of lines as in HTTP and YAML, and of XML elements and
/// attributes whose name speaks of credentials, and without the users of URLs.
[[nodiscard]] std::string without_named(std::string_view text);

/// Whether the value of a header of that name is nobody's business.
[[nodiscard]] bool carries_credentials(std::string_view header);

}  // namespace deprov::plugin
