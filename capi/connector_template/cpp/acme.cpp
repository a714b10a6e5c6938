// acme for deprov. The app is in memory: put calls to yours in the place of App.
#include <algorithm>
#include <deprov_connector.hpp>

namespace {

using namespace deprov_sdk;

/// Stands for the app. Over HTTP, `disable` would be:
///
///     call.http({"PATCH", base_url + "/users/" + url_encoded(call.account()), {{"X-Api-Key", key}},
///     R"({"active":false})"},
///               [](const Call& c, const HttpResponse& r) {
///                 expect_success(c, r);
///                 c.complete(done());
///               });
class App {
 public:
  Account* find(std::string_view user_name) {
    return find_if([&](const Account& a) { return a.user_name == user_name; });
  }
  Account* at(std::string_view id) {
    return find_if([&](const Account& a) { return a.id == id; });
  }
  void remove(std::string_view id) {
    accounts_.erase(
        std::remove_if(accounts_.begin(), accounts_.end(), [&](const Account& a) { return a.id == id; }),
        accounts_.end());
  }
  [[nodiscard]] const std::vector<Account>& all() const { return accounts_; }

 private:
  template <class P>
  Account* find_if(P p) {
    const auto it = std::find_if(accounts_.begin(), accounts_.end(), p);
    return it == accounts_.end() ? nullptr : &*it;
  }
  std::vector<Account> accounts_{{"1", "", "ann@example.com", {"ann@example.com"}, true, {}},
                                 {"2", "", "bob@example.com", {"bob@example.com"}, true, {}}};
};

class Acme : public Connector {
 public:
  explicit Acme(Connection connection) : connection_(connection), key_(connection.secret("api_key").value_or("")) {
    if (key_.empty()) throw std::invalid_argument("api_key is missing");
  }

  /// Proves that the credential can see accounts, by showing one.
  void check(Call call) override { call.complete(found({app_.all().front()})); }

  void find(Call call) override {
    const auto* account = app_.find(call.user_name());
    if (account == nullptr) throw Failure(DEPROV_OUTCOME_NOT_FOUND, "no account has this user name");
    call.complete(found({*account}));
  }

  void read(Call call) override { call.complete(found({at(call)})); }

  void disable(Call call) override { set_active(call, false); }
  void enable(Call call) override { set_active(call, true); }

  void remove(Call call) override {
    (void)at(call);
    app_.remove(call.account());
    connection_.log(DEPROV_LOG_INFO, "an account was removed");
    call.complete(done());
  }

 private:
  Account& at(const Call& call) {
    auto* account = app_.at(call.account());
    if (account == nullptr) throw Failure(DEPROV_OUTCOME_NOT_FOUND, "no account has this id");
    return *account;
  }
  void set_active(const Call& call, bool active) {
    auto& account = at(call);
    if (account.active == active) return call.complete(already());
    account.active = active;
    call.complete(done());
  }

  Connection connection_;
  std::string key_;
  App app_;
};

}  // namespace

DEPROV_CONNECTOR(Acme, "acme", "0.1.0")
