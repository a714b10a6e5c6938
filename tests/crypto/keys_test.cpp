#include <sys/stat.h>
#include <cstdlib>
#include <deprov/crypto/keys.hpp>
#include <deprov/runtime/random.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include "catch.hpp"

namespace fs = std::filesystem;
using deprov::Errc;
using deprov::crypto::load_key_file;
using deprov::crypto::load_or_create_key_file;

namespace {
struct Directory {
  Directory() {
    std::string name = (fs::temp_directory_path() / "deprov-keys-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path); }
  [[nodiscard]] std::string file(const std::string& name) const { return path + "/" + name; }
  std::string path;
};

void write(const std::string& path, const std::string& content, mode_t mode) {
  std::ofstream(path, std::ios::binary) << content;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}
}  // namespace

TEST_CASE("a key file is made once, for its owner only, and read again") {
  const Directory d;
  deprov::runtime::SeededRandom random(1);
  const auto made = load_or_create_key_file(d.file("key"), random);
  REQUIRE(made);
  struct stat info {};
  REQUIRE(::stat(d.file("key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600U);
  CHECK(info.st_size == 32);
  const auto again = load_or_create_key_file(d.file("key"), random);
  REQUIRE(again);
  CHECK(*again == *made);
  CHECK(*load_key_file(d.file("key")) == *made);
  CHECK(std::distance(fs::directory_iterator(d.path), fs::directory_iterator{}) == 1);
}

TEST_CASE("a key is replaced, and the former one kept until it is forgotten") {
  const Directory d;
  deprov::runtime::SeededRandom random(1);
  const auto path = d.file("key");
  const auto former = deprov::crypto::former_key_path(path);
  CHECK(deprov::crypto::rotate_key_file(path, random).error().code() == Errc::not_found);
  const auto first = *load_or_create_key_file(path, random);
  // A crash after the first step leaves the key twice: it was not replaced yet.
  fs::create_hard_link(path, former);
  REQUIRE(deprov::crypto::rotate_key_file(path, random));
  const auto second = *load_key_file(path);
  CHECK_FALSE(second == first);
  CHECK(*load_key_file(former) == first);
  // What the former one sealed has not been sealed anew: a third key would leave nobody who opens it.
  REQUIRE(deprov::crypto::rotate_key_file(path, random));
  CHECK(*load_key_file(path) == second);
  CHECK(*load_key_file(former) == first);
  REQUIRE(deprov::crypto::forget_former_key(path));
  REQUIRE(deprov::crypto::forget_former_key(path));
  CHECK(std::distance(fs::directory_iterator(d.path), fs::directory_iterator{}) == 1);
}

TEST_CASE("a key file that others may read is refused") {
  const Directory d;
  for (const mode_t mode : {0640U, 0604U, 0620U}) {
    write(d.file("key"), std::string(32, 'k'), mode);
    const auto r = load_key_file(d.file("key"));
    REQUIRE(!r);
    CHECK(r.error().code() == Errc::forbidden);
    CHECK(r.error().where() == d.file("key"));
    CHECK(r.error().advice().find("chmod 600") != std::string::npos);
  }
}

TEST_CASE("a key file of another size or kind is refused and not replaced") {
  const Directory d;
  deprov::runtime::SeededRandom random(1);
  for (const std::size_t size : {0U, 31U, 33U, 1000U}) {
    write(d.file("key"), std::string(size, 'k'), 0600);
    const auto r = load_or_create_key_file(d.file("key"), random);
    REQUIRE(!r);
    CHECK(r.error().code() == Errc::invalid_argument);
    CHECK(fs::file_size(d.file("key")) == size);
  }
  CHECK(load_key_file(d.path).error().code() == Errc::invalid_argument);
  CHECK(load_key_file(d.file("none")).error().code() == Errc::not_found);
  CHECK(load_or_create_key_file(d.file("no/such/directory"), random).error().code() == Errc::io);
}
