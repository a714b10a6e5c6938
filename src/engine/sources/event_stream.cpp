#include "engine/sources/event_stream.hpp"
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace deprov::engine {

namespace json = boost::json;

std::string to_text(const StreamState& state) {
  json::object o;
  if (!state.verification.empty()) o["verification"] = state.verification;
  if (!state.poller.empty()) {
    o["poller"] = state.poller;
    o["poller_until"] = state.poller_until.micros;
  }
  if (state.interval.count() != 0) o["interval"] = state.interval.count();
  if (!state.waits.empty()) o["waits"] = state.waits;
  return o.empty() ? std::string{} : json::serialize(o);
}

StreamState parse_stream_state(const port::SourceRow& row) {
  StreamState state;
  boost::system::error_code ec;
  const auto value = json::parse(row.header.empty() ? "{}" : row.header, ec);
  const auto* o = ec ? nullptr : value.if_object();
  if (o == nullptr) return state;
  if (const auto* v = o->if_contains("verification"); v != nullptr && v->is_string())
    state.verification = std::string(v->get_string());
  if (const auto* v = o->if_contains("interval"); v != nullptr && v->is_int64())
    state.interval = Duration(v->get_int64());
  if (const auto* v = o->if_contains("waits"); v != nullptr && v->is_string())
    state.waits = std::string(v->get_string());
  const auto* poller = o->if_contains("poller");
  const auto* until = o->if_contains("poller_until");
  if (poller != nullptr && poller->is_string() && until != nullptr && until->is_int64()) {
    state.poller = std::string(poller->get_string());
    state.poller_until = {until->get_int64()};
  }
  return state;
}

}  // namespace deprov::engine
