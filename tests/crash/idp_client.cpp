#include "crash/idp_client.hpp"
#include <chrono>
#include <memory>
#include <utility>
#include "support/raw_client.hpp"

namespace deprov::test {

namespace {
constexpr const char* deactivate =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]})";
}

IdpClient::IdpClient(Target target, std::vector<std::string> users, std::size_t connections)
    : target_(std::move(target)), users_(std::move(users)) {
  for (std::size_t i = 0; i < connections; ++i) threads_.emplace_back([this] { run(); });
}

IdpClient::~IdpClient() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& t : threads_) t.join();
}

void IdpClient::release(std::size_t count) {
  {
    const std::lock_guard lock(mutex_);
    released_ = count < users_.size() ? count : users_.size();
  }
  changed_.notify_all();
}

std::vector<std::string> IdpClient::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

void IdpClient::complain(std::string what) {
  const std::lock_guard lock(mutex_);
  complaints_.push_back(std::move(what));
}

bool IdpClient::take(std::size_t& user) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopping_ || next_ < released_ || next_ == users_.size(); });
  if (stopping_ || next_ == users_.size()) return false;
  user = next_++;
  return true;
}

void IdpClient::run() {
  const auto fields = "Authorization: Bearer " + target_.token + "\r\n";
  std::unique_ptr<RawClient> connection;
  std::string last_acknowledged;
  const auto stopped = [&] {
    const std::lock_guard lock(mutex_);
    return stopping_;
  };
  const auto connect = [&]() -> bool {
    for (connection.reset(); !stopped();) {
      connection = std::make_unique<RawClient>(target_.port);
      if (!connection->connected()) {
        // The server is away: nobody can tell when it is back.
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        continue;
      }
      ++reconnections_;
      if (last_acknowledged.empty()) return true;
      const auto path = target_.base + "/Users/" + last_acknowledged;
      if (!connection->send(get_request(path, fields))) continue;
      const auto r = connection->response();
      if (r.status == 0 || r.status == 503) continue;
      if (r.status != 200 || r.body.find("\"active\":false") == std::string::npos)
        complain("acknowledged, and after a restart: " + std::to_string(r.status) + " " + r.body);
      return true;
    }
    return false;
  };
  std::size_t user = 0;
  while (take(user)) {
    const auto request = request_with_body("PATCH", target_.base + "/Users/" + users_[user], deactivate,
                                           fields + "Content-Type: application/scim+json; charset=utf-8\r\n");
    for (bool first = true;; first = false) {
      if (stopped()) return;
      if (!connection && !connect()) return;
      if (!first) ++repeated_;
      const bool sent = connection->send(request);
      const auto r = sent ? connection->response() : RawResponse{};
      if (r.status == 200 || r.status == 204) {
        ++acknowledged_;
        last_acknowledged = users_[user];
        break;
      }
      if (r.status == 503) continue;
      if (r.status != 0) {
        complain("PATCH answered " + std::to_string(r.status) + " " + r.body);
        break;
      }
      connection.reset();
    }
  }
}

}  // namespace deprov::test
