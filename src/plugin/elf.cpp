#include "plugin/elf.hpp"
#include <elf.h>
#include <algorithm>
#include <cstring>
#include <optional>

namespace deprov::plugin {

namespace {

#if defined(__x86_64__)
constexpr Elf64_Half machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half machine = EM_AARCH64;
#elif defined(__riscv)
constexpr Elf64_Half machine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr Elf64_Half machine = EM_PPC64;
#elif defined(__s390x__)
constexpr Elf64_Half machine = EM_S390;
#else
#error "name the ELF machine of this platform"
#endif

using Bytes = std::span<const unsigned char>;

/// The structure at `offset`, if it is within the file.
template <class T>
std::optional<T> at(Bytes bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T out;
  std::memcpy(&out, bytes.data() + offset, sizeof(T));
  return out;
}

bool within(Bytes bytes, std::uint64_t offset, std::uint64_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

}  // namespace

Result<void> check_elf(Bytes bytes) {
  const auto header = at<Elf64_Ehdr>(bytes, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_type != ET_DYN)
    return Error(Errc::invalid_argument, "is no 64-bit ELF shared library", "", "build it with -shared -fPIC");
  constexpr auto order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
  if (header->e_machine != machine || header->e_ident[EI_DATA] != order)
    return Error(Errc::unsupported, "was built for another machine", "", "get the build for this one");
  const Error torn(Errc::invalid_argument, "is cut off or damaged", "", "copy it again, and compare its hash");
  if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0) return torn;
  bool dynamic = false;
  for (std::uint64_t i = 0; i < header->e_phnum; ++i) {
    const auto segment = at<Elf64_Phdr>(bytes, header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return torn;
    if (segment->p_type == PT_LOAD && !within(bytes, segment->p_offset, segment->p_filesz)) return torn;
    dynamic = dynamic || segment->p_type == PT_DYNAMIC;
  }
  if (!dynamic)
    return Error(Errc::invalid_argument, "is a program without anything to share", "", "build with -shared");
  return {};
}

std::vector<std::string> exported_symbols(Bytes bytes) {
  std::vector<std::string> out;
  const auto header = at<Elf64_Ehdr>(bytes, 0);
  if (!header || header->e_shentsize != sizeof(Elf64_Shdr)) return out;
  const auto section = [&](std::uint64_t i) {
    return at<Elf64_Shdr>(bytes, header->e_shoff + i * sizeof(Elf64_Shdr));
  };
  for (std::uint64_t i = 0; i < header->e_shnum; ++i) {
    const auto table = section(i);
    if (!table || table->sh_type != SHT_DYNSYM || !within(bytes, table->sh_offset, table->sh_size)) continue;
    const auto names = section(table->sh_link);
    if (!names || !within(bytes, names->sh_offset, names->sh_size)) continue;
    for (std::uint64_t n = 0; n < table->sh_size / sizeof(Elf64_Sym); ++n) {
      const auto symbol = at<Elf64_Sym>(bytes, table->sh_offset + n * sizeof(Elf64_Sym));
      if (!symbol || symbol->st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol->st_info) == STB_LOCAL) continue;
      if (symbol->st_shndx == SHN_ABS || symbol->st_name >= names->sh_size) continue;  // names of versions
      const auto* first = reinterpret_cast<const char*>(bytes.data()) + names->sh_offset + symbol->st_name;
      const auto* last = reinterpret_cast<const char*>(bytes.data()) + names->sh_offset + names->sh_size;
      out.emplace_back(first, std::find(first, last, '\0'));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace deprov::plugin
