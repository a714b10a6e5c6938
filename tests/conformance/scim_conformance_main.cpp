// scim-conformance --url URL --token T [--only PREFIX] [--json] [--failures]
// scim-conformance --list: the ids of all checks; those made for each attribute end in -*
// Exit code: 0 nothing failed, 1 something did, 2 wrong arguments, 3 the service provider cannot be asked.
#include <curl/curl.h>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <string>
#include "suite.hpp"

namespace {

int usage() {
  std::cerr
      << "usage: scim-conformance --url BASE [--token TOKEN] [--only PREFIX] [--json] [--failures]\n"
         "       scim-conformance --list\n"
         "Checks the SCIM service provider behind BASE (what stands before /Users). It makes and deletes users\n"
         "and groups there.\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  namespace conformance = deprov::conformance;
  std::string url, token, only;
  bool as_json = false, failures = false;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    auto* value = a == "--url" ? &url : a == "--token" ? &token : a == "--only" ? &only : nullptr;
    if (value != nullptr && i + 1 < argc) {
      *value = argv[++i];
    } else if (a == "--json") {
      as_json = true;
    } else if (a == "--list") {
      for (const auto& id : conformance::all_ids()) std::cout << id << '\n';
      return 0;
    } else if (a == "--failures") {
      failures = true;
    } else {
      return usage();
    }
  }
  if (url.empty()) return usage();
  curl_global_init(CURL_GLOBAL_DEFAULT);
  try {
    conformance::Client client(url, token);
    const auto outcomes = conformance::run_all(client, only);
    const auto summary = conformance::report_json(outcomes);
    std::cout << (as_json ? boost::json::serialize(summary) + "\n" : conformance::report(outcomes, failures));
    return summary.at("failed").as_int64() == 0 ? 0 : 1;
  } catch (const conformance::Failed& f) {
    std::cerr << "scim-conformance: " << f.why << '\n';
    return 3;
  }
}
