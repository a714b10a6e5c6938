// Every write and every sync of a store goes wrong, one after the other: once, for good, and with the power.
#include <cstdlib>
#include <iterator>
#include <set>
#include "catch.hpp"
#include "faults/disk_bench.hpp"
#include "faults/power_vfs.hpp"

using namespace deprov;
using namespace deprov::test::disk;
using test::PowerVfs;

namespace {

constexpr std::size_t transactions = 5;

/// Answers how many writes and syncs there were.
std::size_t run_with(const Template& base, PowerVfs::Fault fault, std::uint64_t seed) {
  CAPTURE(static_cast<int>(fault.kind), fault.at, fault.lasts, seed);
  const Scratch scratch;
  base.copy_to(scratch.path);
  PowerVfs disk;
  std::set<std::size_t> acknowledged, refused;
  std::size_t operations = 0;
  {
    Bench b(scratch.path);
    disk.set(fault);
    const auto opened = b.open();
    if (opened) {
      for (std::size_t n = 1; n <= transactions; ++n) {
        const auto answer = b.commit(n);
        if (answer) {
          acknowledged.insert(n);
        } else if (answer.error().code() != Errc::commit_unknown) {
          refused.insert(n);
        } else if (const auto is = b.committed(n)) {
          (*is ? acknowledged : refused).insert(n);
        }
      }
    }
    operations = disk.operations();
    if (fault.kind == PowerVfs::Kind::none) CHECK(acknowledged.size() == transactions);
    // Mended, it goes on by itself: at most the first answer is still about what had gone wrong before.
    if (opened && !disk.dead() && fault.at % 2 == 0) {
      disk.heal();
      std::size_t tries = 0;
      while (!b.commit(transactions + 1) && ++tries < 3) {
      }
      CHECK(tries < 3);
      acknowledged.insert(transactions + 1);
    }
    disk.cut();
    b.store.reset();
  }
  disk.power_back(seed);
  check_integrity(scratch.path);
  Bench b(scratch.path);
  REQUIRE(b.open());
  verify(b, transactions + 1, acknowledged, refused);
  return operations;
}

}  // namespace

TEST_CASE("a store comes back whole from whatever went wrong at any write or sync", "[faults][disk]") {
  using Kind = PowerVfs::Kind;
  constexpr PowerVfs::Fault ways[] = {{Kind::io_error, 0, false}, {Kind::disk_full, 0, false},
                                      {Kind::io_error, 0, true},  {Kind::sync_forgets, 0, false},
                                      {Kind::disk_full, 0, true}, {Kind::sync_forgets, 0, true}};
  const Template base;
  const auto operations = run_with(base, {}, 1);
  REQUIRE(operations > 50);
  const bool all_of_it = std::getenv("DEPROV_SWEEP_ALL") != nullptr;
  for (std::size_t at = 1; at <= operations; ++at) {
    run_with(base, {Kind::power, at, true}, at);
    for (std::size_t i = 0; i < std::size(ways); ++i)
      if (all_of_it || i * 2 == at % (std::size(ways) * 2)) run_with(base, {ways[i].kind, at, ways[i].lasts}, at);
  }
}
