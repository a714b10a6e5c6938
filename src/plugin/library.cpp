#include "plugin/library.hpp"
#include <dlfcn.h>
#include <cstddef>
#include <map>
#include <mutex>
#include <utility>
#include <vector>
#include "plugin/elf.hpp"
#include "plugin/host.hpp"

namespace deprov::plugin {

namespace {

constexpr std::size_t most_of_a_table = 4096;
constexpr auto size_of_1_0 = offsetof(deprov_connector_table_v1, cancel) + sizeof(void*);

Result<void> check_table(const deprov_connector_table_v1* table, const std::string& path) {
  const auto broken = [&](std::string detail) {
    return Error(Errc::invalid_argument, std::move(detail), path,
                 "build it anew with deprov_connector.h, and run `deprov connector check` on it");
  };
  if (table == nullptr) {
    return Error(Errc::unsupported, "the connector refuses to work with this deprov", path,
                 "get a build for connector ABI " + std::to_string(DEPROV_CONNECTOR_ABI_MAJOR) + "." +
                     std::to_string(DEPROV_CONNECTOR_ABI_MINOR));
  }
  if (table->struct_size < size_of_1_0 || table->struct_size > most_of_a_table)
    return broken("its table has the size " + std::to_string(table->struct_size) + ", and at least " +
                  std::to_string(size_of_1_0) + " is due");
  if (table->open == nullptr) return broken("its table has no function \"open\"");
  if (table->close == nullptr) return broken("its table has no function \"close\"");
  if (table->start == nullptr) return broken("its table has no function \"start\"");
  constexpr std::size_t most_of_a_name = 100;
  if (view(table->id).empty() || table->id.len > most_of_a_name || table->version.len > most_of_a_name)
    return broken("its table has no sensible id and version");
  return {};
}

struct Registry {
  std::mutex mutex;
  std::map<std::string, const deprov_connector_table_v1*, std::less<>> by_hash;
  /// Their descriptors stay open: the dynamic loader knows a library by the name that it was loaded by, and would
  /// take the next one of that name for the same.
  std::vector<std::shared_ptr<const SealedCopy>> kept;
};

Registry& registry() {
  static auto* all = new Registry;  // libraries outlive every static object
  return *all;
}

}  // namespace

std::string hash_of(const SealedCopy& copy, const port::Crypto& crypto) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto byte : crypto.sha256(copy.bytes())) out.append({digits[byte >> 4U], digits[byte & 15U]});
  return out;
}

Result<const deprov_connector_table_v1*> load_library(std::shared_ptr<const SealedCopy> copy,
                                                      const std::string& hash, const std::string& path) {
  auto& all = registry();
  const std::lock_guard lock(all.mutex);
  if (const auto it = all.by_hash.find(hash); it != all.by_hash.end()) return it->second;
  if (auto ok = check_elf(copy->bytes()); !ok) return ok.error().within(path);
  auto* handle = ::dlopen(copy->loader_path().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return Error(Errc::invalid_argument,
                 std::string("cannot be loaded: ") + (why != nullptr ? why : "no reason given"), path,
                 "install what it needs, or link that into it");
  }
  all.kept.push_back(std::move(copy));
  auto* found = ::dlsym(handle, entry_name);
  if (found == nullptr) {
    return Error(Errc::unsupported, std::string("does not export ") + entry_name, path,
                 "build it with deprov_connector.h of connector ABI " +
                     std::to_string(DEPROV_CONNECTOR_ABI_MAJOR) + ", and export its entry");
  }
  const deprov_connector_table_v1* table = nullptr;
  try {
    table = reinterpret_cast<Entry>(found)(&host_table());
  } catch (...) {
    return Error(Errc::invalid_argument, "an exception came out of its entry", path,
                 "ask its vendor for a mended one");
  }
  DEPROV_CHECK(check_table(table, path));
  all.by_hash.emplace(hash, table);
  return table;
}

}  // namespace deprov::plugin
