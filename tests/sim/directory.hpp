// The API of an IdP that deprov polls: who is in it and who is not, and every way in which its answers may be
// wrong.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <deprov/port/http_transport.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/virtual_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include "sim/rng.hpp"
#include "support/fake_graph.hpp"
#include "support/fake_okta.hpp"

namespace deprov::test::sim {

namespace json = boost::json;

/// What a mistake in an API, or in the feed that reads it, would be.
enum class ApiFault : std::uint8_t {
  none,
  /// Lists are cut off in fog and say that they are whole, and whoever is asked for alone is denied then.
  cut_off_and_denied,
  /// It shows nobody who comes or leaves, and says nothing of it.
  stands_still,
};

/// One directory. What it holds is what its people see; what it answers may be anything while there is fog.
/// *Thread safety*: the world's one thread.
class Directory {
 public:
  enum class Api : std::uint8_t { scim_index, scim_cursor, okta, graph };
  Directory(Api api, std::size_t index, const runtime::VirtualClock& clock, std::uint64_t seed);

  /// What a source of it is added by.
  [[nodiscard]] std::string kind() const;
  [[nodiscard]] json::object config() const;
  [[nodiscard]] bool serves(const std::string& url) const { return url.find(host_) != std::string::npos; }
  /// The answer, and after how long it comes.
  struct Answer {
    port::HttpResult result;
    Duration after{0};
  };
  [[nodiscard]] Answer answer(const port::HttpRequest& request);

  void enter(const std::string& id);
  /// `how`: in one of the ways that this IdP has.
  void leave(const std::string& id, std::uint32_t how);
  [[nodiscard]] bool in(const std::string& id) const { return in_.contains(id); }

  /// How bad the answers are; 0: not at all.
  void fog(std::uint32_t how_bad) { fog_ = how_bad; }
  [[nodiscard]] bool foggy() const noexcept { return fog_ != 0; }
  ApiFault fault = ApiFault::none;
  std::uint64_t spoiled = 0;  ///< answers
  std::uint64_t asked = 0;

 private:
  port::HttpResponse truth(const ApiRequest& request);
  port::HttpResponse scim(const ApiRequest& request);
  /// Nothing: the answer is as it should be.
  std::optional<port::HttpResult> spoil(const std::string& url, const port::HttpResponse& good);
  port::HttpResponse shortened(const port::HttpResponse& good, std::size_t keep, bool recounted);
  port::HttpResponse shuffled(const port::HttpResponse& good);

  Api api_;
  std::string host_;
  const runtime::VirtualClock& clock_;
  Rng rng_;
  FakeOkta okta_;
  FakeGraph graph_;
  std::map<std::string, bool> scim_;  ///< those who are listed, and whether they are active
  std::set<std::string> in_;
  std::map<std::string, port::HttpResponse> first_pages_;  ///< by what was asked, without the query
  std::uint32_t fog_ = 0;
};

/// HTTP of one engine to the directories of the world. Calls that an engine had under way when it died are
/// answered to nobody.
class DirectoryHttp final : public port::HttpTransport {
 public:
  using Find = std::function<Directory*(const std::string& url)>;
  DirectoryHttp(runtime::VirtualExecutor& world, const runtime::VirtualClock& clock, Find find)
      : world_(world), clock_(clock), find_(std::move(find)) {}
  port::HttpCallId send(port::HttpRequest request, port::UniqueFunction<void(port::HttpResult)> done) override;
  void cancel(port::HttpCallId id) override;

 private:
  struct Calls {
    std::map<port::HttpCallId, port::UniqueFunction<void(port::HttpResult)>> waiting;
  };
  void answer(port::HttpCallId id, port::HttpResult result, Duration after);

  runtime::VirtualExecutor& world_;
  const runtime::VirtualClock& clock_;
  Find find_;
  std::shared_ptr<Calls> calls_ = std::make_shared<Calls>();
  port::HttpCallId last_ = 0;
};

}  // namespace deprov::test::sim
