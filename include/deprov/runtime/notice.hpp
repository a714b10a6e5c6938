// Something that can be waited for with poll(2) or epoll, beside descriptors of the host's own.
#pragma once

#include <deprov/time.hpp>
#include <memory>

namespace deprov::runtime {

/// A flag with a descriptor that is readable while the flag is up. Copies mean the same flag. Nobody pays for the
/// descriptor before it was asked for.
/// *Thread safety*: any thread.
class Notice {
 public:
  Notice();
  void set();
  void clear();
  [[nodiscard]] bool is_set() const;
  /// Only to be waited on; it belongs to the notice. -1 where the system has none left.
  [[nodiscard]] int descriptor() const noexcept;
  /// False: the time ran out first. Signals do not end it.
  [[nodiscard]] bool wait_for(Duration timeout) const;

 private:
  struct State;

 public:
  /// As long as there is one, the descriptor is left alone: somebody looks at the flag anyhow. At its end the
  /// descriptor says what the flag does.
  class Quiet {
   public:
    explicit Quiet(const Notice& notice);
    ~Quiet();
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;

   private:
    std::shared_ptr<State> state_;
  };

 private:
  std::shared_ptr<State> state_;
};

/// Blocks until one of both descriptors is readable (negative ones are left out), at most for `timeout`.
void wait_readable(int one, int other, Duration timeout);

/// `now + d` without overflow: what is further away than a century counts as that.
[[nodiscard]] MonoTime after(MonoTime now, Duration d);

}  // namespace deprov::runtime
