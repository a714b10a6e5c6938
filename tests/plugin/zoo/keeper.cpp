// A connector by the wrapper for C++: find asks the app, with its token in many places; grant keeps `entitlement`,
// NAME=VALUE, and poll answers with what is kept under `handle`. check is good once, and then tells what it kept.
#include <cstdlib>
#include <deprov_connector.hpp>
#include <string>

namespace {

namespace sdk = deprov_sdk;

class Keeper : public sdk::Connector {
 public:
  explicit Keeper(sdk::Connection connection) : connection_(connection) {}
  ~Keeper() override { connection_.log(DEPROV_LOG_INFO, "closed"); }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  void grant_entitlement(sdk::Call call) override {
    const auto said = call.entitlement();
    const auto equal = said.find('=');
    const auto value = equal == std::string_view::npos ? std::string_view{} : said.substr(equal + 1);
    inside_ = true;
    const auto status =
        call.checkpoint_set(said.substr(0, equal), value, [this](const sdk::Call& c, std::int32_t told) {
          if (inside_) connection_.log(DEPROV_LOG_ERROR, "told inside of the function");
          connection_.log(DEPROV_LOG_INFO, "set " + std::to_string(told));
          if (told != DEPROV_OK) return c.fail(DEPROV_OUTCOME_CONFLICT_STATE, "told " + std::to_string(told));
          c.complete(sdk::done());
        });
    inside_ = false;
    if (status != DEPROV_OK) call.fail(DEPROV_OUTCOME_INVALID_REQUEST, "at once " + std::to_string(status));
  }
  void check(sdk::Call call) override {
    const auto asked = call.checkpoint_get("check", [](sdk::Call c, const sdk::Checkpoint& kept) {
      if (kept.status == DEPROV_OK) return c.fail(DEPROV_OUTCOME_UNAVAILABLE, "kept " + kept.value);
      const auto told = c.checkpoint_set("check", "since the first one", [](const sdk::Call& of, std::int32_t) {
        sdk::Account ann;
        ann.id = "1";
        sdk::Reply reply;
        reply.accounts.push_back(ann);
        of.complete(reply);
      });
      if (told != DEPROV_OK) c.fail(DEPROV_OUTCOME_INTERNAL, "at once " + std::to_string(told));
    });
    if (asked != DEPROV_OK) call.fail(DEPROV_OUTCOME_INTERNAL, "at once " + std::to_string(asked));
  }
  void poll(sdk::Call call) override {
    const auto status =
        call.checkpoint_get(call.handle(), [this](const sdk::Call& c, const sdk::Checkpoint& kept) {
          connection_.log(DEPROV_LOG_INFO, "got " + std::to_string(kept.status));
          if (kept.status != DEPROV_OK)
            return c.fail(DEPROV_OUTCOME_CONFLICT_STATE, "told " + std::to_string(kept.status));
          sdk::Reply reply = sdk::done();
          reply.detail = kept.value.size() > 100 ? std::to_string(kept.value.size()) + " bytes" : kept.value;
          c.complete(reply);
        });
    if (status != DEPROV_OK) call.fail(DEPROV_OUTCOME_INVALID_REQUEST, "at once " + std::to_string(status));
  }
  void find(sdk::Call call) override {
    const auto token = connection_.secret("token").value_or("");
    sdk::HttpRequest r;
    r.method = "POST";
    r.url = connection_.config("base_url").value_or("") + "/accounts?api_key=" + sdk::url_encoded(token) + "&q=x" +
            sdk::url_encoded(token) + "&by=" + sdk::url_encoded(call.user_name());
    r.headers = {{"Authorization", "Bearer " + token}, {"X-Key", token}, {"X-Tenant", "t-" + token}};
    r.body = "{\"secret\":\"of-the-app\",\"note\":" + sdk::json_quoted(token + "!") + "}";
    call.http(r, [](const sdk::Call& c, const sdk::HttpResponse& response) {
      sdk::expect_success(c, response);
      c.complete({});
    });
  }
  void disable(sdk::Call call) override {
    if (call.account() == "crash") std::abort();
    call.fail(DEPROV_OUTCOME_NOT_FOUND, "");
  }

 private:
  sdk::Connection connection_;
  bool inside_ = false;
};

}  // namespace

DEPROV_CONNECTOR(Keeper, "keeper", "1")
