#include "sqlite_schema.hpp"
#include <string>

namespace deprov::store {
namespace {

Result<void> migrate(Connection& c, std::int64_t from, std::int64_t to) {
  DEPROV_CHECK(c.execute("BEGIN IMMEDIATE"));
  auto result = [&]() -> Result<void> {
    if (from == 0) DEPROV_CHECK(c.execute(("PRAGMA application_id=" + std::to_string(application_id)).c_str()));
    for (auto step = from; step < to; ++step)
      DEPROV_CHECK(c.execute(migrations.at(static_cast<std::size_t>(step))));
    DEPROV_CHECK(c.execute(("PRAGMA user_version=" + std::to_string(to)).c_str()));
    return c.execute("COMMIT");
  }();
  if (!result && c.in_transaction()) {
    if (auto undone = c.execute("ROLLBACK"); !undone) return undone;
  }
  return result;
}

}  // namespace

Result<void> prepare_schema(Connection& c, const std::string& path, std::int64_t known) {
  DEPROV_TRY(version, c.integer("PRAGMA user_version"));
  DEPROV_TRY(app, c.integer("PRAGMA application_id"));
  DEPROV_TRY(tables, c.integer("SELECT count(*) FROM sqlite_schema"));
  if (app != application_id && (app != 0 || tables != 0))
    return Error(Errc::store_corrupt, "the file is no deprov store", path, "name another data directory");
  if (version > known) {
    return Error(Errc::store_version,
                 "written by deprov store version " + std::to_string(version) + "; this program knows " +
                     std::to_string(known),
                 path, "use the newer program");
  }
  if (version < known) DEPROV_CHECK(migrate(c, version, known));
  return {};
}

}  // namespace deprov::store
