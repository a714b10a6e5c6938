// What a record of the activity says, as it is stored.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/utf8.hpp>
#include <string>

namespace deprov::jobs {

/// JSON, whatever bytes a connector or a host had for text: what is hashed here has to be read again, for ever.
[[nodiscard]] inline std::string activity_detail(const boost::json::object& detail) {
  auto text = boost::json::serialize(detail);
  return is_utf8(text) ? text : to_utf8(text);
}

}  // namespace deprov::jobs
