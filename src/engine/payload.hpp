// Members of stored documents.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace deprov::engine {

/// Empty where it is no text, or not there.
[[nodiscard]] inline std::string text_of(const boost::json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
}

}  // namespace deprov::engine
