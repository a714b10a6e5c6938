#include "sqlite_db.hpp"
#include <sqlite3.h>
#include <cerrno>
#include <new>
#include <utility>

namespace deprov::store {

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, const Options& options) {
  auto c = std::unique_ptr<Connection>(new Connection(path));
  const int flags = (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
  if (const int rc = sqlite3_open_v2(path.c_str(), &c->db_, flags, nullptr); rc != SQLITE_OK)
    return c->error(rc, "open");
  sqlite3_extended_result_codes(c->db_, 1);
  sqlite3_busy_timeout(c->db_, options.busy_timeout_ms);
  DEPROV_CHECK(c->execute(("PRAGMA cache_size=-" + std::to_string(options.cache_kib)).c_str()));
  DEPROV_CHECK(c->execute("PRAGMA temp_store=MEMORY"));
  DEPROV_CHECK(c->execute("PRAGMA trusted_schema=OFF"));
  return c;
}

Connection::~Connection() {
  for (auto* stmt : cache_) sqlite3_finalize(stmt);
  sqlite3_close(db_);
}

namespace {
/// errno of the last failure. SQLite forgets that of a COMMIT that could not write its log, the file does not.
int system_error_of(sqlite3* db) {
  if (const int os = sqlite3_system_errno(db); os != 0) return os;
  if (sqlite3_extended_errcode(db) != SQLITE_IOERR_WRITE) return 0;
  sqlite3_file* log = nullptr;
  int os = 0;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log)) == SQLITE_OK &&
      log != nullptr && log->pMethods != nullptr)
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &os);
  return os;
}
}  // namespace

Error Connection::error(int rc, std::string_view doing) const {
  if ((rc & 0xFF) == SQLITE_NOMEM) throw std::bad_alloc();
  const auto where = path_ + " (" + std::string(doing) + ")";
  std::string text = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(rc);
  switch (rc & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Errc::busy, "another program has locked the database", where,
              "end what else has the file open, and try again"};
    case SQLITE_FULL:
      return {Errc::storage_full, "there is no space left for the database", where,
              "make space; the store goes on by itself"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Errc::store_corrupt, "the database is damaged: " + std::move(text), where,
              "stop, keep the file, and restore a copy"};
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: {
      const int os = db_ != nullptr ? system_error_of(db_) : 0;
      if (os == ENOSPC || os == EDQUOT || os == EFBIG)
        return {Errc::storage_full, "there is no space left for the database", where,
                "make space; the store goes on by itself"};
      return {Errc::io, std::move(text) + " (" + sqlite3_errstr(rc) + ")", where,
              "look at the disk and the rights"};
    }
    default: return {Errc::internal, std::move(text), where};
  }
}

void Connection::fail(int rc, std::string_view doing) {
  if (failed_) return;
  failed_ = true;
  failure_ = error(rc, doing);
}

Result<void> Connection::check() const {
  if (failed_) return failure_;
  return {};
}

Result<void> Connection::execute(const char* sql) {
  if (const int rc = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); rc != SQLITE_OK) return error(rc, "setup");
  return {};
}

Result<std::int64_t> Connection::integer(const char* sql) {
  sqlite3_stmt* stmt = nullptr;
  int rc = sqlite3_prepare_v2(db_, sql, -1, &stmt, nullptr);
  std::int64_t value = 0;
  if (rc == SQLITE_OK) {
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) value = sqlite3_column_int64(stmt, 0);
  }
  sqlite3_finalize(stmt);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return error(rc, "setup");
  return value;
}

Result<void> Connection::run(Q query) {
  Use use(*this, query);
  return use.write();
}

bool Connection::in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }
std::int64_t Connection::last_rowid() const noexcept { return sqlite3_last_insert_rowid(db_); }
std::uint64_t Connection::rows_written() const noexcept {
  return static_cast<std::uint64_t>(sqlite3_total_changes64(db_));
}

sqlite3_stmt* Connection::prepared(Q query) {
  auto& stmt = cache_[static_cast<std::size_t>(query)];
  if (stmt == nullptr) {
    const int rc = sqlite3_prepare_v3(db_, query_texts[static_cast<std::size_t>(query)], -1,
                                      SQLITE_PREPARE_PERSISTENT, &stmt, nullptr);
    if (rc != SQLITE_OK) fail(rc, query_texts[static_cast<std::size_t>(query)]);
  }
  return stmt;
}

Use::~Use() { sqlite3_reset(stmt_); }

void Use::bind(std::int64_t v) noexcept { sqlite3_bind_int64(stmt_, ++parameter_, v); }
void Use::bind(std::string_view v) noexcept {
  sqlite3_bind_text(stmt_, ++parameter_, v.data() != nullptr ? v.data() : "", static_cast<int>(v.size()),
                    SQLITE_STATIC);
}
void Use::bind(std::nullopt_t) noexcept { sqlite3_bind_null(stmt_, ++parameter_); }
void Use::bind_blob(const void* data, std::size_t size) noexcept {
  sqlite3_bind_blob(stmt_, ++parameter_, data != nullptr ? data : "", static_cast<int>(size), SQLITE_STATIC);
}

bool Use::row() {
  if (stmt_ == nullptr) return false;
  if (column_ == 0) ++c_.statements_;
  column_ = 0;
  const int rc = sqlite3_step(stmt_);
  if (rc == SQLITE_ROW) return true;
  if (rc != SQLITE_DONE) c_.fail(rc, query_texts[static_cast<std::size_t>(query_)]);
  return false;
}

Use::Ran Use::run() {
  if (stmt_ == nullptr) return Ran::failed;
  ++c_.statements_;
  const int rc = sqlite3_step(stmt_);
  if (rc == SQLITE_DONE || rc == SQLITE_ROW) {
    changed_ = sqlite3_changes(c_.db_);
    return Ran::done;
  }
  if ((rc & 0xFF) == SQLITE_CONSTRAINT) return Ran::constraint;
  c_.fail(rc, query_texts[static_cast<std::size_t>(query_)]);
  return Ran::failed;
}

Result<void> Use::write() {
  switch (run()) {
    case Ran::done: return {};
    case Ran::constraint: c_.fail(SQLITE_CONSTRAINT, query_texts[static_cast<std::size_t>(query_)]); break;
    case Ran::failed: break;
  }
  return c_.check();
}

std::int64_t Use::changed() const noexcept { return changed_; }
std::int64_t Use::integer() noexcept { return sqlite3_column_int64(stmt_, column_++); }
std::string_view Use::text() noexcept {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(stmt_, column_));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column_));
  ++column_;
  return data != nullptr ? std::string_view(data, size) : std::string_view();
}
bool Use::null() const noexcept { return sqlite3_column_type(stmt_, column_) == SQLITE_NULL; }

}  // namespace deprov::store
