// A PostgreSQL cluster of the test's own, with TLS, an application's table of users, and a few roles.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include "capi/connectors/world.hpp"

namespace deprov::test {

class Postgres {
 public:
  Postgres();
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;
  /// Where the programs are; empty where there are none: the test is then skipped, and says so.
  static std::string programs();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const Folder& dir() const { return dir_; }
  /// Of one of capi/connectors/sql/examples, with the way to this server.
  [[nodiscard]] boost::json::object example(const std::string& name) const;
  /// What the administrator's statement answers, values separated by `|` and rows by line breaks.
  [[nodiscard]] std::string asked(const std::string& sql, const std::string& database = "app") const;
  [[nodiscard]] std::string log() const;
  void start();
  void stop();
  Program& process() { return *process_; }

 private:
  Folder dir_;
  std::string bin_;
  std::uint16_t port_;
  std::optional<Certificate> certificate_;
  std::optional<Program> process_;
};

}  // namespace deprov::test
