#include "sim/directory.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace deprov::test::sim {

namespace {

constexpr std::size_t page_size = 3;

port::HttpResult as_result(port::HttpResponse response) {
  port::HttpResult r;
  r.response = std::move(response);
  return r;
}

/// The list that an answer holds, or null.
json::array* list_in(json::value& body) {
  if (body.is_array()) return &body.get_array();
  if (!body.is_object()) return nullptr;
  for (const auto* name : {"Resources", "value"})
    if (auto* list = body.get_object().if_contains(name); list != nullptr && list->is_array())
      return &list->get_array();
  return nullptr;
}

std::string without_query(const std::string& url) { return url.substr(0, url.find('?')); }

std::size_t number_in_query(const std::string& url, const std::string& name) {
  const auto at = url.find(name + "=");
  return at == std::string::npos ? 0 : std::stoul("0" + url.substr(at + name.size() + 1));
}

}  // namespace

Directory::Directory(Api api, std::size_t index, const runtime::VirtualClock& clock, std::uint64_t seed)
    : api_(api), host_("idp" + std::to_string(index) + ".example.com"), clock_(clock), rng_(seed, 10 + index) {
  okta_.url = "https://" + host_;
  okta_.page_size = page_size;
  okta_.now = [this] { return clock_.wall(); };
  graph_.url = "https://" + host_ + "/v1.0";
  graph_.login_url = "https://" + host_ + "/login";
}

std::string Directory::kind() const { return api_ == Api::okta ? "okta" : api_ == Api::graph ? "graph" : "scim"; }

json::object Directory::config() const {
  json::object config{
      {"poll", {{"floor_s", 30}, {"ceiling_s", 300}, {"complete_every_s", 1800}, {"max_pages", 60}}}};
  const json::object token{{"type", "token"}, {"token", "t0"}};
  switch (api_) {
    case Api::okta:
      config["okta"] = json::object{{"url", okta_.url}, {"app", "0oa1"}};
      config["auth"] = token;
      break;
    case Api::graph:
      config["graph"] = json::object{{"url", graph_.url},
                                     {"login_url", graph_.login_url},
                                     {"tenant", "contoso.example"},
                                     {"service_principal", "sp1"}};
      config["auth"] = json::object{
          {"type", "client_credentials"}, {"client_id", "c"}, {"client_secret", "s"}, {"client_auth", "post"}};
      break;
    case Api::scim_index:
    case Api::scim_cursor:
      config["scim"] = json::object{{"base_url", "https://" + host_ + "/scim"},
                                    {"page_size", page_size},
                                    {"paging", api_ == Api::scim_index ? "index" : "cursor"}};
      config["auth"] = token;
      break;
  }
  return config;
}

// ---- people

void Directory::enter(const std::string& id) {
  if (!in_.insert(id).second || fault == ApiFault::stands_still) return;
  switch (api_) {
    case Api::okta:
      okta_.users[id] = {"ACTIVE", clock_.wall(), true};
      okta_.assign(id);
      break;
    case Api::graph:
      graph_.assigned.insert(id);
      graph_.set(id, FakeGraph::State::enabled);
      break;
    case Api::scim_index:
    case Api::scim_cursor: scim_[id] = true; break;
  }
}

void Directory::leave(const std::string& id, std::uint32_t how) {
  if (in_.erase(id) == 0 || fault == ApiFault::stands_still) return;
  switch (api_) {
    case Api::okta:
      if (how % 3 == 0) {
        okta_.unassign(id);
      } else if (how % 3 == 1) {
        okta_.deactivate(id);
      } else {
        okta_.erase(id);
      }
      break;
    case Api::graph:
      if (how % 4 == 0) {
        graph_.assigned.erase(id);
      } else if (how % 4 == 1) {
        graph_.set(id, FakeGraph::State::disabled);
      } else if (how % 4 == 2) {
        graph_.set(id, FakeGraph::State::soft_deleted);
      } else {
        graph_.assigned.erase(id);
        graph_.erase(id);
      }
      break;
    case Api::scim_index:
    case Api::scim_cursor:
      if (how % 2 == 0)
        scim_.erase(id);
      else
        scim_[id] = false;
      break;
  }
}

// ---- what is answered

