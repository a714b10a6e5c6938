// The SCIM endpoint that IdPs push to (RFC 7644), one base URL per integration, without a transport.
#pragma once

#include <cstddef>
#include <deprov/engine/engine.hpp>
#include <deprov/scim/limits.hpp>
#include <deprov/service/http.hpp>
#include <memory>
#include <string>

namespace deprov::service {

struct ScimOptions {
  /// Where it is mounted: integrations are at `{prefix}/{integration id}`.
  std::string prefix = "/scim/v2";
  scim::Limits limits;
  /// Resources in one answer at most; also when `count` is absent or larger. `itemsPerPage` tells.
  std::size_t max_results = 1000;
  /// How long a filter or an order that no index answers may look at resources; beyond that it is refused with
  /// `tooMany`. Nobody waits for it: it goes on page by page.
  Duration scan_time = std::chrono::seconds(30);
  /// Resources that it may look at, likewise.
  std::size_t scan_rows = 10'000'000;
  /// Resources up to the end of a sorted page that no index puts in order: their keys are kept in memory. A cursor
  /// needs those of its page alone.
  std::size_t sort_window = 100'000;
  /// Bytes of these keys, likewise.
  std::size_t sort_bytes = std::size_t{64} << 20U;
  /// How long a cursor is good for (RFC 9865).
  Duration cursor_timeout = std::chrono::hours(1);
  /// Hits of an index that are looked at, likewise.
  std::size_t index_hits = 10'000;
  /// Members of groups that an answer holds in memory; what has more is streamed.
  std::size_t inline_members = 1000;
  /// Of one Bulk request.
  std::size_t bulk_operations = 1000;
  std::size_t bulk_payload = std::size_t{8} << 20U;  ///< bytes
  /// Of the URLs that are given out, unless the integration's setting `base_url` says otherwise.
  std::string scheme = "http";
  /// Believes `X-Forwarded-Proto`; only behind a proxy that sets it itself.
  bool trust_forwarded_proto = false;
};

/// Users, Groups and whatever other types the registry of the integration has: GET, POST, PUT, PATCH, DELETE,
/// filters, orders, cursors, `/.search`, Bulk, and discovery. What an IdP is told to be done is durable.
///
/// A gateway token opens its own integration; everything else, unknown integrations included, is one and the same
/// 401. Settings of the integration that count here: `base_url` (what stands before the prefix in `location` and
/// `$ref`; default: made of the `Host` header), `patch_answer` (`resource` or `no_content`; default: the
/// dialect's), `unknown_members` (`keep` or `refuse`: members of groups that are no resource here; default: the
/// dialect's), `external_id_immutable` (default: the dialect's) and `me` (whom `/Me` stands for, where
/// `Request::subject` names nobody; default: nobody, and `/Me` is 501).
///
/// HEAD is answered as GET is, body and all: whoever has the transport leaves the body away, as our server does.
///
/// *Thread safety*: as Handler. *Lifetime*: the engine outlives the service and every request that it was given.
class ScimService final : public Handler {
 public:
  explicit ScimService(engine::Engine& engine, ScimOptions options = {});
  ~ScimService() override;
  void handle(Request request, Responder respond) override;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace deprov::service
