#include "server/parser.hpp"
#include <random>
#include <vector>
#include "catch.hpp"

using deprov::server::RequestParser;

namespace {

constexpr deprov::server::ParserLimits limits{2000, 20, 3000};

/// What a stream of bytes comes to: each request in one line, and how it ended.
std::vector<std::string> parse(const std::string& bytes, const std::vector<std::size_t>& cuts) {
  std::vector<std::string> out;
  RequestParser parser(limits);
  std::size_t from = 0;
  std::size_t to = 0;
  for (std::size_t piece = 0; piece <= cuts.size(); ++piece) {
    to = piece < cuts.size() ? cuts[piece] : bytes.size();
    for (;;) {
      from += parser.feed(std::string_view(bytes).substr(from, to - from));
      if (parser.state() == RequestParser::State::bad) {
        out.push_back("bad " + std::to_string(parser.refusal().status));
        return out;
      }
      if (parser.state() != RequestParser::State::done) break;
      auto& r = parser.request();
      std::string line = r.method + " " + r.target;
      for (const auto& h : r.headers) line += "|" + h.name + "=" + h.value;
      line += "|" + r.body + (parser.keep_alive() ? "|keep" : "|close");
      out.push_back(std::move(line));
      parser.reset();
    }
  }
  out.push_back(parser.state() == RequestParser::State::start ? "between" : "within");
  return out;
}

const std::vector<std::string> samples = {
    "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "PATCH /scim/v2/x/Users/1?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nX:  padded\t "
    "\r\n\r\n{\"a\":[1,2]}\n",
    "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: "
    "Chunked\r\n\r\n4;q=\"x\"\r\nabcd\r\n0a\r\n0123456789\r\n0\r\nT: r\r\n\r\n",
    "\r\n\r\nDELETE /d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /f?a=b c d HTTP/1.1\r\nHost: h\r\n\r\n",
    "PUT /e HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
};

}  // namespace

TEST_CASE("requests are parsed the same however they are cut", "[server][parser]") {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same every time
  std::string all;
  for (const auto& s : samples) all += s;
  const auto whole = parse(all, {});
  REQUIRE(whole.size() == samples.size() + 1);
  CHECK(whole[0] == "GET /a|Host=h||keep");
  CHECK(whole[1] == "PATCH /scim/v2/x/Users/1?a=b|Host=h|Content-Length=12|X=padded|{\"a\":[1,2]}\n|keep");
  CHECK(whole[2] == "POST /|host=h|transfer-encoding=Chunked|abcd0123456789|keep");
  CHECK(whole[3] == "DELETE /d|Connection=keep-alive||keep");
  CHECK(whole[4] == "GET /f?a=b c d|Host=h||keep");
  CHECK(whole[5] == "PUT /e|Host=h|Connection=close|Content-Length=0||close");
  CHECK(whole.back() == "between");
  for (std::size_t i = 0; i <= all.size(); ++i) REQUIRE(parse(all, {i}) == whole);
  for (int i = 0; i < 500; ++i) {
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; (at += 1 + random() % 40) < all.size();) cuts.push_back(at);
    REQUIRE(parse(all, cuts) == whole);
  }
}

TEST_CASE("mangled requests neither crash nor depend on how they are cut", "[server][parser]") {
  std::mt19937 random(2);  // NOLINT(cert-msc51-cpp): the same every time
  const std::string spice =
      "\r\n :;,\tHTTP/1.1\0\xff"
      "0123456789abcdefXx";
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    for (int n = 0; n < 2; ++n) bytes += samples[random() % samples.size()];
    for (auto n = 1 + random() % 4; n > 0; --n) {
      const auto at = random() % bytes.size();
      switch (random() % 4) {
        case 0: bytes[at] = spice[random() % spice.size()]; break;
        case 1: bytes.erase(at, 1 + random() % 5); break;
        case 2: bytes.insert(at, 1, spice[random() % spice.size()]); break;
        default: bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 30)); break;
      }
    }
    const auto whole = parse(bytes, {});
    const bool bad = whole.back().substr(0, 3) == "bad";
    refused += bad ? 1 : 0;
    const auto cut = random() % (bytes.size() + 1);
    auto other = parse(bytes, {cut});
    // A header that is not whole may be refused already or later; what is taken for a request may not differ.
    if (whole.back() != other.back() && (whole.back() == "within" || other.back() == "within"))
      other.back() = whole.back();
    CAPTURE(bytes, cut);
    REQUIRE(other == whole);
  }
  CHECK(refused > 1000);
}

