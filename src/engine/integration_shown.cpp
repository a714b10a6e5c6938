#include "engine/integration_shown.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <string>

namespace deprov::engine {

json::object shown(const port::IntegrationRow& row) {
  const auto parsed = [](const std::string& text) {
    boost::system::error_code ec;
    auto v = json::parse(text.empty() ? "{}" : text, ec);
    return ec ? json::value(nullptr) : v;
  };
  return {{"name", row.name},
          {"idp", row.idp},
          {"connector", row.connector},
          {"config", parsed(row.config)},
          {"policy", parsed(row.policy)},
          {"settings", parsed(row.settings)}};
}

void keep_differences(const port::Crypto& crypto, json::object& before, json::object& after) {
  for (auto it = before.begin(); it != before.end();) {
    const auto* now = after.if_contains(it->key());
    if (now == nullptr || *now != it->value()) {
      ++it;
      continue;
    }
    after.erase(it->key());
    it = before.erase(it);
  }
  for (auto* side : {&before, &after}) {
    for (auto& member : *side) {
      const auto* text = member.value().if_string();
      if (text == nullptr || text->size() <= 1024) continue;
      auto told = std::to_string(text->size()) + " bytes, SHA-256 ";
      for (const auto b : crypto.sha256(port::bytes_of(std::string_view(*text))))
        for (const unsigned half : {b / 16U, b % 16U}) told.push_back("0123456789abcdef"[half]);
      member.value() = told;
    }
  }
}

bool secrets_differ(const port::ConnectorKind& kind, const json::value& before, const json::value& after) {
  const auto& paths = kind.describe().secret_paths;
  return std::any_of(paths.begin(), paths.end(), [&](std::string path) {
    std::replace(path.begin(), path.end(), '.', '/');
    boost::system::error_code ec;
    const auto* was = before.find_pointer("/" + path, ec);
    const auto* is = after.find_pointer("/" + path, ec);
    return was == nullptr || is == nullptr ? was != is : *was != *is;
  });
}

}  // namespace deprov::engine
