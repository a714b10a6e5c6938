// What is loaded, and what is not: paths, owners, hashes, manifests, tables.
#include <sys/stat.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/json_schema.hpp>
#include <filesystem>
#include <fstream>
#include "plugin/elf.hpp"
#include "plugin/manifest.hpp"
#include "plugin/trusted_file.hpp"
#include "plugin/zoo.hpp"

using namespace deprov;
using namespace deprov::test;
using zoo::Cage;

namespace {

std::string hash_of(const std::string& path) {
  const auto bytes = cli::slurp(path);
  std::string out;
  constexpr char digits[] = "0123456789abcdef";
  for (const auto b : crypto::make_crypto()->sha256(port::bytes_of(bytes)))
    out.append({digits[b >> 4], digits[b & 15]});
  return out;
}

void refused(const Result<port::ConnectorKinds>& r, Errc code, const std::string& where,
             const std::string& detail) {
  REQUIRE_FALSE(r);
  INFO(r.error().message());
  CHECK(to_string(r.error().code()) == to_string(code));
  CHECK(r.error().message().find(where) != std::string::npos);
  CHECK(r.error().message().find(detail) != std::string::npos);
  CHECK_FALSE(r.error().advice().empty());
}

std::string manifest_with(const std::string& pointer, const json::value& value) {
  auto m = json::parse(Cage::manifest_text());
  auto* at = &m.get_object();
  std::string_view left = std::string_view(pointer).substr(1);
  for (auto slash = left.find('/'); slash != std::string_view::npos; slash = left.find('/')) {
    at = &(*at)[left.substr(0, slash)].get_object();
    left.remove_prefix(slash + 1);
  }
  (*at)[left] = value;
  return json::serialize(m);
}

}  // namespace

TEST_CASE("nothing is loaded unless it is allowed") {
  const auto none = plugin::load_plugins({}, *crypto::make_crypto());
  REQUIRE(none);
  CHECK(none->empty());
}

TEST_CASE("a directory that is allowed brings its connectors, described by their manifests") {
  const Cage cage("good");
  const auto kinds = cage.load();
  INFO((kinds ? std::string() : kinds.error().message()));
  REQUIRE(kinds);
  REQUIRE(kinds->size() == 1);
  const auto& d = kinds->at("zoo")->describe();
  CHECK(d.version == "1.0.0");
  CHECK(d.of(Operation::disable).reversible);
  CHECK_FALSE(d.of(Operation::transfer).supported);
  CHECK(d.secret_paths == std::vector<std::string>{"token", "limits.password"});
  // The same bytes again, in another place: loaded once, and good for both.
  const Cage again("good");
  CHECK(again.load());
}

TEST_CASE("a file is allowed by its hash, and no other bytes are") {
  const Cage cage("good");
  plugin::Options o;
  o.files = {{cage.library(), hash_of(cage.library())}};
  CHECK(plugin::load_plugins(o, *crypto::make_crypto()));
  o.files[0].sha256 = std::string(64, 'A');
  refused(plugin::load_plugins(o, *crypto::make_crypto()), Errc::forbidden, cage.library(),
          hash_of(cage.library()));
  o.files[0].sha256 = "abc";
  refused(plugin::load_plugins(o, *crypto::make_crypto()), Errc::invalid_argument, cage.library(),
          "64 hexadecimal");
}

TEST_CASE("what was hashed cannot change before it runs") {
  const Cage cage("good");
  const auto copy = plugin::SealedCopy::of(cage.library());
  REQUIRE(copy);
  const auto before = hash_of(copy->loader_path());
  std::ofstream(cage.library(), std::ios::app) << "more";
  CHECK(hash_of(copy->loader_path()) == before);
  CHECK(hash_of(cage.library()) != before);
  std::ofstream attacker(copy->loader_path(), std::ios::in | std::ios::out);
  attacker << "x" << std::flush;
  CHECK_FALSE(attacker.good());
  CHECK(hash_of(copy->loader_path()) == before);
}

