// Lists of sources, whose rows come from the host (R6, R7, R16).
#include <algorithm>
#include <vector>
#include "c_api.hpp"

using namespace deprov::test;

namespace {

using ListPtr = std::unique_ptr<deprov_list, Freer<deprov_list, deprov_list_free>>;

struct Person {
  std::string id, external_id;
  bool active = true;
};

std::vector<deprov_list_user> rows_of(const std::vector<Person>& people) {
  std::vector<deprov_list_user> rows;
  rows.reserve(people.size());
  for (const auto& p : people) rows.push_back({str(p.id), str(p.external_id), {}, {}, p.active ? 0 : 1, 0});
  return rows;
}

/// An integration with people whom a source called "hr" knows, too.
struct Company : World {
  std::string source;
  std::vector<Person> people;

  explicit Company(const deprov_engine_options& options = in_memory()) : World(options) {
    for (const auto* name : {"ann", "bob", "cleo", "dan", "eve", "fay"}) {
      people.push_back({"00u-" + std::string(name), "00u-" + std::string(name)});
      const auto made = scim("POST", "/Users",
                             R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "active": true,
                                 "userName": ")" +
                                 std::string(name) + R"(", "externalId": "00u-)" + name + "\"}");
      REQUIRE(deprov_response_get_status(made.get()) == 201);
    }
    source = add_source(R"({"name": "hr", "kind": "rows"})");
  }
  [[nodiscard]] std::string path() const { return "/integrations/" + integration + "/sources"; }
  std::string add_source(std::string_view what) const {
    const auto by = local();
    return std::string(manage(engine.get(), &by, "POST", path(), what).at("id").as_string());
  }
  [[nodiscard]] json::value shown() const {
    const auto by = local();
    return manage(engine.get(), &by, "GET", path() + "/" + source);
  }
  Said begin(ListPtr& list, bool dry_run = false, int64_t begun_us = 0) const {
    const auto by = local();
    deprov_list_options o{};
    o.struct_size = sizeof o;
    o.integration = str(integration);
    o.source = str(source);
    o.dry_run = dry_run ? 1 : 0;
    o.begun_us = begun_us;
    deprov_list* made = nullptr;
    deprov_error* error = nullptr;
    const auto status = deprov_list_begin(engine.get(), &by, &o, &made, &error);
    list.reset(made);
    return said(status, error);
  }
  [[nodiscard]] ListPtr begun(bool dry_run = false) const {
    ListPtr list;
    const auto why = begin(list, dry_run);
    INFO(why.message);
    REQUIRE(why.status == DEPROV_OK);
    return list;
  }
  static json::value end(deprov_list* list, uint64_t count) {
    deprov_buffer* report = nullptr;
    deprov_error* error = nullptr;
    const auto status = deprov_list_end(list, &count, &report, &error);
    const BufferPtr owned(report);
    const auto why = said(status, error);
    INFO(why.message);
    REQUIRE(status == DEPROV_OK);
    return json::parse(text(deprov_buffer_get(report)));
  }
  [[nodiscard]] json::value sync(const std::vector<Person>& listed, bool dry_run = false) const {
    const auto list = begun(dry_run);
    const auto rows = rows_of(listed);
    REQUIRE(deprov_list_add(list.get(), rows.data(), rows.size(), nullptr) == DEPROV_OK);
    CHECK(deprov_list_get_count(list.get()) == listed.size());
    return end(list.get(), listed.size());
  }
  /// Whether an event is on the activity.
  [[nodiscard]] bool happened(std::string_view event) const {
    const auto by = local();
    const auto page = manage(engine.get(), &by, "GET", "/integrations/" + integration + "/activity?limit=1000");
    const auto& items = page.at("items").as_array();
    return std::any_of(items.begin(), items.end(),
                       [&](const auto& r) { return r.at("event").as_string() == event; });
  }
};

Said added(deprov_list* list, const std::vector<Person>& people) {
  const auto rows = rows_of(people);
  deprov_error* error = nullptr;
  const auto status = deprov_list_add(list, rows.data(), rows.size(), &error);
  return said(status, error);
}

}  // namespace

TEST_CASE("who is missing from the next whole list of the host loses access [R6]", "[R6]") {
  const Company company;
  const auto first = company.sync(company.people);
  CHECK(first.at("first").as_bool());
  CHECK(first.at("ends").to_number<int>() == 0);
  auto fewer = company.people;
  fewer.pop_back();
  const auto dry = company.sync(fewer, true);
  CHECK(dry.at("ends").to_number<int>() == 1);
  CHECK(dry.at("dry_run").as_bool());
  CHECK_FALSE(company.happened("removal.requested"));
  const auto next = company.sync(fewer);
  CHECK(next.at("ends").to_number<int>() == 1);
  CHECK(next.at("differences").as_array().at(0).at("user_name").as_string() == "fay");
  while (!company.happened("removal.requested")) {
  }
  CHECK(company.shown().at("health").as_string() == "ok");
  CHECK(company.shown().at("users").to_number<std::size_t>() == fewer.size());
}

