#include "sandbox_app.hpp"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <charconv>
#include <deprov/scim/json.hpp>
#include <system_error>

namespace deprov::connectors {

namespace json = boost::json;
using connector::Account;
using connector::Call;
using connector::Effect;
using connector::Operation;
using connector::Outcome;
using connector::Reply;

namespace {

constexpr std::size_t max_line = 64U << 10U;
constexpr std::size_t max_accounts = 2'000'000;
constexpr std::size_t block = 1U << 20U;

Error io_error(const std::string& path, const char* what) {
  return {errno == ENOENT ? Errc::not_found : Errc::io,
          std::string(what) + ": " + std::generic_category().message(errno), path};
}

Error bad_line(std::string detail) { return {Errc::invalid_argument, std::move(detail)}; }

std::string lower(std::string_view s) {
  std::string out(s);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

Result<json::object> parse_line(std::string_view line) {
  auto parsed = scim::parse_json(line);
  if (!parsed) {
    // The parser calls it line 1; the caller knows better.
    const auto& where = parsed.error().where();
    const auto column = where.find("column");
    return bad_line("is not JSON: " + parsed.error().detail() +
                    (column == std::string::npos ? std::string{} : ", at " + where.substr(column)));
  }
  auto& value = *parsed;
  if (!value.is_object()) return bad_line("is not a JSON object");
  return std::move(value.get_object());
}

Result<std::string> string_of(std::string_view name, const json::value& v) {
  if (!v.is_string()) return bad_line("the member \"" + std::string(name) + "\" has to be a string");
  return std::string(v.get_string());
}

Result<std::vector<std::string>> strings_of(std::string_view name, const json::value& v) {
  std::vector<std::string> out;
  if (!v.is_array()) return bad_line("the member \"" + std::string(name) + "\" has to be an array of strings");
  for (const auto& item : v.get_array()) {
    DEPROV_TRY(s, string_of(name, item));
    out.push_back(std::move(s));
  }
  return out;
}

/// Calls `each(line)` for every whole line from `offset` on, and moves `offset` behind the last of them.
template <class F>
Result<void> for_lines(int fd, const std::string& path, std::uint64_t& offset, bool last_may_be_open,
                       std::uint64_t& line_number, F each) {
  std::string buffer;
  std::uint64_t at = offset;
  for (;;) {
    const auto old = buffer.size();
    buffer.resize(old + block);
    const auto n = ::pread(fd, buffer.data() + old, block, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) {
      buffer.resize(old);
      continue;
    }
    if (n < 0) return io_error(path, "cannot be read");
    buffer.resize(old + static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
    if (n == 0 && !buffer.empty() && !last_may_be_open) buffer += '\n';
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = buffer.find('\n', begin)) != std::string::npos; begin = end + 1) {
      ++line_number;
      auto line = std::string_view(buffer).substr(begin, end - begin);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (line.size() > max_line)
        return Error(Errc::limit_exceeded, "has more than " + std::to_string(max_line) + " bytes",
                     path + ":" + std::to_string(line_number));
      if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
      if (auto r = each(line); !r) return r.error().within(path + ":" + std::to_string(line_number));
    }
    offset += begin;
    buffer.erase(0, begin);
    if (n == 0) return {};
    if (buffer.size() > max_line)
      return Error(Errc::limit_exceeded, "has more than " + std::to_string(max_line) + " bytes",
                   path + ":" + std::to_string(line_number + 1));
  }
}

Reply sandbox_reply(Outcome outcome, std::string detail = {}) {
  Reply r;
  r.outcome = outcome;
  r.detail = std::move(detail);
  return r;
}

}  // namespace

Result<std::unique_ptr<SandboxApp>> SandboxApp::open(const std::string& file, const std::string& log, bool durable,
                                                     Duration lag) {
  std::unique_ptr<SandboxApp> app(new SandboxApp(log, durable, lag));
  DEPROV_CHECK(app->load(file));
  DEPROV_CHECK(app->open_log());
  return app;
}

SandboxApp::~SandboxApp() {
  if (log_ >= 0) ::close(log_);
}

Result<void> SandboxApp::load(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const auto error = io_error(file, "the file of accounts cannot be opened");
    return Error(
        error.code(), error.detail(), error.where(),
        "make the file first, empty or with an account as a JSON object on each line, readable by this user");
  }
  std::uint64_t offset = 0;
  std::uint64_t line_number = 0;
  auto r =
      for_lines(fd, file, offset, false, line_number, [this](std::string_view line) { return load_line(line); });
  ::close(fd);
  return r;
}

