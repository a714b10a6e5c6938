#include "ldap/directory.hpp"
#include <lber.h>
#include <poll.h>
#include <sys/time.h>
#include <algorithm>
#include <cerrno>
#include <mutex>
#include "common/text.hpp"
#include "ldap/filter.hpp"
#include "ldap/outcome.hpp"

namespace deprov_ldap {

namespace {

/// Servers and firewalls end what is idle for long, often without a word.
constexpr auto longest_idle = std::chrono::seconds(60);
constexpr ber_len_t most_of_a_message = ber_len_t{16} << 20U;
/// How much longer a change that was sent is waited for once somebody wants the call to end.
constexpr int last_wait_ms = 1000;

timeval in(int ms) { return {ms / 1000, static_cast<suseconds_t>(ms % 1000) * 1000}; }

/// libldap makes its global state with the first call, which must be one alone.
void begin_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    int version = 0;
    (void)ldap_get_option(nullptr, LDAP_OPT_PROTOCOL_VERSION, &version);
  });
}

bool is_lost(int code) {
  return code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR || code == LDAP_DECODING_ERROR ||
         code == LDAP_TIMEOUT || code == LDAP_LOCAL_ERROR;
}

struct Controls {
  std::vector<LDAPControl*> all{nullptr};
  Controls() = default;
  ~Controls() {
    for (auto* c : all)
      if (c != nullptr) ldap_control_free(c);
  }
  Controls(const Controls&) = delete;
  Controls& operator=(const Controls&) = delete;
  void add(LDAPControl* c) { all.insert(all.begin(), c); }
};

}  // namespace

const std::vector<std::string>& Entry::values(const std::string& attribute) const {
  static const std::vector<std::string> none;
  const auto it = attributes.find(deprov_connectors::lowered(attribute));
  return it == attributes.end() ? none : it->second;
}

Directory::Directory(const Config& config, deprov_sdk::Connection connection)
    : config_(config), connection_(connection) {
  begin_library();
}

Directory::~Directory() { drop(); }

bool Directory::wait_for_socket(int fd, short events) {
  constexpr int slice_ms = 50, of_a_farewell_ms = 200;
  for (int farewell = of_a_farewell_ms;;) {
    pollfd p{fd, events, 0};
    const int slice = patience_ != nullptr ? std::min(slice_ms, patience_->left_ms()) : slice_ms;
    if (::poll(&p, 1, std::max(0, slice)) > 0) return true;
    if (patience_ == nullptr && (farewell -= slice_ms) <= 0) return false;
    if (patience_ != nullptr && (patience_->is_over() || patience_->is_cancelled())) return false;
    if (left_to_connect_ms_ >= 0 && (left_to_connect_ms_ = std::max(0, left_to_connect_ms_ - slice_ms)) == 0)
      return false;
  }
}

struct Directory::Layer {
  static bool wait(Sockbuf_IO_Desc* d, short events) {
    int fd = -1;
    (void)ber_sockbuf_ctrl(d->sbiod_sb, LBER_SB_OPT_GET_FD, &fd);
    if (static_cast<Directory*>(d->sbiod_pvt)->wait_for_socket(fd, events)) return true;
    errno = ETIMEDOUT;
    return false;
  }
  static int setup(Sockbuf_IO_Desc* d, void* arg) {
    d->sbiod_pvt = arg;
    return 0;
  }
  static int remove(Sockbuf_IO_Desc*) { return 0; }
  static int control(Sockbuf_IO_Desc* d, int option, void* arg) { return LBER_SBIOD_CTRL_NEXT(d, option, arg); }
  static ber_slen_t read(Sockbuf_IO_Desc* d, void* bytes, ber_len_t n) {
    return wait(d, POLLIN) ? LBER_SBIOD_READ_NEXT(d, bytes, n) : -1;
  }
  static ber_slen_t write(Sockbuf_IO_Desc* d, void* bytes, ber_len_t n) {
    return wait(d, POLLOUT) ? LBER_SBIOD_WRITE_NEXT(d, bytes, n) : -1;
  }
  /// Called by libldap once the socket is connected, before TLS.
  static int add(LDAP*, Sockbuf* buffer, LDAPURLDesc*, sockaddr*, ldap_conncb* callbacks) {
    static Sockbuf_IO layer{setup, remove, control, read, write, nullptr};
    constexpr int below_tls = (LBER_SBIOD_LEVEL_PROVIDER + LBER_SBIOD_LEVEL_TRANSPORT) / 2;
    return ber_sockbuf_add_io(buffer, &layer, below_tls, callbacks->lc_arg);
  }
  static void forget(LDAP*, Sockbuf*, ldap_conncb*) {}
};

