// One SQLite connection with its prepared statements, and a statement in use.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/uuid.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include "sqlite_queries.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace deprov::store {

/// *Thread safety*: one thread at a time.
class Connection {
 public:
  struct Options {
    bool read_only = false;
    std::size_t cache_kib = 2048;
    int busy_timeout_ms = 5000;
  };
  static Result<std::unique_ptr<Connection>> open(const std::string& path, const Options& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Statements that are needed once: schema, pragmas.
  Result<void> execute(const char* sql);
  Result<std::int64_t> integer(const char* sql);
  /// A transaction's beginning and end.
  Result<void> run(Q query);

  /// The failure of SQLite itself since the last `clear_failure`; refusals by a constraint are none.
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] Result<void> check() const;
  void clear_failure() noexcept {
    failed_ = false;
    failure_ = {};
  }
  [[nodiscard]] bool in_transaction() const noexcept;
  [[nodiscard]] std::int64_t last_rowid() const noexcept;
  [[nodiscard]] sqlite3* handle() const noexcept { return db_; }
  [[nodiscard]] std::uint64_t statements() const noexcept { return statements_; }
  [[nodiscard]] std::uint64_t rows_written() const noexcept;

  /// What an SQLite result code means; `doing` says where.
  [[nodiscard]] Error error(int rc, std::string_view doing) const;

 private:
  friend class Use;
  explicit Connection(std::string path) : path_(std::move(path)) {}
  sqlite3_stmt* prepared(Q query);
  void fail(int rc, std::string_view doing);

  std::string path_;
  sqlite3* db_ = nullptr;
  std::array<sqlite3_stmt*, static_cast<std::size_t>(Q::count_)> cache_{};
  std::uint64_t statements_ = 0;
  bool failed_ = false;
  Error failure_;
};

/// A prepared statement while it is used: parameters are bound in order, columns are read in order. Texts are
/// borrowed until the statement was run.
class Use {
 public:
  template <class... Params>
  Use(Connection& connection, Q query, Params&&... params) : c_(connection), query_(query) {
    static_assert((outlives_binding<Params> && ...), "a temporary would be gone when the statement runs: name it");
    stmt_ = c_.prepared(query);
    (bind(params), ...);
  }
  ~Use();
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  void bind(std::int64_t v) noexcept;
  void bind(std::string_view v) noexcept;
  void bind(std::nullopt_t) noexcept;
  void bind_blob(const void* data, std::size_t size) noexcept;
  void bind(const std::string& v) noexcept { bind(std::string_view(v)); }
  void bind(const char* v) noexcept { bind(std::string_view(v)); }
  void bind(WallTime t) noexcept { bind(t.micros); }
  template <class T>
  requires(std::integral<T> && !std::same_as<T, std::int64_t>) void bind(T v) noexcept {
    bind(static_cast<std::int64_t>(v));
  }
  template <class T>
  requires std::is_enum_v<T>
  void bind(T v) noexcept { bind(static_cast<std::int64_t>(v)); }
  template <std::size_t N>
  void bind(const std::array<std::uint8_t, N>& v) noexcept {
    bind_blob(v.data(), N);
  }
  /// A nil id is an empty blob.
  template <class Tag>
  void bind(const Id<Tag>& id) noexcept {
    bind_blob(id.value.bytes.data(), id.is_nil() ? 0 : id.value.bytes.size());
  }
  template <class T>
  void bind(const std::optional<T>& v) noexcept {
    if (v) {
      bind(*v);
    } else {
      bind(std::nullopt);
    }
  }

  /// True: there is a row. False: the end, or a failure that the connection remembers.
  bool row();
  enum class Ran { done, constraint, failed };
  /// Runs a statement that writes.
  Ran run();
  /// The same where no constraint can refuse it.
  Result<void> write();
  /// Rows that the last run changed.
  [[nodiscard]] std::int64_t changed() const noexcept;

  std::int64_t integer() noexcept;
  std::string_view text() noexcept;
  bool null() const noexcept;
  void skip() noexcept { ++column_; }
  template <class T>
  void read(T& out) {
    if constexpr (std::is_same_v<T, std::string>) {
      out.assign(text());
    } else if constexpr (std::is_same_v<T, WallTime>) {
      out.micros = integer();
    } else if constexpr (std::is_same_v<T, bool>) {
      out = integer() != 0;
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      out = static_cast<T>(integer());
    } else {
      read_bytes(out);
    }
  }
  template <class... T>
  void read_all(T&... out) {
    (read(out), ...);
  }

 private:
  /// Blobs and texts are borrowed; numbers are copied, and a view names what lives elsewhere.
  template <class P>
  static constexpr bool outlives_binding =
      std::is_lvalue_reference_v<P> || std::is_arithmetic_v<P> || std::is_enum_v<P> ||
      std::is_same_v<P, std::string_view> || std::is_same_v<P, WallTime> || std::is_same_v<P, std::nullopt_t>;

  template <class Tag>
  void read_bytes(Id<Tag>& id) noexcept {
    read_bytes(id.value.bytes);
  }
  template <std::size_t N>
  void read_bytes(std::array<std::uint8_t, N>& out) noexcept {
    const auto bytes = text();
    if (bytes.size() == N) {
      std::memcpy(out.data(), bytes.data(), N);
    } else {
      out = {};
    }
  }
  template <class T>
  void read_bytes(std::optional<T>& out) {
    if (null()) {
      out.reset();
      skip();
    } else {
      read(out.emplace());
    }
  }

  Connection& c_;
  Q query_;
  sqlite3_stmt* stmt_ = nullptr;
  int parameter_ = 0;
  int column_ = 0;
  std::int64_t changed_ = 0;
};

}  // namespace deprov::store
