// What is recorded of a connector's exchanges over HTTP, and what is not.
#include "plugin/recording.hpp"
#include <sys/stat.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/json_schema.hpp>
#include <sstream>
#include <stdexcept>
#include "plugin/zoo.hpp"
#include "support/test_server.hpp"

using namespace deprov;
using namespace deprov::test;
using plugin::RecordedExchange;
using zoo::Cage;

namespace {

constexpr auto token = R"(hun"ter/2 &two<two>)";
constexpr auto in_base64 = "YW5uOmh1biJ0ZXIvMiAmdHdvPHR3bz4=";  // ann:TOKEN

/// Each form in which the token, or what the app gave, could stand in a recording; and pieces of it.
void check_clean(const std::string& text) {
  for (const char* bad : {token, "hun\"ter", "hun\\\"ter", "hun%22ter", "ter%2F2", "ter%2f2", "ter\\/2", "ter/2",
                          "two&lt;two", "two%3Ctwo", "two<two", "h1biJ0ZXIvMiAmdHdvPHR3", "fresh-from-the-app",
                          "cookie-of-the-app", "of-the-app"}) {
    CAPTURE(bad);
    CHECK(text.find(bad) == std::string::npos);
  }
}

Answer echoing_app(const ServerRequest&) {
  auto echo = json::serialize(json::string(token));
  return respond_json(200,
                      "{\"access_token\":\"fresh-from-the-app\",\"echo\":" + echo + ",\"basic\":\"" + in_base64 +
                          "\",\"form\":\"a=hun%22ter%2f2+%26two%3ctwo%3e\",\"xml\":\"<a>hun&quot;ter/2 "
                          "&amp;two&lt;two&gt;</a>\",\"users\":[\"ann@example.com\"]}",
                      {{"Set-Cookie", "sid=cookie-of-the-app"}, {"X-Echo", token}});
}

struct Recorded {
  std::mutex mutex;
  std::vector<RecordedExchange> all;
};

std::string keeper_manifest() { return cli::slurp(source_dir() + "/tests/plugin/zoo/keeper.json"); }

}  // namespace

TEST_CASE("exchanges are recorded without credentials, in the process and in a worker") {
  const TestServer server(&echoing_app);
  for (const bool in_worker : {false, true}) {
    CAPTURE(in_worker);
    const Cage cage("keeper", keeper_manifest());
    const auto recorded = std::make_shared<Recorded>();
    auto options = in_worker ? cage.in_workers() : cage.allowed();
    options.record = [recorded](const RecordedExchange& exchange) {
      const std::lock_guard lock(recorded->mutex);
      recorded->all.push_back(exchange);
    };
    auto kinds = plugin::load_plugins(options, *crypto::make_crypto());
    REQUIRE(kinds);
    Bench bench;
    for (const auto& base : {server.url(), "http://127.0.0.1:" + std::to_string(closed_port())}) {
      auto app = kinds->at("keeper")->open({{"token", token}, {"base_url", base}}, bench.host());
      REQUIRE(app);
      check_outcome(Bench::call(**app, zoo::find("ann@example.com")),
                    base == server.url() ? Outcome::ok : Outcome::not_sent);
    }
    const std::lock_guard lock(recorded->mutex);
    REQUIRE(recorded->all.size() == 2);
    const auto& e = recorded->all[0];
    CHECK(e.connector == "keeper");
    CHECK(e.operation == Operation::find);
    CHECK(e.method == "POST");
    CHECK(e.url == server.url() + "/accounts?api_key=***&q=x***&by=ann%40example.com");
    CHECK(e.status == 200);
    CHECK(e.request.body == R"({"secret":"***","note":"***!"})");
    CHECK(e.request.bytes > e.request.body.size());
    CHECK(e.response.body.find("ann@example.com") != std::string::npos);
    CHECK(e.duration_ms >= 0);
    const auto& f = recorded->all[1];
    CHECK(f.failure == "connect");
    CHECK_FALSE(f.sent);
    const auto schema = json::parse(cli::slurp(source_dir() + "/schemas/connector-recording.schema.json"));
    for (const auto& one : recorded->all) {
      const auto line = plugin::recorded_json(one);
      const auto fits = validate_json(schema, line);
      INFO(json::serialize(line));
      CHECK(fits);
      check_clean(json::serialize(line));
    }
  }
}

