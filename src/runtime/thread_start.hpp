// How a thread of ours begins.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <string>
#include <thread>
#include <utility>

namespace deprov::runtime {

/// A named thread that leaves every signal to the host's threads. The mask is set before it begins, since
/// a signal could otherwise meet it in between.
template <class F>
[[nodiscard]] std::thread start_thread(const std::string& name, F body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([name, body = std::move(body)]() mutable noexcept {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    body();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace deprov::runtime
