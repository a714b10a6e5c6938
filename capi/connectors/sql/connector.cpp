// The connector `sql`: accounts are what the operator's statements say, in a PostgreSQL database. README.md is its
// manual.
#include <memory>
#include "common/threads.hpp"
#include "sql/accounts.hpp"
#include "sql/config.hpp"

namespace {

using namespace deprov_sdk;  // NOLINT(google-build-using-namespace): a connector, and nothing else
using namespace deprov_sql;  // NOLINT(google-build-using-namespace)

class Sql : public Connector {
 public:
  explicit Sql(Connection connection)
      : connection_(connection),
        config_(parse_config(connection)),
        threads_(config_.connections, [this] { return std::make_unique<Accounts>(config_, connection_); }) {}

  void check(Call call) override {
    run(call, [](Accounts& a, const Call&, const Patience& p) { return a.check(p); });
  }
  void find(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.find(c, p); });
  }
  void read(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.read(c, p); });
  }
  void list(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.list(c, p); });
  }
  void disable(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.set_active(c, false, p); });
  }
  void enable(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.set_active(c, true, p); });
  }
  void remove(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.remove(c, p); });
  }
  void revoke_sessions(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.revoke_sessions(c, p); });
  }

 private:
  template <class F>
  void run(const Call& call, F f) {
    threads_.run(call, [f](Accounts& a, const Call& c, const Patience& p) { c.complete(f(a, c, p)); });
  }

  const Connection connection_;
  const Config config_;
  deprov_connectors::Threads<Accounts> threads_;  ///< the last: it ends first
};

}  // namespace

DEPROV_CONNECTOR(Sql, "sql", "0.1.0")
