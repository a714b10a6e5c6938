// Which texts of a connector's config nobody may read.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

namespace deprov::plugin {

/// The texts at `paths` (dotted), and those inside of them; the longest first, so that one which contains another
/// is found whole. Without short ones: they are no secrets worth the name, and would be found everywhere.
[[nodiscard]] std::vector<std::string> secret_texts(const boost::json::object& config,
                                                    const std::vector<std::string>& paths);

}  // namespace deprov::plugin
