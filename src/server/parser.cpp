// The one file that includes Boost.Beast.
#include "server/parser.hpp"
#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>
#include "server/wire.hpp"

namespace deprov::server {

namespace {
namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

std::string_view std_view(string_view s) { return {s.data(), s.size()}; }

class Parser final : public http::basic_parser<true> {
 public:
  Parser(const ParserLimits& limits, service::Request& request, Refusal& refusal)
      : limits_(limits), request_(request), refusal_(refusal) {
    header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(limits.header_bytes, 1U << 30U)));
    body_limit(limits.body_bytes);
    eager(false);
  }

  [[nodiscard]] bool in_fields() const noexcept { return line_seen_ && !is_header_done(); }
  [[nodiscard]] int version() const noexcept { return version_; }
  [[nodiscard]] bool expect_continue() const noexcept { return expect_continue_; }
  void expect_answered() noexcept { expect_continue_ = false; }

 private:
  void refuse(int status, std::string detail, error_code& ec) {
    refusal_ = {status, std::move(detail)};
    ec = http::error::bad_value;
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code& ec) override {
    line_seen_ = true;
    version_ = version;
    request_.method = std_view(method);
    if (request_.method == "CONNECT")
      return refuse(501, "the method CONNECT is not offered; this is not a proxy", ec);
    // RFC 9112 section 3.2.2: a server accepts the absolute form.
    std::string_view t = std_view(target);
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (t.size() < scheme.size() || !is_named(t.substr(0, scheme.size()), scheme)) continue;
      t.remove_prefix(scheme.size());
      const auto path = t.find_first_of("/?");
      t = path == std::string_view::npos ? std::string_view{} : t.substr(path);
      request_.target = t.empty() || t.front() == '?' ? "/" : "";
      request_.target += t;
      return;
    }
    if (t.front() != '/' && !(t == "*" && request_.method == "OPTIONS"))
      return refuse(400, "the request target has to begin with a slash", ec);
    request_.target = t;
  }

  void on_response_impl(int, string_view, int, error_code&) override {}  // only for the parser of responses

  void on_field_impl(http::field field, string_view name, string_view value, error_code& ec) override {
    if (is_header_done()) return;  // trailer fields of a chunked body: read, not used
    if (request_.headers.size() >= limits_.header_fields)
      return refuse(431, "more than " + std::to_string(limits_.header_fields) + " header fields", ec);
    if (field == http::field::host && ++hosts_ > 1) return refuse(400, "more than one Host field", ec);
    if (field == http::field::transfer_encoding) {
      if (!is_named(std_view(value), "chunked"))
        return refuse(501, "only the transfer encoding chunked is understood", ec);
      if (version_ < 11) return refuse(400, "Transfer-Encoding in an HTTP/1.0 request", ec);
    }
    if (field == http::field::expect) {
      if (!is_named(std_view(value), "100-continue"))
        return refuse(417, "only the expectation 100-continue is understood", ec);
      expect_continue_ = version_ >= 11;
    }
    request_.headers.push_back({std::string(std_view(name)), std::string(std_view(value))});
  }

  void on_header_impl(error_code& ec) override {
    if (version_ >= 11 && hosts_ == 0) return refuse(400, "a request of HTTP/1.1 needs a Host field", ec);
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    // Memory for what was announced is not taken before some of it has come.
    constexpr std::uint64_t at_once = 64U << 10U;
    if (length) request_.body.reserve(static_cast<std::size_t>(std::min(*length, at_once)));
  }

  std::size_t on_body_impl(string_view body, error_code&) override {
    request_.body.append(body.data(), body.size());
    return body.size();
  }

  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
    request_.body.append(body.data(), body.size());
    return body.size();
  }

  void on_finish_impl(error_code&) override {}

  const ParserLimits& limits_;
  service::Request& request_;
  Refusal& refusal_;
  int version_ = 11;
  int hosts_ = 0;
  bool line_seen_ = false;
  bool expect_continue_ = false;
};

