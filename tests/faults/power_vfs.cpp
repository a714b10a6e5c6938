#include "faults/power_vfs.hpp"
#include <sqlite3.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <stdexcept>
#include <vector>

namespace deprov::test {

namespace {

constexpr std::size_t sector = 512;

struct Pending {
  bool truncation = false;
  std::size_t at = 0;  ///< or the new size
  std::string data;
};

/// What the disk has for sure, and what is on its way there.
struct Disk {
  std::string durable;
  std::vector<Pending> pending;
};

void apply(std::string& image, const Pending& p, std::size_t from, std::size_t to) {
  if (p.truncation) {
    image.resize(std::min(image.size(), p.at));
    return;
  }
  if (image.size() < p.at + to) image.resize(p.at + to, '\0');
  std::memcpy(image.data() + p.at + from, p.data.data() + from, to - from);
}
void apply(std::string& image, const Pending& p) { apply(image, p, 0, p.data.size()); }

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

struct PowerVfs::State {
  sqlite3_vfs* inner = nullptr;
  sqlite3_vfs vfs{};
  std::map<std::string, Disk> disks;
  Fault fault;
  std::size_t operations = 0;
  std::size_t failures = 0;
  int system_error = 0;
  bool dead = false;

  /// What happens to the next operation.
  Kind next() {
    if (dead) return Kind::power;
    ++operations;
    if (fault.kind == Kind::none || operations < fault.at || (!fault.lasts && operations > fault.at))
      return Kind::none;
    ++failures;
    if (fault.kind == Kind::power) dead = true;
    system_error = fault.kind == Kind::disk_full ? ENOSPC : EIO;
    return fault.kind;
  }
};

namespace {

using State = PowerVfs::State;
using Kind = PowerVfs::Kind;

struct PowerFile {
  sqlite3_file base;
  State* state;
  Disk* disk;  ///< null: nobody would miss it
  sqlite3_file* inner;
};

PowerFile& of(sqlite3_file* f) { return *reinterpret_cast<PowerFile*>(f); }

int file_close(sqlite3_file* f) {
  auto& p = of(f);
  return p.inner->pMethods != nullptr ? p.inner->pMethods->xClose(p.inner) : SQLITE_OK;
}
int file_read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  auto& p = of(f);
  if (p.state->dead) return SQLITE_IOERR_READ;
  return p.inner->pMethods->xRead(p.inner, to, n, at);
}
int file_write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  auto& p = of(f);
  const bool was_dead = p.state->dead;
  const auto what = p.disk != nullptr ? p.state->next() : Kind::none;
  if (was_dead) return SQLITE_IOERR_WRITE;
  const auto size = static_cast<std::size_t>(n);
  const bool half = what != Kind::none && what != Kind::power;
  const auto written = half ? size / 2 : size;
  if (p.disk != nullptr)
    p.disk->pending.push_back(
        {false, static_cast<std::size_t>(at), std::string(static_cast<const char*>(from), written)});
  if (what == Kind::power) return SQLITE_IOERR_WRITE;
  const int rc = p.inner->pMethods->xWrite(p.inner, from, static_cast<int>(written), at);
  if (half) return what == Kind::disk_full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  return rc;
}
int file_truncate(sqlite3_file* f, sqlite3_int64 size) {
  auto& p = of(f);
  const bool was_dead = p.state->dead;
  const auto what = p.disk != nullptr ? p.state->next() : Kind::none;
  if (was_dead) return SQLITE_IOERR_TRUNCATE;
  if (what != Kind::none && what != Kind::power) return SQLITE_IOERR_TRUNCATE;
  if (p.disk != nullptr) p.disk->pending.push_back({true, static_cast<std::size_t>(size), {}});
  if (what == Kind::power) return SQLITE_IOERR_TRUNCATE;
  return p.inner->pMethods->xTruncate(p.inner, size);
}
int file_sync(sqlite3_file* f, int) {
  auto& p = of(f);
  if (p.disk == nullptr) return SQLITE_OK;
  const auto what = p.state->next();
  if (what == Kind::sync_forgets) p.disk->pending.clear();
  if (what != Kind::none) return SQLITE_IOERR_FSYNC;
  for (const auto& op : p.disk->pending) apply(p.disk->durable, op);
  p.disk->pending.clear();
  return SQLITE_OK;
}
int file_size(sqlite3_file* f, sqlite3_int64* size) {
  auto& p = of(f);
  if (p.state->dead) return SQLITE_IOERR_FSTAT;
  return p.inner->pMethods->xFileSize(p.inner, size);
}
int file_lock(sqlite3_file* f, int level) { return of(f).inner->pMethods->xLock(of(f).inner, level); }
int file_unlock(sqlite3_file* f, int level) { return of(f).inner->pMethods->xUnlock(of(f).inner, level); }
int file_reserved(sqlite3_file* f, int* out) {
  return of(f).inner->pMethods->xCheckReservedLock(of(f).inner, out);
}
int file_control(sqlite3_file* f, int op, void* arg) {
  auto& p = of(f);
  if (op == SQLITE_FCNTL_LAST_ERRNO) {
    *static_cast<int*>(arg) = p.state->system_error;
    return SQLITE_OK;
  }
  return p.inner->pMethods->xFileControl(p.inner, op, arg);
}
int file_sector(sqlite3_file* f) { return of(f).inner->pMethods->xSectorSize(of(f).inner); }
int file_device(sqlite3_file* f) { return of(f).inner->pMethods->xDeviceCharacteristics(of(f).inner); }
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return of(f).inner->pMethods->xShmMap(of(f).inner, page, size, extend, out);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  return of(f).inner->pMethods->xShmLock(of(f).inner, offset, n, flags);
}
void shm_barrier(sqlite3_file* f) { of(f).inner->pMethods->xShmBarrier(of(f).inner); }
int shm_unmap(sqlite3_file* f, int remove) { return of(f).inner->pMethods->xShmUnmap(of(f).inner, remove); }

