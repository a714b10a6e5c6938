// One connection to a directory: bound, verified, with time limits and cancellation. Used by one thread at a time.
#pragma once

#include <ldap.h>
#include <deprov_connector.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "common/threads.hpp"
#include "ldap/config.hpp"

namespace deprov_ldap {

using deprov_connectors::Failure;
using deprov_connectors::Patience;

/// What was found; names of attributes in lower case, values as bytes.
struct Entry {
  std::string dn;
  std::map<std::string, std::vector<std::string>> attributes;
  [[nodiscard]] const std::vector<std::string>& values(const std::string& attribute) const;
};

struct Search {
  std::string base;
  int scope = LDAP_SCOPE_SUBTREE;
  std::string filter;
  std::vector<std::string> attributes;
  int most = 0;  ///< entries; the server says sizeLimitExceeded beyond, which is AMBIGUOUS. 0: no bound but pages
};

/// One value that an attribute gets or loses, or all of its values.
struct Change {
  int kind = LDAP_MOD_REPLACE;
  std::string attribute;
  std::vector<std::string> values;
};

class Directory {
 public:
  Directory(const Config& config, deprov_sdk::Connection connection);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  /// Throws Failure. `truncated`: where it is given, more entries than `most` are no failure, and it says so.
  std::vector<Entry> search(const Search& search, const Patience& patience, bool* truncated = nullptr);
  /// A page of a search; `cookie` is empty at the start and at the end, and good on this connection alone
  /// (RFC 2696). Throws Failure.
  std::vector<Entry> page(const Search& search, int size, std::string& cookie, const Patience& patience);

  /// Throws Failure, save where the server answers success or one of `expected`, which is answered. `only_if`: a
  /// filter that the entry must still match, where the server knows assertions (RFC 4528).
  int modify(const std::string& dn, const std::vector<Change>& changes, const std::string& only_if,
             const std::vector<int>& expected, const Patience& patience);
  /// Whether a change has left since forget_sent(): a failure after that says less.
  [[nodiscard]] bool has_sent() const noexcept { return sent_; }
  void forget_sent() noexcept { sent_ = false; }

  int remove(const std::string& dn, const std::string& only_if, const std::vector<int>& expected,
             const Patience& patience);

 private:
  struct FreeMessage {
    void operator()(LDAPMessage* m) const noexcept { ldap_msgfree(m); }
  };
  using Message = std::unique_ptr<LDAPMessage, FreeMessage>;
  struct Result {
    int code = LDAP_SUCCESS;
    std::string diagnostics;
    std::string cookie;  ///< of a page
  };

  void connect(const Patience& patience);
  void ready(const Patience& patience);
  void open(const Patience& patience);
  void bind(const Patience& patience);
  void set_bounds();
  void drop() noexcept;
  [[nodiscard]] bool is_stale() const;
  template <class T>
  void set(int option, const T* value, const char* what);
  [[nodiscard]] std::string diagnostics() const;
  /// What the server sends next to this request. Throws Failure.
  Message next(int id, const Patience& patience, bool change);
  Result parse(LDAPMessage* message, bool change);
  std::vector<Entry> entries(const Search& search, LDAPControl** controls, const Patience& patience, Result& end);
  [[nodiscard]] Entry entry_of(LDAPMessage* message) const;
  int change(const char* what, const std::vector<int>& expected, const std::string& only_if,
             const Patience& patience, const std::function<int(LDAPControl**, int*)>& send);

  /// While a call is at work here.
  class InUse {
   public:
    InUse(Directory& directory, const Patience& patience) : directory_(directory) {
      directory_.patience_ = &patience;
    }
    ~InUse() { directory_.patience_ = nullptr; }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;

   private:
    Directory& directory_;
  };
  /// Layer below TLS, which waits for no byte longer than the call does: libldap itself would, within a handshake.
  struct Layer;
  /// False: no more. `events` as poll() has them.
  bool wait_for_socket(int fd, short events);

  const Config& config_;
  deprov_sdk::Connection connection_;
  LDAP* ldap_ = nullptr;
  ldap_conncb callbacks_{};
  const Patience* patience_ = nullptr;
  int left_to_connect_ms_ = -1;  ///< negative: it is connected
  bool has_assertions_ = false;
  bool sent_ = false;
  deprov_connectors::Age idle_;
};

}  // namespace deprov_ldap
