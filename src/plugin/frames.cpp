#include "plugin/frames.hpp"
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <deprov/connector/json.hpp>
#include <deprov/port/checkpoints.hpp>
#include <deprov/utf8.hpp>
#include <type_traits>
#include <utility>

namespace deprov::plugin::wire {

namespace {

constexpr std::size_t length_bytes = 4;
constexpr std::int64_t longest_us = std::int64_t{7} * 24 * 3600 * 1'000'000;
constexpr std::int32_t last_http_failure = 9;
constexpr std::uint8_t last_log_level = 2;
constexpr std::int32_t last_status = 75;
/// Of one list: those of a connector are far shorter, and an empty item takes much more memory than bytes here.
constexpr std::uint64_t most_items = 100'000;

class Writer {
 public:
  static constexpr bool reads = false;
  template <class... T>
  void operator()(const T&... v) {
    (put(v), ...);
  }
  std::string out;

 private:
  void number(std::uint64_t v, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>((v >> (8 * i)) & 0xFFU));
  }
  void put(bool v) { number(v ? 1 : 0, 1); }
  void put(std::uint8_t v) { number(v, 1); }
  void put(std::int32_t v) { number(static_cast<std::uint32_t>(v), 4); }
  void put(std::uint32_t v) { number(v, 4); }
  void put(std::int64_t v) { number(static_cast<std::uint64_t>(v), 8); }
  void put(std::uint64_t v) { number(v, 8); }
  void put(Duration v) { put(static_cast<std::int64_t>(v.count())); }
  void put(const std::string& v) {
    number(v.size(), 4);
    out.append(v);
  }
  void put(const port::HttpHeader& v) { (*this)(v.name, v.value); }
  template <class T>
  void put(const std::vector<T>& v) {
    number(v.size(), 4);
    for (const auto& item : v) put(item);
  }
};

class Reader {
 public:
  static constexpr bool reads = true;
  explicit Reader(std::string_view in) : in_(in) {}
  template <class... T>
  void operator()(T&... v) {
    (get(v), ...);
  }
  void refuse() noexcept { good_ = false; }
  [[nodiscard]] bool good() const noexcept { return good_; }
  [[nodiscard]] bool at_end() const noexcept { return in_.empty(); }

 private:
  std::uint64_t number(std::size_t bytes) {
    if (in_.size() < bytes) good_ = false;
    if (!good_) return 0;
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < bytes; ++i)
      v |= static_cast<std::uint64_t>(static_cast<unsigned char>(in_[i])) << (8 * i);
    in_.remove_prefix(bytes);
    return v;
  }
  void get(bool& v) {
    const auto n = number(1);
    if (n > 1) good_ = false;
    v = n == 1;
  }
  void get(std::uint8_t& v) { v = static_cast<std::uint8_t>(number(1)); }
  void get(std::int32_t& v) { v = static_cast<std::int32_t>(static_cast<std::uint32_t>(number(4))); }
  void get(std::uint32_t& v) { v = static_cast<std::uint32_t>(number(4)); }
  void get(std::int64_t& v) { v = static_cast<std::int64_t>(number(8)); }
  void get(std::uint64_t& v) { v = number(8); }
  void get(Duration& v) {
    std::int64_t us = 0;
    get(us);
    if (us < 0 || us > longest_us) good_ = false;
    v = Duration(good_ ? us : 0);
  }
  void get(std::string& v) {
    const auto size = number(4);
    if (size > in_.size()) good_ = false;
    if (!good_) return;
    v.assign(in_.substr(0, size));
    in_.remove_prefix(size);
  }
  void get(port::HttpHeader& v) { (*this)(v.name, v.value); }
  template <class T>
  void get(std::vector<T>& v) {
    auto count = number(4);
    if (count > most_items || count > in_.size() / length_bytes) good_ = false;  // each has at least a length
    for (v.clear(); good_ && count > 0; --count) get(v.emplace_back());
  }
  std::string_view in_;
  bool good_ = true;
};

