// The bounds on what a SCIM client may send. Each is named in the error that it causes.
#pragma once

#include <cstddef>

namespace deprov::scim {

/// Plain settings; zero means "nothing is accepted", never "unbounded".
struct Limits {
  std::size_t max_body_bytes =
      std::size_t{16} * 1024 * 1024;                       ///< of one request; 100,000 members take about 6 MiB
  std::size_t max_depth = 32;                              ///< of nested JSON arrays and objects
  std::size_t max_string_bytes = std::size_t{256} * 1024;  ///< of one JSON string or key
  std::size_t max_operations = 1000;                       ///< of one PATCH or Bulk request
  std::size_t max_members_per_request = 200000;            ///< of one request, all operations together
  std::size_t max_values = 1000;         ///< of one multi-valued attribute that is kept in the resource
  std::size_t max_filter_length = 8192;  ///< bytes of a filter or of a path
  std::size_t max_filter_depth = 32;     ///< of nested groups, `not` and value paths
  std::size_t max_query_bytes = std::size_t{64} * 1024;  ///< of a URL's query string
};

/// Bytes of what a member of a group is called: a group has many, and each has its own.
inline constexpr std::size_t max_member_display_bytes = 1024;

}  // namespace deprov::scim
