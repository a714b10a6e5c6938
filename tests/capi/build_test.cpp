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

TEST_CASE("every function answers for NULL, and says which argument it misses") {
  const deprov_str none{nullptr, 0};
  const auto misses = [](deprov_status status, deprov_error*& error, const char* argument) {
    const auto why = said(status, error);
    INFO(argument << ": " << why.message);
    CHECK(why.status == DEPROV_ERR_INVALID_ARGUMENT);
    CHECK(why.where == argument);
  };
  deprov_error* e = nullptr;
  misses(deprov_engine_open(nullptr, nullptr, &e), e, "options");
  misses(deprov_engine_close(nullptr, 0, nullptr, &e), e, "engine");
  misses(deprov_engine_pump(nullptr, 0, nullptr, &e), e, "engine");
  misses(deprov_engine_call(nullptr, nullptr, nullptr, &e), e, "response");
  misses(deprov_engine_send(nullptr, nullptr, nullptr, nullptr, &e), e, "engine");
  misses(deprov_engine_cancel(nullptr, 0, &e), e, "engine");
  misses(deprov_engine_next(nullptr, nullptr, 1, 0, nullptr, &e), e, "engine");
  misses(deprov_admin_call(nullptr, nullptr, str("GET"), str("/jobs"), none, nullptr, &e), e, "engine");
  misses(deprov_workspace_create(nullptr, none, none, nullptr, &e), e, "engine");
  misses(deprov_integration_create(nullptr, nullptr, none, nullptr, &e), e, "engine");
  misses(deprov_rows_open(nullptr, nullptr, nullptr, nullptr, &e), e, "engine");
  misses(deprov_rows_next(nullptr, nullptr, &e), e, "rows");
  misses(deprov_rows_want(nullptr, nullptr, nullptr, &e), e, "rows");
  misses(deprov_response_read(nullptr, 0, nullptr, &e), e, "response");
  misses(deprov_response_want(nullptr, nullptr, &e), e, "response");
  misses(deprov_record_get(none, none, nullptr, &e), e, "value");
  misses(deprov_call_complete(nullptr, nullptr, &e), e, "call");
  deprov_connector* connector = nullptr;
  misses(deprov_connector_new(str("{}"), nullptr, &connector, &e), e, "callbacks");
  // And the same with nobody who listens.
  CHECK(deprov_engine_open(nullptr, nullptr, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(deprov_engine_get_pump_descriptor(nullptr) == -1);
  CHECK(deprov_engine_get_event_descriptor(nullptr) == -1);
  CHECK(deprov_response_get_status(nullptr) == 0);
  CHECK(deprov_response_get_header_count(nullptr) == 0);
  CHECK(deprov_response_get_header(nullptr, 0).name.len == 0);
  CHECK(deprov_response_get_body(nullptr).len == 0);
  CHECK(deprov_response_is_streaming(nullptr) == 0);
  CHECK(deprov_rows_get_restart(nullptr).len == 0);
  CHECK(deprov_build_has_feature(none) == 0);
  CHECK(deprov_call_get_operation(nullptr) == -1);
  for (const auto get : {deprov_call_get_account, deprov_call_get_external_id, deprov_call_get_user_name,
                         deprov_call_get_entitlement, deprov_call_get_cursor, deprov_call_get_handle,
                         deprov_call_get_idempotency_key})
    CHECK(get(nullptr).len == 0);
  CHECK(deprov_call_get_email_count(nullptr) == 0);
  CHECK(deprov_call_get_email(nullptr, 0).len == 0);
  CHECK(deprov_call_get_delete_account(nullptr) == 0);
  CHECK(deprov_call_get_page_size(nullptr) == 0);
  CHECK(deprov_call_get_timeout_ms(nullptr) == 0);
  CHECK(deprov_call_is_cancelled(nullptr) == 0);
  CHECK(deprov_call_retain(nullptr) == nullptr);
  deprov_engine_free(nullptr);
  deprov_connector_free(nullptr);
  deprov_response_free(nullptr);
  deprov_rows_free(nullptr);
  deprov_call_free(nullptr);
  deprov_buffer_free(nullptr);
  deprov_error_free(nullptr);
  // A length without bytes, and lengths that no text has.
  const World world;
  deprov_buffer* record = nullptr;
  const deprov_str lying{nullptr, 7};
  deprov_error* why = nullptr;
  const auto by = world.local();
  auto* engine = world.engine.get();
  CHECK(deprov_admin_call(engine, &by, lying, str("/jobs"), none, &record, &why) == DEPROV_ERR_INVALID_ARGUMENT);
  deprov_error_free(why);
  CHECK(record == nullptr);
  CHECK(deprov_admin_call(engine, &by, str("GET"), str("/jobs"), none, nullptr, nullptr) == DEPROV_OK);
}