TEST_CASE("what throws while an exchange is recorded takes nothing from the connector") {
  const TestServer server(&echoing_app);
  const Cage cage("keeper", keeper_manifest());
  auto options = cage.allowed();
  options.record = [](const RecordedExchange&) { throw std::runtime_error("the disk is full"); };
  auto kinds = plugin::load_plugins(options, *crypto::make_crypto());
  REQUIRE(kinds);
  Bench bench;
  auto app = kinds->at("keeper")->open({{"token", token}, {"base_url", server.url()}}, bench.host());
  REQUIRE(app);
  check_outcome(Bench::call(**app, zoo::find("ann@example.com")), Outcome::ok);
  CHECK(cage.log().find("an exception came out of what records its exchanges") != std::string::npos);
}

TEST_CASE("`deprov connector check --record` writes a line for each exchange, for this user alone") {
  const TestServer server(&echoing_app);
  const Cage cage("keeper", keeper_manifest());
  (void)cage.scratch().write(
      "fixture.txt", json::serialize(json::object{{"config", {{"token", token}, {"base_url", server.url()}}},
                                                  {"account", {{"user_name", "ann@example.com"}}}}));
  const auto file = cage.scratch().write("lines.jsonl", "what was there before\n");
  const auto ran =
      cli::run(cage.scratch(), "connector check '" + cage.library() + "' --fixture '" + cage.file("fixture.txt") +
                                   "' --only contract --record '" + file + "'");
  INFO(ran.out);
  INFO(ran.err);
  struct stat is {};
  REQUIRE(::stat(file.c_str(), &is) == 0);
  CHECK((is.st_mode & 0777U) == 0600U);
  const auto text = cli::slurp(file);
  check_clean(text);
  const auto schema = json::parse(cli::slurp(source_dir() + "/schemas/connector-recording.schema.json"));
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    boost::system::error_code ec;
    const auto value = json::parse(line, ec);
    INFO(line);
    REQUIRE_FALSE(ec);
    CHECK(validate_json(schema, value));
  }
  CHECK(count >= 2);  // in the process, and in a worker
  CHECK(count == server.requests().size());
  const auto refused = cli::run(cage.scratch(), "connector check '" + cage.library() + "' --record /dev/null");
  CHECK(refused.code != 0);
  CHECK(refused.err.find("--record /dev/null") != std::string::npos);
}

