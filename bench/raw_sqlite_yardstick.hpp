// The yardsticks of the store and of what stands on it: SQLite by hand, with the same tables, the same rows and
// the same durability, and nothing around it: no queue, no comparison of what was read, no hashes.
#pragma once

#include <sqlite3.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "store/sqlite_schema.hpp"

namespace deprov::bench {

inline constexpr std::size_t raw_batch = 64;  ///< transactions a commit

/// One database by hand. A failure ends the program: a yardstick that failed measures nothing.
class RawSqlite {
 public:
  using Id = std::array<std::uint8_t, 16>;

  explicit RawSqlite(const std::string& path) {
    must(sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                         nullptr));
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("PRAGMA wal_autocheckpoint=8192");
    run("PRAGMA journal_size_limit=33751040");
    run("PRAGMA secure_delete=FAST");
    run("PRAGMA cache_size=-32768");
    run("PRAGMA temp_store=MEMORY");
  }
  ~RawSqlite() {
    for (auto* s : statements_) sqlite3_finalize(s);
    sqlite3_close(db_);
  }
  RawSqlite(const RawSqlite&) = delete;
  RawSqlite& operator=(const RawSqlite&) = delete;

  void run(const char* sql) { must(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }
  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* s = nullptr;
    must(sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, nullptr));
    return statements_.emplace_back(s);
  }
  template <class... Params>
  void write(sqlite3_stmt* s, const Params&... params) {
    bind(s, params...);
    must(sqlite3_step(s));
    sqlite3_reset(s);
  }
  template <class... Params>
  static void bind(sqlite3_stmt* s, const Params&... params) {
    int at = 0;
    (bind_one(s, ++at, params), ...);
  }

 private:
  static void bind_one(sqlite3_stmt* s, int at, std::int64_t v) { sqlite3_bind_int64(s, at, v); }
  static void bind_one(sqlite3_stmt* s, int at, int v) { sqlite3_bind_int64(s, at, v); }
  static void bind_one(sqlite3_stmt* s, int at, std::string_view v) {
    sqlite3_bind_text(s, at, v.data(), static_cast<int>(v.size()), SQLITE_STATIC);
  }
  static void bind_one(sqlite3_stmt* s, int at, const std::string& v) { bind_one(s, at, std::string_view(v)); }
  static void bind_one(sqlite3_stmt* s, int at, const char* v) { bind_one(s, at, std::string_view(v)); }
  template <std::size_t N>
  static void bind_one(sqlite3_stmt* s, int at, const std::array<std::uint8_t, N>& v) {
    sqlite3_bind_blob(s, at, v.data(), static_cast<int>(N), SQLITE_STATIC);
  }
  void must(int rc) {
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) return;
    std::fprintf(stderr, "raw SQLite: %s\n", db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(rc));
    std::exit(1);
  }

  sqlite3* db_ = nullptr;
  std::vector<sqlite3_stmt*> statements_;
};

/// Ids in order of time, as UUIDv7 are, with a random-looking rest.
inline RawSqlite::Id raw_id(std::uint64_t n, std::uint8_t kind) {
  RawSqlite::Id id{};
  const std::uint64_t rest = (n + 1) * 0x9E3779B97F4A7C15ULL;
  for (std::size_t i = 0; i < 8; ++i) {
    id[i] = static_cast<std::uint8_t>(n >> (8 * (7 - i)));
    id[8 + i] = static_cast<std::uint8_t>(rest >> (8 * i));
  }
  id[0] = kind;
  return id;
}

/// Who is the i-th to leave: people go in no order of their ids, so that each one is on pages of their own.
inline std::size_t leaver(std::size_t i, std::size_t users) { return i * 7919 % users; }

inline std::string raw_name(std::size_t n) { return "user" + std::to_string(n) + "@example.com"; }
inline std::string raw_document(std::size_t n) {
  const auto name = raw_name(n);
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"00u)" + std::to_string(n) +
         R"(","userName":")" + name + R"(","name":{"givenName":"Given","familyName":"Family"},"active":true,)" +
         R"("emails":[{"value":")" + name + R"(","type":"work","primary":true}],"displayName":"Given Family"})";
}

