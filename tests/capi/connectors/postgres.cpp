#include "capi/connectors/postgres.hpp"
#include <pwd.h>
#include <signal.h>
#include <unistd.h>
#include <algorithm>
#include <boost/json/parse.hpp>
#include <filesystem>
#include "catch.hpp"
#include "paths.hpp"
#include "support/program.hpp"
#include "support/test_server.hpp"

namespace deprov::test {

namespace {

constexpr const char* setup = R"(
CREATE ROLE deprov LOGIN CREATEROLE PASSWORD 'secret-of-deprov';
CREATE ROLE reader LOGIN PASSWORD 'secret-of-reader';
CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  external_id text UNIQUE,
  login text NOT NULL UNIQUE,
  email text,
  active boolean NOT NULL DEFAULT true
);
CREATE TABLE sessions (token text PRIMARY KEY, user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE);
CREATE TABLE workspace_members (user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE, workspace text NOT NULL);
CREATE TABLE invoices (id int PRIMARY KEY, approved_by uuid REFERENCES users);
INSERT INTO users (login, email, external_id) VALUES
  ('ann', 'ann@example.com', 'E-1'), ('bob', 'bob@example.com', NULL), ('cyd', 'cyd@example.com', NULL),
  ('dan', 'shared@example.com', NULL), ('eve', 'shared@example.com', NULL),
  ('o''neil "x"; DROP TABLE users; --', 'o@example.com', NULL);
INSERT INTO users (login) SELECT 'crowd' || n FROM generate_series(1, 40) AS n;
INSERT INTO sessions SELECT 'a-' || login, id FROM users;
INSERT INTO sessions SELECT 'b-' || login, id FROM users;
INSERT INTO workspace_members SELECT id, 'main' FROM users;
INSERT INTO invoices SELECT 1, id FROM users WHERE login = 'bob';
GRANT SELECT, UPDATE, DELETE ON users, sessions, workspace_members TO deprov;
GRANT SELECT ON users, sessions TO reader;

CREATE DATABASE fleet;
CREATE ROLE ann LOGIN PASSWORD 'secret-of-ann';
CREATE ROLE bob LOGIN PASSWORD 'secret-of-bob';
CREATE ROLE "o'neil ""x""; DROP" LOGIN PASSWORD 'secret-of-oneil';
GRANT ann, bob, "o'neil ""x""; DROP" TO deprov WITH ADMIN OPTION;
GRANT pg_signal_backend TO deprov;
GRANT CREATE ON DATABASE fleet TO deprov;
\connect fleet
CREATE SCHEMA ann AUTHORIZATION ann;
SET ROLE ann;
CREATE TABLE ann.notes (n int);
)";

/// initdb and postgres refuse to run as root: the user in whose name they do, or nobody.
const passwd* owner() {
  if (::geteuid() != 0) return nullptr;
  const auto* entry = ::getpwnam("postgres");
  if (entry == nullptr) entry = ::getpwnam("nobody");
  REQUIRE(entry != nullptr);
  return entry;
}

std::vector<std::string> as_owner(std::vector<std::string> command) {
  const auto* entry = owner();
  if (entry != nullptr) {
    command.insert(command.begin(), {"/usr/bin/setpriv", "--reuid=" + std::to_string(entry->pw_uid),
                                     "--regid=" + std::to_string(entry->pw_gid), "--clear-groups"});
  }
  return command;
}

void give_to_owner(const std::string& path) {
  if (const auto* entry = owner()) REQUIRE(::chown(path.c_str(), entry->pw_uid, entry->pw_gid) == 0);
}

}  // namespace

std::string Postgres::programs() {
  std::vector<std::string> all;
  std::error_code none;
  for (const auto* root : {"/usr/lib/postgresql", "/usr/local/lib/postgresql"})
    for (const auto& version : std::filesystem::directory_iterator(root, none))
      all.push_back(version.path().string() + "/bin/initdb");
  std::sort(all.rbegin(), all.rend());
  all.insert(all.end(), {"/usr/bin/initdb", "/usr/local/bin/initdb", "/usr/local/pgsql/bin/initdb"});
  for (const auto& initdb : all) {
    const auto bin = initdb.substr(0, initdb.rfind('/'));
    if (!first_program({initdb}).empty() && !first_program({bin + "/postgres"}).empty() &&
        !first_program({bin + "/psql"}).empty())
      return bin;
  }
  return {};
}

Postgres::Postgres() : bin_(programs()), port_(closed_port()) {
  certificate_.emplace(dir_.path());
  write_file(dir_.file("password"), "secret-of-admin\n");
  for (const auto& path : {dir_.path(), certificate_->key, certificate_->certificate, dir_.file("password")})
    give_to_owner(path);
  // Made once, and copied for each.
  static const Folder made;
  const auto prepared = made.file("data");
  if (std::filesystem::exists(prepared)) {
    (void)output_of({"/bin/cp", "-a", prepared, dir_.file("data")});
    start();
    return;
  }
  (void)output_of(as_owner({bin_ + "/initdb", "-D", dir_.file("data"), "-U", "admin", "-A", "scram-sha-256",
                            "--pwfile=" + dir_.file("password"), "-E", "UTF8", "--locale=C", "--no-sync"}));
  start();
  (void)asked("CREATE DATABASE app", "postgres");
  const auto target =
      "host=127.0.0.1 user=admin password=secret-of-admin dbname=app port=" + std::to_string(port_);
  (void)output_of({bin_ + "/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", target}, setup);
  stop();
  (void)output_of({"/bin/cp", "-a", dir_.file("data"), prepared});
  start();
}

Postgres::~Postgres() {
  if (process_) process_->end(SIGQUIT);
}

void Postgres::start() {
  process_.emplace(as_owner({bin_ + "/postgres", "-D", dir_.file("data"), "-p", std::to_string(port_), "-c",
                             "listen_addresses=127.0.0.1,127.0.0.2", "-c", "unix_socket_directories=", "-c",
                             "fsync=off", "-c", "ssl=on", "-c", "ssl_cert_file=" + certificate_->certificate, "-c",
                             "ssl_key_file=" + certificate_->key, "-c", "lc_messages=C"}),
                   dir_.file("log"));
  const bool up = eventually([&] {
    return listens(port_) && read_file(dir_.file("log")).find("ready to accept connections") != std::string::npos;
  });
  INFO(log());
  REQUIRE(up);
}

void Postgres::stop() {
  process_->end(SIGINT);
  process_.reset();
  write_file(dir_.file("log"), "");
}

std::string Postgres::log() const { return read_file(dir_.file("log")); }

std::string Postgres::asked(const std::string& sql, const std::string& database) const {
  const auto target =
      "host=127.0.0.1 user=admin password=secret-of-admin dbname=" + database + " port=" + std::to_string(port_);
  auto out = output_of({bin_ + "/psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", target, "-c", sql});
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

boost::json::object Postgres::example(const std::string& name) const {
  auto config =
      boost::json::parse(read_file(source_dir() + "/capi/connectors/sql/examples/" + name + ".json")).as_object();
  config["host"] = "localhost";
  config["port"] = port_;
  config["user"] = "deprov";
  config["password"] = "secret-of-deprov";
  config["ca_file"] = certificate_->certificate;
  config["database"] = name == "roles" ? "fleet" : "app";
  return config;
}

}  // namespace deprov::test