void Directory::drop() noexcept {
  if (ldap_ != nullptr) (void)ldap_unbind_ext(ldap_, nullptr, nullptr);
  ldap_ = nullptr;
}

template <class T>
void Directory::set(int option, const T* value, const char* what) {
  if (const int code = ldap_set_option(ldap_, option, value); code != LDAP_OPT_SUCCESS)
    throw Failure(DEPROV_OUTCOME_NOT_SENT, std::string("libldap refuses to set ") + what);
}

std::string Directory::diagnostics() const {
  char* text = nullptr;
  if (ldap_get_option(ldap_, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text) != LDAP_OPT_SUCCESS || text == nullptr) return {};
  std::string out(text);
  ldap_memfree(text);
  return deprov_connectors::is_utf8(out) ? out : std::string{};
}

/// Nothing is due on a connection between two calls: what can be read is its end.
bool Directory::is_stale() const {
  if (idle_.is_more_than(longest_idle)) return true;
  int fd = -1;
  if (ldap_get_option(ldap_, LDAP_OPT_DESC, &fd) != LDAP_OPT_SUCCESS || fd < 0) return true;
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) != 0;
}

void Directory::ready(const Patience& patience) {
  if (ldap_ != nullptr && is_stale()) drop();
  if (ldap_ == nullptr) {
    try {
      left_to_connect_ms_ = config_.connect_timeout_ms;
      connect(patience);
      left_to_connect_ms_ = -1;
    } catch (...) {
      drop();
      throw;
    }
  }
  idle_.begin_anew();
}

void Directory::connect(const Patience& patience) {
  open(patience);
  bind(patience);
  Search root;
  root.scope = LDAP_SCOPE_BASE;
  root.filter = "(objectClass=*)";
  root.attributes = {"supportedControl"};
  Result end;
  const auto found = entries(root, nullptr, patience, end);
  has_assertions_ = false;
  for (const auto& e : found)
    for (const auto& control : e.values("supportedControl"))
      if (control == LDAP_CONTROL_ASSERT) has_assertions_ = true;
}

// Everything is set here that a file of libldap's or the environment could have set otherwise.
void Directory::open(const Patience& patience) {
  if (const int code = ldap_initialize(&ldap_, config_.url.c_str()); code != LDAP_SUCCESS)
    throw Failure(DEPROV_OUTCOME_NOT_SENT, describe(config_.url, code, ""));
  const auto time = in(std::max(1, std::min(config_.connect_timeout_ms, patience.left_ms())));
  const int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_HARD, no_crl = LDAP_OPT_X_TLS_CRL_NONE;
  const int at_least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, never = LDAP_DEREF_NEVER, here = 0, keep_alive = 60;
  set(LDAP_OPT_PROTOCOL_VERSION, &version, "the version");
  set(LDAP_OPT_NETWORK_TIMEOUT, &time, "the time to connect");
  set(LDAP_OPT_TIMEOUT, &time, "the time to wait");
  callbacks_ = {&Layer::add, &Layer::forget, this};
  set(LDAP_OPT_CONNECT_CB, &callbacks_, "what is called of a connection");
  (void)ldap_set_option(ldap_, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  (void)ldap_set_option(ldap_, LDAP_OPT_RESTART, LDAP_OPT_ON);
  (void)ldap_set_option(ldap_, LDAP_OPT_X_KEEPALIVE_IDLE, &keep_alive);
  set(LDAP_OPT_DEREF, &never, "aliases");
  (void)ldap_set_option(ldap_, LDAP_OPT_X_TLS_CACERTDIR, nullptr);
  (void)ldap_set_option(ldap_, LDAP_OPT_X_TLS_CRLCHECK, &no_crl);
  set(LDAP_OPT_X_TLS_CACERTFILE, config_.authorities->path().c_str(), "ca_file");
  set(LDAP_OPT_X_TLS_REQUIRE_CERT, &demand, "the verification of certificates");
  set(LDAP_OPT_X_TLS_PROTOCOL_MIN, &at_least, "the least version of TLS");
  set(LDAP_OPT_X_TLS_NEWCTX, &here, "up TLS; look at ca_file");
  if (!config_.start_tls) return;  // TLS stands before the first request leaves
  if (const int code = ldap_start_tls_s(ldap_, nullptr, nullptr); code != LDAP_SUCCESS)
    throw Failure(DEPROV_OUTCOME_NOT_SENT, describe("StartTLS with " + config_.url, code, diagnostics()));
}

void Directory::set_bounds() {
  Sockbuf* buffer = nullptr;
  auto most = most_of_a_message;
  if (ldap_get_option(ldap_, LDAP_OPT_SOCKBUF, &buffer) == LDAP_OPT_SUCCESS && buffer != nullptr)
    (void)ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &most);
}

