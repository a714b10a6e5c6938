// The connector `sql`: accounts are what the operator's statements say, in a PostgreSQL database. README.md is its
// manual.
#include "common/threaded_connector.hpp"
#include "sql/accounts.hpp"
#include "sql/config.hpp"

namespace {

using namespace deprov_sdk;  // NOLINT(google-build-using-namespace): a connector, and nothing else
using namespace deprov_sql;  // NOLINT(google-build-using-namespace)

class Sql final : public deprov_connectors::ThreadedConnector<Sql, Accounts, Config> {
 public:
  explicit Sql(Connection connection) : ThreadedConnector(connection, parse_config(connection)) {}

  void list(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.list(c, p); });
  }
  void revoke_sessions(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.revoke_sessions(c, p); });
  }

 private:
  friend ThreadedConnector;
};

}  // namespace

DEPROV_CONNECTOR(Sql, "sql", "0.1.0")
