// The corpora, and small damages to their entries, the same ones every time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>
#include "paths.hpp"

namespace deprov::fuzz {

inline std::vector<std::string> corpus(std::string_view name) {
  std::vector<std::filesystem::path> files;
  for (const auto& f : std::filesystem::directory_iterator(std::filesystem::path(test::source_dir()) /
                                                           "tests/fuzz/corpus" / std::string(name)))
    files.push_back(f.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> out;
  for (const auto& f : files) {
    std::ifstream in(f, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    while (!out.back().empty() && out.back().back() == '\n') out.back().pop_back();
  }
  return out;
}

class Dice {
 public:
  std::size_t next(std::size_t bound) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return static_cast<std::size_t>(state_ % bound);
  }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15ULL;
};

class Damage {
 public:
  explicit Damage(const std::vector<std::string>& corpus) : corpus_(corpus) {}
  std::string of(std::string s) {
    for (auto n = 1 + next(4); n > 0; --n) once(s);
    return s;
  }

 private:
  std::size_t next(std::size_t bound) { return dice_.next(bound); }
  void once(std::string& s) {
    static constexpr std::string_view bits[] = {
        "\"",      "[",       "]",    "{", "}",  "(",   ")",        ",",    ":",    ".",    " ",     "\\",
        "null",    "true",    "\"\"", "0", "-1", "1e9", "and",      "or",   "not",  "eq",   "pr",    "value",
        "members", "primary", "type", "%", "&",  "=",   "\xC3\x84", "\xFF", "$ref", "urn:", "remove"};
    const auto at = next(s.size() + 1);
    switch (next(6)) {
      case 0: s.insert(at, bits[next(std::size(bits))]); break;
      case 1: s.erase(at, next(8)); break;
      case 2:
        if (!s.empty()) s[at % s.size()] = static_cast<char>(next(256));
        break;
      case 3: s.insert(at, s.substr(next(s.size() + 1), next(24))); break;
      case 4: {  // a token in place of another one
        const auto& other = corpus_[next(corpus_.size())];
        s.replace(at, next(12), other.substr(next(other.size() + 1), next(24)));
        break;
      }
      default: {
        const auto quote = s.find('"', at);
        if (quote == std::string::npos) break;
        const auto end = s.find('"', quote + 1);
        if (end != std::string::npos) s.replace(quote, end - quote + 1, bits[next(std::size(bits))]);
      }
    }
  }
  const std::vector<std::string>& corpus_;
  Dice dice_;
};

}  // namespace deprov::fuzz