void Directory::bind(const Patience& patience) {
  auto password = connection_.secret("bind_password").value_or("");
  if (password.empty()) throw Failure(DEPROV_OUTCOME_AUTH_FAILED, "the secret bind_password is gone");
  berval credential{static_cast<ber_len_t>(password.size()), password.data()};
  int id = 0;
  const int code =
      ldap_sasl_bind(ldap_, config_.bind_dn.c_str(), LDAP_SASL_SIMPLE, &credential, nullptr, nullptr, &id);
  deprov_connectors::wipe(password);
  if (code != LDAP_SUCCESS)
    throw Failure(DEPROV_OUTCOME_NOT_SENT, describe("connecting to " + config_.url, code, diagnostics()));
  set_bounds();
  Result result;
  try {
    result = parse(next(id, patience, false).get(), false);
  } catch (const Failure& e) {
    if (e.outcome() == DEPROV_OUTCOME_CANCELLED) throw;
    throw Failure(DEPROV_OUTCOME_NOT_SENT, e.what());  // of whatever is wanted afterwards
  }
  if (result.code == LDAP_SUCCESS) return;
  auto outcome = outcome_of(result.code);
  if (result.code == LDAP_NO_SUCH_OBJECT || result.code == LDAP_INVALID_DN_SYNTAX)
    outcome = DEPROV_OUTCOME_AUTH_FAILED;
  throw Failure(outcome, describe("the bind as " + config_.bind_dn, result.code, result.diagnostics));
}

Directory::Message Directory::next(int id, const Patience& patience, bool change) {
  // What was sent cannot be called back: an abandon may come too late, and is never answered.
  for (int last = last_wait_ms;;) {
    const bool ends = patience.is_over() || patience.is_cancelled();
    if (ends && (!change || patience.is_over() || last <= 0)) {
      (void)ldap_abandon_ext(ldap_, id, nullptr, nullptr);
      drop();
      if (change)
        throw Failure(DEPROV_OUTCOME_UNKNOWN_OUTCOME,
                      "the change was sent, and not answered before the call ended");
      throw Failure(patience.is_cancelled() ? DEPROV_OUTCOME_CANCELLED : DEPROV_OUTCOME_DEADLINE,
                    "the server did not answer before the call ended");
    }
    const int slice = std::max(1, patience.slice_ms());
    if (ends) last -= slice;
    auto time = in(slice);
    LDAPMessage* raw = nullptr;
    const int kind = ldap_result(ldap_, id, LDAP_MSG_ONE, &time, &raw);
    if (kind > 0) return Message(raw);
    if (kind == 0) continue;
    int code = LDAP_SERVER_DOWN;
    (void)ldap_get_option(ldap_, LDAP_OPT_RESULT_CODE, &code);
    const auto detail = describe("the connection to " + config_.url + " was lost", code, diagnostics());
    drop();
    throw Failure(change ? DEPROV_OUTCOME_UNKNOWN_OUTCOME : DEPROV_OUTCOME_UNAVAILABLE, detail);
  }
}

Directory::Result Directory::parse(LDAPMessage* message, bool change) {
  Result out;
  char* text = nullptr;
  LDAPControl** controls = nullptr;
  const int code = ldap_parse_result(ldap_, message, &out.code, nullptr, &text, nullptr, &controls, 0);
  if (text != nullptr) {
    if (deprov_connectors::is_utf8(text)) out.diagnostics = text;
    ldap_memfree(text);
  }
  if (code == LDAP_SUCCESS && controls != nullptr) {
    if (auto* control = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, nullptr)) {
      ber_int_t count = 0;
      berval cookie{0, nullptr};
      if (ldap_parse_pageresponse_control(ldap_, control, &count, &cookie) == LDAP_SUCCESS &&
          cookie.bv_val != nullptr)
        out.cookie.assign(cookie.bv_val, cookie.bv_len);
      ldap_memfree(cookie.bv_val);
    }
  }
  if (controls != nullptr) ldap_controls_free(controls);
  if (code != LDAP_SUCCESS) {
    drop();
    throw Failure(change ? DEPROV_OUTCOME_UNKNOWN_OUTCOME : DEPROV_OUTCOME_PROTOCOL,
                  describe("the answer of the server cannot be understood", code, ""));
  }
  return out;
}

