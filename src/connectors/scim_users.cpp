#include <algorithm>
#include <charconv>
#include <deprov/scim/json.hpp>
#include "scim_core.hpp"

namespace deprov::connectors {

using connector::Account;
using connector::Effect;
using connector::Outcome;
using connector::Reply;

namespace {

constexpr std::size_t max_scanned = 1000;  // answers to one exact filter; an app that has more ignores it
constexpr std::size_t max_shown = 10;      // candidates in an AMBIGUOUS reply
constexpr std::uint64_t max_start = 1'000'000'000;

std::string users_page(const std::string& filter, std::uint64_t start, std::uint32_t count) {
  std::string path = "/Users?";
  if (!filter.empty()) path += "filter=" + percent_encode(filter) + "&";
  return path + "startIndex=" + std::to_string(start) + "&count=" + std::to_string(count);
}

/// The page that was asked for, or why it is none.
Result<ScimPage> page_of(const port::HttpResponse& response, std::uint64_t start) {
  DEPROV_TRY(body, parse_body(response));
  DEPROV_TRY(page, parse_page(std::move(body)));
  if (page.start_index && *page.start_index != start && !page.resources.empty())
    return Error(Errc::protocol, "the page from " + std::to_string(*page.start_index) + " where the one from " +
                                     std::to_string(start) + " was asked for");
  if (page.resources.empty() && page.total >= start)
    return Error(Errc::protocol,
                 "an empty page from " + std::to_string(start) + " of " + std::to_string(page.total));
  return std::move(page);
}

Reply with_account(Account account) {
  Reply reply;
  reply.outcome = Outcome::ok;
  reply.accounts.push_back(std::move(account));
  return reply;
}

}  // namespace

// ---- check

void ScimCore::check(const FlightPtr& f) {
  send(f, {"GET", "/ServiceProviderConfig", {}, {}}, [self = shared_from_this(), f](Got got) {
    if (!got.ok && !got.response) return self->finish(f, std::move(got.reply));
    std::string remark;
    if (got.ok) {
      const auto body = parse_body(*got.response);
      const auto* patch = body ? scim::find(*body, "patch") : nullptr;
      const auto* supported =
          patch != nullptr && patch->is_object() ? scim::find(patch->get_object(), "supported") : nullptr;
      if (!body)
        remark = "; ServiceProviderConfig: " + body.error().detail();
      else if (supported != nullptr && supported->is_bool() && !supported->get_bool() &&
               self->learned_ == UpdateStyle::automatic)
        self->learned_ = UpdateStyle::put;
    } else {
      remark = "; ServiceProviderConfig: " + got.reply.detail;
    }
    self->check_accounts(f, remark);
  });
}

void ScimCore::check_accounts(const FlightPtr& f, const std::string& remark) {
  send(f, {"GET", users_page({}, 1, 1), {}, {}}, [self = shared_from_this(), f, remark](Got got) {
    if (!got.ok) {
      if (got.reply.outcome == Outcome::not_found) {
        got.reply.outcome = Outcome::protocol;
        got.reply.detail += "; there are no Users under base_url";
      }
      if (got.response && got.reply.outcome == Outcome::auth_failed)
        got.reply.detail = "the app was reached and refuses the credential: " + got.reply.detail;
      if (got.response && got.reply.outcome == Outcome::permission_denied)
        got.reply.detail = "the app was reached, the credential may not see accounts: " + got.reply.detail;
      return self->finish(f, std::move(got.reply));
    }
    const auto page = page_of(*got.response, 1);
    if (!page)
      return self->finish(f, reply_of(Outcome::protocol, "Users answers " + page.error().detail() + remark));
    Reply reply;
    reply.outcome = Outcome::ok;
    for (const auto& r : page->resources)
      if (auto a = parse_account(r); a && reply.accounts.empty()) reply.accounts.push_back(std::move(*a));
    reply.detail = page->total == 0
                       ? "reached, the credential is accepted and sees no account"
                       : "reached, the credential is accepted and sees " + std::to_string(page->total) +
                             (page->total == 1 ? " account" : " accounts");
    reply.detail += remark;
    self->finish(f, std::move(reply));
  });
}

void ScimCore::confirm_gone(const FlightPtr& f, Got gone, Then then) {
  send(f, {"GET", users_page({}, 1, 1), {}, {}},
       [gone = std::move(gone), then = std::move(then)](Got list) mutable {
         if (list.ok) {
           const auto page = page_of(*list.response, 1);
           if (page) return then(std::move(gone));
           list.reply = reply_of(Outcome::protocol, "Users answers " + page.error().detail());
         }
         if (list.reply.outcome == Outcome::not_found) list.reply.outcome = Outcome::protocol;
         list.reply.detail =
             gone.reply.detail +
             "; but the list of accounts cannot be read either, so base_url may be wrong: " + list.reply.detail;
         list.ok = false;
         list.response.reset();
         then(std::move(list));
       });
}

// ---- find

struct ScimCore::Search {
  struct Key {
    std::string attribute;
    std::string value;
  };
  std::vector<Key> keys;
  std::size_t key = 0;
  std::uint64_t start = 1;
  std::size_t scanned = 0;
  std::size_t not_searchable = 0;
  std::string remark;
  std::vector<Account> found;