Result<void> SandboxApp::load_line(std::string_view line) {
  if (entries_.size() >= max_accounts)
    return Error(Errc::limit_exceeded, "more than " + std::to_string(max_accounts) + " accounts");
  DEPROV_TRY(object, parse_line(line));
  Entry e;
  for (const auto& [key, value] : object) {
    const std::string_view name(key);
    if (name == "id") {
      DEPROV_TRY(s, string_of(name, value));
      e.account.id = std::move(s);
    } else if (name == "externalId") {
      DEPROV_TRY(s, string_of(name, value));
      e.account.external_id = std::move(s);
    } else if (name == "userName") {
      DEPROV_TRY(s, string_of(name, value));
      e.account.user_name = std::move(s);
    } else if (name == "emails") {
      DEPROV_TRY(list, strings_of(name, value));
      e.account.emails = std::move(list);
    } else if (name == "groups") {
      DEPROV_TRY(list, strings_of(name, value));
      e.now.groups = std::move(list);
    } else if (name == "active") {
      if (!value.is_bool()) return bad_line("the member \"active\" has to be a boolean");
      e.now.active = value.get_bool();
    } else {
      return bad_line("the member \"" + std::string(name) +
                      "\" is not known; known are id, externalId, userName, emails, active, groups");
    }
  }
  if (e.account.id.empty()) return bad_line("the member \"id\" is missing or empty");
  const auto index = static_cast<std::uint32_t>(entries_.size());
  if (!by_id_.emplace(e.account.id, index).second)
    return bad_line("the id \"" + e.account.id + "\" is there twice");
  if (!e.account.external_id.empty()) by_external_id_[e.account.external_id].push_back(index);
  if (!e.account.user_name.empty()) by_user_name_[lower(e.account.user_name)].push_back(index);
  for (const auto& email : e.account.emails) {
    auto& of = by_email_[lower(email)];
    if (of.empty() || of.back() != index) of.push_back(index);
  }
  entries_.push_back(std::move(e));
  return {};
}

Result<void> SandboxApp::open_log() {
  log_ = ::open(log_path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_ < 0) return io_error(log_path_, "the log of effects cannot be opened");
  DEPROV_CHECK(catch_up());
  struct stat info {};
  if (::fstat(log_, &info) != 0) return io_error(log_path_, "the log of effects cannot be examined");
  // Half a line at the end was never answered (the machine went down within the write): it did not happen.
  // Anything else is somebody's file, and stays as it is.
  constexpr std::string_view begins = R"({"seq":)";
  std::array<char, begins.size()> rest{};
  const auto n = ::pread(log_, rest.data(), rest.size(), static_cast<off_t>(log_offset_));
  if (n < 0) return io_error(log_path_, "the log of effects cannot be read");
  const auto have = static_cast<std::size_t>(n);
  if (std::string_view(rest.data(), have) != begins.substr(0, have))
    return Error(Errc::invalid_argument, "is not a log of effects", log_path_, "name another file");
  if (static_cast<std::uint64_t>(info.st_size) > log_offset_ &&
      ::ftruncate(log_, static_cast<off_t>(log_offset_)) != 0)
    return io_error(log_path_, "the log of effects cannot be repaired");
  return {};
}

Result<void> SandboxApp::catch_up() {
  struct stat info {};
  if (::fstat(log_, &info) != 0) return io_error(log_path_, "the log of effects cannot be examined");
  if (static_cast<std::uint64_t>(info.st_size) == log_offset_) return {};
  return for_lines(log_, log_path_, log_offset_, true, log_lines_,
                   [this](std::string_view line) { return replay(line); });
}

