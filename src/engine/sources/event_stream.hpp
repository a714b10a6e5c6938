// What a receiver of events keeps of its stream in the row of its source, so that neither a restart nor another
// engine is without it.
#pragma once

#include <deprov/port/source_records.hpp>
#include <deprov/time.hpp>
#include <string>

namespace deprov::engine {

struct StreamState {
  std::string verification{};  ///< state of the verification that was asked for; empty: none
  std::string poller{};        ///< the engine that fetches its tokens, where several share the store; empty: any
  WallTime poller_until{};     ///< silent for longer, and another one does
  Duration interval{0};        ///< between polls, now: longer than the config's after failures
  std::string waits{};         ///< why it is not polled now, though it does not fail
};
[[nodiscard]] std::string to_text(const StreamState& state);
/// What does not parse is as if nothing was known.
[[nodiscard]] StreamState parse_stream_state(const port::SourceRow& row);

}  // namespace deprov::engine