  /// The app's idea of equal is checked again: exact for externalId (caseExact), any case for the others.
  [[nodiscard]] bool fits(const Account& a) const {
    const auto& k = keys[key];
    if (k.attribute == "externalId") return a.external_id == k.value;
    if (k.attribute == "userName") return scim::iequals(a.user_name, k.value);
    return std::any_of(a.emails.begin(), a.emails.end(),
                       [&](const std::string& e) { return scim::iequals(e, k.value); });
  }
  void note(Account a) {
    const bool known = std::any_of(found.begin(), found.end(), [&](const Account& x) { return x.id == a.id; });
    if (!known && fits(a)) found.push_back(std::move(a));
  }
  /// E-mails are one kind of key: several of one person must not hide that they lead to two accounts.
  [[nodiscard]] bool kind_is_done() const {
    return key + 1 >= keys.size() || keys[key + 1].attribute != keys[key].attribute;
  }
};

void ScimCore::find(const FlightPtr& f) {
  auto s = std::make_shared<Search>();
  const auto& m = f->call.match;
  if (!m.external_id.empty()) s->keys.push_back({"externalId", m.external_id});
  if (!m.user_name.empty()) s->keys.push_back({"userName", m.user_name});
  for (const auto& e : m.emails)
    if (!e.empty() && s->keys.size() < 12) s->keys.push_back({"emails.value", e});
  if (s->keys.empty())
    return finish(f, reply_of(Outcome::invalid_request, "there is nothing to look an account up by"));
  search(f, s);
}

void ScimCore::search(const FlightPtr& f, const std::shared_ptr<Search>& s) {
  const auto& k = s->keys[s->key];
  send(f, {"GET", users_page(filter_eq(k.attribute, k.value), s->start, config_.page_size), {}, {}},
       [self = shared_from_this(), f, s](Got got) { self->search_page(f, s, std::move(got)); });
}

void ScimCore::search_page(const FlightPtr& f, const std::shared_ptr<Search>& s, Got got) {
  const auto& k = s->keys[s->key];
  if (!got.ok && (got.status() == 400 || got.status() == 501)) {
    ++s->not_searchable;
    s->remark += "; cannot be searched by " + k.attribute + " (" + got.reply.detail + ")";
  } else if (!got.ok) {
    // 404 here is about Users itself, and must not pass for "no such account".
    if (got.reply.outcome == Outcome::not_found) got.reply.outcome = Outcome::protocol;
    return finish(f, std::move(got.reply));
  } else {
    auto page = page_of(*got.response, s->start);
    if (!page)
      return finish(
          f, reply_of(Outcome::protocol, "a search by " + k.attribute + " answers " + page.error().detail()));
    for (const auto& r : page->resources) {
      auto account = parse_account(r);
      if (!account)
        return finish(
            f, reply_of(Outcome::protocol, "a search by " + k.attribute + " answers " + account.error().detail()));
      s->note(std::move(*account));
    }
    s->scanned += page->resources.size();
    const auto next = s->start + page->resources.size();
    const bool more = !page->resources.empty() && next <= page->total;
    if (more && s->found.size() < 2) {
      if (s->scanned >= max_scanned)
        return finish(f, reply_of(Outcome::unsupported, "a search by " + k.attribute + " answers " +
                                                            std::to_string(page->total) +
                                                            " accounts, so the app ignores the filter"));
      s->start = next;
      return search(f, s);
    }
  }
  if (s->found.size() > 1 || (s->found.size() == 1 && s->kind_is_done())) {
    Reply reply;
    reply.outcome = s->found.size() == 1 ? Outcome::ok : Outcome::ambiguous;
    reply.detail =
        (s->found.size() == 1 ? "found by " : "more than one account has this ") + k.attribute + s->remark;
    s->found.resize(std::min(s->found.size(), max_shown));
    reply.accounts = std::move(s->found);
    return finish(f, std::move(reply));
  }
  ++s->key;
  s->start = 1;
  s->scanned = 0;
  if (s->key < s->keys.size()) return search(f, s);
  const bool nothing_worked = s->not_searchable == s->keys.size();
  finish(f,
         reply_of(nothing_worked ? Outcome::unsupported : Outcome::not_found, "no account matches" + s->remark));
}

// ---- read, list

void ScimCore::read(const FlightPtr& f) {
  const auto path = resource_path("/Users", f->call.account_id);
  if (!path) return finish(f, reply_of(Outcome::invalid_request, "the account's id is empty or no part of a URL"));
  send(f, {"GET", *path, {}, {}}, [self = shared_from_this(), f](Got got) {
    if (!got.ok) return self->finish(f, std::move(got.reply));
    auto account = account_of(got, f->call.account_id);
    if (!account)
      return self->finish(f, reply_of(Outcome::protocol, "the app answered " + account.error().detail()));
    self->finish(f, with_account(std::move(*account)));
  });
}

void ScimCore::list(const FlightPtr& f) {
  std::uint64_t start = 1;
  if (const auto& c = f->call.cursor; !c.empty()) {
    const auto r = std::from_chars(c.data(), c.data() + c.size(), start);
    if (r.ec != std::errc() || r.ptr != c.data() + c.size() || start < 1 || start > max_start)
      return finish(f, reply_of(Outcome::invalid_request, "the cursor is none that this connector gave"));
  }
  const auto count = std::clamp<std::uint32_t>(f->call.page_size, 1, config_.page_size);
  send(f, {"GET", users_page({}, start, count), {}, {}}, [self = shared_from_this(), f, start](Got got) {
    if (!got.ok) {
      if (got.reply.outcome == Outcome::not_found) got.reply.outcome = Outcome::protocol;
      return self->finish(f, std::move(got.reply));
    }
    const auto page = page_of(*got.response, start);
    if (!page) return self->finish(f, reply_of(Outcome::protocol, "Users answers " + page.error().detail()));
    Reply reply;
    reply.outcome = Outcome::ok;
    for (const auto& r : page->resources) {
      auto account = parse_account(r);
      if (!account)
        return self->finish(f, reply_of(Outcome::protocol, "Users answers " + account.error().detail()));
      reply.accounts.push_back(std::move(*account));
    }
    const auto next = start + page->resources.size();
    if (next <= page->total) reply.next_cursor = std::to_string(next);
    self->finish(f, std::move(reply));
  });
}

// ---- disable, enable

namespace {

/// Whether the answer to a PATCH says that the app has no PATCH, or not this one; then nothing was done.
bool refuses_patch(const port::HttpResponse& response) {
  if (response.status == 405 || response.status == 501) return true;
  if (response.status != 400) return false;
  const auto type = parse_problem(response).type;
  return type.empty() || scim::iequals(type, "invalidSyntax") || scim::iequals(type, "invalidPath") ||
         scim::iequals(type, "noTarget");
}

}  // namespace

void ScimCore::set_active(const FlightPtr& f, bool active) {
  if (!resource_path("/Users", f->call.account_id))
    return finish(f, reply_of(Outcome::invalid_request, "the account's id is empty or no part of a URL"));
  if (learned_ == UpdateStyle::put) return put_active(f, active);
  const bool automatic = config_.update == UpdateStyle::automatic;
  patch_active_as(f, active, learned_ == UpdateStyle::patch_value ? learned_ : UpdateStyle::patch_path, automatic);
}

void ScimCore::patch_active_as(const FlightPtr& f, bool active, UpdateStyle style, bool may_fall_back) {
  const bool with_path = style == UpdateStyle::patch_path;
  send(f, {"PATCH", *resource_path("/Users", f->call.account_id), patch_active(active, with_path), {}},
       [self = shared_from_this(), f, active, style, with_path, may_fall_back](Got got) {
         if (got.ok) {
           if (may_fall_back) self->learned_ = style;
           return self->finish(f, changed(got, f->call.account_id));
         }
         if (!may_fall_back || !got.response || !refuses_patch(*got.response))
           return self->finish(f, std::move(got.reply));
         if (with_path && got.status() == 400)
           return self->patch_active_as(f, active, UpdateStyle::patch_value, may_fall_back);
         self->put_active(f, active);
       });
}

void ScimCore::put_active(const FlightPtr& f, bool active) {
  const auto path = *resource_path("/Users", f->call.account_id);
  send(f, {"GET", path, {}, {}}, [self = shared_from_this(), f, active, path](Got got) {
    if (!got.ok) return self->finish(f, std::move(got.reply));
    auto account = account_of(got, f->call.account_id);
    if (!account)
      return self->finish(f, reply_of(Outcome::protocol, "the app answered " + account.error().detail()));
    if (account->active == active) {
      auto reply = with_account(std::move(*account));
      reply.effect = Effect::already;
      return self->finish(f, std::move(reply));
    }
    const auto etag = got.response->header("ETag");
    auto body = parse_body(*got.response);
    Ask put{"PUT", path, json::serialize(with_active(std::move(*body), active)), std::string(etag.value_or(""))};
    self->send(f, std::move(put), [self, f](Got written) {
      if (!written.ok) return self->finish(f, std::move(written.reply));
      if (self->config_.update == UpdateStyle::automatic) self->learned_ = UpdateStyle::put;
      self->finish(f, changed(written, f->call.account_id));
    });
  });
}

// ---- remove

void ScimCore::remove_account(const FlightPtr& f) {
  const auto path = resource_path("/Users", f->call.account_id);
  if (!path) return finish(f, reply_of(Outcome::invalid_request, "the account's id is empty or no part of a URL"));
  if (f->call.delete_account) {
    return send(f, {"DELETE", *path, {}, {}}, [self = shared_from_this(), f](Got got) {
      if (!got.ok) return self->finish(f, std::move(got.reply));
      self->finish(f, changed(got, f->call.account_id));
    });
  }
  if (!f->call.entitlement.empty())
    return leave_group(f, f->call.entitlement, members_by_filter_,
                       [self = shared_from_this(), f](Reply r) { self->finish(f, std::move(r)); });
  groups_of(f, [self = shared_from_this(), f](Reply reply, Account account) {
    if (reply.outcome != Outcome::ok) return self->finish(f, std::move(reply));
    self->leave_all(f, std::move(account.groups), false);
  });
}

}  // namespace deprov::connectors
