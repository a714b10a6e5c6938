// OpenLDAP's slapd with a directory of a few people, over LDAPS and with StartTLS.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <string>
#include "capi/connectors/world.hpp"

namespace deprov::test {

class Slapd {
 public:
  Slapd();
  /// Empty where there is none; the test is then skipped, and says so.
  static std::string program();

  /// A configuration that disables by pwdAccountLockedTime, which slapd itself heeds.
  [[nodiscard]] boost::json::object config() const;
  [[nodiscard]] std::uint16_t port() const { return ldaps_; }
  [[nodiscard]] std::uint16_t plain_port() const { return ldap_; }
  [[nodiscard]] const Certificate& certificate() const { return certificate_; }
  /// What is stored of the entries that match, as LDIF; empty: nothing.
  [[nodiscard]] std::string stored(const std::string& filter) const;
  [[nodiscard]] std::string log() const;
  void start();
  void stop();
  Program& process() { return *process_; }
  const Folder& dir() const { return dir_; }

 private:
  Folder dir_;
  Certificate certificate_;
  std::string slapd_;
  std::uint16_t ldaps_, ldap_;
  std::optional<Program> process_;
};

}  // namespace deprov::test