port::HttpResponse Directory::scim(const ApiRequest& request) {
  const auto user = [](const auto& u) {
    return json::object{
        {"id", u.first}, {"externalId", "x" + u.first}, {"userName", u.first}, {"active", u.second}};
  };
  const auto say = [](int status, const json::object& o) {
    return port::HttpResponse{status, {}, json::serialize(o)};
  };
  if (request.authorization != "Bearer t0") return say(401, {{"status", "401"}});
  if (const auto at = request.url.find("/Users/"); at != std::string::npos) {
    const auto u = scim_.find(request.url.substr(at + 7));
    if (u == scim_.end()) return say(404, {{"status", "404"}, {"detail", "no such user"}});
    return say(200, user(*u));
  }
  const bool by_cursor = api_ == Api::scim_cursor;
  const auto start = number_in_query(request.url, by_cursor ? "cursor" : "startIndex");
  const auto from = by_cursor || start == 0 ? start : start - 1;
  json::array resources;
  std::size_t i = 0;
  for (const auto& u : scim_) {
    if (i >= from && i < from + page_size) resources.push_back(user(u));
    ++i;
  }
  json::object o{{"totalResults", scim_.size()}, {"Resources", std::move(resources)}};
  if (!by_cursor) o["startIndex"] = from + 1;
  if (by_cursor && from + page_size < scim_.size()) o["nextCursor"] = std::to_string(from + page_size);
  return say(200, o);
}

port::HttpResponse Directory::truth(const ApiRequest& request) {
  if (api_ == Api::okta) return okta_(request);
  if (api_ == Api::graph) return graph_(request);
  return scim(request);
}

/// The first `keep` records of a list, with everything else as it was, or with a count that is right for them.
port::HttpResponse Directory::shortened(const port::HttpResponse& good, std::size_t keep, bool recounted) {
  auto out = good;
  auto body = json::parse(good.body);
  auto* list = list_in(body);
  if (list == nullptr || list->size() <= keep) return out;
  list->erase(list->begin() + static_cast<std::ptrdiff_t>(keep), list->end());
  if (recounted && body.is_object()) {
    if (body.get_object().contains("totalResults")) body.get_object()["totalResults"] = list->size();
    body.get_object().erase("nextCursor");
  }
  out.body = json::serialize(body);
  return out;
}

port::HttpResponse Directory::shuffled(const port::HttpResponse& good) {
  auto out = good;
  auto body = json::parse(good.body);
  auto* list = list_in(body);
  if (list == nullptr || list->empty()) return out;
  const auto once = *list;
  list->insert(list->end(), once.begin(), once.end());
  for (std::size_t i = list->size() - 1; i > 0; --i)
    std::swap((*list)[i], (*list)[rng_.below(static_cast<std::uint32_t>(i + 1))]);
  out.body = json::serialize(body);
  return out;
}