Result<void> SandboxApp::replay(std::string_view line) {
  DEPROV_TRY(object, parse_line(line));
  const auto text = [&](std::string_view name) {
    const auto* v = object.if_contains(name);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
  };
  const auto* seq = object.if_contains("seq");
  const auto op_text = text("op");
  const auto op = connector::parse_operation(op_text == "delete" ? "remove" : op_text);
  if (seq == nullptr || !seq->is_int64() || !op) return bad_line("is not a line of a log of effects");
  last_seq_ = std::max(last_seq_, static_cast<std::uint64_t>(seq->get_int64()));
  if (text("effect") != "done") return {};
  // An account that the file no longer has is no reason to refuse: the file is the person's to edit.
  if (auto* e = entry(text("account"))) apply(*e, *op, op_text == "delete", text("group"));
  return {};
}

Result<void> SandboxApp::append(const Call& call, Effect effect, WallTime wall) {
  const bool deletes = call.operation == Operation::remove && call.delete_account;
  json::object line{{"seq", last_seq_ + 1},
                    {"at", to_rfc3339(wall)},
                    {"op", deletes ? std::string_view("delete") : to_string(call.operation)},
                    {"account", call.account_id}};
  if (!call.entitlement.empty()) line["group"] = call.entitlement;
  line["key"] = call.idempotency_key;
  line["effect"] = to_string(effect);
  const auto bytes = json::serialize(line) + "\n";
  const auto n = ::write(log_, bytes.data(), bytes.size());
  if (n != static_cast<ssize_t>(bytes.size())) {
    auto error = io_error(log_path_, "the log of effects cannot be written");
    if (n > 0 && ::ftruncate(log_, static_cast<off_t>(log_offset_)) != 0)
      error = io_error(log_path_, "the log of effects has half a line at its end");
    return error;
  }
  if (durable_ && ::fdatasync(log_) != 0) return io_error(log_path_, "the log of effects cannot be made durable");
  ++last_seq_;
  // Where nobody else wrote in between, the line need not be read again.
  if (::lseek(log_, 0, SEEK_CUR) == static_cast<off_t>(log_offset_ + bytes.size())) {
    log_offset_ += bytes.size();
    ++log_lines_;
  }
  return {};
}

bool SandboxApp::apply(Entry& e, Operation op, bool delete_account, const std::string& group) {
  auto& s = e.now;
  const auto member = std::find(s.groups.begin(), s.groups.end(), group);
  switch (op) {
    case Operation::disable: return std::exchange(s.active, false);
    case Operation::enable: return !std::exchange(s.active, true);
    case Operation::remove:
      if (delete_account) return std::exchange(s.exists, false);
      if (group.empty()) return !std::exchange(s.groups, {}).empty();
      [[fallthrough]];
    case Operation::revoke_entitlement:
      if (member == s.groups.end()) return false;
      s.groups.erase(member);
      return true;
    case Operation::grant_entitlement:
      if (member != s.groups.end()) return false;
      s.groups.push_back(group);
      return true;
    default: return true;  // revoke_sessions: there is always one to end
  }
}

SandboxApp::Entry* SandboxApp::entry(const std::string& id) {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &entries_[it->second];
}

const SandboxApp::State& SandboxApp::shown(const Entry& e, MonoTime now) {
  return now < e.shown_from ? e.before : e.now;
}

Account SandboxApp::shown_account(const Entry& e, MonoTime now) {
  auto a = e.account;
  a.active = shown(e, now).active;
  a.groups = shown(e, now).groups;
  return a;
}

