#pragma once
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/idp/feed_graph.hpp>
#include <deprov/idp/feed_wire.hpp>
#include <deprov/idp/impl/feed_graph_answer.ipp>
#include <set>
#include <utility>

namespace deprov::idp {

namespace detail {

inline constexpr std::string_view graph_select = "$select=id,userPrincipalName,mail,accountEnabled";
/// More of them are not kept: then members of any group are hints.
inline constexpr std::size_t graph_max_kept_groups = 1000;
inline constexpr std::size_t graph_max_groups = 50'000;

struct GraphCheckpoint {
  std::string users, groups;  ///< delta links
  std::string assigned;       ///< digest of the assignments
  bool all_groups = false;    ///< which groups are assigned is not kept
  std::set<std::string> group_ids{};
};

inline std::string to_text(const GraphCheckpoint& c) {
  json::object o{{"v", 1}, {"users", c.users}};
  if (!c.groups.empty()) {
    o["groups"] = c.groups;
    o["assigned"] = c.assigned;
    o["all_groups"] = c.all_groups;
    o["group_ids"] = json::array(c.group_ids.begin(), c.group_ids.end());
  }
  return json::serialize(o);
}

inline Result<GraphCheckpoint> parse_graph_checkpoint(const std::string& text, std::string_view origin, bool app) {
  const auto bad = [] {
    return Error(Errc::invalid_value, "it is no checkpoint of this Graph feed", "checkpoint");
  };
  const auto value = parse_answer(text);
  const auto* o = value ? value->if_object() : nullptr;
  const auto* version = o == nullptr ? nullptr : o->if_contains("v");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 1) return bad();
  GraphCheckpoint c;
  c.users = text_in(*o, "users");
  c.groups = text_in(*o, "groups");
  c.assigned = text_in(*o, "assigned");
  if (!check_link(c.users, origin) || app == c.groups.empty()) return bad();
  if (!app) return c;
  const auto* all = o->if_contains("all_groups");
  const auto* ids = o->if_contains("group_ids");
  if (!check_link(c.groups, origin) || c.assigned.empty() || all == nullptr || !all->is_bool() || ids == nullptr ||
      !ids->is_array())
    return bad();
  c.all_groups = all->get_bool();
  for (const auto& id : ids->get_array()) {
    if (!id.is_string()) return bad();
    c.group_ids.emplace(id.get_string());
  }
  return c;
}

class GraphRound : public FeedRound {
 public:
  GraphRound(const GraphFeedConfig& config, std::string origin) : config_(config), origin_(std::move(origin)) {}

  [[nodiscard]] std::optional<FeedRequest> next() const override {
    if (url_.empty()) return std::nullopt;
    FeedRequest request;
    request.url = url_;
    request.headers = {{"Accept", "application/json"}};
    if (eventual_) request.headers.push_back({"ConsistencyLevel", "eventual"});
    if (!body_.empty()) {
      request.method = "POST";
      request.body = body_;
      request.headers.push_back({"Content-Type", "application/json"});
    }
    return request;
  }

 protected:
  void ask(std::string_view path) {
    url_ = config_.url + "/" + std::string(path);
    body_.clear();
    eventual_ = false;
  }
  void follow(std::string link) {
    url_ = std::move(link);
    body_.clear();
  }
  /// The page, or why there is none.
  Result<GraphPage> page(const FeedResponse& response, FeedAnswer& answer) const {
    answer.page.quota = graph_quota(response);
    if (auto failure = graph_failure(response)) {
      const Error why(Errc::unavailable, failure->detail);
      answer.failure = std::move(failure);
      return why;
    }
    auto page = graph_page(response, origin_);
    if (page && !page->next.empty() && page->next == url_)
      page = Error(Errc::protocol, "a page says that it follows itself");
    if (!page) answer = refused(page.error());
    return page;
  }
  [[nodiscard]] std::string top() const { return "$top=" + std::to_string(config_.page_size); }
  [[nodiscard]] std::string assignments() const {
    return "servicePrincipals/" + feed_encode(config_.service_principal) + "/appRoleAssignedTo?" + top();
  }
  [[nodiscard]] bool of_app() const noexcept { return !config_.service_principal.empty(); }

  const GraphFeedConfig config_;
  const std::string origin_;
  std::string url_;  ///< empty: the round is over
  std::string body_;
  bool eventual_ = false;
};

}  // namespace detail

}  // namespace deprov::idp