TEST_CASE("what never ends is refused at its bound", "[server][parser]") {
  const auto status = [](const std::string& head, const std::string& filler) {
    RequestParser parser(limits);
    std::string pending = head;
    for (int i = 0; i < 100'000; ++i) {
      pending.erase(0, parser.feed(pending));
      if (parser.state() == RequestParser::State::bad) return parser.refusal().status;
      pending += filler;
    }
    return 0;
  };
  CHECK(status("GET /", "x") == 414);
  CHECK(status("GET / HTTP/1.1\r\nHost: h\r\nX: ", "x") == 431);
  CHECK(status("GET / HTTP/1.1\r\nHost: h\r\n", "A: b\r\n") == 431);
  CHECK(status("GET / HTTP/1.1\r\nHost: h\r\nX: y", "\r\n z") == 431);
  CHECK(status("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n") == 413);
  CHECK(status("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;", "e") == 400);
  CHECK(status("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n") == 400);
  CHECK(status("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3001\r\n\r\n", "x") == 413);
}

TEST_CASE("spaces in the query of a GET are taken as they are, where the line leaves no doubt",
          "[server][parser]") {
  const std::string rest = "Host: h\r\n\r\n";
  const auto line = [&](const std::string& text) { return parse(text + "\r\n" + rest, {}).front(); };
  CHECK(line("GET /Users?filter=userName eq \"a b\" HTTP/1.1") ==
        "GET /Users?filter=userName eq \"a b\"|Host=h||keep");
  CHECK(line("GET /a?b=c  d&e=f g HTTP/1.1") == "GET /a?b=c  d&e=f g|Host=h||keep");
  // Whoever stands before us may have read another path, method or version.
  for (const auto* bad :
       {"GET /a b?c=d HTTP/1.1", "GET /a b HTTP/1.1", "GET /a?b c HTTP/1.0", "GET /a?b c HTTP/1.1 ",
        "GET /a?b c HTTP/2.0", "GET /a?b c", "POST /a?b c HTTP/1.1", "DELETE /a?b c HTTP/1.1",
        "GET /a?b HTTP/1.1 c HTTP/1.1", "GET /a?b HTTP/1.0 HTTP/1.1", "GET /a?b  HTTP/1.1", "GET  /a?b c HTTP/1.1",
        "GET http://h/a?b c HTTP/1.1", "GET /a?b\tc d HTTP/1.1"})
    CHECK(line(bad).substr(0, 3) == "bad");
  // With what is around it, however it is cut.
  const std::string all =
      samples[1] + "GET /u?f=a eq b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz" + samples[0];
  const auto whole = parse(all, {});
  REQUIRE(whole.size() == 4);
  CHECK(whole[1] == "GET /u?f=a eq b|Host=h|Content-Length=3|xyz|keep");
  for (std::size_t i = 0; i <= all.size(); ++i) REQUIRE(parse(all, {i}) == whole);
  RequestParser parser(limits);
  CHECK(parser.feed("GET /u?f=a ") == 0);
  CHECK(parser.feed("GET /u?f=a eq " + std::string(3000, 'x')) == 0);
  CHECK(parser.refusal().status == 414);
  // The bound of the header holds for what the spaces become.
  CHECK(line("GET /u?f=" + std::string(900, ' ') + "x HTTP/1.1") == "bad 414");
}
