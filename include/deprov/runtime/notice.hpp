// Something that can be waited for with poll(2) or epoll, beside descriptors of the host's own.
#pragma once

#include <deprov/time.hpp>
#include <memory>

namespace deprov::runtime {

/// A flag with a descriptor that is readable while the flag is up. Copies mean the same flag.
/// *Thread safety*: any thread. Throws `std::system_error` where the system has no descriptor left.
class Notice {
 public:
  Notice();
  void set();
  void clear();
  [[nodiscard]] bool is_set() const;
  /// Only to be waited on; it belongs to the notice.
  [[nodiscard]] int descriptor() const noexcept;
  /// False: the time ran out first. Signals do not end it.
  [[nodiscard]] bool wait_for(Duration timeout) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Blocks until one of both descriptors is readable (negative ones are left out), at most for `timeout`.
void wait_readable(int one, int other, Duration timeout);

/// `now + d` without overflow: what is further away than a century counts as that.
[[nodiscard]] MonoTime after(MonoTime now, Duration d);

}  // namespace deprov::runtime