Entry Directory::entry_of(LDAPMessage* message) const {
  Entry out;
  if (char* dn = ldap_get_dn(ldap_, message)) {
    out.dn = dn;
    ldap_memfree(dn);
  }
  BerElement* at = nullptr;
  for (char* name = ldap_first_attribute(ldap_, message, &at); name != nullptr;
       name = ldap_next_attribute(ldap_, message, at)) {
    auto& values = out.attributes[deprov_connectors::lowered(name)];
    if (berval** all = ldap_get_values_len(ldap_, message, name)) {
      for (auto** v = all; *v != nullptr; ++v) values.emplace_back((*v)->bv_val, (*v)->bv_len);
      ldap_value_free_len(all);
    }
    ldap_memfree(name);
  }
  if (at != nullptr) ber_free(at, 0);
  return out;
}

std::vector<Entry> Directory::entries(const Search& search, LDAPControl** controls, const Patience& patience,
                                      Result& end) {
  std::vector<char*> names;
  for (const auto& a : search.attributes) names.push_back(const_cast<char*>(a.c_str()));  // NOLINT: libldap's type
  names.push_back(nullptr);
  auto time = in(std::max(1000, patience.left_ms()));
  int id = 0;
  const int code = ldap_search_ext(ldap_, search.base.c_str(), search.scope, search.filter.c_str(), names.data(),
                                   0, controls, nullptr, &time, search.most, &id);
  if (code != LDAP_SUCCESS) {
    const auto detail = describe("searching below \"" + search.base + "\"", code, diagnostics());
    if (!is_lost(code)) throw Failure(outcome_of(code), detail);
    drop();
    throw Failure(DEPROV_OUTCOME_UNAVAILABLE, detail);
  }
  std::vector<Entry> out;
  for (;;) {
    const auto message = next(id, patience, false);
    const auto kind = ldap_msgtype(message.get());
    if (kind == LDAP_RES_SEARCH_ENTRY) {
      out.push_back(entry_of(message.get()));
    } else if (kind == LDAP_RES_SEARCH_RESULT) {
      end = parse(message.get(), false);
      return out;
    }  // else a reference to another server, where this connection is not good for anything
  }
}

std::vector<Entry> Directory::search(const Search& search, const Patience& patience, bool* truncated) {
  const InUse in_use(*this, patience);
  ready(patience);
  Result end;
  auto found = entries(search, nullptr, patience, end);
  if (truncated != nullptr) {
    *truncated = end.code == LDAP_SIZELIMIT_EXCEEDED;
    if (*truncated) return found;
  }
  if (end.code == LDAP_SUCCESS) return found;
  throw Failure(outcome_of(end.code),
                describe("searching below \"" + search.base + "\"", end.code, end.diagnostics));
}

std::vector<Entry> Directory::page(const Search& search, int size, std::string& cookie, const Patience& patience) {
  const InUse in_use(*this, patience);
  // A cookie of another connection is none.
  if (cookie.empty()) ready(patience);
  if (ldap_ == nullptr)
    throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, "the listing was interrupted; begin it anew");
  berval before{static_cast<ber_len_t>(cookie.size()), cookie.data()};
  LDAPControl* paged = nullptr;
  if (ldap_create_page_control(ldap_, size, &before, 'T', &paged) != LDAP_SUCCESS)
    throw Failure(DEPROV_OUTCOME_INTERNAL, "no control for pages can be made");
  Controls controls;
  controls.add(paged);
  Result end;
  auto found = entries(search, controls.all.data(), patience, end);
  idle_.begin_anew();
  if (end.code != LDAP_SUCCESS) {
    // Everybody is due here: a limit of the server's makes the listing incomplete.
    const auto outcome =
        end.code == LDAP_SIZELIMIT_EXCEEDED ? DEPROV_OUTCOME_PERMISSION_DENIED : outcome_of(end.code);
    throw Failure(outcome, describe("listing below \"" + search.base + "\"", end.code, end.diagnostics));
  }
  cookie = end.cookie;
  return found;
}