TEST_CASE("paths that depend on where the program was started are refused") {
  plugin::Options o;
  o.directories = {"plugins"};
  refused(plugin::load_plugins(o, *crypto::make_crypto()), Errc::invalid_argument, "plugins", "absolute");
  o.directories = {};
  o.files = {{"./zoo.so", std::string(64, 'a')}};
  refused(plugin::load_plugins(o, *crypto::make_crypto()), Errc::invalid_argument, "./zoo.so", "absolute");
  o.files = {};
  o.directories = {"/nonexistent/plugins"};
  refused(plugin::load_plugins(o, *crypto::make_crypto()), Errc::not_found, "/nonexistent", "cannot be read");
}

TEST_CASE("files and directories that others may write are refused") {
  const Cage cage("good");
  SECTION("the library") {
    REQUIRE(::chmod(cage.library().c_str(), 0664) == 0);
    refused(cage.load(), Errc::forbidden, cage.library(), "written by others");
  }
  SECTION("its manifest") {
    REQUIRE(::chmod(cage.manifest_file().c_str(), 0646) == 0);
    refused(cage.load(), Errc::forbidden, cage.manifest_file(), "written by others");
  }
  SECTION("the directory") {
    REQUIRE(::chmod(cage.path().c_str(), 0777) == 0);
    refused(cage.load(), Errc::forbidden, cage.path(), "written by others");
  }
  SECTION("what a link leads to") {
    const cli::Scratch elsewhere;
    (void)elsewhere.write("x.so", cli::slurp(cage.library()));
    REQUIRE(::chmod((elsewhere.path + "/x.so").c_str(), 0666) == 0);
    REQUIRE(::unlink(cage.library().c_str()) == 0);
    REQUIRE(::symlink((elsewhere.path + "/x.so").c_str(), cage.library().c_str()) == 0);
    refused(cage.load(), Errc::forbidden, elsewhere.path, "written by others");
  }
  if (::geteuid() == 0) {  // only root can give files away
    SECTION("that of another user") {
      REQUIRE(::chown(cage.library().c_str(), 12345, 12345) == 0);
      refused(cage.load(), Errc::forbidden, cage.library(), "belongs to user 12345");
    }
  }
}

TEST_CASE("a library without a manifest, or with a wrong one, is refused") {
  SECTION("none") {
    const Cage cage("good");
    REQUIRE(::unlink(cage.manifest_file().c_str()) == 0);
    refused(cage.load(), Errc::not_found, cage.library(), "no manifest");
  }
  struct Wrong {
    std::string text;
    Errc code;
    std::string detail;
  };
  const std::vector<Wrong> wrong{
      {"{", Errc::invalid_syntax, "not JSON"},
      {"[]", Errc::invalid_argument, "object"},
      {std::string((1U << 20U) + 1, ' '), Errc::limit_exceeded, "bytes"},
      {manifest_with("/surprise", 1), Errc::invalid_argument, "surprise"},
      {manifest_with("/id", "Zoo"), Errc::invalid_argument, "a-z"},
      {manifest_with("/operations/fly", json::object{}), Errc::invalid_argument, "fly"},
      {manifest_with("/config_schema", json::object{{"pattern", "x"}}), Errc::invalid_argument, "config_schema"},
      {manifest_with("/abi/from", "2.0"), Errc::unsupported, "connector ABI 2.0"},
      {manifest_with("/abi/from", "1.7"), Errc::unsupported, "newer deprov"},
      {manifest_with("/abi/from", "0.9"), Errc::unsupported, "newer build"},
      {manifest_with("/abi/from", "one"), Errc::invalid_argument, "MAJOR.MINOR"},
      {manifest_with("/abi/to", "0"), Errc::unsupported, "up to"},
      {manifest_with("/egress", json::array{"https://a.example/x"}), Errc::invalid_argument, "without scheme"},
      {manifest_with("/egress", json::array{"config:hots"}), Errc::invalid_argument, "no member \"hots\""},
      {manifest_with("/secrets", json::array{"tokn"}), Errc::invalid_argument, "no member \"tokn\""},
      {manifest_with("/own_account", json::array{"limit.user"}), Errc::invalid_argument, "limit.user"},
      {manifest_with("/version", "1.0.1"), Errc::invalid_argument, "of the same build"},
  };
  for (const auto& w : wrong) {
    CAPTURE(w.text.substr(0, 300), w.detail);
    const Cage cage("good", w.text);
    refused(cage.load(), w.code, cage.path(), w.detail);
  }
  // A later manifest may say more: its range is read before anything else.
  auto later = json::parse(manifest_with("/surprise", 1));
  later.get_object()["abi"].get_object()["from"] = "3.1";
  const Cage cage("good", json::serialize(later));
  refused(cage.load(), Errc::unsupported, cage.manifest_file(), "connector ABI 3.1");
}

