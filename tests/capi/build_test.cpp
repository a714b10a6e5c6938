#include <set>
#include "c_api.hpp"

using namespace deprov::test;

TEST_CASE("the library says what it is") {
  CHECK(text(deprov_build_get_version()) == DEPROV_VERSION);
  const auto info = json::parse(text(deprov_build_get_info()));
  CHECK(info.at("version").as_string() == DEPROV_VERSION);
  CHECK(info.at("abi").as_string() == std::to_string(DEPROV_ABI_MAJOR) + "." + std::to_string(DEPROV_ABI_MINOR));
  REQUIRE_FALSE(info.at("features").as_array().empty());
  for (const auto& name : info.at("features").as_array())
    CHECK(deprov_build_has_feature(str(std::string_view(name.as_string()))) == 1);
  CHECK(deprov_build_has_feature(str("telepathy")) == 0);
  CHECK(deprov_build_has_feature({nullptr, 0}) == 0);
}

TEST_CASE("every status has a name of its own") {
  std::set<std::string> names;
  const std::pair<int, int> ranges[] = {{0, 17}, {40, 46}, {60, 75}, {100, 101}, {200, 200}};
  for (const auto& [from, to] : ranges) {
    for (int s = from; s <= to; ++s) {
      const auto name = text(deprov_status_get_name(s));
      CHECK(name != "unknown");
      CHECK(names.insert(name).second);
    }
  }
  CHECK(text(deprov_status_get_name(DEPROV_ERR_NOT_FOUND)) == "not_found");
  CHECK(text(deprov_status_get_name(12345)) == "unknown");
  CHECK(text(deprov_status_get_name(-1)) == "unknown");
}

TEST_CASE("errors and buffers answer for NULL") {
  CHECK(deprov_error_get_status(nullptr) == DEPROV_OK);
  CHECK(deprov_error_get_message(nullptr).len == 0);
  CHECK(deprov_buffer_get(nullptr).len == 0);
  deprov_error_free(nullptr);
  deprov_buffer_free(nullptr);
  deprov_engine_free(nullptr);
  deprov_response_free(nullptr);
  deprov_rows_free(nullptr);
  deprov_connector_free(nullptr);
  deprov_call_free(nullptr);
  CHECK(deprov_call_retain(nullptr) == nullptr);
}

TEST_CASE("an error of the host carries its words") {
  CHECK(deprov_error_new(DEPROV_OK, str("x"), {}, {}) == nullptr);
  const ErrorPtr e(deprov_error_new(DEPROV_ERR_FORBIDDEN, str("no"), str("door"), str("knock")));
  REQUIRE(e);
  CHECK(deprov_error_get_status(e.get()) == DEPROV_ERR_FORBIDDEN);
  CHECK(text(deprov_error_get_detail(e.get())) == "no");
  CHECK(text(deprov_error_get_where(e.get())) == "door");
  CHECK(text(deprov_error_get_advice(e.get())) == "knock");
  CHECK(text(deprov_error_get_message(e.get())) == "door: no; knock");
}

TEST_CASE("a member of a record is read without a JSON library") {
  const auto get = [](std::string_view record, std::string_view member, std::string& out) {
    deprov_buffer* value = nullptr;
    const auto status = deprov_record_get(str(record), str(member), &value, nullptr);
    out = text(deprov_buffer_get(value));
    deprov_buffer_free(value);
    return status;
  };
  std::string value;
  CHECK(get(R"({"a": "x\n", "b": [1, 2]})", "a", value) == DEPROV_OK);
  CHECK(value == "x\n");
  CHECK(get(R"({"a": "x", "b": [1, 2]})", "b", value) == DEPROV_OK);
  CHECK(value == "[1,2]");
  CHECK(get(R"({"a": 1})", "c", value) == DEPROV_ERR_NOT_FOUND);
  CHECK(get("[1]", "c", value) == DEPROV_ERR_INVALID_SYNTAX);
  CHECK(deprov_record_get(str("{}"), str("a"), nullptr, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
}
