#include "cli/connector_report.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <deprov/config.hpp>
#include "cli/output.hpp"

namespace deprov::cli {

namespace {

using plugin::Verdict;

std::size_t count(const CheckReport& report, Verdict::Lacks lacks) {
  return static_cast<std::size_t>(std::count_if(report.checks.begin(), report.checks.end(), [&](const Judged& j) {
    return j.verdict.is == Verdict::Is::skipped && j.verdict.lacks == lacks;
  }));
}

/// What nobody looked at is no success: why, and what can be done about it.
std::string skipped_text(const CheckReport& report) {
  std::string out;
  const auto line = [&](Verdict::Lacks lacks, const char* why) {
    if (const auto n = count(report, lacks); n != 0)
      out.append("  ").append(std::to_string(n)).append(" skipped: ").append(why).append("\n");
  };
  line(Verdict::Lacks::not_given,
       "what they need was not given (--fixture, --plugin-worker). They say nothing about the connector; with "
       "--require-all they have failed");
  line(Verdict::Lacks::not_here, "this build or process cannot do them; with --require-all they have failed");
  line(Verdict::Lacks::not_offered, "the connector does not offer what they judge");
  return out;
}

}  // namespace

std::size_t count(const CheckReport& report, Verdict::Is is) {
  return static_cast<std::size_t>(std::count_if(report.checks.begin(), report.checks.end(),
                                                [&](const Judged& j) { return j.verdict.is == is; }));
}

std::string text_of(const CheckReport& report) {
  std::string out = "connector ";
  out.append(report.connector.empty() ? "?" : safe(report.connector));
  if (!report.version.empty()) out.append(" ").append(safe(report.version));
  out.append(", sha256 ").append(report.sha256);
  out.append(", checked ").append(to_rfc3339(report.checked)).append(" by deprov " DEPROV_VERSION "\n");
  for (const auto& j : report.checks) {
    out.append(j.verdict.is == Verdict::Is::passed    ? "passed   "
               : j.verdict.is == Verdict::Is::skipped ? "skipped  "
                                                      : "FAILED   ");
    out.append(j.check.name).append(j.in_worker ? " in a worker: " : ": ").append(j.check.what);
    if (!j.verdict.detail.empty()) out.append("\n           ").append(safe(j.verdict.detail));
    out.append("\n");
  }
  out.append(std::to_string(count(report, Verdict::Is::passed))).append(" passed, ");
  out.append(std::to_string(count(report, Verdict::Is::failed))).append(" failed, ");
  out.append(std::to_string(count(report, Verdict::Is::skipped))).append(" skipped\n");
  return out + skipped_text(report);
}

json::object json_of(const CheckReport& report) {
  json::array list;
  for (const auto& j : report.checks)
    list.push_back(json::object{{"check", j.check.name},
                                {"what", j.check.what},
                                {"placement", j.in_worker ? "worker" : "in_process"},
                                {"verdict", to_string(j.verdict.is)},
                                {"lacks", to_string(j.verdict.lacks)},
                                {"detail", j.verdict.detail},
                                {"ms", j.took.count() / 1000}});
  return {{"connector", report.connector},
          {"version", report.version},
          {"library", report.library},
          {"sha256", report.sha256},
          {"checked", to_rfc3339(report.checked)},
          {"deprov", DEPROV_VERSION},
          {"passed", count(report, Verdict::Is::passed)},
          {"failed", count(report, Verdict::Is::failed)},
          {"skipped", count(report, Verdict::Is::skipped)},
          {"skipped_for",
           {{"not_given", count(report, Verdict::Lacks::not_given)},
            {"not_here", count(report, Verdict::Lacks::not_here)},
            {"not_offered", count(report, Verdict::Lacks::not_offered)}}},
          {"checks", std::move(list)}};
}

std::string junit_of(const CheckReport& report) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"";
  out.append(xml_escaped(report.library)).append("\" tests=\"").append(std::to_string(report.checks.size()));
  out.append("\" failures=\"").append(std::to_string(count(report, Verdict::Is::failed)));
  out.append("\" skipped=\"").append(std::to_string(count(report, Verdict::Is::skipped)));
  out.append("\" timestamp=\"").append(to_rfc3339(report.checked)).append("\">\n  <properties>\n");
  const auto property = [&](const char* name, const std::string& value) {
    out.append("    <property name=\"")
        .append(name)
        .append("\" value=\"")
        .append(xml_escaped(value))
        .append("\"/>\n");
  };
  property("connector", report.connector);
  property("version", report.version);
  property("sha256", report.sha256);
  property("deprov", DEPROV_VERSION);
  out.append("  </properties>\n");
  for (const auto& j : report.checks) {
    const auto dot = j.check.name.find('.');
    out.append("  <testcase classname=\"")
        .append(j.in_worker ? "worker." : "")
        .append(j.check.name.substr(0, dot));
    out.append("\" name=\"").append(j.check.name.substr(dot + 1));
    out.append("\" time=\"").append(std::to_string(static_cast<double>(j.took.count()) / 1e6)).append("\">");
    if (j.verdict.is != Verdict::Is::passed) {
      out.append(j.verdict.is == Verdict::Is::failed ? "<failure" : "<skipped");
      if (j.verdict.lacks != Verdict::Lacks::nothing)
        out.append(" type=\"").append(to_string(j.verdict.lacks)).append("\"");
      out.append(" message=\"").append(xml_escaped(j.verdict.detail)).append("\"/>");
    }
    out.append("</testcase>\n");
  }
  return out + "</testsuite>\n";
}

}  // namespace deprov::cli
