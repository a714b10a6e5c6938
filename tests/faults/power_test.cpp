// The power goes at one write after the other, and the engine goes on from what the disk has kept.
#include <algorithm>
#include <cstdlib>
#include <deprov/store/sqlite_store.hpp>
#include <filesystem>
#include <stdexcept>
#include "catch.hpp"
#include "faults/power_vfs.hpp"
#include "faults/scenario.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using test::PowerVfs;

namespace {

struct Scratch {
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "deprov-power-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path;
};

std::unique_ptr<port::Store> open_in(const std::string& directory, const port::Crypto& crypto,
                                     port::Executor& executor) {
  store::SqliteStoreOptions o;
  o.directory = directory;
  o.executor = &executor;
  o.checkpoint_pages = 64;  // so that the log is moved into the database meanwhile
  auto made = store::open_sqlite_store(crypto, o);
  if (!made) throw std::runtime_error(made.error().message());
  return std::move(*made);
}

/// Answers how many writes and syncs there were.
std::size_t run_with(PowerVfs::Fault fault, std::uint64_t seed) {
  PowerVfs disk;
  const Scratch scratch;
  test::World w(1, [&](const port::Crypto& crypto, port::Executor& executor) {
    return open_in(scratch.path, crypto, executor);
  });
  test::Scenario scenario(w, test::view_of(*w.app));
  scenario.set_up();
  std::size_t operations = 0;
  const auto reboot = [&] {
    disk.cut();
    w.app->unanswered.clear();
    w.engine.reset();
    w.store.reset();
    w.executor = std::make_unique<runtime::VirtualExecutor>(w.clock);
    disk.power_back(seed);
    w.store = open_in(scratch.path, *w.crypto, *w.executor);
    scenario.verify_acknowledged();
    w.boot();
  };
  CAPTURE(static_cast<int>(fault.kind), fault.at, fault.lasts, seed);
  scenario.run({[&] { disk.set(fault); },
                [&] {
                  operations = std::max(operations, disk.operations());
                  if (disk.dead()) return reboot();
                  disk.heal();
                },
                [&] {
                  if (disk.dead()) reboot();
                }});
  if (disk.dead()) reboot();
  w.run(60s);
  scenario.verify();
  reboot();  // once more, out of the middle of nothing
  w.run(60s);
  scenario.verify();
  scenario.verify_usable();
  return operations;
}

/// ctest looks at some sixty places; DEPROV_SWEEP_ALL at every one, which takes hours.
void sweep(PowerVfs::Kind kind, bool lasts, std::size_t places) {
  const auto operations = run_with({}, 1);
  REQUIRE(operations > 200);
  const bool all_of_it = std::getenv("DEPROV_SWEEP_ALL") != nullptr;
  const auto stride = all_of_it ? 1 : std::max<std::size_t>(operations / places, 1);
  for (std::size_t at = 1; at <= operations; at += stride) run_with({kind, at, lasts}, at);
}

}  // namespace

TEST_CASE("a loss of power at any write loses nothing that was acknowledged", "[faults][power][R13][R18][R20]") {
  sweep(PowerVfs::Kind::power, true, 60);
}

TEST_CASE("a disk that fails or is full until it is mended loses nothing", "[faults][power][R13][R18][R20]") {
  const auto kind = GENERATE(PowerVfs::Kind::io_error, PowerVfs::Kind::disk_full, PowerVfs::Kind::sync_forgets);
  const bool lasts = GENERATE(false, true);
  sweep(kind, lasts, 8);
}
