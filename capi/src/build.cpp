// What this library is and has.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include "guard.hpp"

namespace {

constexpr std::string_view features[] = {
    "store.directory",   "store.memory",   "host_driven", "connector.host",  "connector.plugin", "connector.scim",
    "connector.sandbox", "connector.null", "source.rows", "evidence.verify", "checkpoints"};

std::string describe() {
  boost::json::array names;
  for (const auto name : features) names.emplace_back(name);
  return boost::json::serialize(
      boost::json::object{{"version", DEPROV_VERSION},
                          {"abi", std::to_string(DEPROV_ABI_MAJOR) + "." + std::to_string(DEPROV_ABI_MINOR)},
                          {"compiler", __VERSION__},
                          {"features", std::move(names)}});
}

}  // namespace

deprov_str deprov_build_get_version(void) { return deprov::capi::str(DEPROV_VERSION); }

deprov_str deprov_build_get_info(void) {
  try {
    static const std::string text = describe();
    return deprov::capi::str(text);
  } catch (...) {
    return {nullptr, 0};
  }
}

int32_t deprov_build_has_feature(deprov_str name) {
  const auto wanted = deprov::capi::view(name);
  return std::any_of(std::begin(features), std::end(features), [&](auto f) { return f == wanted; }) ? 1 : 0;
}
