// Random transactions in a small world, where ids meet often, and everything that can be read of it as text.
#pragma once

#include <deprov/port/store.hpp>
#include <deprov/runtime/random.hpp>
#include <string>
#include <vector>

namespace deprov::test {

class RandomWorld {
 public:
  explicit RandomWorld(std::uint64_t seed);
  /// What it is decided on comes from `reader`, and is wrong at times.
  [[nodiscard]] port::Transaction transaction(port::Reader& reader);
  /// Every function of a Reader, with arguments that find something and such that find nothing.
  [[nodiscard]] static std::vector<std::string> dump(port::Reader& reader);

 private:
  std::uint64_t below(std::uint64_t n) { return random_.below(n); }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  std::string text(std::uint64_t variety);
  port::Scope any_scope();
  std::uint64_t doubted(std::uint64_t version);
  port::Op any_op(port::Reader& reader);
  port::Op resource_op(port::Reader& reader);
  port::Op job_op(port::Reader& reader);
  port::Op admin_op(port::Reader& reader);
  port::Op guard_op(port::Reader& reader);
  port::Op webhook_op(port::Reader& reader);
  static std::vector<std::string> webhook_lines(port::Reader& reader, const port::Scope& scope);
  port::Op source_op(port::Reader& reader);
  static std::vector<std::string> source_lines(port::Reader& reader, const port::Scope& scope);

  runtime::SeededRandom random_;
  std::uint64_t next_ = 1;
};

}  // namespace deprov::test