/// An enumerator, as one byte that is at most `last`.
template <class Io, class E>
void enumerator(Io& io, E& e, E last) {
  auto n = static_cast<std::uint8_t>(e);
  io(n);
  if constexpr (Io::reads) {
    if (n > static_cast<std::uint8_t>(last)) return io.refuse();
    e = static_cast<E>(n);
  }
}

template <class Io>
void text(Io& io, std::string& s) {
  io(s);
  if constexpr (Io::reads)
    if (!is_utf8(s)) io.refuse();
}

template <class Io>
void fields(Io& io, Hello& m) {
  io(m.version);
  if constexpr (Io::reads)
    if (m.version != version) return;
  io(m.path, m.manifest, m.config, m.egress, m.memory_bytes, m.cpu_seconds, m.files, m.calls, m.wall, m.keeps);
}
template <class Io>
void fields(Io& io, Ready& m) {
  io(m.version, m.credit);
}
template <class Io>
void fields(Io& io, Failed& m) {
  text(io, m.why);
}
template <class Io>
void fields(Io& io, Start& m) {
  auto& c = m.call;
  io(m.id, m.wall);
  enumerator(io, c.operation, connector::Operation::poll);
  io(c.account_id, c.match.external_id, c.match.user_name, c.match.emails, c.entitlement, c.delete_account,
     c.cursor, c.page_size, c.handle, c.idempotency_key, c.timeout);
}
template <class Io>
void fields(Io& io, Cancel& m) {
  io(m.id);
}
template <class Io>
void fields(Io& io, Replied& m) {
  auto& r = m.reply;
  io(m.id);
  enumerator(io, r.outcome, connector::Outcome::internal);
  enumerator(io, r.effect, connector::Effect::accepted);
  enumerator(io, r.throttle_scope, connector::ThrottleScope::connection);
  bool waits = r.retry_after.has_value();
  auto wait = r.retry_after.value_or(Duration(0));
  io(waits, wait);
  text(io, r.next_cursor);
  text(io, r.handle);
  text(io, r.detail);
  std::string accounts;
  if constexpr (!Io::reads)
    if (!r.accounts.empty()) accounts = boost::json::serialize(connector::accounts_json(r.accounts));
  io(accounts);
  if constexpr (Io::reads) {
    if (!io.good()) return;
    if (waits) r.retry_after = wait;
    auto parsed = connector::parse_accounts(accounts, "reply.accounts");
    if (!parsed) return io.refuse();
    r.accounts = std::move(*parsed);
    if (r.outcome == connector::Outcome::ok && r.effect == connector::Effect::accepted && r.handle.empty())
      io.refuse();
  }
}
template <class Io>
void fields(Io& io, AskSecret& m) {
  io(m.id, m.name);
}
template <class Io>
void fields(Io& io, Secret& m) {
  io(m.id, m.found, m.value);
}
/// What a connector may say of a peer: no files, and verified TLS always.
template <class Io>
void fields(Io& io, SendHttp& m) {
  auto& r = m.request;
  std::uint64_t most = r.max_response_bytes;
  io(m.id, m.call, r.method, r.url, r.headers, r.body, r.peer.ca_pem, r.peer.proxy, r.peer.proxy_user,
     r.peer.proxy_password, r.timeout, most);
  if constexpr (Io::reads) {
    constexpr std::uint64_t bound = std::uint64_t{16} << 20U;
    r.max_response_bytes = static_cast<std::size_t>(std::min(most, bound));
    // What would break a line of the request would add others to it.
    const auto breaks = [](std::string_view s) {
      return s.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
    };
    if (breaks(r.method) || breaks(r.url)) return io.refuse();
    for (const auto& h : r.headers)
      if (h.name.empty() || breaks(h.name) || breaks(h.value)) return io.refuse();
  }
}
template <class Io>
void fields(Io& io, HttpDone& m) {
  io(m.id, m.failure, m.sent, m.status, m.headers, m.body, m.detail);
  if constexpr (Io::reads)
    if (m.failure < 0 || m.failure > last_http_failure) io.refuse();
}
template <class Io>
void fields(Io& io, Log& m) {
  io(m.level);
  io(m.text);
  if constexpr (Io::reads)
    if (m.level > last_log_level) io.refuse();
}
template <class Io>
void fields(Io&, Close&) {}
template <class Io>
void fields(Io& io, Checkpoint& m) {
  io(m.id, m.set, m.name, m.value);
  if constexpr (Io::reads)
    if (!port::check_checkpoint(m.name, m.value) || (!m.set && !m.value.empty())) io.refuse();
}
template <class Io>
void fields(Io& io, CheckpointTold& m) {
  io(m.id, m.status, m.value);
  if constexpr (Io::reads)
    if (m.status < 0 || m.status > last_status || m.value.size() > port::Checkpoints::max_value_bytes) io.refuse();
}

