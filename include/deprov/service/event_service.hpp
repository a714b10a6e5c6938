// Where transmitters push Security Event Tokens (RFC 8935), and IdPs call polled sources, one URL per source,
// without a transport.
#pragma once

#include <deprov/engine/engine.hpp>
#include <deprov/service/http.hpp>
#include <string>

namespace deprov::service {

/// `POST {prefix}/{source}` with `application/secevent+jwt`: 202 without a body once the token and what follows
/// from it are durable; 400 with `{"err", "description"}` where it is refused for good; 503 and `Retry-After`
/// where it is to come again. 404 for a receiver that there is not, 405, 413 (64 KiB), 415 as HTTP has them. Only
/// 400 has an `err`, since that judges the token.
///
/// Of a polled source with a `hook`: Okta's event hooks (GET verifies, POST delivers) and Microsoft Graph's change
/// notifications, answered as those want it.
///
/// *Thread safety*: as Handler. *Lifetime*: the engine outlives the service and every answer.
class EventService final : public Handler {
 public:
  explicit EventService(engine::Engine& engine, std::string prefix = "/events");
  void handle(Request request, Responder respond) override;

 private:
  void call(SourceId source, Request request, Responder respond);

  engine::Engine& engine_;
  std::string prefix_;
};

}  // namespace deprov::service