/// A chunk's size line, or the trailer; far more than any client sends.
constexpr std::size_t max_chunk_line = 8U << 10U;

}  // namespace

struct RequestParser::Impl {
  explicit Impl(ParserLimits l) : limits(l) { reset(); }

  void reset() {
    request = {};
    request.headers.reserve(12);
    refusal.status = 0;
    refusal.detail.clear();
    header_bytes = 0;
    state = State::start;
    parser.emplace(limits, request, refusal);
  }

  void refuse(int status, std::string detail) {
    if (refusal.status == 0) refusal = {status, std::move(detail)};
    state = State::bad;
  }

  void refuse_header_size(std::string_view bytes) {
    const auto bound = std::to_string(limits.header_bytes) + " bytes";
    if (parser->in_fields()) return refuse(431, "the header of the request is longer than " + bound);
    note_line(bytes);
    refuse(414, "the request line is longer than " + bound);
  }

  /// Of a request line that is refused: the method, and how its target begins, which say in whose form to refuse.
  void note_line(std::string_view bytes) {
    constexpr std::size_t most = 200;
    if (!request.target.empty()) return;
    const auto method = bytes.find(' ');
    if (method == std::string_view::npos || method > 20) return;
    request.method = bytes.substr(0, method);
    request.target = bytes.substr(method + 1, most);
    request.target.resize(std::min(request.target.size(), request.target.find_first_of(" \r\n")));
  }