Error malformed(std::string detail) {
  return {Errc::invalid_syntax, std::move(detail), "frame", "host and worker have to be of one build"};
}

Error too_long(std::uint64_t bytes) {
  return {Errc::limit_exceeded,
          "has " + std::to_string(bytes) + " bytes, more than max_frame_bytes (" +
              std::to_string(max_frame_bytes) + ")",
          "frame", "ask for smaller pages"};
}

template <std::size_t I = 0>
Result<Message> decode_as(std::size_t kind, Reader& reader) {
  if constexpr (I == std::variant_size_v<Message>) {
    return malformed("no frame has the kind " + std::to_string(kind));
  } else {
    if (kind != I) return decode_as<I + 1>(kind, reader);
    std::variant_alternative_t<I, Message> m;
    fields(reader, m);
    bool whole = reader.at_end();
    if constexpr (std::is_same_v<decltype(m), Hello>) whole = whole || m.version != version;
    if (!reader.good() || !whole) return malformed("a frame of kind " + std::to_string(I) + " is malformed");
    return Message(std::move(m));
  }
}

}  // namespace

Result<std::string> encode(const Message& message) {
  Writer writer;
  writer.out.assign(length_bytes, '\0');
  writer(static_cast<std::uint8_t>(message.index()));
  // One list of fields serves both ways, and the writer changes none.
  std::visit([&](const auto& m) { fields(writer, const_cast<std::remove_cvref_t<decltype(m)>&>(m)); }, message);
  const auto size = writer.out.size() - length_bytes;
  if (size > max_frame_bytes) return too_long(size);
  for (std::size_t i = 0; i < length_bytes; ++i) writer.out[i] = static_cast<char>((size >> (8 * i)) & 0xFFU);
  return std::move(writer.out);
}

Result<Message> decode(std::string_view frame) {
  if (frame.empty()) return malformed("a frame is empty");
  Reader reader(frame.substr(1));
  return decode_as(static_cast<unsigned char>(frame.front()), reader);
}

void Frames::feed(std::string_view bytes) {
  if (at_ > 0 && at_ >= buffer_.size() / 2) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_.append(bytes);
}

Result<std::optional<Message>> Frames::next() {
  const auto left = std::string_view(buffer_).substr(at_);
  if (left.size() < length_bytes) return std::optional<Message>();
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < length_bytes; ++i)
    size |= static_cast<std::uint64_t>(static_cast<unsigned char>(left[i])) << (8 * i);
  if (size > max_frame_bytes) return too_long(size);
  if (left.size() - length_bytes < size) return std::optional<Message>();
  DEPROV_TRY(message, decode(left.substr(length_bytes, size)));
  at_ += length_bytes + size;
  return std::optional<Message>(std::move(message));
}

}  // namespace deprov::plugin::wire
