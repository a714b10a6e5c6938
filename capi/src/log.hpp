// The host's log: of the engine's opening and closing, and of faults in callbacks.
#pragma once

#include <deprov.h>
#include <string_view>
#include <utility>
#include "guard.hpp"

namespace deprov::capi {

class Log {
 public:
  using Write = void (*)(void*, int32_t, deprov_str);
  Log(UserData user, Write write) noexcept : user_(std::move(user)), write_(write) {}
  void operator()(int32_t level, std::string_view message) const noexcept {
    if (write_ != nullptr) write_(user_.get(), level, str(message));
  }

 private:
  UserData user_;
  Write write_;
};

}  // namespace deprov::capi
