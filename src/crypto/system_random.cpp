#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <array>
#include <atomic>
#include <cstring>
#include <deprov/crypto/crypto.hpp>
#include <memory>
#include <stdexcept>

namespace deprov::crypto {

namespace {

constexpr std::size_t buffer_size = 4096;

/// Rises in every forked child, whose copies of the buffers must not be used.
std::atomic<std::uint64_t> process_generation{0};

void draw(std::uint8_t* out, std::size_t size) {
  constexpr std::size_t most = 1U << 20U;
  while (size > 0) {
    const auto n = size < most ? size : most;
    if (RAND_bytes(out, static_cast<int>(n)) != 1) throw std::runtime_error("the system gives no random bytes");
    out += n;
    size -= n;
  }
}

struct Buffer {
  std::array<std::uint8_t, buffer_size> bytes{};
  std::size_t next = buffer_size;
  std::uint64_t generation = 0;
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { OPENSSL_cleanse(bytes.data(), bytes.size()); }

  void take(std::span<std::uint8_t> out) {
    const auto now = process_generation.load(std::memory_order_relaxed);
    if (buffer_size - next < out.size() || generation != now) {
      draw(bytes.data(), bytes.size());
      next = 0;
      generation = now;
    }
    std::memcpy(out.data(), bytes.data() + next, out.size());
    std::memset(bytes.data() + next, 0, out.size());
    next += out.size();
  }
};

class SystemRandom final : public port::Random {
 public:
  SystemRandom() {
    static const int registered = pthread_atfork(nullptr, nullptr, [] { ++process_generation; });
    if (registered != 0) throw std::runtime_error("no memory to watch for forks");
  }

  void fill(std::span<std::uint8_t> out) override {
    if (out.empty()) return;
    if (out.size() > 256) {
      draw(out.data(), out.size());
      return;
    }
    thread_local Buffer buffer;
    buffer.take(out);
  }
};

}  // namespace

std::unique_ptr<port::Random> make_system_random() { return std::make_unique<SystemRandom>(); }

}  // namespace deprov::crypto
