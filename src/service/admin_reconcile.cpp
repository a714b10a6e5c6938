// Reconciliation: started, watched, and what it found.
#include <boost/json/array.hpp>
#include <memory>
#include <utility>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

void start(const CallPtr& call) {
  const bool queue = call->text("mode") == "queue";
  call->engine.reconcile(
      call->by, call->id<IntegrationId>(0), queue,
      [call](Result<WorkId> run) {
        if (!run) return fail(call, run.error());
        answer(call, 202, json::object{{"run", run->str()}});
      },
      [](const Result<json::object>&) {});  // what came of it is read by GET
}

/// Answers with the report, or, where the engine lets go of the run, with that.
class AtTheEnd {
 public:
  explicit AtTheEnd(CallPtr call) : call_(std::move(call)) {}
  ~AtTheEnd() {
    try {
      answer_with(
          Error(Errc::closed, "the engine is shutting down", {}, "it is reconciled again at the next start"));
    } catch (...) {  // no memory to say so
    }
  }
  AtTheEnd(const AtTheEnd&) = delete;
  AtTheEnd& operator=(const AtTheEnd&) = delete;
  void answer_with(const Result<json::object>& report) {
    const auto call = std::exchange(call_, nullptr);
    if (!call) return;
    if (!report) return fail(call, report.error());
    answer(call, 200, *report);
  }

 private:
  CallPtr call_;
};

void run_to_the_end(const CallPtr& call) {
  const auto end = std::make_shared<AtTheEnd>(call);
  call->engine.reconcile(
      call->by, call->id<IntegrationId>(0), call->text("mode") == "queue",
      [end](const Result<WorkId>& run) {
        if (!run) end->answer_with(run.error());
      },
      [end](const Result<json::object>& report) { end->answer_with(report); });
}

void show_reconciliation(const CallPtr& call) {
  call->engine.reconciliation(call->by, call->id<IntegrationId>(0), [call](Result<json::object> report) {
    if (!report) return fail(call, report.error());
    answer(call, 200, std::move(*report));
  });
}

Result<json::object> finding_json(port::Reader& reader, const port::FindingRow& row) {
  json::object o;
  o["n"] = row.n;
  o["kind"] = port::to_string(row.kind);
  o["subject"] = id_json(row.subject);
  o["user_name"] = nullptr;
  if (!row.subject.is_nil()) {
    DEPROV_TRY(resource, reader.resource(row.scope, row.subject));
    if (resource && !resource->user_name_key.empty()) o["user_name"] = resource->user_name_key;
  }
  o["account"] = row.account_id;
  o["login"] = row.account_login;
  o["note"] = row.note;
  o["job"] = id_json(row.job);
  return o;
}

void findings(const CallPtr& call) {
  const auto after = number_of(*call, "after", 0);
  if (!after) return fail(call, after.error());
  const auto limit = limit_of(*call, 100, 1000);
  if (!limit) return fail(call, limit.error());
  call->engine.reconciliation(
      call->by, call->id<IntegrationId>(0), [call, after = *after, limit = *limit](Result<json::object> report) {
        if (!report) return fail(call, report.error());
        const auto* text = report->if_contains("run");
        const auto run = text != nullptr && text->is_string()
                             ? WorkId::parse(std::string_view(text->get_string())).value_or(WorkId{})
                             : WorkId{};
        read(call, [call, run, after, limit](port::Reader& reader) -> Result<json::value> {
          DEPROV_TRY(integration, integration_of(reader, *call));
          DEPROV_TRY(page, reader.findings(integration.scope, run, after, limit));
          json::array items;
          for (const auto& row : page.rows) {
            DEPROV_TRY(item, finding_json(reader, row));
            items.push_back(std::move(item));
          }
          json::value next;
          if (page.more && !page.rows.empty()) next = page.rows.back().n;
          return json::value(
              json::object{{"run", id_json(run)}, {"items", std::move(items)}, {"next", std::move(next)}});
        });
      });
}

}  // namespace

void add_reconcile_routes(std::vector<AdminRoute>& routes) {
  const std::string_view tag = "reconciliation";
  routes.push_back({"POST",
                    "/integrations/{integration}/reconcile",
                    "reconcile",
                    tag,
                    "Compares who has access with the accounts that are in the app; answers at once",
                    Needs::integrations,
                    {},
                    "Reconcile",
                    202,
                    "ReconcileStarted",
                    start});
  routes.push_back({"POST",
                    "/integrations/{integration}/reconciliation",
                    "runReconciliation",
                    tag,
                    "The same, and answers with the report once it has ended",
                    Needs::integrations,
                    {},
                    "Reconcile",
                    200,
                    "Reconciliation",
                    run_to_the_end});
  routes.push_back({"GET",
                    "/integrations/{integration}/reconciliation",
                    "getReconciliation",
                    tag,
                    "How far the run under way is, or what the last one found",
                    Needs::integrations,
                    {},
                    "",
                    200,
                    "Reconciliation",
                    show_reconciliation});
  routes.push_back({"GET",
                    "/integrations/{integration}/findings",
                    "listFindings",
                    tag,
                    "The findings of the run under way, or of the last one",
                    Needs::integrations,
                    {{"after", "integer", "The number of the last finding that was seen."},
                     {"limit", "integer", "1 to 1000, default 100."}},
                    "",
                    200,
                    "FindingList",
                    findings});
}

}  // namespace deprov::service
