// One SCIM request on its way, and what its handlers share.
#pragma once

#include <deprov/engine/engine.hpp>
#include <deprov/idp/dialect.hpp>
#include <deprov/scim/etag.hpp>
#include <deprov/scim/query.hpp>
#include <deprov/service/scim_service.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::service {

struct ScimService::State {
  engine::Engine& engine;
  ScimOptions options;
};

/// Ids that a Bulk request has given away for what it is about to create, and whether they are groups.
using PromisedIds = std::map<ResourceId, bool>;

/// Shared by the completions of one request; used by one thread at a time.
class ScimCall {
 public:
  ScimCall(engine::Engine& e, const ScimOptions& o, Request r, Responder respond);

  engine::Engine& engine;
  const ScimOptions& options;
  std::shared_ptr<const void> keep;  ///< what `options` belongs to
  Request request;
  WallTime arrived;
  std::string request_id;
  engine::Context context;
  std::string base;                     ///< URL before "/Users"
  const scim::TypeDef* type = nullptr;  ///< of the addressed endpoint
  ResourceId id;                        ///< of the addressed resource
  bool alias = false;                   ///< it was addressed as /Me: answers say where it really is
  scim::Query query;
  idp::NormalRequest normal;
  idp::RuleSet line_rules;  ///< used on method and URL, before the integration was known
  unsigned restarts = 0;    ///< since the schemas changed under it
  std::optional<scim::EntityTags> if_match;
  std::optional<scim::EntityTags> if_none_match;
  // of an operation of a Bulk request
  std::optional<boost::json::value> sent;         ///< the body, parsed
  std::optional<std::size_t> operation;           ///< which one
  bool brief = false;                             ///< status, version and location are all that is wanted
  bool in_turn = false;                           ///< see engine::Engine::Order
  ResourceId new_id;                              ///< what is created must get this id; nil: any
  std::shared_ptr<const PromisedIds> promised{};  ///< null: none
  /// Attributes and extension URNs that the request has written.
  std::vector<std::string> wrote;

  /// The same request once more, with whoever waits for its answer: this one is over.
  [[nodiscard]] std::shared_ptr<ScimCall> again();

  /// Once; later calls are ignored.
  void answer(Response response);
  void fail(const Error& error);
  void no_content(scim::Version version);
  /// 200 with a JSON text.
  void json(std::string body);
  [[nodiscard]] bool answered() const noexcept { return !respond_; }

  [[nodiscard]] const port::Scope& scope() const noexcept { return context->row.scope; }
  [[nodiscard]] engine::Evidence evidence() const;
  [[nodiscard]] Error no_resource() const;
  /// Whether preconditions ask for more than the stored version.
  [[nodiscard]] bool asks_derived() const noexcept;
  /// Errors: `precondition_failed` (RFC 7644 section 3.14).
  [[nodiscard]] Result<void> check_preconditions(scim::Version version) const;

 private:
  Responder respond_;
};

using Call = std::shared_ptr<ScimCall>;

/// `Content-Type: application/scim+json` and what every answer has.
[[nodiscard]] Response scim_response(int status, std::string body);
/// Any failure as a SCIM error, with the headers that its status wants.
[[nodiscard]] Response scim_error(const Error& error);

// The handlers. Each answers the call in the end.
void handle_bulk(const Call& call);
void handle_discovery(const Call& call, std::string_view what, std::string_view name);
void handle_list(const Call& call, bool all_types);
void handle_read(const Call& call);
void handle_create(const Call& call);
void handle_replace(const Call& call);
void handle_patch(const Call& call);
void handle_delete(const Call& call);

/// Routes and carries out what stands behind the integration in a path.
void run_operation(const Call& call, const std::vector<std::string>& segments);
/// Begins anew, by the schemas that the integration has now. False: it has none any more, it has begun anew too
/// often, or it is part of a Bulk request, whose body is used up.
[[nodiscard]] bool begin_anew(const Call& call);

/// `GET` of a resource that was just written, or is just read.
struct ReadBack {
  int status = 200;
  bool members = true;      ///< false: left out, since they are still being worked off
  bool only_small = false;  ///< 204 instead where the members would have to be streamed
  /// What was written before: answered, without rows, where reading it again fails.
  std::shared_ptr<const port::ResourceRow> written;
};
void answer_resource(const Call& call, ResourceId id, const ReadBack& how);

}  // namespace deprov::service
