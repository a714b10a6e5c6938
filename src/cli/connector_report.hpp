// What the conformance kit found, as a vendor can publish it.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <deprov/time.hpp>
#include <string>
#include <vector>
#include "plugin/kit.hpp"

namespace deprov::cli {

struct Judged {
  plugin::Check check;
  bool in_worker = false;
  plugin::Verdict verdict;
  Duration took{0};
};

/// Of which bytes, when, and by which checks.
struct CheckReport {
  std::string library;             ///< path
  std::string sha256;              ///< of its bytes, as --plugin-sha256 wants it
  std::string connector, version;  ///< of its manifest; empty where that does not say
  WallTime checked;
  std::vector<Judged> checks;
};

[[nodiscard]] std::size_t count(const CheckReport& report, plugin::Verdict::Is is);
[[nodiscard]] std::string text_of(const CheckReport& report);
/// schemas/connector-report.schema.json
[[nodiscard]] boost::json::object json_of(const CheckReport& report);
/// A test suite, as continuous integration reads it.
[[nodiscard]] std::string junit_of(const CheckReport& report);

}  // namespace deprov::cli
