// The interface of connectors as the host sees it: it calls the entry by its address, and exports none itself.
#pragma once

#define deprov_connector_entry_v1 deprov_connector_entry_v1_of_the_connector
#include <deprov_connector.h>
#undef deprov_connector_entry_v1

#include <string_view>

namespace deprov::plugin {

inline constexpr const char* entry_name = "deprov_connector_entry_v1";
using Entry = const deprov_connector_table_v1* (*)(const deprov_connector_host_v1*);

[[nodiscard]] inline deprov_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }
[[nodiscard]] inline std::string_view view(deprov_str s) noexcept {
  return s.ptr == nullptr ? std::string_view{} : std::string_view(s.ptr, s.len);
}

}  // namespace deprov::plugin
