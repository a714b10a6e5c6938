// The account that the credential itself has in the app: a connection that takes it away can do nothing more (R9).
#include "scim_core.hpp"

namespace deprov::connectors {

using connector::Outcome;

namespace {

/// The id in the address of a User, "" where it is none.
std::string id_in(std::string_view location) {
  location = location.substr(0, location.find_first_of("?#"));
  constexpr std::string_view users = "/Users/";
  const auto at = location.rfind(users);
  if (at == std::string_view::npos) return {};
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string id;
  for (auto rest = location.substr(at + users.size()); !rest.empty(); rest.remove_prefix(1)) {
    if (rest.front() != '%') {
      id.push_back(rest.front());
      continue;
    }
    const int high = rest.size() > 2 ? digit(rest[1]) : -1;
    const int low = rest.size() > 2 ? digit(rest[2]) : -1;
    if (high < 0 || low < 0) return {};
    id.push_back(static_cast<char>(high * 16 + low));
    rest.remove_prefix(2);
  }
  return id.find('/') == std::string::npos ? id : std::string{};
}

}  // namespace

void ScimCore::spare_own(const FlightPtr& f, port::UniqueFunction<void()> change) {
  if (!config_.ask_me || own_) return change_unless_own(f, std::move(change));
  send(f, {"GET", "/Me", {}, {}}, [self = shared_from_this(), f, change = std::move(change)](Got me) mutable {
    if (me.no_token) return self->finish(f, std::move(me.reply));  // the change would have none either
    self->learn_own(me);
    self->change_unless_own(f, std::move(change));
  });
}

void ScimCore::change_unless_own(const FlightPtr& f, port::UniqueFunction<void()> change) {
  if (own_ && !own_->empty() && *own_ == f->call.account_id)
    return finish(f,
                  reply_of(Outcome::protected_account,
                           "the connection itself signs in to the app with this account, as the app's /Me says"));
  change();
}

// Most apps have no /Me, or none for a token that stands for no user (RFC 7644 section 3.11). What says nothing of
// that, such as no answer at all, leaves the question open for the next change; this one meets the same trouble.
void ScimCore::learn_own(const Got& me) {
  if (me.ok) {
    const auto body = parse_body(*me.response);
    if (!body) return;  // a page that wants a person to sign in, and the like
    const auto account = parse_account(*body);
    own_ = account ? account->id : std::string{};
    return;
  }
  const auto status = me.status();
  if (status >= 300 && status <= 399) {
    if (auto id = id_in(me.response->header("Location").value_or("")); !id.empty()) own_ = std::move(id);
    return;
  }
  const bool passes = status == 401 || status == 408 || status == 425 || status == 429;
  if ((status >= 400 && status <= 499 && !passes) || status == 501) own_ = std::string{};
}

}  // namespace deprov::connectors
