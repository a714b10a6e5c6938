// A connector of capi/connectors in this process, called as the engine calls it.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>
#include "capi/connectors/world.hpp"
#include "connectors/fixture.hpp"

namespace deprov::test {

class App {
 public:
  App(const std::string& id, const boost::json::object& config);
  /// Destroys the connector before the host.
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;
  connector::Reply ask(connector::Call call);
  connector::Reply ask(connector::Operation operation, const std::string& account = {});
  connector::Reply find(const std::string& user_name);
  /// Of somebody whom it must find.
  std::string id_of(const std::string& user_name);
  connector::Connector& connector() { return *app_; }
  /// What the connector says where it cannot be opened; empty: it can.
  static std::string refusal(const std::string& id, const boost::json::object& config);

 private:
  PluginDirectory plugins_;
  Bench bench_;
  std::unique_ptr<connector::Connector> app_;
};

/// Everybody whom a listing shows, by user name; fails the test where it does not end.
std::vector<std::string> all_names(App& app, std::uint32_t page_size, std::size_t* pages = nullptr);

}  // namespace deprov::test
