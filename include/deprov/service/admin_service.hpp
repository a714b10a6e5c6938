// The admin API: integrations, subjects, jobs, activity and principals as JSON under /api/v1.
#pragma once

#include <boost/json/value.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/service/http.hpp>
#include <string_view>

namespace deprov::service {

inline constexpr std::string_view admin_base = "/api/v1";

/// Every request carries the bearer token of a principal, and sees that principal's workspace alone (R21).
/// Errors are `{"error": {"code", "message", "where", "advice"}}`. What is offered stands in the OpenAPI 3.1
/// document at /api/v1/openapi.json, which is made of the same table that dispatches.
///
/// *Thread safety*: any thread. *Lifetime*: the engine outlives the service and every answer.
class AdminService final : public Handler {
 public:
  explicit AdminService(engine::Engine& engine);

  void handle(Request request, Responder respond) override;
  /// The same without a token, for a caller that has said who it is: the local administrator.
  void handle_as(engine::Principal by, Request request, Responder respond);

  /// The OpenAPI document.
  [[nodiscard]] static const boost::json::value& openapi();

 private:
  engine::Engine& engine_;
};

}  // namespace deprov::service
