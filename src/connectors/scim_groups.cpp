#include <deprov/scim/json.hpp>
#include "scim_core.hpp"

namespace deprov::connectors {

using connector::Account;
using connector::Effect;
using connector::Outcome;
using connector::Reply;

namespace {

constexpr std::size_t max_groups = 1000;  // of one account

/// Whether a 400 or 501 says that the app does not take this form of removing a member. Some apps read the
/// other form as "remove all", but those take this one; hence the order.
bool refuses_filter(const port::HttpResponse& response) {
  if (response.status == 501) return true;
  if (response.status != 400) return false;
  const auto type = parse_problem(response).type;
  return type.empty() || scim::iequals(type, "invalidPath") || scim::iequals(type, "invalidFilter") ||
         scim::iequals(type, "invalidSyntax");
}

Reply already(std::string detail) {
  auto reply = reply_of(Outcome::ok, std::move(detail));
  reply.effect = Effect::already;
  return reply;
}

}  // namespace

/// The account with its groups' ids, from the account itself where the app shows them there, else from the
/// groups that name it as a member.
void ScimCore::groups_of(const FlightPtr& f, ThenGroups then) {
  const auto path = resource_path("/Users", f->call.account_id);
  if (!path) return then(reply_of(Outcome::invalid_request, "the account's id is empty or no part of a URL"), {});
  send(f, {"GET", *path, {}, {}}, [self = shared_from_this(), f, then = std::move(then)](Got got) mutable {
    if (!got.ok) return then(std::move(got.reply), {});
    auto account = account_of(got, f->call.account_id);
    if (!account) return then(reply_of(Outcome::protocol, "the app answered " + account.error().detail()), {});
    if (!account->groups.empty()) return then(reply_of(Outcome::ok, {}), std::move(*account));
    const auto body = parse_body(*got.response);
    if (scim::find(*body, "groups") != nullptr) return then(reply_of(Outcome::ok, {}), std::move(*account));
    self->groups_page(f, std::move(*account), 1, std::move(then));
  });
}

void ScimCore::groups_page(const FlightPtr& f, Account account, std::uint64_t start, ThenGroups then) {
  const auto path = "/Groups?filter=" + percent_encode(filter_eq("members.value", account.id)) +
                    "&excludedAttributes=members&startIndex=" + std::to_string(start) +
                    "&count=" + std::to_string(config_.page_size);
  send(f, {"GET", path, {}, {}},
       [self = shared_from_this(), f, account = std::move(account), start,
        then = std::move(then)](Got got) mutable {
         if (!got.ok) {
           // An app without groups, or without this filter: it is not the account that is not there.
           if (got.reply.outcome == Outcome::not_found || got.status() == 400)
             got.reply.outcome = Outcome::unsupported;
           return then(std::move(got.reply), {});
         }
         auto body = parse_body(*got.response);
         auto page = body ? parse_page(std::move(*body)) : Result<ScimPage>(body.error());
         if (!page) return then(reply_of(Outcome::protocol, "Groups answers " + page.error().detail()), {});
         for (const auto& g : page->resources) {
           const auto* id = scim::find(g, "id");
           if (id == nullptr || !id->is_string())
             return then(reply_of(Outcome::protocol, "Groups answers a group without an id"), {});
           account.groups.emplace_back(id->get_string());
         }
         const auto next = start + page->resources.size();
         if (page->resources.empty() || next > page->total)
           return then(reply_of(Outcome::ok, {}), std::move(account));
         if (account.groups.size() >= max_groups)
           return then(reply_of(Outcome::unsupported, "the account seems to be in more than " +
                                                          std::to_string(max_groups) +
                                                          " groups, so the app may ignore the filter"),
                       {});
         self->groups_page(f, std::move(account), next, std::move(then));
       });
}

void ScimCore::list_entitlements(const FlightPtr& f) {
  groups_of(f, [self = shared_from_this(), f](Reply reply, Account account) {
    if (reply.outcome == Outcome::ok) reply.accounts.push_back(std::move(account));
    self->finish(f, std::move(reply));
  });
}

void ScimCore::leave_group(const FlightPtr& f, const std::string& group, bool with_filter, ThenReply then) {
  const auto path = resource_path("/Groups", group);
  if (!path || !resource_path("/Users", f->call.account_id))
    return then(
        reply_of(Outcome::invalid_request, "the account's or the group's id is empty or no part of a URL"));
  send(f, {"PATCH", *path, patch_remove_member(f->call.account_id, with_filter), {}},
       [self = shared_from_this(), f, group, with_filter, then = std::move(then)](Got got) mutable {
         if (got.ok) {
           self->members_by_filter_ = with_filter;
           return then(changed(got, {}));
         }
         if (got.reply.outcome == Outcome::not_found) return then(already("there is no such group any more"));
         if (got.status() == 400 && scim::iequals(parse_problem(*got.response).type, "noTarget"))
           return then(already("the account is no member of the group"));
         if (with_filter && got.response && refuses_filter(*got.response))
           return self->leave_group(f, group, false, std::move(then));
         then(std::move(got.reply));
       });
}

void ScimCore::leave_all(const FlightPtr& f, std::vector<std::string> groups, bool any_left) {
  if (groups.empty()) {
    auto reply = any_left ? reply_of(Outcome::ok, {}) : already("the account is in no group");
    if (any_left) reply.effect = Effect::done;
    return finish(f, std::move(reply));
  }
  auto group = std::move(groups.back());
  groups.pop_back();
  leave_group(f, group, members_by_filter_,
              [self = shared_from_this(), f, groups = std::move(groups), any_left](Reply reply) mutable {
                if (reply.outcome != Outcome::ok) return self->finish(f, std::move(reply));
                self->leave_all(f, std::move(groups), any_left || reply.effect == Effect::done);
              });
}

void ScimCore::join_group(const FlightPtr& f) {
  const auto path = resource_path("/Groups", f->call.entitlement);
  if (!path || !resource_path("/Users", f->call.account_id))
    return finish(
        f, reply_of(Outcome::invalid_request, "the account's or the group's id is empty or no part of a URL"));
  send(f, {"PATCH", *path, patch_add_member(f->call.account_id), {}}, [self = shared_from_this(), f](Got got) {
    if (got.ok) return self->finish(f, changed(got, {}));
    if (got.reply.outcome == Outcome::not_found) {
      got.reply.outcome = Outcome::invalid_request;
      got.reply.detail = "there is no such group any more: " + got.reply.detail;
    }
    self->finish(f, std::move(got.reply));
  });
}

}  // namespace deprov::connectors