/// Tables and users as the store has them.
inline void raw_populate(RawSqlite& db, std::size_t users, bool with_subjects) {
  db.run(store::migrations.front());
  // As the store has it: each change of a resource moves it in this index too.
  db.run("CREATE INDEX resource_modified ON resource(scope, type, modified, id) WHERE deleted = 0");
  auto* resource = db.prepare(
      "INSERT INTO resource(scope, id, type, version, active, deleted, created, modified, external_id, user_name, "
      "display_name, emails, document) VALUES(1, ?, 'User', 1, 1, 0, 1, 1, ?, ?, '', x'', ?)");
  auto* email = db.prepare("INSERT INTO resource_email(scope, email, id) VALUES(1, ?, ?)");
  auto* subject = db.prepare("INSERT INTO subject VALUES(1, ?, 1, 1, 1, 1, 0, x'', 0, 1, 1, x'', 0, x'', 0)");
  auto* binding = db.prepare("INSERT INTO binding VALUES(1, ?, 1, ?, ?, 1, 0, 1, 1)");
  db.run("BEGIN");
  for (std::size_t i = 0; i < users; ++i) {
    const auto id = raw_id(i, 1);
    const auto name = raw_name(i);
    const auto account = "account" + std::to_string(i);
    db.write(resource, id, "00u" + std::to_string(i), name, raw_document(i));
    db.write(email, name, id);
    if (with_subjects) {
      db.write(subject, id);
      db.write(binding, id, account, name);
    }
    if (i % 10'000 == 9'999) {
      db.run("COMMIT");
      db.run("BEGIN");
    }
  }
  db.run("COMMIT");
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

inline constexpr std::string_view raw_plan =
    R"({"steps":[{"operation":"disable","state":"pending","attempts":0},)"
    R"({"operation":"revoke_sessions","state":"pending","attempts":0}],"cause":"deactivated","policy_version":1})";
inline constexpr std::string_view raw_detail =
    R"({"cause":"deactivated","generation":2,"request":"0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000","steps":2})";

/// What a job's history, its activity and the batch's bookkeeping take, the same in each yardstick.
class RawRows {
 public:
  explicit RawRows(RawSqlite& db)
      : db_(db),
        history_(db.prepare("INSERT INTO history(scope, subject, kind, ref) VALUES(1, ?, ?, ?)")),
        activity_(db.prepare("INSERT INTO activity VALUES(?, 1, ?, 'idp:okta', ?, ?, ?, ?, ?, ?)")),
        count_(db.prepare("INSERT INTO job_count VALUES(1, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n")),
        batch_(db.prepare("INSERT INTO committed_batch(txns) VALUES(?)")),
        job_(db.prepare(
            "INSERT INTO job(scope, id, subject, generation, kind, state, priority, created, due, deadline, "
            "evidence_at, finished, attempts, lease, lane_epoch, cause, via_group, via_inferred, version, reason, "
            "plan) "
            "VALUES(1, ?, ?, 2, 2, 4, 5, 1, 1, 1, 1, 0, 0, x'', 0, 1, x'', 0, 1, '', ?)")) {}

  void activity(const RawSqlite::Id& subject, const RawSqlite::Id& job, std::string_view event) {
    static constexpr std::array<std::uint8_t, 32> hash{1, 2, 3};
    static constexpr std::array<std::uint8_t, 16> salt{1, 2, 3};
    const auto seq = ++seq_;
    db_.write(activity_, (std::int64_t{1} << 40) | seq, event, subject, job, hash, hash, salt, raw_detail);
    std::array<std::uint8_t, 8> ref{};
    for (std::size_t i = 0; i < 8; ++i) ref[i] = static_cast<std::uint8_t>(seq >> (8 * (7 - i)));
    db_.write(history_, subject, 3, ref);
  }
  void job(const RawSqlite::Id& subject, const RawSqlite::Id& job) {
    db_.write(history_, subject, 2, job);
    db_.write(job_, job, subject, raw_plan);
  }
  void count(int state, int n) { db_.write(count_, state, n); }
  void batch() { db_.write(batch_, ids_); }

 private:
  RawSqlite& db_;
  sqlite3_stmt* history_;
  sqlite3_stmt* activity_;
  sqlite3_stmt* count_;
  sqlite3_stmt* batch_;
  sqlite3_stmt* job_;
  std::int64_t seq_ = 0;
  std::array<std::uint8_t, raw_batch * 16> ids_{};
};

template <class F>
double raw_seconds(F&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// One writer, 64 a commit: the rows of a `PATCH active=false` that starts a removal. Transactions a second.
inline double raw_patch_rate(const std::string& directory, std::size_t users, std::size_t count) {
  RawSqlite db(directory + "/raw_patch.db");
  raw_populate(db, users, true);
  RawRows rows(db);
  auto* resource = db.prepare(
      "UPDATE resource SET version = version + 1, active = 0, modified = 2, document = ? WHERE scope = 1 AND id = "
      "?");
  auto* subject = db.prepare(
      "UPDATE subject SET grants_version = grants_version + 1, access = 0, generation = 2, desired = 2, cause = "
      "1, "
      "evidence_at = 2, policy_version = 1, job = ?, last_deactivated = 2 WHERE scope = 1 AND id = ?");
  auto* change = db.prepare(
      "INSERT INTO history(scope, subject, kind, ref, at, what, grp, source, request, n) "
      "VALUES(1, ?, 1, ?, 2, 4, x'', 'scim', '0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000', 1)");
  std::vector<std::string> documents;
  for (std::size_t i = 0; i < std::min(users, count); ++i) documents.push_back(raw_document(i));
  const double seconds = raw_seconds([&] {
    for (std::size_t at = 0; at < count; at += raw_batch) {
      const auto end = std::min(count, at + raw_batch);
      db.run("BEGIN IMMEDIATE");
      for (auto i = at; i < end; ++i) {
        const auto user = raw_id(leaver(i, users), 1);
        const auto job = raw_id(i, 2);
        db.write(resource, documents[i % documents.size()], user);
        db.write(subject, job, user);
        db.write(change, user, raw_id(i, 3));
        rows.job(user, job);
        rows.activity(user, job, "removal.requested");
      }
      rows.count(4, static_cast<int>(end - at));
      rows.batch();
      db.run("COMMIT");
    }
  });
  return static_cast<double>(count) / seconds;
}

/// One writer: each job's durable barriers lease, sent, outcome, verified, each for 64 jobs a commit. Jobs a
/// second.
inline double raw_job_rate(const std::string& directory, std::size_t users, std::size_t count) {
  RawSqlite db(directory + "/raw_job.db");
  raw_populate(db, users, true);
  RawRows rows(db);
  db.run("BEGIN");
  for (std::size_t i = 0; i < count; ++i) rows.job(raw_id(leaver(i, users), 1), raw_id(i, 2));
  rows.count(4, static_cast<int>(count));
  db.run("COMMIT");
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  auto* lease = db.prepare(
      "UPDATE job SET state = 5, lease = ?, lane_epoch = 1, version = version + 1 WHERE scope = 1 AND id = ?");
  auto* job =
      db.prepare("UPDATE job SET attempts = 1, version = version + 1, plan = ? WHERE scope = 1 AND id = ?");
  auto* binding = db.prepare(
      "UPDATE binding SET last_set = 1, checked_at = 2, version = version + 1 WHERE scope = 1 AND subject = ?");
  auto* remove = db.prepare("DELETE FROM job WHERE scope = 1 AND id = ?");
  auto* done = db.prepare(
      "INSERT INTO job_done(scope, id, subject, generation, kind, state, priority, created, due, deadline, "
      "evidence_at, finished, attempts, lease, lane_epoch, cause, via_group, via_inferred, version, reason, plan) "
      "VALUES(1, ?, ?, 2, 2, 8, 5, 1, 1, 1, 1, 9, 1, x'', 1, 1, x'', 0, 5, '', ?)");
  const double seconds = raw_seconds([&] {
    for (std::size_t at = 0; at < count; at += raw_batch) {
      const auto end = std::min(count, at + raw_batch);
      const int n = static_cast<int>(end - at);
      const auto barrier = [&](auto&& each) {
        db.run("BEGIN IMMEDIATE");
        for (auto i = at; i < end; ++i) each(raw_id(leaver(i, users), 1), raw_id(i, 2));
        rows.batch();
      };
      barrier([&](const auto&, const auto& id) { db.write(lease, id, id); });
      rows.count(4, -n);
      rows.count(5, n);
      db.run("COMMIT");
      barrier([&](const auto& user, const auto& id) {
        db.write(job, raw_plan, id);
        rows.activity(user, id, "removal.in_progress");
      });
      db.run("COMMIT");
      barrier([&](const auto& user, const auto& id) {
        db.write(job, raw_plan, id);
        db.write(binding, user);
        rows.activity(user, id, "step.done");
      });
      db.run("COMMIT");
      barrier([&](const auto& user, const auto& id) {
        db.write(remove, id);
        db.write(done, id, user, raw_plan);
        rows.activity(user, id, "removal.verified");
      });
      rows.count(5, -n);
      rows.count(8, n);
      db.run("COMMIT");
    }
  });
  return static_cast<double>(count) / seconds;
}

/// SELECT by userName among that many users, one after the other on one connection. Answers a second.
inline double raw_select_rate(const std::string& directory, std::size_t users, std::size_t count) {
  RawSqlite db(directory + "/raw_select.db");
  raw_populate(db, users, false);
  db.run("PRAGMA cache_size=-32768");
  auto* select = db.prepare(
      "SELECT id, version, active, created, modified, external_id, document FROM resource "
      "WHERE scope = 1 AND user_name = ? AND type = 'User' AND deleted = 0 AND user_name <> ''");
  std::size_t found = 0;
  std::size_t bytes = 0;
  const double seconds = raw_seconds([&] {
    for (std::size_t i = 0; i < count; ++i) {
      const auto name = raw_name((i * 7919) % users);
      RawSqlite::bind(select, name);
      while (sqlite3_step(select) == SQLITE_ROW) {
        const std::string document(reinterpret_cast<const char*>(sqlite3_column_text(select, 6)),
                                   static_cast<std::size_t>(sqlite3_column_bytes(select, 6)));
        bytes += document.size();
        ++found;
      }
      sqlite3_reset(select);
    }
  });
  if (found != count || bytes == 0) std::abort();
  return static_cast<double>(count) / seconds;
}

}  // namespace deprov::bench
