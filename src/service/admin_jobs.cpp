#include <algorithm>
#include <boost/json/array.hpp>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

/// The integrations whose jobs are asked for; deleted ones, too, since somebody may ask a year later.
Result<std::vector<port::Scope>> scopes_of(port::Reader& reader, const AdminCall& call) {
  DEPROV_TRY(wanted, id_of<IntegrationId>(call, "integration"));
  DEPROV_TRY(rows, reader.integrations_ever(call.by.workspace));
  std::vector<port::Scope> scopes;
  for (const auto& row : rows)
    if (!wanted || row.scope.integration == *wanted) scopes.push_back(row.scope);
  if (wanted && scopes.empty()) {
    return Error(Errc::not_found, "there is no such integration", "integration " + wanted->str(),
                 "list them with GET /api/v1/integrations");
  }
  return scopes;
}

/// A job is known by its id alone in its workspace. Errors: `not_found`.
Result<port::JobRow> job_of(port::Reader& reader, const AdminCall& call) {
  const auto id = call.id<JobId>(0);
  DEPROV_TRY(rows, reader.integrations_ever(call.by.workspace));
  for (const auto& row : rows) {
    DEPROV_TRY(job, reader.job(row.scope, id));
    if (job) return std::move(*job);
  }
  return Error(Errc::not_found, "there is no such job", "job " + id.str(), "list them with GET /api/v1/jobs");
}

void list_jobs(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(limit, limit_of(*call, 100, 1000));
    DEPROV_TRY(before, id_of<JobId>(*call, "before"));
    port::JobFilter filter;
    DEPROV_TRY(subject, id_of<ResourceId>(*call, "subject"));
    filter.subject = subject;
    if (const auto it = call->query.find("state"); it != call->query.end()) {
      filter.state = port::parse_job_state(it->second);
      if (!filter.state) {
        return Error(Errc::invalid_argument, "not the state of a job", "query parameter state",
                     "see JobState in /api/v1/openapi.json");
      }
    }
    if (const auto it = call->query.find("unfinished"); it != call->query.end())
      filter.finished = it->second != "true";
    DEPROV_TRY(scopes, scopes_of(reader, *call));
    // Ids are made in the order of time, so that pages of several integrations merge by id.
    std::vector<port::JobRow> rows;
    bool more = false;
    for (const auto& scope : scopes) {
      DEPROV_TRY(page, reader.jobs(scope, filter, before, limit));
      more = more || page.more;
      rows.insert(rows.end(), std::make_move_iterator(page.rows.begin()),
                  std::make_move_iterator(page.rows.end()));
    }
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.id > b.id; });
    if (rows.size() > limit) {
      rows.resize(limit);
      more = true;
    }
    json::array items;
    for (const auto& row : rows) {
      DEPROV_TRY(item, job_json(reader, row, false));
      items.push_back(std::move(item));
    }
    json::value next;
    if (more && !rows.empty()) next = rows.back().id.str();
    return json::value(json::object{{"items", std::move(items)}, {"next", std::move(next)}});
  });
}

void show_job(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(row, job_of(reader, *call));
    DEPROV_TRY(job, job_json(reader, row, true));
    json::array records;
    std::uint64_t after = 0;
    for (bool more = true; more && records.size() < 1000;) {
      DEPROV_TRY(page, reader.activity_of(row.scope, row.subject, after, 500));
      for (const auto& a : page.rows)
        if (a.job == row.id && records.size() < 1000) records.push_back(to_json(a));
      if (!page.rows.empty()) after = page.rows.back().seq;
      more = page.more && !page.rows.empty();
    }
    return json::value(json::object{{"job", std::move(job)}, {"activity", std::move(records)}});
  });
}

/// Finds the integration of the job, then acts.
void with_job(const CallPtr& call, std::function<void(const port::JobRow&)> act) {
  auto row = std::make_shared<port::JobRow>();
  call->engine.view(
      [call, row](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(found, job_of(reader, *call));
        *row = std::move(found);
        return {};
      },
      [call, row, act = std::move(act)](Result<void> done) {
        if (!done) return fail(call, done.error());
        act(*row);
      });
}

void retry(const CallPtr& call) {
  with_job(call, [call](const port::JobRow& row) {
    call->engine.retry_job(call->by, row.scope.integration, row.id, [call](Result<JobId> job) {
      if (!job) return fail(call, job.error());
      answer(call, 202, json::object{{"job", job->str()}});
    });
  });
}

void approve(const CallPtr& call) {
  with_job(call, [call](const port::JobRow& row) {
    call->engine.approve_job(call->by, row.scope.integration, row.id, call->text("reason"),
                             [call](Result<void> done) {
                               if (!done) return fail(call, done.error());
                               answer_nothing(call);
                             });
  });
}

void attest(const CallPtr& call) {
  with_job(call, [call](const port::JobRow& row) {
    call->engine.attest_job(call->by, row.scope.integration, row.id,
                            {call->text("reason"), call->text("reference")}, [call](Result<JobId> job) {
                              if (!job) return fail(call, job.error());
                              answer(call, 200, json::object{{"job", job->str()}});
                            });
  });
}

void cancel(const CallPtr& call) {
  with_job(call, [call](const port::JobRow& row) {
    call->engine.cancel_job(call->by, row.scope.integration, row.id, call->text("reason"),
                            [call](Result<void> done) {
                              if (!done) return fail(call, done.error());
                              answer_nothing(call);
                            });
  });
}

}  // namespace

void add_job_routes(std::vector<AdminRoute>& routes) {
  const auto add = [&](AdminRoute r) { routes.push_back(std::move(r)); };
  const std::string_view tag = "jobs";
  const auto needs = Needs::integrations;
  add({"GET",
       "/jobs",
       "listJobs",
       tag,
       "Jobs, the newest first",
       needs,
       {{"integration", "uuid", "Only those of this integration."},
        {"subject", "uuid", "Only those of this subject."},
        {"state", "job_state", "Only those in this state."},
        {"unfinished", "boolean", "Only those that are not over."},
        {"before", "uuid", "Where the page before ended."},
        {"limit", "limit", "1 to 1000, default 100."}},
       "",
       200,
       "JobList",
       list_jobs});
  add({"GET",
       "/jobs/{job}",
       "getJob",
       tag,
       "One job with its steps and what happened",
       needs,
       {},
       "",
       200,
       "JobDetail",
       show_job});
  add({"POST",
       "/jobs/{job}/retry",
       "retryJob",
       tag,
       "A new job for what failed, died, is held or was only observed",
       needs,
       {},
       "",
       202,
       "JobCreated",
       retry});
  add({"POST",
       "/jobs/{job}/approve",
       "approveJob",
       tag,
       "Lets the step that the job waits with be taken; by the role that the policy names",
       needs,
       {},
       "Reason",
       204,
       "",
       approve});
  add({"POST",
       "/jobs/{job}/attest",
       "attestJob",
       tag,
       "Somebody did by hand what the job was to do; it is never called verified",
       needs,
       {},
       "Attestation",
       200,
       "JobCreated",
       attest});
  add({"POST",
       "/jobs/{job}/cancel",
       "cancelJob",
       tag,
       "Ends an unfinished job; what it did stays done",
       needs,
       {},
       "Reason",
       204,
       "",
       cancel});
}

}  // namespace deprov::service
