#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <deprov/scim/fold.hpp>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

Result<port::ResourceRow> subject_of(port::Reader& reader, const AdminCall& call) {
  DEPROV_TRY(row, reader.resource(call.scope(), call.id<ResourceId>(1)));
  if (!row || row->type != "User") {
    return Error(Errc::not_found, "there is no such subject in this integration",
                 "subject " + call.id<ResourceId>(1).str());
  }
  return std::move(*row);
}

/// By an exact attribute, or page by page.
Result<port::Page<port::ResourceRow>> page_of(port::Reader& reader, const AdminCall& call) {
  const auto scope = call.scope();
  DEPROV_TRY(limit, limit_of(call, 100, 1000));
  DEPROV_TRY(after, id_of<ResourceId>(call, "after"));
  port::ResourceKey key;
  if (const auto it = call.query.find("user_name"); it != call.query.end()) {
    key = {port::ResourceKey::Attribute::user_name, scim::fold(it->second)};
  } else if (const auto ext = call.query.find("external_id"); ext != call.query.end()) {
    key = {port::ResourceKey::Attribute::external_id, ext->second};
  } else {
    return reader.resources(scope, "User", after, limit);
  }
  DEPROV_TRY(rows, reader.resources_by_key(scope, "User", key, limit));
  return port::Page<port::ResourceRow>{std::move(rows), false};
}

void list_subjects(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(integration, integration_of(reader, *call));
    DEPROV_TRY(page, page_of(reader, *call));
    DEPROV_TRY(total, reader.resource_count(integration.scope, "User"));
    json::array items;
    for (const auto& row : page.rows) {
      DEPROV_TRY(item, subject_json(reader, row));
      items.push_back(std::move(item));
    }
    json::value next;
    if (page.more && !page.rows.empty()) next = page.rows.back().id.str();
    return json::value(json::object{{"items", std::move(items)}, {"next", std::move(next)}, {"total", total}});
  });
}

void show_subject(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(integration, integration_of(reader, *call));
    DEPROV_TRY(row, subject_of(reader, *call));
    const auto& scope = integration.scope;
    DEPROV_TRY(subject, subject_json(reader, row));
    json::array groups;
    DEPROV_TRY(group_ids, reader.groups_of(scope, row.id));
    for (const auto& id : group_ids) {
      DEPROV_TRY(group, reader.resource(scope, id));
      if (!group) continue;
      boost::system::error_code ec;
      const auto document = json::parse(group->document, ec);
      const auto* name = document.is_object() ? document.get_object().if_contains("displayName") : nullptr;
      groups.push_back(json::object{
          {"id", id.str()},
          {"display_name", name != nullptr && name->is_string() ? name->get_string() : json::string("")}});
    }
    json::array jobs;
    port::JobFilter filter;
    filter.subject = row.id;
    DEPROV_TRY(page, reader.jobs(scope, filter, std::nullopt, 100));
    for (const auto& job : page.rows) {
      DEPROV_TRY(item, job_json(reader, job, false));
      jobs.push_back(std::move(item));
    }
    json::array changes;
    DEPROV_TRY(rows, reader.changes(scope, row.id, 100));
    for (const auto& c : rows) {
      changes.push_back(json::object{{"id", c.id.str()},
                                     {"kind", idp::to_string(c.kind)},
                                     {"at", time_json(c.at)},
                                     {"source", c.source},
                                     {"request", c.request},
                                     {"group", id_json(c.group)}});
    }
    return json::value(json::object{{"subject", std::move(subject)},
                                    {"groups", std::move(groups)},
                                    {"jobs", std::move(jobs)},
                                    {"changes", std::move(changes)}});
  });
}

engine::Done<void> then_nothing(const CallPtr& call) {
  return [call](Result<void> done) {
    if (!done) return fail(call, done.error());
    answer_nothing(call);
  };
}

void bind(const CallPtr& call) {
  call->engine.bind(call->by, call->id<IntegrationId>(0), call->id<ResourceId>(1), call->text("account"),
                    then_nothing(call));
}

void unbind(const CallPtr& call) {
  call->engine.unbind(call->by, call->id<IntegrationId>(0), call->id<ResourceId>(1), then_nothing(call));
}

void offboard(const CallPtr& call) {
  call->engine.offboard(call->by, call->id<IntegrationId>(0), call->id<ResourceId>(1), call->text("reason"),
                        [call](Result<JobId> job) {
                          if (!job) return fail(call, job.error());
                          answer(call, 202, json::object{{"job", job->str()}});
                        });
}

}  // namespace

void add_subject_routes(std::vector<AdminRoute>& routes) {
  const auto add = [&](AdminRoute r) { routes.push_back(std::move(r)); };
  const std::string_view tag = "subjects";
  const auto needs = Needs::integrations;
  add({"GET",
       "/integrations/{integration}/subjects",
       "listSubjects",
       tag,
       "People as the IdP presents them",
       needs,
       {{"user_name", "string", "Only who has this userName, in any case."},
        {"external_id", "string", "Only who has this externalId."},
        {"after", "uuid", "Where the page before ended."},
        {"limit", "limit", "1 to 1000, default 100."}},
       "",
       200,
       "SubjectList",
       list_subjects});
  add({"GET",
       "/integrations/{integration}/subjects/{subject}",
       "getSubject",
       tag,
       "Access, intent, binding, groups, jobs and changes of one person",
       needs,
       {},
       "",
       200,
       "SubjectDetail",
       show_subject});
  add({"POST",
       "/integrations/{integration}/subjects/{subject}/bind",
       "bindSubject",
       tag,
       "Binds to an account of the app, or looks it up anew",
       needs,
       {},
       "Bind",
       204,
       "",
       bind});
  add({"POST",
       "/integrations/{integration}/subjects/{subject}/unbind",
       "unbindSubject",
       tag,
       "Forgets the account",
       needs,
       {},
       "",
       204,
       "",
       unbind});
  add({"POST",
       "/integrations/{integration}/subjects/{subject}/offboard",
       "offboardSubject",
       tag,
       "Ends access by a person's decision",
       needs,
       {},
       "Reason",
       202,
       "JobCreated",
       offboard});
}

}  // namespace deprov::service
