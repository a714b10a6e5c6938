// One SCIM connection at work: calls as state machines on the host's executor.
#pragma once

#include <deprov/connector/connector.hpp>
#include <deprov/port/connector.hpp>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>
#include "scim_config.hpp"
#include "scim_outcome.hpp"
#include "scim_token.hpp"
#include "scim_wire.hpp"

namespace deprov::connectors {

/// Everything here runs on the host's executor. Whatever waits for an answer holds a reference, so that a
/// connector that is destroyed after its last completion leaves nothing dangling.
class ScimCore : public std::enable_shared_from_this<ScimCore> {
 public:
  ScimCore(ScimConfig config, port::ConnectorHost host);
  void start(connector::CallId id, connector::Call call, connector::Completion done);
  void cancel(connector::CallId id);

 private:
  /// A call that has not completed.
  struct Flight {
    connector::CallId id = 0;
    connector::Call call;
    connector::Completion done;
    MonoTime deadline;
    port::HttpCallId http = 0;
    bool in_http = false;
    bool cancelled = false;
  };
  using FlightPtr = std::shared_ptr<Flight>;

  /// One HTTP request of a call.
  struct Ask {
    std::string method = "GET";
    std::string path;  ///< after the base URL, query included
    std::string body;
    std::string if_match;
    [[nodiscard]] Nature nature() const { return method == "GET" ? Nature::read : Nature::change; }
  };
  /// Its answer: a 2xx response, or the reply that follows from what came instead.
  struct Got {
    std::optional<port::HttpResponse> response;  ///< of any status
    connector::Reply reply;                      ///< meaningful unless `ok`
    bool ok = false;
    bool no_token = false;  ///< nothing was sent: there was no token to send it with
    [[nodiscard]] int status() const { return response ? response->status : 0; }
  };
  using Then = port::UniqueFunction<void(Got)>;

  // Plumbing (scim_core.cpp).
  void send(const FlightPtr& f, Ask ask, Then then, bool again = false);
  void send_authorised(const FlightPtr& f, Ask ask, Then then, bool again, const port::HttpHeader* credential,
                       const std::string& token);
  void answered(const FlightPtr& f, Ask ask, Then then, bool again, const std::string& token,
                port::HttpResult result, bool call_ended);
  void finish(const FlightPtr& f, connector::Reply reply);
  /// The reply to a change whose answer was 2xx.
  [[nodiscard]] static connector::Reply changed(const Got& got, const std::string& account_id);
  [[nodiscard]] static Result<connector::Account> account_of(const Got& got, const std::string& account_id);

  // The connection's own account (scim_me.cpp).
  /// Goes on where the account of the call is not that of the credential (R9).
  void spare_own(const FlightPtr& f, port::UniqueFunction<void()> change);
  void change_unless_own(const FlightPtr& f, port::UniqueFunction<void()> change);
  void learn_own(const Got& me);

  // Accounts (scim_users.cpp).
  struct Search;
  void check(const FlightPtr& f);
  /// A 404 about one resource counts when the app shows its list of accounts right after it.
  void confirm_gone(const FlightPtr& f, Got gone, Then then);
  void check_accounts(const FlightPtr& f, const std::string& remark);
  void find(const FlightPtr& f);
  void search(const FlightPtr& f, const std::shared_ptr<Search>& s);
  void search_page(const FlightPtr& f, const std::shared_ptr<Search>& s, Got got);
  void read(const FlightPtr& f);
  void list(const FlightPtr& f);
  void set_active(const FlightPtr& f, bool active);
  void patch_active_as(const FlightPtr& f, bool active, UpdateStyle style, bool may_fall_back);
  void put_active(const FlightPtr& f, bool active);
  void remove_account(const FlightPtr& f);

  // Groups (scim_groups.cpp).
  struct Memberships;
  using ThenReply = port::UniqueFunction<void(connector::Reply)>;
  using ThenGroups = port::UniqueFunction<void(connector::Reply, connector::Account)>;
  void groups_of(const FlightPtr& f, ThenGroups then);
  void groups_page(const FlightPtr& f, connector::Account account, std::uint64_t start, ThenGroups then);
  void list_entitlements(const FlightPtr& f);
  void leave_group(const FlightPtr& f, const std::string& group, bool with_filter, ThenReply then);
  void leave_all(const FlightPtr& f, std::vector<std::string> groups, bool any_left);
  void join_group(const FlightPtr& f);

  const ScimConfig config_;
  port::ConnectorHost host_;
  std::shared_ptr<TokenSource> tokens_;
  UpdateStyle learned_;             ///< how this app's `active` is changed; found out once
  bool members_by_filter_ = true;   ///< whether this app takes `members[value eq ...]`
  std::optional<std::string> own_;  ///< what /Me said of the credential's account; empty: the app does not say
  std::unordered_map<connector::CallId, FlightPtr> flights_;
};

/// The path of one resource. Nothing for an id that no URL can carry.
[[nodiscard]] std::optional<std::string> resource_path(const char* endpoint, const std::string& id);

}  // namespace deprov::connectors