TEST_CASE("what speaks of credentials is taken out of URLs and bodies, and the rest is not") {
  const plugin::Recorder recorder({"open-sesame"});
  const auto clean = [&](std::string_view text) { return recorder.text(text, 1000); };
  for (const char* same :
       {"https://token.example.com:8443/users?active=true", R"({"key":"name","at":"12:30","ok":true})",
        "grant_type=client_credentials&scope=a", "<user><name>Ann</name></user>", "", "a:b=c>d"})
    CHECK(clean(same) == same);
  CHECK(clean("?client_secret=a&b=1") == "?client_secret=***&b=1");
  CHECK(clean(R"({"Access-Token" : "a\"b", "n": 1})") == R"({"Access-Token" : "***", "n": 1})");
  CHECK(clean(R"({"tokens":["a","b]"],"n":{"password":17}})") == R"({"tokens":"***","n":{"password":"***"}})");
  CHECK(clean(R"({"credentials":{"a":"}","b":2},"n":1})") == R"({"credentials":"***","n":1})");
  CHECK(clean(R"({"in":"{\"password\":\"x y\",\"n\":1}"})") == R"({"in":"{\"password\":\"***\",\"n\":1}"})");
  CHECK(clean("<ns:Password>x</ns:Password><a/>") == "<ns:Password>***</ns:Password><a/>");
  CHECK(clean(R"({"password":"never ends)") == R"({"password":"***")");
  CHECK(clean("is open-sesame.") == "is ***.");
  CHECK(clean("\xFF is no text") == "? is no text");
}

TEST_CASE("a secret is taken out in every way in which the texts of the web can say it") {
  const plugin::Recorder recorder({R"(p!s's (w"o/r)d*<~&\é)", "hunter2"});
  const auto clean = [&](std::string_view text) { return recorder.text(text, 1000); };
  // encodeURIComponent, and what leaves more of a query as it is, or less.
  for (const char* same : {"p!s's%20(w%22o%2Fr)d*%3C~%26%5C%C3%A9", "p!s%27s+(w%22o/r)d*%3c~%26%5c%c3%a9",
                           "%70%21%73%27%73%20%28%77%22%6F%2F%72%29%64%2A%3C%7E%26%5C%C3%A9",
                           // JSON as Go, PHP and Python write it, and with everything escaped.
                           R"(p!s's (w\"o/r)d*\u003c~\u0026\\é)", R"(p!s's (w\"o\/r)d*<~&\\\u00e9)",
                           R"(p!s\u0027s (w\u0022o\u002Fr)d*\u003C~&\u005C\u00E9)",
                           // XML.
                           "p!s's (w\"o/r)d*&lt;~&amp;\\é", "p!s&#39;s (w&#34;o/r)d*&lt;~&amp;\\&#233;",
                           "p!s&#x27;s (w&quot;o&#x2F;r)d*&#x0003c;~&#38;&#92;&#xe9;"}) {
    CAPTURE(same);
    CHECK(clean(std::string("a ").append(same).append(" z")) == "a *** z");
  }
  CHECK(clean(R"(\ud83d\ude00 \ud83d %4 %zz & &#; &#x110000; \u12 \)") ==
        R"(\ud83d\ude00 \ud83d %4 %zz & &#; &#x110000; \u12 \)");
  CHECK(clean("hunter%32 h%75nter2") == "*** ***");
}

TEST_CASE("credentials that nobody configured are found where they stand in a text") {
  const plugin::Recorder recorder({});
  const auto clean = [&](std::string_view text) { return recorder.text(text, 1000); };
  CHECK(clean(R"(<w:Password Type="#PasswordText">x y</w:Password><a/>)") ==
        R"(<w:Password Type="#PasswordText">***</w:Password><a/>)");
  CHECK(clean("<token><![CDATA[a<b]]></token><n>1</n>") == "<token>***</token><n>1</n>");
  CHECK(clean("<Credentials><a>x</a><b>y</b></Credentials><n>1</n>") == "<Credentials>***</Credentials><n>1</n>");
  CHECK(clean("<token/><n a=\"b>c\">1</n></token><token>never ends") ==
        "<token/><n a=\"b>c\">1</n></token><token>***");
  CHECK(clean("password=a,b;c'd}e&n=1") == "password=***&n=1");
  CHECK(clean("Authorization=Bearer abc def") == "Authorization=*** def");
  CHECK(clean("n: 1\r\nAuthorization: Basic YTpi\r\nn: 2") == "n: 1\r\nAuthorization: ***\r\nn: 2");
  CHECK(clean("api_key: abc, n: 1") == "api_key: *** n: 1");
  CHECK(clean(R"({"a":"{\"b\":\"{\\\"token\\\":\\\"x y\\\",\\\"n\\\":1}\"}"})") ==
        R"({"a":"{\"b\":\"{\\\"token\\\":\\\"***\\\",\\\"n\\\":1}\"}"})");
  CHECK(clean(R"({"in":"{\"password\":\"x\\\" y\",\"n\":1}"})") == R"({"in":"{\"password\":\"***\",\"n\":1}"})");
  CHECK(clean("see https://ann:pw@example.com/a@b or redis://:pw@h, ann@example.com") ==
        "see https://***@example.com/a@b or redis://***@h, ann@example.com");
  CHECK(clean("?key=abc&sig=def&pwd=ghi&monkey=1&code=jkl") == "?key=***&sig=***&pwd=***&monkey=1&code=***");
  CHECK(clean(R"({"pwd":"a","otp":"123456","key":"ABC-1","code":7})") ==
        R"({"pwd":"***","otp":"***","key":"ABC-1","code":7})");
}

TEST_CASE("text that is made to be slow is not") {
  const plugin::Recorder recorder({std::string(512, '&')});
  for (const char* piece : {">", "<", ":", "=", "\"", "\\", "://", "://@", "<token>", "token=", "\"token\":[",
                            "\"token\":\\\"", "&", "%26", "&#38;", "&#", "\\u0026"}) {
    std::string text;
    while (text.size() < 50'000) text += piece;
    CHECK(recorder.text(text, plugin::max_recorded_body_bytes).size() <= plugin::max_recorded_body_bytes);
  }
}

TEST_CASE("what is recorded is bounded, and a cut shows no piece of a secret") {
  const std::string secret(300, 's');
  const plugin::Recorder recorder({secret});
  for (std::size_t before = 0; before < 1000; ++before) {
    const auto text = std::string(before, '.') + secret + std::string(2000, '.');
    const auto out = recorder.text(text, 100);
    CHECK(out.size() <= 100);
    CHECK(out.find('s') == std::string::npos);
  }
  port::HttpRequest request;
  request.body.assign(std::size_t{1} << 20U, '.');
  request.headers.assign(500, {"X", "1"});
  const auto e = recorder.begin("app", Operation::read, request, {});
  CHECK(e.request.body.size() == plugin::max_recorded_body_bytes);
  CHECK(e.request.bytes == request.body.size());
  CHECK(e.request.headers.size() == plugin::max_recorded_headers);
}
