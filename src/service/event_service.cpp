#include <boost/json/serialize.hpp>
#include <deprov/engine/events.hpp>
#include <deprov/engine/sources.hpp>
#include <deprov/idp/security_event.hpp>
#include <deprov/scim/json.hpp>
#include <deprov/service/event_service.hpp>
#include <memory>
#include <utility>

namespace deprov::service {

namespace {

constexpr std::string_view media_type = "application/secevent+jwt";

Response with_text(int status, boost::json::object text) {
  Response r;
  r.status = status;
  r.headers = {{"Content-Type", "application/json"}, {"Content-Language", "en"}, {"Cache-Control", "no-store"}};
  r.body = boost::json::serialize(text);
  return r;
}

/// What is wrong with a token (RFC 8935 section 2.3).
Response refusal(const idp::SetRefusal& why) {
  return with_text(400, {{"err", idp::to_string(why.error)}, {"description", why.description}});
}

/// Whatever else HTTP has a status for: none of the error codes, which judge a token or its transmitter.
Response failure(int status, std::string_view description) {
  return with_text(status, {{"description", description}});
}

Response not_here() { return failure(404, "there is no receiver at this address"); }

/// The media type without its parameters and the space around it.
bool is_token(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return scim::iequals(type, media_type);
}

Response answer_of(const Result<engine::ReceivedSet>& received) {
  if (received && received->refused) return refusal(*received->refused);
  if (received) {
    Response r;
    r.status = 202;
    r.headers = {{"Cache-Control", "no-store"}};
    return r;
  }
  if (received.error().code() == Errc::not_found) return not_here();
  // What failed here is nothing that the transmitter could do otherwise: it is to send the token again.
  auto r = failure(503, "the token cannot be taken now; send it again");
  r.headers.push_back({"Retry-After", "60"});
  return r;
}

Response answer_of(const Result<idp::HookAnswer>& answer, bool post) {
  if (answer) {
    Response r;
    r.status = answer->status;
    r.headers = {{"Cache-Control", "no-store"}};
    if (!answer->content_type.empty()) r.headers.push_back({"Content-Type", answer->content_type});
    r.body = answer->body;
    return r;
  }
  if (answer.error().code() != Errc::not_found) {
    auto r = failure(503, "the call cannot be taken now; send it again");
    r.headers.push_back({"Retry-After", "60"});
    return r;
  }
  if (post) return failure(415, "the Content-Type has to be application/secevent+jwt");
  auto r = failure(405, "tokens are pushed with POST");
  r.headers.push_back({"Allow", "POST"});
  return r;
}

}  // namespace

EventService::EventService(engine::Engine& engine, std::string prefix)
    : engine_(engine), prefix_(std::move(prefix)) {}

// No token, so that it can only be a call to a polled source, or a mistake.
void EventService::call(SourceId source, Request request, Responder respond) {
  engine::HookCall call;
  call.method = request.method;
  call.query = request.query();
  for (auto& h : request.headers) call.headers.push_back({std::move(h.name), std::move(h.value)});
  call.body = std::move(request.body);
  const bool post = call.method == "POST";
  engine_.sources().called(source, std::move(call),
                           [post, respond = std::make_shared<Responder>(std::move(respond))](
                               const Result<idp::HookAnswer>& answer) { (*respond)(answer_of(answer, post)); });
}

void EventService::handle(Request request, Responder respond) {
  const auto path = request.path();
  const bool below = path.size() > prefix_.size() + 1 && path.substr(0, prefix_.size()) == prefix_;
  const auto source = below ? SourceId::parse(path.substr(prefix_.size() + 1)) : std::nullopt;
  if (!source) return respond(not_here());
  if (request.method != "POST" || !is_token(request.header("Content-Type").value_or("")))
    return call(*source, std::move(request), std::move(respond));
  if (request.body.size() > idp::max_token_bytes)
    return respond(failure(413, "a token has at most 65536 bytes here"));
  auto token = std::move(request.body);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  engine_.events().receive(*source, std::move(token), std::string(request.header("Authorization").value_or("")),
                           [respond = std::make_shared<Responder>(std::move(respond))](
                               const Result<engine::ReceivedSet>& received) { (*respond)(answer_of(received)); });
}

}  // namespace deprov::service
