// A receiver of webhooks that knows the Standard Webhooks specification and nothing of deprov.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>
#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>
#include "catch.hpp"
#include "support/test_server.hpp"

namespace deprov::test {

inline std::string from_base64(const std::string& text) {
  std::string out(text.size() / 4 * 3, '\0');
  const auto n =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  REQUIRE(n >= 0);
  auto size = static_cast<std::size_t>(n);
  for (auto at = text.size(); at > 0 && text[at - 1] == '='; --at) --size;
  out.resize(size);
  return out;
}

inline std::string to_base64(const std::string& bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const auto n =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

/// What the specification says: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` under the bytes that
/// are behind `whsec_`; one of several signatures is enough; the timestamp is not far from now.
inline bool verified(const ServerRequest& r, const std::string& secret) {
  REQUIRE(secret.rfind("whsec_", 0) == 0);
  const auto key = from_base64(secret.substr(6));
  const auto id = r.header("webhook-id").value_or("");
  const auto timestamp = r.header("webhook-timestamp").value_or("");
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  if (id.empty() || std::llabs(std::atoll(timestamp.c_str()) - now.count()) > 300) return false;
  const auto signed_text = id + "." + timestamp + "." + r.body;
  std::string digest(32, '\0');
  unsigned int size = 32;
  REQUIRE(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
               reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(),
               reinterpret_cast<unsigned char*>(digest.data()), &size) != nullptr);
  const auto expected = "v1," + to_base64(digest);
  const auto given = " " + r.header("webhook-signature").value_or("") + " ";
  return given.find(" " + expected + " ") != std::string::npos;
}

/// Takes messages, and answers as it is told.
class Inbox {
 public:
  explicit Inbox(bool tls = false) : server_([this](const ServerRequest& r) { return answer(r); }, tls) {}
  std::atomic<int> status{204};
  std::atomic<int> redirects{0};      ///< so many are answered with one
  std::string elsewhere;              ///< where those lead
  std::atomic<pid_t> kill_sender{0};  ///< ended the hard way when the next message is here, before it is answered
  [[nodiscard]] const TestServer& server() const { return server_; }
  [[nodiscard]] std::vector<ServerRequest> requests() const { return server_.requests(); }
  [[nodiscard]] std::string url() const { return server_.url() + "/in"; }
  /// The names of who is told of, message by message, each message once.
  [[nodiscard]] std::vector<std::string> told() const {
    std::set<std::string> seen;
    std::vector<std::string> names;
    for (const auto& r : requests()) {
      if (!seen.insert(r.header("webhook-id").value_or("")).second) continue;
      const auto message = boost::json::parse(r.body);
      for (const auto& e : message.at("data").at("events").as_array())
        names.emplace_back(e.at("user_name").as_string());
    }
    return names;
  }

  /// The events of all messages, each message once.
  [[nodiscard]] std::vector<boost::json::value> events() const {
    std::set<std::string> seen;
    std::vector<boost::json::value> all;
    for (const auto& r : requests()) {
      if (!seen.insert(r.header("webhook-id").value_or("")).second) continue;
      const auto message = boost::json::parse(r.body);
      for (const auto& e : message.at("data").at("events").as_array()) all.push_back(e);
    }
    return all;
  }

 private:
  Answer answer(const ServerRequest&) {
    if (const auto pid = kill_sender.exchange(0); pid != 0) {
      ::kill(pid, SIGKILL);
      return close_now();
    }
    if (redirects > 0) {
      --redirects;
      return respond(307, "", {{"Location", elsewhere}});
    }
    return respond(status);
  }
  TestServer server_;
};

}  // namespace deprov::test