Reply SandboxApp::find(const connector::Match& match, MonoTime now) const {
  const auto collect = [&](const Index& index, const std::string& key, std::vector<std::uint32_t>& into) {
    const auto it = index.find(key);
    if (key.empty() || it == index.end()) return;
    for (const auto i : it->second)
      if (shown(entries_[i], now).exists && std::find(into.begin(), into.end(), i) == into.end())
        into.push_back(i);
  };
  std::vector<std::uint32_t> found;
  collect(by_external_id_, match.external_id, found);
  if (found.empty()) collect(by_user_name_, lower(match.user_name), found);
  if (found.empty())
    for (const auto& e : match.emails) collect(by_email_, lower(e), found);
  if (found.empty()) return sandbox_reply(Outcome::not_found, "no account matches");
  auto reply = found.size() == 1 ? sandbox_reply(Outcome::ok)
                                 : sandbox_reply(Outcome::ambiguous, "more than one account matches");
  found.resize(std::min<std::size_t>(found.size(), 10));
  for (const auto i : found) reply.accounts.push_back(shown_account(entries_[i], now));
  return reply;
}

Reply SandboxApp::list(const Call& call, MonoTime now) const {
  std::size_t at = 0;
  const auto& c = call.cursor;
  if (!c.empty()) {
    const auto r = std::from_chars(c.data(), c.data() + c.size(), at);
    if (r.ec != std::errc() || r.ptr != c.data() + c.size() || at > entries_.size())
      return sandbox_reply(Outcome::invalid_request, "the cursor is none that this connector gave");
  }
  auto reply = sandbox_reply(Outcome::ok);
  const auto size = std::clamp<std::size_t>(call.page_size, 1, 1000);
  for (; at < entries_.size() && reply.accounts.size() < size; ++at)
    if (shown(entries_[at], now).exists) reply.accounts.push_back(shown_account(entries_[at], now));
  if (at < entries_.size()) reply.next_cursor = std::to_string(at);
  return reply;
}

Reply SandboxApp::change(const Call& call, WallTime wall, MonoTime now) {
  auto* const e = entry(call.account_id);
  if (e == nullptr || !e->now.exists) return sandbox_reply(Outcome::not_found, "there is no such account");
  const bool about_group =
      call.operation == Operation::revoke_entitlement || call.operation == Operation::grant_entitlement;
  if (about_group && call.entitlement.empty())
    return sandbox_reply(Outcome::invalid_request, "no group was named");
  auto after = *e;
  const bool changes = apply(after, call.operation, call.delete_account, call.entitlement);
  const auto effect = changes ? Effect::done : Effect::already;
  // The log comes first: an effect that is answered is always in it.
  if (auto r = append(call, effect, wall); !r) return sandbox_reply(Outcome::internal, r.error().message());
  if (changes && lag_.count() > 0) {
    after.before = shown(*e, now);
    after.shown_from = now + lag_;
  }
  *e = std::move(after);
  auto reply = sandbox_reply(Outcome::ok);
  reply.effect = effect;
  if (e->now.exists) reply.accounts.push_back(shown_account(*e, now));
  return reply;
}

Reply SandboxApp::act(const Call& call, WallTime wall, MonoTime now) {
  if (auto r = catch_up(); !r) return sandbox_reply(Outcome::internal, r.error().message());
  switch (call.operation) {
    case Operation::check: {
      auto reply = sandbox_reply(Outcome::ok, "the file has " + std::to_string(entries_.size()) + " accounts");
      const auto first =
          std::find_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.now.exists; });
      if (first != entries_.end()) reply.accounts.push_back(shown_account(*first, now));
      return reply;
    }
    case Operation::find: return find(call.match, now);
    case Operation::list: return list(call, now);
    case Operation::read:
    case Operation::list_entitlements: {
      const auto* e = entry(call.account_id);
      if (e == nullptr || !shown(*e, now).exists)
        return sandbox_reply(Outcome::not_found, "there is no such account");
      auto reply = sandbox_reply(Outcome::ok);
      reply.accounts.push_back(shown_account(*e, now));
      return reply;
    }
    case Operation::disable:
    case Operation::enable:
    case Operation::remove:
    case Operation::revoke_sessions:
    case Operation::revoke_entitlement:
    case Operation::grant_entitlement: return change(call, wall, now);
    default: return sandbox_reply(Outcome::unsupported, "the sandbox has no such operation");
  }
}

}  // namespace deprov::connectors