int Directory::change(const char* what, const std::vector<int>& expected, const std::string& only_if,
                      const Patience& patience, const std::function<int(LDAPControl**, int*)>& send) {
  const InUse in_use(*this, patience);
  ready(patience);
  if (patience.is_cancelled()) throw Failure(DEPROV_OUTCOME_CANCELLED, "cancelled before the change was sent");
  Controls controls;
  if (has_assertions_ && !only_if.empty()) {
    berval value{0, nullptr};
    LDAPControl* assertion = nullptr;
    // ldap_create_assertion_control_value takes a text that it does not change.
    if (ldap_create_assertion_control_value(ldap_, const_cast<char*>(only_if.c_str()), &value) != LDAP_SUCCESS)
      throw Failure(DEPROV_OUTCOME_NOT_SENT, "no assertion can be made of " + only_if);
    const int code = ldap_control_create(LDAP_CONTROL_ASSERT, 1, &value, 1, &assertion);
    ldap_memfree(value.bv_val);
    if (code != LDAP_SUCCESS) throw Failure(DEPROV_OUTCOME_NOT_SENT, "no assertion can be made of " + only_if);
    controls.add(assertion);
  }
  int id = 0;
  sent_ = true;
  if (const int code = send(controls.all.data(), &id); code != LDAP_SUCCESS) {
    const auto detail = describe(what, code, diagnostics());
    if (!is_lost(code)) throw Failure(outcome_of(code), detail);
    drop();
    throw Failure(DEPROV_OUTCOME_UNKNOWN_OUTCOME, detail);  // how much of it has left nobody says
  }
  const auto message = next(id, patience, true);
  const auto result = parse(message.get(), true);
  idle_.begin_anew();
  if (result.code == LDAP_SUCCESS || std::find(expected.begin(), expected.end(), result.code) != expected.end())
    return result.code;
  auto outcome = outcome_of(result.code);
  // Found a moment ago: it was moved, or deleted, which the next attempt sees.
  if (result.code == LDAP_NO_SUCH_OBJECT) outcome = DEPROV_OUTCOME_CONFLICT_STATE;
  // The server gave it up, and need not have undone it.
  if (outcome == DEPROV_OUTCOME_DEADLINE) outcome = DEPROV_OUTCOME_UNKNOWN_OUTCOME;
  throw Failure(outcome, describe(what, result.code, result.diagnostics));
}

int Directory::modify(const std::string& dn, const std::vector<Change>& changes, const std::string& only_if,
                      const std::vector<int>& expected, const Patience& patience) {
  struct Mod {
    LDAPMod mod{};
    std::vector<berval> values;
    std::vector<berval*> pointers;
  };
  std::vector<Mod> mods(changes.size());
  std::vector<LDAPMod*> all;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto& c = changes[i];
    auto& m = mods[i];
    // libldap changes nothing of what its types would let it.
    for (const auto& v : c.values)
      m.values.push_back({static_cast<ber_len_t>(v.size()), const_cast<char*>(v.data())});
    for (auto& v : m.values) m.pointers.push_back(&v);
    m.pointers.push_back(nullptr);
    m.mod.mod_op = c.kind | LDAP_MOD_BVALUES;
    m.mod.mod_type = const_cast<char*>(c.attribute.c_str());
    m.mod.mod_vals.modv_bvals = c.values.empty() ? nullptr : m.pointers.data();
    all.push_back(&m.mod);
  }
  all.push_back(nullptr);
  return change(("changing \"" + dn + "\"").c_str(), expected, only_if, patience,
                [&](LDAPControl** controls, int* id) {
                  return ldap_modify_ext(ldap_, dn.c_str(), all.data(), controls, nullptr, id);
                });
}

int Directory::remove(const std::string& dn, const std::string& only_if, const std::vector<int>& expected,
                      const Patience& patience) {
  return change(
      ("deleting \"" + dn + "\"").c_str(), expected, only_if, patience,
      [&](LDAPControl** controls, int* id) { return ldap_delete_ext(ldap_, dn.c_str(), controls, nullptr, id); });
}

}  // namespace deprov_ldap
