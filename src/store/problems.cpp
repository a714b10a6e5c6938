#include "problems.hpp"

namespace deprov::store {

Error stale(std::string_view what, std::uint64_t expected, std::uint64_t present) {
  std::string text;
  if (present == 0) {
    text = "does not exist, and was read at version " + std::to_string(expected);
  } else if (expected == 0) {
    text = "exists already, at version " + std::to_string(present);
  } else {
    text = "is at version " + std::to_string(present) + ", and was read at version " + std::to_string(expected);
  }
  return {Errc::stale_read, std::move(text), std::string(what), "read again and decide again"};
}

Error fenced_lane(const port::Scope& scope, std::uint64_t expected, std::uint64_t present) {
  return {Errc::fenced,
          "the lane has epoch " + std::to_string(present) + ", and its owner of epoch " +
              std::to_string(expected) + " was replaced",
          "integration " + scope.integration.str(), "stop working on this lane"};
}

Error fenced_lease(JobId job) {
  return {Errc::fenced, "the lease token is not the current one", named("job", job), "drop the outcome"};
}

Error not_unique(std::string_view what, std::string_view value) {
  return {Errc::uniqueness, "\"" + std::string(value) + "\" is taken", std::string(what)};
}

Error key_taken(std::string_view attribute) {
  return {Errc::uniqueness, "the value is taken", std::string(attribute)};
}

Error no_such(std::string_view what) { return {Errc::not_found, "does not exist", std::string(what)}; }

Error last_owner(WorkspaceId workspace) {
  return {Errc::conflict, "the last Owner of a workspace stays", named("workspace", workspace),
          "make somebody else an Owner first"};
}

Error conflicting(std::string_view what, std::string_view why) {
  return {Errc::conflict, std::string(why), std::string(what)};
}

Error guard_refuses(std::string_view counter, std::uint64_t amount, std::string_view window, std::uint64_t sum,
                    std::uint64_t limit) {
  return {Errc::held_by_guard,
          std::to_string(amount) + " more would pass the limit of " + std::to_string(limit) + " in " +
              std::string(window) + ", " + std::to_string(sum) + " are counted",
          "guard counter " + std::string(counter)};
}

Error stale_hold(const port::Scope& scope) {
  return {Errc::stale_read, "what is held of integration " + scope.integration.str() + " changed meanwhile",
          "hold"};
}

Error hold_is_open(HoldId hold) {
  return {Errc::held_by_guard, "hold " + hold.str() + " is open", "guard", "decide it with `deprov holds`"};
}

Error too_many_checkpoints(std::string_view name, std::size_t most) {
  return {Errc::limit_exceeded, "the connector keeps " + std::to_string(most) + " checkpoints already",
          "checkpoint " + std::string(name), "take one away that is not needed"};
}

Error store_closed() { return {Errc::closed, "the store is closed", "store"}; }

}  // namespace deprov::store
