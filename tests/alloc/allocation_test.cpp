// Memory runs out at the 1st, 2nd, 3rd ... allocation of a store, ours and SQLite's. That ends a process (DESIGN
// section 8: exhausted memory is an exception, and nobody catches it); what it must not do is harm what lies on
// the disk.
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include "catch.hpp"
#include "faults/disk_bench.hpp"

namespace {

/// Counted down while it is armed; the process is one of a single thread then.
struct Countdown {
  bool armed = false;
  std::size_t until = 0;  ///< 0: never
  std::size_t seen = 0;
  bool fails() noexcept {
    if (!armed) return false;
    ++seen;
    return until != 0 && seen >= until;  // and from then on: memory that is gone does not come back
  }
} countdown;

sqlite3_mem_methods sqlite_memory;
void* sqlite_malloc(int n) { return countdown.fails() ? nullptr : sqlite_memory.xMalloc(n); }
void* sqlite_realloc(void* p, int n) { return countdown.fails() ? nullptr : sqlite_memory.xRealloc(p, n); }

/// Before anything of SQLite is used.
const bool prepared = [] {
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory);
  auto ours = sqlite_memory;
  ours.xMalloc = sqlite_malloc;
  ours.xRealloc = sqlite_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
  return true;
}();

}  // namespace

void* operator new(std::size_t n) {
  if (countdown.fails()) throw std::bad_alloc();
  void* p = std::malloc(n == 0 ? 1 : n);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return countdown.fails() ? nullptr : std::malloc(n == 0 ? 1 : n);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

using namespace deprov::test::disk;

namespace {

constexpr std::size_t transactions = 3;
constexpr int ended = 0;
constexpr int out_of_memory = 42;

/// The process that runs out of memory: what it was told is in the pipe when it ends.
[[noreturn]] void child(const std::string& directory, std::size_t until, int told) {
  std::set_terminate([] { _exit(out_of_memory); });
  try {
    Bench b(directory);
    countdown = {true, until, 0};
    if (b.open()) {
      for (std::size_t n = 1; n <= transactions; ++n) {
        if (!b.commit(n)) continue;
        const auto byte = static_cast<unsigned char>(n);
        if (write(told, &byte, 1) != 1) _exit(1);
      }
    }
    countdown.armed = false;
    const auto seen = static_cast<std::uint32_t>(countdown.seen);
    if (until == 0 && write(told, &seen, sizeof(seen)) != static_cast<ssize_t>(sizeof(seen))) _exit(1);
    _exit(ended);
  } catch (const std::bad_alloc&) {
    _exit(out_of_memory);
  } catch (...) {
    _exit(1);
  }
}

/// Answers with how many allocations there were, where none fails.
std::size_t run_with(const Template& base, std::size_t until) {
  CAPTURE(until);
  const Scratch scratch;
  base.copy_to(scratch.path);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const auto pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) child(scratch.path, until, ends[1]);
  close(ends[1]);
  std::string told;
  char buffer[64];
  for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof(buffer))) > 0;)
    told.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  const int code = WEXITSTATUS(status);
  CHECK((code == ended || code == out_of_memory));
  std::set<std::size_t> acknowledged;
  for (std::size_t i = 0; i < std::min(told.size(), transactions); ++i)
    acknowledged.insert(static_cast<unsigned char>(told[i]));
  if (until == 0) CHECK(acknowledged.size() == transactions);
  check_integrity(scratch.path);
  Bench b(scratch.path);
  REQUIRE(b.open());
  verify(b, transactions, acknowledged, {});
  std::uint32_t seen = 0;
  if (until == 0) {
    REQUIRE(told.size() == transactions + sizeof(seen));
    std::memcpy(&seen, told.data() + transactions, sizeof(seen));
  }
  return seen;
}

}  // namespace

TEST_CASE("a store that runs out of memory at any allocation comes back whole", "[alloc][store]") {
  REQUIRE(prepared);
  const Template base;
  const auto allocations = run_with(base, 0);
  REQUIRE(allocations > 200);
  // Each of them takes a while; ctest looks at some two hundred places.
  const bool all_of_it = std::getenv("DEPROV_SWEEP_ALL") != nullptr;
  const auto stride = all_of_it ? 1 : std::max<std::size_t>(allocations / 200, 1);
  for (std::size_t at = 1; at <= allocations; at += stride) run_with(base, at);
}
