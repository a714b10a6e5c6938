// What the connectors of capi/connectors are tried on: servers from the distribution's packages, started by the
// test, and the connectors as an operator has them.
#pragma once

#include <sys/types.h>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::test {

class TempDir;

/// A directory of its own, gone with this. (TempDir's header and that of connectors/fixture.hpp each have a
/// Reply.)
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& path() const noexcept;
  [[nodiscard]] std::string file(std::string_view name) const;

 private:
  std::unique_ptr<TempDir> dir_;
};

/// Asks again and again; false: it did not come true within the time that no machine needs.
bool becomes_true(const std::function<bool()>& is);

/// What a command printed, standard error included; fails the test where it does not end well.
std::string output_of(const std::vector<std::string>& command, const std::string& input = {});
/// The first that is there and can be run; empty: none.
std::string first_program(const std::vector<std::string>& paths);

/// A program in the background, ended the hard way with this object.
class Program {
 public:
  Program(const std::vector<std::string>& command, const std::string& log);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  void signal(int number) const;
  /// Sends it, and waits for the end.
  void end(int number);

 private:
  pid_t pid_ = -1;
};

/// A self-signed certificate of localhost and 127.0.0.1, and its key.
struct Certificate {
  explicit Certificate(const std::string& directory, const std::string& name = "server");
  std::string certificate, key;
};

bool listens(std::uint16_t port);

/// Stands between a client and a server on this machine, and does nothing until it is told to.
class Relay {
 public:
  explicit Relay(std::uint16_t to);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  [[nodiscard]] std::uint16_t port() const;
  /// Hands so many more messages of the client on to the server, and then ends the connection without letting the
  /// answer to the last one through.
  void cut_after(int messages);
  /// The same before the next message is handed on.
  void cut();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A connector of this build where deprov may load it from.
class PluginDirectory {
 public:
  explicit PluginDirectory(const std::string& id);
  [[nodiscard]] const std::string& path() const { return dir_.path(); }
  [[nodiscard]] std::string library() const;
  [[nodiscard]] std::string sha256() const;

 private:
  Folder dir_;
  std::string id_;
};

/// A person who is created in the IdP and deactivated again, until the removal is verified.
struct Removal {
  std::string user_name;
  boost::json::value policy = boost::json::object{};
  std::vector<std::string> more{};  ///< arguments of both, the integration's creation and the server
  std::string placement = "in_process";
};
void remove_and_verify(const std::string& id, const boost::json::object& config, const Removal& removal);

/// `deprov connector check` in both placements; a check that fails, or is skipped for want of something, fails the
/// test.
void conforms(const std::string& id, const boost::json::object& fixture);

}  // namespace deprov::test
