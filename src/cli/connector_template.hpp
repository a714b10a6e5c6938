// The files that `deprov connector new` writes. They are capi/connector_template and the headers, compiled in.
#pragma once

#include <span>
#include <string_view>

namespace deprov::cli {

struct TemplateFile {
  std::string_view language;  ///< "c", "cpp"
  std::string_view path;
  std::string_view text;
};
[[nodiscard]] std::span<const TemplateFile> connector_template() noexcept;

}  // namespace deprov::cli
