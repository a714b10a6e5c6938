// The other side of webhooks, in memory: takes requests, answers as it is told.
#pragma once

#include <algorithm>
#include <boost/json/parse.hpp>
#include <deprov/port/http_transport.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace deprov::test {

class Receiver final : public port::HttpTransport {
 public:
  std::vector<port::HttpRequest> got;
  std::deque<int> script;  ///< the next statuses; 0: no answer
  int status = 200;        ///< otherwise
  std::vector<port::HttpHeader> answer_headers;
  bool silent = false;  ///< requests are kept waiting
  std::size_t most_at_once = 0;

  port::HttpCallId send(port::HttpRequest request, port::UniqueFunction<void(port::HttpResult)> done) override {
    got.push_back(std::move(request));
    waiting_.emplace_back(++last_, std::move(done));
    most_at_once = std::max(most_at_once, waiting_.size());
    if (!silent) answer();
    return last_;
  }
  void cancel(port::HttpCallId id) override {
    for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
      if (it->first != id) continue;
      auto done = std::move(it->second);
      waiting_.erase(it);
      port::HttpResult r;
      r.failure.kind = port::HttpFailure::Kind::cancelled;
      return done(std::move(r));
    }
  }
  /// Answers the oldest request that waits.
  void answer() {
    if (waiting_.empty()) return;
    auto done = std::move(waiting_.front().second);
    waiting_.pop_front();
    int s = status;
    if (!script.empty()) {
      s = script.front();
      script.pop_front();
    }
    port::HttpResult r;
    if (s == 0) {
      r.failure.kind = port::HttpFailure::Kind::timeout;
    } else {
      r.response = port::HttpResponse{s, answer_headers, ""};
    }
    done(std::move(r));
  }
  /// The process that waited is gone.
  void forget() { waiting_.clear(); }

  static std::string header(const port::HttpRequest& request, std::string_view name) {
    for (const auto& h : request.headers)
      if (h.name == name) return h.value;
    return {};
  }
  [[nodiscard]] std::string header(std::size_t i, std::string_view name) const { return header(got.at(i), name); }
  /// The types of all events that were told, message by message.
  [[nodiscard]] std::vector<std::string> types(std::size_t from = 0) const {
    std::vector<std::string> out;
    for (std::size_t i = from; i < got.size(); ++i)
      for (const auto& e : events(i)) out.emplace_back(e.at("type").as_string());
    return out;
  }
  [[nodiscard]] boost::json::array events(std::size_t i) const {
    return boost::json::parse(got.at(i).body).at("data").at("events").as_array();
  }

 private:
  std::deque<std::pair<port::HttpCallId, port::UniqueFunction<void(port::HttpResult)>>> waiting_;
  port::HttpCallId last_ = 0;
};

}  // namespace deprov::test