const sqlite3_io_methods methods = {
    2,         file_close,  file_read,     file_write,   file_truncate, file_sync,   file_size,
    file_lock, file_unlock, file_reserved, file_control, file_sector,   file_device, shm_map,
    shm_lock,  shm_barrier, shm_unmap,     nullptr,      nullptr};

State& state_of(sqlite3_vfs* v) { return *static_cast<State*>(v->pAppData); }

int vfs_open(sqlite3_vfs* v, const char* name, sqlite3_file* f, int flags, int* out_flags) {
  auto& state = state_of(v);
  auto& p = of(f);
  std::memset(f, 0, sizeof(PowerFile));
  if (state.dead) return SQLITE_CANTOPEN;
  p.state = &state;
  p.inner = reinterpret_cast<sqlite3_file*>(&p + 1);
  constexpr int kept = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
  if (name != nullptr && (flags & kept) != 0) {
    const auto [it, fresh] = state.disks.try_emplace(name);
    if (fresh) it->second.durable = content(name);
    p.disk = &it->second;
  }
  const int rc = state.inner->xOpen(state.inner, name, p.inner, flags, out_flags);
  if (rc == SQLITE_OK) f->pMethods = &methods;
  return rc;
}
int vfs_delete(sqlite3_vfs* v, const char* name, int sync_dir) {
  auto& state = state_of(v);
  if (state.dead) return SQLITE_IOERR_DELETE;
  if (const auto it = state.disks.find(name); it != state.disks.end()) it->second = {};
  return state.inner->xDelete(state.inner, name, sync_dir);
}
int vfs_access(sqlite3_vfs* v, const char* name, int flags, int* out) {
  return state_of(v).inner->xAccess(state_of(v).inner, name, flags, out);
}
int vfs_path(sqlite3_vfs* v, const char* name, int n, char* out) {
  return state_of(v).inner->xFullPathname(state_of(v).inner, name, n, out);
}
int vfs_randomness(sqlite3_vfs* v, int n, char* out) {
  return state_of(v).inner->xRandomness(state_of(v).inner, n, out);
}
int vfs_sleep(sqlite3_vfs* v, int us) { return state_of(v).inner->xSleep(state_of(v).inner, us); }
int vfs_time(sqlite3_vfs* v, double* out) { return state_of(v).inner->xCurrentTime(state_of(v).inner, out); }
int vfs_last_error(sqlite3_vfs* v, int, char*) { return state_of(v).system_error; }

}  // namespace

PowerVfs::PowerVfs() : state_(std::make_unique<State>()) {
  auto& s = *state_;
  s.inner = sqlite3_vfs_find("unix");
  if (s.inner == nullptr) throw std::runtime_error("SQLite has no VFS named unix here");
  s.vfs.iVersion = 1;
  s.vfs.szOsFile = static_cast<int>(sizeof(PowerFile)) + s.inner->szOsFile;
  s.vfs.mxPathname = s.inner->mxPathname;
  s.vfs.zName = "deprov-power";
  s.vfs.pAppData = &s;
  s.vfs.xOpen = vfs_open;
  s.vfs.xDelete = vfs_delete;
  s.vfs.xAccess = vfs_access;
  s.vfs.xFullPathname = vfs_path;
  s.vfs.xRandomness = vfs_randomness;
  s.vfs.xSleep = vfs_sleep;
  s.vfs.xCurrentTime = vfs_time;
  s.vfs.xGetLastError = vfs_last_error;
  sqlite3_vfs_register(&s.vfs, 1);
}

PowerVfs::~PowerVfs() {
  sqlite3_vfs_unregister(&state_->vfs);
  sqlite3_vfs_register(state_->inner, 1);
}

void PowerVfs::set(Fault fault) {
  state_->fault = fault;
  state_->operations = 0;
  state_->failures = 0;
}
std::size_t PowerVfs::operations() const { return state_->operations; }
std::size_t PowerVfs::failures() const { return state_->failures; }
bool PowerVfs::dead() const { return state_->dead; }
void PowerVfs::cut() { state_->dead = true; }

void PowerVfs::power_back(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (auto& [path, disk] : state_->disks) {
    auto image = disk.durable;
    for (const auto& op : disk.pending) {
      const auto fate = random() % 4;
      if (fate == 0) continue;  // never came to the disk
      if (fate == 1 || op.truncation) {
        apply(image, op);
      } else if (fate == 2) {  // as far as its beginning
        apply(image, op, 0, std::min<std::size_t>(op.data.size(), random() % 9 * sector));
      } else {  // here and there
        for (std::size_t from = 0; from < op.data.size(); from += sector)
          if (random() % 2 == 0) apply(image, op, from, std::min(from + sector, op.data.size()));
      }
    }
    if (std::filesystem::exists(path)) {
      std::ofstream(path, std::ios::binary | std::ios::trunc)
          .write(image.data(), static_cast<std::streamsize>(image.size()));
    }
    std::filesystem::remove(path + "-shm");  // it was memory
    disk.durable = std::move(image);
    disk.pending.clear();
  }
  state_->dead = false;
  state_->system_error = 0;
  heal();
}

}  // namespace deprov::test
