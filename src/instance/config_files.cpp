#include <algorithm>
#include <deprov/instance/instance.hpp>
#include <filesystem>
#include <system_error>

namespace deprov {

namespace fs = std::filesystem;

bool is_beneath(const std::vector<std::string>& directories, const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) return false;
  std::error_code ec;
  const auto whole = fs::weakly_canonical(fs::absolute(path, ec), ec);
  // A link that leads nowhere yet would be followed once somebody puts something there.
  if (ec || fs::is_symlink(fs::symlink_status(whole, ec))) return false;
  return std::any_of(directories.begin(), directories.end(), [&](const std::string& directory) {
    std::error_code none;
    const auto root = fs::canonical(directory, none);
    if (none) return false;
    const auto [at, rest] = std::mismatch(root.begin(), root.end(), whole.begin(), whole.end());
    return at == root.end() && rest != whole.end();
  });
}

}  // namespace deprov