TEST_CASE("what is no connector for this machine is refused before it is loaded") {
  const Cage cage("good");
  const auto good = cli::slurp(cage.library());
  const auto with = [&](const std::string& bytes) {
    (void)cage.scratch().write("zoo.so", bytes);
    return cage.load();
  };
  refused(with(""), Errc::invalid_argument, cage.library(), "empty");
  refused(with("#!/bin/sh\n"), Errc::invalid_argument, cage.library(), "ELF");
  refused(with(good.substr(0, 100)), Errc::invalid_argument, cage.library(), "cut off");
  refused(with(good.substr(0, good.size() / 4)), Errc::invalid_argument, cage.library(), "cut off");
  auto other = good;
  other[18] = static_cast<char>(other[18] ^ 0x7F);  // e_machine
  refused(with(other), Errc::unsupported, cage.library(), "another machine");
  other = good;
  other[16] = 2;  // ET_EXEC
  refused(with(other), Errc::invalid_argument, cage.library(), "shared library");
  const std::vector<unsigned char> bytes(good.begin(), good.end());
  CHECK(plugin::check_elf(bytes));
  CHECK(plugin::exported_symbols(bytes) == std::vector<std::string>{"deprov_connector_entry_v1"});
  // Damage of every kind ends in an error or in nothing, never in a crash.
  for (std::size_t i = 0; i < 4096; i += 3) {
    auto damaged = bytes;
    for (std::size_t k = i; k < std::min(i + 3, damaged.size()); ++k) damaged[k] ^= 0xFFU;
    (void)plugin::check_elf(damaged);
    (void)plugin::exported_symbols(damaged);
  }
}

TEST_CASE("libraries that do not keep to the interface are refused") {
  const auto all = std::vector<std::pair<std::string, std::string>>{
      {"no_entry", "does not export deprov_connector_entry_v1"},
      {"entry_null", "refuses to work"},
      {"short_table", "its table has the size 24"},
      {"no_start", "no function \"start\""},
      {"other_id", "\"zoo2\""},
      {"other_version", "\"0.9.0\""},
  };
  for (const auto& [defect, detail] : all) {
    CAPTURE(defect);
    const Cage cage(defect);
    const auto r = cage.load();
    refused(r, r.has_error() ? r.error().code() : Errc::ok, cage.library(), detail);
  }
}

TEST_CASE("two connectors of one id are refused") {
  const Cage cage("good");
  std::filesystem::copy_file(cage.library(), cage.file("twin.so"));
  std::filesystem::copy_file(cage.manifest_file(), cage.file("twin.json"));
  refused(cage.load(), Errc::uniqueness, "zoo.so", "second one");
}

TEST_CASE("the schema of manifests is a file, and the one that is enforced") {
  const auto published = json::parse(cli::slurp(source_dir() + "/schemas/connector-manifest.schema.json"));
  INFO(
      "write it anew: deprov connector schema | python3 -m json.tool --no-ensure-ascii --indent 2 "
      "> schemas/connector-manifest.schema.json");
  CHECK(published == plugin::manifest_schema());
  CHECK(check_json_schema(plugin::manifest_schema()));
}
