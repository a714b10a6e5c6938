// An IdP's API that answers what a test says, and what a feed made of it.
#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/idp/feed.hpp>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "catch.hpp"

namespace deprov::test {

namespace json = boost::json;
using namespace deprov::idp;

inline WallTime at(std::string_view text) {
  const auto t = parse_rfc3339(text);
  REQUIRE(t.has_value());
  return *t;
}

/// A row, kept beyond the call that carried it.
struct SeenUser {
  std::string id;
  FeedState state = FeedState::granted;
  Cause cause = Cause::none;
  std::string user_name{}, email{}, external_id{};
  std::optional<WallTime> changed{};
};

/// What one round did.
struct Played {
  std::vector<FeedRequest> requests;
  std::vector<SeenUser> users;
  std::optional<FeedFailure> failure;
  std::vector<FeedPage> pages;
  std::string checkpoint;
  bool capped = false;

  [[nodiscard]] std::vector<std::string> urls() const {
    std::vector<std::string> all;
    for (const auto& r : requests) all.push_back(r.url);
    return all;
  }
  /// "id state cause", one a row.
  [[nodiscard]] std::vector<std::string> rows() const {
    static const std::map<FeedState, std::string> names = {{FeedState::granted, "granted"},
                                                           {FeedState::ended, "ended"},
                                                           {FeedState::removed, "removed"},
                                                           {FeedState::unstated, "unstated"},
                                                           {FeedState::hint, "hint"}};
    std::vector<std::string> all;
    for (const auto& u : users) {
      auto row = u.id;
      row.append(" ").append(names.at(u.state));
      if (u.cause != Cause::none) row.append(" ").append(to_string(u.cause));
      all.push_back(std::move(row));
    }
    return all;
  }
};

inline FeedResponse answer(int status, std::string body, std::vector<FeedHeader> headers = {}) {
  FeedResponse r;
  r.status = status;
  r.body = std::move(body);
  r.headers = std::move(headers);
  r.now = at("2026-03-01T12:00:00Z");
  return r;
}

/// Plays a round against `api`. Ends at the first failure, as a driver that does not retry.
inline Played play(FeedRound& round, const std::function<FeedResponse(const FeedRequest&)>& api,
                   std::size_t most = 100) {
  Played played;
  const FeedSink sink = [&](const FeedUser& u) {
    CHECK_FALSE(u.id.empty());
    played.users.push_back({std::string(u.id), u.state, u.cause, std::string(u.user_name), std::string(u.email),
                            std::string(u.external_id), u.changed});
  };
  while (auto request = round.next()) {
    REQUIRE(played.requests.size() < most);
    played.requests.push_back(*request);
    auto said = round.read(api(*request), sink);
    played.failure = std::move(said.failure);
    if (played.failure) return played;
    played.capped = played.capped || said.page.capped;
    played.pages.push_back(said.page);
  }
  played.checkpoint = round.checkpoint();
  return played;
}

/// The answers one after the other, whatever is asked.
inline Played play(FeedRound& round, std::deque<FeedResponse> answers) {
  return play(round, [&](const FeedRequest& request) {
    INFO(request.url);
    REQUIRE_FALSE(answers.empty());
    auto next = std::move(answers.front());
    answers.pop_front();
    return next;
  });
}

inline std::unique_ptr<FeedRound> begin(const Feed& feed, std::string checkpoint = {}, bool complete = false) {
  auto round = feed.begin({std::move(checkpoint), complete, at("2026-03-01T12:00:00Z")});
  REQUIRE(round.has_value());
  return std::move(*round);
}

using MakeFeed = Result<std::unique_ptr<Feed>>(const json::object& config);
/// What an adapter makes of a config.
inline Result<std::unique_ptr<Feed>> made(MakeFeed* make, std::string_view config) {
  return make(json::parse(config).as_object());
}

}  // namespace deprov::test