  /// Another version of HTTP, and not just anything in the place of one.
  static bool names_another_version(std::string_view line) {
    const auto first = line.find(' ');
    const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) return false;
    const auto v = line.substr(second + 1, 8);
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    return v.size() == 8 && v.substr(0, 5) == "HTTP/" && digit(v[5]) && v[6] == '.' && digit(v[7]) &&
           v != "HTTP/1.0" && v != "HTTP/1.1";
  }

  /// A GET whose query has spaces as they are, as some clients send filters: its header with `%20` in their place.
  /// Only where nobody can take the line for another: the path is whole before the first space, and the line ends
  /// as one of HTTP/1.1 does. (RFC 9112 section 3 has such lines refused, lest a filter before us read another
  /// path than we do.)
  static std::optional<std::string> with_spaces_encoded(std::string_view header) {
    constexpr std::string_view method = "GET /";
    constexpr std::string_view version = " HTTP/1.1";
    const auto line = header.substr(0, header.find("\r\n"));
    if (!line.starts_with(method) || !line.ends_with(version)) return std::nullopt;
    const auto end = line.size() - version.size();
    const auto query = line.find('?');
    const auto space = line.find(' ', method.size());
    if (query == std::string_view::npos || space < query || space >= end || line[end - 1] == ' ' ||
        line.substr(0, end).find(" HTTP/") != std::string_view::npos)
      return std::nullopt;
    std::string out(line.substr(0, space));
    for (const char c : line.substr(space, end - space)) {
      if (c == ' ') {
        out += "%20";
      } else {
        out.push_back(c);
      }
    }
    out += header.substr(end);
    return out;
  }

  /// A line that is not whole may still become one of these.
  static bool may_have_spaces(std::string_view line) {
    const auto query = line.find('?');
    return line.starts_with("GET /") && query != std::string_view::npos && line.find(' ', 5) > query;
  }

  /// Another try with such a header; the bytes of it that were used, 0 where more of them are needed.
  std::optional<std::size_t> try_spaces(std::string_view bytes) {
    if (bytes.find("\r\n") == std::string_view::npos)
      return may_have_spaces(bytes) ? std::optional<std::size_t>(0) : std::nullopt;
    if (!with_spaces_encoded(bytes)) return std::nullopt;
    const auto size = bytes.find("\r\n\r\n");
    if (size == std::string_view::npos) return 0;
    const auto header = bytes.substr(0, size + 4);
    const auto fixed = with_spaces_encoded(header);
    if (!fixed) return std::nullopt;
    parser.emplace(limits, request, refusal);
    error_code ec;
    const auto n = parser->put({fixed->data(), fixed->size()}, ec);
    if (ec || n != fixed->size()) {
      if (refusal.status == 0) fail(ec, *fixed);
      return std::nullopt;
    }
    // As it was sent: what is tolerated is said behind here.
    constexpr std::string_view before = "GET ";
    request.target = bytes.substr(before.size(), bytes.find(" HTTP/1.1\r\n") - before.size());
    return header.size();
  }

  void fail(const error_code& ec, std::string_view bytes) {
    if (ec == http::error::header_limit) return refuse_header_size(bytes);
    if (ec == http::error::body_limit)
      return refuse(413, "the body of the request is longer than " + std::to_string(limits.body_bytes) + " bytes");
    if (!parser->is_header_done() && !parser->in_fields()) note_line(bytes);
    if (ec == http::error::bad_version && names_another_version(bytes))
      return refuse(505, "only HTTP/1.0 and HTTP/1.1 are understood");
    refuse(400, "the request is not HTTP: " + ec.message());
  }

  /// One step; false when more bytes are needed.
  bool step(std::string_view bytes, std::size_t& used) {
    error_code ec;
    std::size_t tried = 0;
    if (!parser->is_header_done()) {
      const auto room = limits.header_bytes - header_bytes;
      const auto window = std::min(room, bytes.size());
      const auto n = parser->put({bytes.data(), window}, ec);
      header_bytes += n;
      used += n;
      tried = n;
      if (ec == http::error::need_more) {
        if (bytes.size() >= room) refuse_header_size(bytes);
        return false;
      }
    } else {
      const auto n = parser->put({bytes.data(), bytes.size()}, ec);
      used += n;
      if (ec == http::error::need_more) {
        if (bytes.size() - n >= max_chunk_line)
          refuse(400, "a chunk header or trailer longer than " + std::to_string(max_chunk_line) + " bytes");
        return false;
      }
    }
    if (ec && !parser->is_header_done() && !parser->in_fields()) {
      const auto n = try_spaces(bytes);
      if (n && *n == 0) {  // nothing of it counts as read
        used -= tried;
        header_bytes -= tried;
        parser.emplace(limits, request, refusal);
        if (bytes.size() >= limits.header_bytes) refuse_header_size(bytes);
        return false;
      }
      if (n) {
        header_bytes += *n - tried;
        used += *n - tried;
        ec = {};
      }
    }
    if (ec) {
      if (state != State::bad) fail(ec, bytes);
      return false;
    }
    if (parser->is_done())
      state = State::done;
    else if (parser->is_header_done())
      state = State::body;
    return state != State::done;
  }

  const ParserLimits limits;
  service::Request request;
  Refusal refusal;
  std::size_t header_bytes = 0;
  State state = State::start;
  std::optional<Parser> parser;
};

RequestParser::RequestParser(ParserLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

std::size_t RequestParser::feed(std::string_view bytes) {
  auto& i = *impl_;
  std::size_t used = 0;
  if (i.state == State::start) {
    // RFC 9112 section 2.2: empty lines before a request are passed over.
    while (used + 1 < bytes.size() && bytes[used] == '\r' && bytes[used + 1] == '\n') used += 2;
    const auto rest = bytes.substr(used);
    if (rest.empty() || rest == "\r") return used;
    i.state = State::header;
  }
  while (used < bytes.size() && i.state != State::bad && i.step(bytes.substr(used), used)) {
  }
  return used;
}

RequestParser::State RequestParser::state() const noexcept { return impl_->state; }
const Refusal& RequestParser::refusal() const noexcept { return impl_->refusal; }
bool RequestParser::keep_alive() const noexcept { return impl_->parser->keep_alive(); }
bool RequestParser::http_1_1() const noexcept { return impl_->parser->version() >= 11; }

bool RequestParser::take_expect_continue() noexcept {
  const bool expects = impl_->parser->expect_continue();
  impl_->parser->expect_answered();
  return expects;
}

service::Request& RequestParser::request() noexcept { return impl_->request; }
void RequestParser::reset() { impl_->reset(); }

}  // namespace deprov::server
