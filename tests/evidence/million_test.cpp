// On demand (`test_evidence "[million]"`): a million records, made and verified one by one; memory stays where it
// was.
#include <fstream>
#include <iostream>
#include "chains.hpp"

using namespace deprov;
using namespace deprov::test::evidence;

namespace {

/// Resident memory in KiB.
long resident() {
  std::ifstream in("/proc/self/statm");
  long pages = 0;
  in >> pages >> pages;
  return pages * 4;
}

}  // namespace

TEST_CASE("a million records are verified in the memory of a few", "[.][million][R20]") {
  deprov::evidence::Manifest head;
  head.workspace = scope(0).workspace;
  deprov::evidence::Exporter out(digests(), head);
  deprov::evidence::Verifier v(digests());
  v.line(out.header_line());
  v.line(out.chain_line(scope(1), "chain", {}));
  port::Sha256 previous{};
  long after_some = 0;
  for (std::uint64_t seq = 1; seq <= 1'000'000; ++seq) {
    port::ActivityRow r;
    r.scope = scope(1);
    r.seq = seq;
    r.at = {1'700'000'000'000'000 + static_cast<std::int64_t>(seq)};
    r.event = "removal.verified";
    r.actor = "engine";
    r.subject.value.bytes[0] = 1;
    r.salt.emplace().fill(7);
    r.detail = R"({"state":"succeeded_verified","time_to_deprovision_ms":350,"cause":"deactivated"})";
    r.detail_hash = port::activity_detail_hash(digests(), *r.salt, *r.detail);
    r.hash = previous = port::activity_hash(digests(), previous, r);
    v.line(deprov::evidence::Exporter::record_line(out.add(std::move(r))));
    if (seq == 10'000) after_some = resident();
  }
  v.line(out.manifest_line());
  const auto report = v.finish();
  CHECK(report.holds());
  CHECK(report.records == 1'000'000);
  std::cout << "resident after 10,000: " << after_some << " KiB, after 1,000,000: " << resident() << " KiB\n";
  CHECK(resident() < after_some + 8192);
}
