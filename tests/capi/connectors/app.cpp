#include "capi/connectors/app.hpp"
#include <deprov/plugin/plugins.hpp>
#include <utility>

namespace deprov::test {

App::App(const std::string& id, const boost::json::object& config) : plugins_(id) {
  plugin::Options options;
  options.directories = {plugins_.path()};
  auto kinds = plugin::load_plugins(options, *crypto::make_crypto());
  INFO((kinds ? std::string() : kinds.error().message()));
  REQUIRE(kinds);
  bench_.kinds = *kinds;
  auto opened = bench_.open(id, config);
  INFO((opened ? std::string() : opened.error().message()));
  REQUIRE(opened);
  app_ = std::move(*opened);
}

App::~App() = default;

std::string App::refusal(const std::string& id, const boost::json::object& config) {
  const PluginDirectory plugins(id);
  plugin::Options options;
  options.directories = {plugins.path()};
  auto kinds = plugin::load_plugins(options, *crypto::make_crypto());
  REQUIRE(kinds);
  Bench bench;
  bench.kinds = *kinds;
  auto opened = bench.open(id, config);
  return opened ? std::string() : opened.error().message();
}

connector::Reply App::ask(connector::Call call) { return Bench::call(*app_, std::move(call)); }

connector::Reply App::ask(connector::Operation operation, const std::string& account) {
  return ask(make_call(operation, account));
}

connector::Reply App::find(const std::string& user_name) {
  auto call = make_call(Operation::find);
  call.match.user_name = user_name;
  return ask(std::move(call));
}

std::string App::id_of(const std::string& user_name) {
  const auto found = find(user_name);
  check_outcome(found, Outcome::ok);
  REQUIRE(found.accounts.size() == 1);
  return found.accounts.front().id;
}

std::vector<std::string> all_names(App& app, std::uint32_t page_size, std::size_t* pages) {
  std::vector<std::string> out;
  auto call = make_call(Operation::list);
  call.page_size = page_size;
  for (std::size_t n = 1;; ++n) {
    REQUIRE(n < 1000);
    if (pages != nullptr) *pages = n;
    const auto reply = app.ask(call);
    check_outcome(reply, Outcome::ok);
    CHECK(reply.accounts.size() <= page_size);
    for (const auto& a : reply.accounts) out.push_back(a.user_name);
    if (reply.outcome != Outcome::ok || reply.next_cursor.empty()) return out;
    call.cursor = reply.next_cursor;
  }
}

}  // namespace deprov::test
