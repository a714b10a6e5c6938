// Takes out of what is recorded what nobody may read.
#pragma once

#include <deprov/plugin/recording.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::plugin {

/// *Thread safety*: any thread.
class Recorder {
 public:
  explicit Recorder(const std::vector<std::string>& secrets);

  [[nodiscard]] RecordedExchange begin(const std::string& connector, connector::Operation operation,
                                       const port::HttpRequest& request, WallTime now) const;
  /// `failure` is a `DEPROV_HTTP_*` where there is no response.
  void end(RecordedExchange& exchange, const port::HttpResult& result, std::int32_t failure, Duration took) const;

  /// As in a body or URL.
  [[nodiscard]] std::string text(std::string_view in, std::size_t most) const;

 private:
  [[nodiscard]] RecordedExchange::Message message(const std::vector<port::HttpHeader>& headers,
                                                  const std::string& body) const;
  std::vector<std::string> secrets_;  ///< in the forms in which they are looked for
};

}  // namespace deprov::plugin