std::optional<port::HttpResult> Directory::spoil(const std::string& url, const port::HttpResponse& good) {
  const auto say = [](int status, std::string body, std::vector<port::HttpHeader> headers = {}) {
    return as_result({status, std::move(headers), std::move(body)});
  };
  if (fault == ApiFault::cut_off_and_denied && good.status == 200) {
    // Whoever is asked for alone.
    if (url.find("/Users/") != std::string::npos) return say(404, R"({"status":"404"})");
    if (url.find("/Users?") != std::string::npos) return as_result(shortened(good, 1, true));
    return std::nullopt;
  }
  const auto p = rng_.below(1000);
  if (p >= 150 + 150 * (fog_ % 4)) return std::nullopt;
  const bool list = good.status == 200 && (good.body.starts_with('[') || good.body.find('[') != std::string::npos);
  switch (rng_.below(19)) {
    case 0: return list ? std::optional(as_result(shortened(good, 0, false))) : std::nullopt;
    case 1:
      if (!list) return std::nullopt;
      return api_ == Api::okta ? say(200, "[]") : say(200, R"({"totalResults":0,"Resources":[],"value":[]})");
    case 2: return list ? std::optional(as_result(shortened(good, 1 + rng_.below(2), false))) : std::nullopt;
    case 3: return list ? std::optional(as_result(shortened(good, 1 + rng_.below(2), true))) : std::nullopt;
    case 4: return say(200, good.body.substr(0, rng_.below(static_cast<std::uint32_t>(good.body.size() + 1))));
    case 5:
    case 6: {
      const auto first = first_pages_.find(without_query(url));
      return first == first_pages_.end() ? std::nullopt : std::optional(as_result(first->second));
    }
    case 7: return say(429, "{}", {{"Retry-After", std::to_string(rng_.below(120))}});
    case 8:
      return say(429, R"({"errorCode":"E0000047","errorSummary":"API call exceeded rate limit"})",
                 {{"X-Rate-Limit-Limit", "600"},
                  {"X-Rate-Limit-Remaining", "0"},
                  {"X-Rate-Limit-Reset", std::to_string(clock_.wall().micros / 1'000'000 + rng_.below(90))}});
    case 9: return say(429, "");
    case 10:
      graph_.restart_tokens();  // the one that deprov has is none any more
      return api_ == Api::graph ? std::nullopt : std::optional(say(401, R"({"errorCode":"E0000011"})"));
    case 11:
      return say(410, R"({"error":{"code":"resyncRequired","message":"Resync required"},"status":"410"})",
                 {{"Location", "https://" + host_ + "/v1.0/users/delta?$deltatoken="}});
    case 12: return say(400, R"({"error":{"code":"syncStateNotFound","message":"x"},"scimType":"expiredCursor"})");
    case 13: return say(500, R"({"errorCode":"E0000009","errorSummary":"Internal Server Error"})");
    case 14: return say(503, "", {{"Retry-After", "20"}});
    case 15: return say(200, "<html>Sign in</html>");
    case 16: {
      port::HttpResult r;
      r.failure = {port::HttpFailure::Kind::broken, true, "the connection broke"};
      return r;
    }
    default: return list ? std::optional(as_result(shuffled(good))) : std::nullopt;
  }
}

Directory::Answer Directory::answer(const port::HttpRequest& request) {
  ++asked;
  ApiRequest asks{request.method, request.url, {}, request.body};
  for (const auto& h : request.headers)
    if (h.name == "Authorization") asks.authorization = h.value;
  auto good = truth(asks);
  Answer out;
  out.after = std::chrono::milliseconds(1 + rng_.below(fog_ != 0 ? 4000 : 200));
  const bool login = request.url.find("/login/") != std::string::npos;
  if (fog_ != 0 && !login) {
    if (auto bad = spoil(request.url, good)) {
      ++spoiled;
      out.result = std::move(*bad);
      return out;
    }
  }
  if (good.status == 200 && !login) first_pages_.try_emplace(without_query(request.url), good);
  out.result = as_result(std::move(good));
  return out;
}

// ---- the way to it

port::HttpCallId DirectoryHttp::send(port::HttpRequest request,
                                     port::UniqueFunction<void(port::HttpResult)> done) {
  const auto id = ++last_;
  calls_->waiting.emplace(id, std::move(done));
  auto* directory = find_(request.url);
  if (directory == nullptr) {
    port::HttpResult nobody;
    nobody.failure = {port::HttpFailure::Kind::resolve, false, "there is no such host"};
    answer(id, std::move(nobody), Duration(std::chrono::milliseconds(1)));
    return id;
  }
  auto answered = directory->answer(request);
  answer(id, std::move(answered.result), answered.after);
  return id;
}

void DirectoryHttp::cancel(port::HttpCallId id) {
  if (!calls_->waiting.contains(id)) return;
  port::HttpResult r;
  r.failure = {port::HttpFailure::Kind::cancelled, true, "cancelled"};
  answer(id, std::move(r), Duration{0});
}

void DirectoryHttp::answer(port::HttpCallId id, port::HttpResult result, Duration after) {
  auto shared = std::make_shared<port::HttpResult>(std::move(result));
  world_.post_at(clock_.mono() + after, [weak = std::weak_ptr(calls_), id, shared] {
    const auto calls = weak.lock();
    if (!calls) return;
    const auto at = calls->waiting.find(id);
    if (at == calls->waiting.end()) return;
    auto done = std::move(at->second);
    calls->waiting.erase(at);
    done(std::move(*shared));
  });
}

}  // namespace deprov::test::sim