TEST_CASE("a list of the host that is not whole is refused, and ends nobody's access [R6][R16]", "[R6][R16]") {
  const Company company;
  (void)company.sync(company.people);
  const auto end_with = [&](const std::vector<Person>& people, const uint64_t* count) {
    const auto list = company.begun();
    if (!people.empty()) CHECK(added(list.get(), people).status == DEPROV_OK);
    deprov_buffer* report = nullptr;
    deprov_error* error = nullptr;
    const auto status = deprov_list_end(list.get(), count, &report, &error);
    CHECK(report == nullptr);
    return said(status, error).status;
  };
  const uint64_t all = company.people.size();
  const uint64_t none = 0;
  CHECK(end_with({company.people.front()}, &all) == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(end_with(company.people, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);  // nothing shows its end
  CHECK(end_with({}, &none) == DEPROV_ERR_INVALID_ARGUMENT);
  auto twice = company.people;
  twice.push_back(twice.front());
  const auto list = company.begun();
  CHECK(added(list.get(), twice).status == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(company.shown().at("health").as_string() == "failing");
  CHECK_FALSE(company.happened("removal.requested"));
}

TEST_CASE("users of a list that make no sense are refused by their place, and the refusal stays") {
  const Company company;
  const auto list = company.begun();
  deprov_list_user broken{str("x"), {}, str("\xFF"), {}, 0, 0};
  deprov_error* error = nullptr;
  auto why = said(deprov_list_add(list.get(), &broken, 1, &error), error);
  CHECK(why.status == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(why.where == "users[0].user_name");
  broken.user_name = {};
  broken.reserved = 1;
  CHECK(said(deprov_list_add(list.get(), &broken, 1, &error), error).status == DEPROV_ERR_UNSUPPORTED);
  CHECK(said(deprov_list_add(list.get(), nullptr, 1, &error), error).status == DEPROV_ERR_INVALID_ARGUMENT);
  const std::vector<deprov_list_user> many(10'001, deprov_list_user{str("x"), {}, {}, {}, 0, 0});
  CHECK(said(deprov_list_add(list.get(), many.data(), many.size(), &error), error).status ==
        DEPROV_ERR_LIMIT_EXCEEDED);
  // None of those has reached the list.
  CHECK(added(list.get(), company.people).status == DEPROV_OK);
  why = added(list.get(), {{"", {}}});
  CHECK(why.status != DEPROV_OK);
  CHECK(added(list.get(), {{"00u-new", {}}}).status == why.status);
  CHECK(deprov_list_end(list.get(), nullptr, nullptr, nullptr) == why.status);
  CHECK(added(list.get(), {{"00u-new", {}}}).status == DEPROV_ERR_NOT_FOUND);  // it has ended
}

TEST_CASE("a list is of its workspace, and of whoever may manage it [R21]", "[R21]") {
  Company company;
  const auto list = company.begun();
  const auto id = text(deprov_list_get_id(list.get()));
  const auto stranger =
      manage(company.engine.get(), nullptr, "POST", "/workspaces", R"({"name": "Other", "owner": "o"})");
  const auto other = std::string(stranger.at("id").as_string());
  const auto token = std::string(stranger.at("owner_token").as_string());
  const auto add_as = [&](const deprov_caller& by) {
    deprov_list* made = nullptr;
    REQUIRE(deprov_list_open(company.engine.get(), &by, str(id), &made, nullptr) == DEPROV_OK);
    const ListPtr owned(made);
    return added(made, {company.people.front()}).status;
  };
  CHECK(add_as({sizeof(deprov_caller), str(other), {}}) == DEPROV_ERR_NOT_FOUND);
  CHECK(add_as({sizeof(deprov_caller), {}, str(token)}) == DEPROV_ERR_NOT_FOUND);
  CHECK(add_as({sizeof(deprov_caller), {}, str("dp_nothing")}) == DEPROV_ERR_UNAUTHORIZED);
  const auto member = [&] {
    const auto by = company.local();
    return std::string(
        manage(company.engine.get(), &by, "POST", "/principals", R"({"name": "m", "role": "member"})")
            .at("token")
            .as_string());
  }();
  CHECK(add_as({sizeof(deprov_caller), {}, str(member)}) == DEPROV_ERR_FORBIDDEN);
  CHECK(added(list.get(), company.people).status == DEPROV_OK);  // nobody of them gave it up
}

TEST_CASE("a list that is freed before its end is given up; one that could not be read is a failure [R16]",
          "[R16]") {
  const Company company;
  (void)company.sync(company.people);
  auto list = company.begun();
  const auto id = text(deprov_list_get_id(list.get()));
  list.reset();
  const auto by = company.local();
  deprov_list* made = nullptr;
  REQUIRE(deprov_list_open(company.engine.get(), &by, str(id), &made, nullptr) == DEPROV_OK);
  const ListPtr again(made);
  CHECK(added(made, company.people).status == DEPROV_ERR_NOT_FOUND);
  CHECK(company.shown().at("health").as_string() == "ok");
  list = company.begun();
  CHECK(deprov_list_give_up(list.get(), str(std::string(1001, 'x')), nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(deprov_list_give_up(list.get(), str("the caf\xe9 was away"), nullptr) == DEPROV_OK);
  CHECK(company.shown().at("failure").as_string().find("the caf\xef\xbf\xbd was away") != json::string::npos);
}

TEST_CASE("a list of the host without waiting: one step at a time, told by the queue") {
  const Company company;
  const auto by = company.local();
  const auto begun =
      manage(company.engine.get(), &by, "POST", company.path() + "/" + company.source + "/lists", "{}");
  const auto id = std::string(begun.at("list").as_string());
  deprov_list* made = nullptr;
  CHECK(deprov_list_open(company.engine.get(), &by, str("no id"), &made, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  REQUIRE(deprov_list_open(company.engine.get(), &by, str(id), &made, nullptr) == DEPROV_OK);
  const ListPtr list(made);
  const auto rows = rows_of(company.people);
  const auto take = [&] {
    deprov_event event{};
    size_t taken = 0;
    REQUIRE(deprov_engine_next(company.engine.get(), &event, 1, 60'000, &taken, nullptr) == DEPROV_OK);
    CHECK(event.kind == DEPROV_EVENT_RESPONSE);
    const ResponsePtr response(event.response);
    REQUIRE(response);
    const auto body = text(deprov_response_get_body(response.get()));
    return std::pair(deprov_response_get_status(response.get()), body.empty() ? json::value() : json::parse(body));
  };
  deprov_list_step step{};
  step.struct_size = sizeof step;
  step.kind = DEPROV_LIST_ADD;
  step.users = rows.data();
  step.user_count = rows.size();
  uint64_t token = 0;
  REQUIRE(deprov_list_send(made, &step, nullptr, &token, nullptr) == DEPROV_OK);
  CHECK(token != 0);
  auto [status, body] = take();
  CHECK(status == 200);
  CHECK(body.at("offset").to_number<std::size_t>() == rows.size());
  CHECK(deprov_list_get_count(made) == rows.size());
  const deprov_list_user nobody{};
  step.users = &nobody;
  step.user_count = 1;
  REQUIRE(deprov_list_send(made, &step, nullptr, &token, nullptr) == DEPROV_OK);
  std::tie(status, body) = take();
  CHECK(status == 400);  // as over HTTP: it is the caller's list
  CHECK(body.at("error").at("code").as_string() == "invalid_argument");
  step.kind = DEPROV_LIST_GIVE_UP;
  REQUIRE(deprov_list_send(made, &step, nullptr, &token, nullptr) == DEPROV_OK);
  CHECK(take().first == 204);
  step.kind = 17;
  CHECK(deprov_list_send(made, &step, nullptr, &token, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
}

TEST_CASE("while the host drives, a step of a list that is under way keeps others away") {
  auto options = in_memory();
  options.host_driven = 1;
  Company company(options);
  const auto list = company.begun();
  const auto rows = rows_of(company.people);
  deprov_list_step step{};
  step.struct_size = sizeof step;
  step.users = rows.data();
  step.user_count = rows.size();
  uint64_t token = 0;
  REQUIRE(deprov_list_send(list.get(), &step, nullptr, &token, nullptr) == DEPROV_OK);
  // Nobody pumps: it is under way.
  CHECK(deprov_list_send(list.get(), &step, nullptr, nullptr, nullptr) == DEPROV_ERR_CONFLICT);
  CHECK(deprov_list_add(list.get(), rows.data(), rows.size(), nullptr) == DEPROV_ERR_CONFLICT);
  deprov_event event{};
  size_t taken = 0;
  REQUIRE(deprov_engine_next(company.engine.get(), &event, 1, 60'000, &taken, nullptr) == DEPROV_OK);
  CHECK(event.token == token);
  deprov_response_free(event.response);
  CHECK(Company::end(list.get(), rows.size()).at("first").as_bool());
  // A list outlives its engine, and says so.
  company.engine.reset();
  CHECK(deprov_list_add(list.get(), rows.data(), rows.size(), nullptr) == DEPROV_ERR_CLOSED);
}
