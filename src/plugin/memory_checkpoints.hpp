// Checkpoints that last as long as this: for the conformance kit, and for tests.
#pragma once

#include <deprov/port/checkpoints.hpp>
#include <deprov/port/executor.hpp>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace deprov::plugin {

/// `executor` outlives what is asked of it. *Thread safety*: any thread.
class MemoryCheckpoints final : public port::Checkpoints {
 public:
  explicit MemoryCheckpoints(port::Executor& executor) : executor_(executor) {}

  void get(std::string name, port::UniqueFunction<void(Result<std::string>)> done) override {
    Result<std::string> found = Error(Errc::not_found, "nothing is kept under this name", "checkpoint " + name);
    {
      const std::lock_guard lock(mutex_);
      if (const auto it = kept_.find(name); it != kept_.end()) found = it->second;
    }
    executor_.post([done = std::move(done), found = std::move(found)]() mutable { done(std::move(found)); });
  }

  void set(std::string name, std::string value, port::UniqueFunction<void(Result<void>)> done) override {
    auto result = keep(std::move(name), std::move(value));
    executor_.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  }

 private:
  Result<void> keep(std::string name, std::string value) {
    DEPROV_CHECK(port::check_checkpoint(name, value));
    const std::lock_guard lock(mutex_);
    if (value.empty()) {
      kept_.erase(name);
      return {};
    }
    if (kept_.size() >= max_names && kept_.find(name) == kept_.end())
      return Error(Errc::limit_exceeded, "an integration may have 32 checkpoints", "checkpoint " + name);
    kept_.insert_or_assign(std::move(name), std::move(value));
    return {};
  }

  port::Executor& executor_;
  std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> kept_;
};

}  // namespace deprov::plugin
