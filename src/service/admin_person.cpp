// When a person lost access, in which apps, who decided, and what proves it.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <deprov/evidence/record.hpp>
#include <deprov/idp/dialect.hpp>
#include <deprov/scim/fold.hpp>
#include <map>
#include <set>
#include <utility>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

constexpr std::size_t most_removals = 20;   // of one subject
constexpr std::size_t most_records = 2000;  // of one subject's activity
constexpr std::size_t most_candidates = 100;
constexpr std::size_t most_subjects = 200;

using Attribute = port::ResourceKey::Attribute;

struct Match {
  port::IntegrationRow integration;
  port::ResourceRow subject;
  std::string by;
};

/// Whether the IdP never gives an externalId to another person, as the integration declares it.
bool external_id_immutable(const port::IntegrationRow& row) {
  boost::system::error_code ec;
  const auto settings = json::parse(row.settings.empty() ? "{}" : row.settings, ec);
  if (!ec && settings.is_object()) {
    const auto* set = settings.get_object().if_contains("external_id_immutable");
    if (set != nullptr && set->is_bool()) return set->get_bool();
  }
  const auto* dialect = idp::find_dialect(row.idp);
  return dialect != nullptr && dialect->external_id_immutable;
}

class Search {
 public:
  Search(port::Reader& reader, std::string key) : reader_(reader), key_(std::move(key)) {}

  Result<void> run(WorkspaceId workspace) {
    DEPROV_TRY(rows, reader_.integrations_ever(workspace));
    integrations_ = std::move(rows);
    DEPROV_CHECK(by_declared_ids());
    DEPROV_CHECK(by_joined_ids());
    return by_login();
  }
  std::vector<Match> matches;
  std::vector<Match> candidates;
  bool more = false;  ///< there are more of either than are looked at

 private:
  void add(std::vector<Match>& to, const port::IntegrationRow& integration, port::ResourceRow subject,
           std::string by) {
    if (subject.type != "User") return;
    if (!known_.insert({integration.scope.integration, subject.id}).second) return;
    if (matches.size() >= most_subjects || candidates.size() >= most_candidates) {
      more = true;
      return;
    }
    to.push_back({integration, std::move(subject), std::move(by)});
  }

  /// Living and deleted ones.
  Result<std::vector<port::ResourceRow>> with_external_id(const port::Scope& scope, const std::string& id) {
    DEPROV_TRY(rows, reader_.resources_by_key(scope, "User", {Attribute::external_id, id}, 10));
    DEPROV_TRY(gone, reader_.tombstones_by_external_id(scope, "User", id));
    for (auto& row : gone) rows.push_back(std::move(row));
    return std::move(rows);
  }

  Result<void> by_declared_ids() {
    const auto id = ResourceId::parse(key_);
    for (const auto& i : integrations_) {
      const bool declared = external_id_immutable(i);
      if (id) {
        DEPROV_TRY(row, reader_.resource(i.scope, *id));
        if (row && row->type == "User") {
          if (declared && !row->external_id.empty()) joined_.insert({i.idp, row->external_id});
          add(matches, i, std::move(*row), "subject_id");
        }
      }
      if (!declared) continue;
      DEPROV_TRY(rows, with_external_id(i.scope, key_));
      for (auto& row : rows) {
        joined_.insert({i.idp, key_});
        add(matches, i, std::move(row), "external_id");
      }
    }
    return {};
  }

  /// The same externalId from the same IdP, where both integrations declare that it is nobody else's.
  Result<void> by_joined_ids() {
    for (const auto& [idp, external_id] : joined_) {
      for (const auto& i : integrations_) {
        if (i.idp != idp || !external_id_immutable(i)) continue;
        DEPROV_TRY(rows, with_external_id(i.scope, external_id));
        for (auto& row : rows) add(matches, i, std::move(row), "joined_external_id");
      }
    }
    return {};
  }

  /// Logins and addresses are given to others: who has them is a candidate, no more.
  Result<void> by_login() {
    std::set<std::string> logins{scim::fold(key_)};
    std::set<std::string> external_ids{key_};
    for (const auto& m : matches) {
      if (!m.subject.user_name_key.empty()) logins.insert(m.subject.user_name_key);
      for (const auto& e : m.subject.email_keys) logins.insert(e);
      if (!m.subject.external_id.empty()) external_ids.insert(m.subject.external_id);
    }
    for (const auto& i : integrations_) {
      for (const auto& login : logins) {
        DEPROV_TRY(named, reader_.resources_by_key(i.scope, "User", {Attribute::user_name, login}, 10));
        for (auto& row : named) add(candidates, i, std::move(row), "user_name");
        // Whoever is gone left the name behind, and others may have had it since.
        DEPROV_TRY(gone, reader_.tombstones_by_user_name(i.scope, "User", login, most_candidates + 1));
        for (auto& row : gone) add(candidates, i, std::move(row), "user_name");
        DEPROV_TRY(mailed, reader_.resources_by_key(i.scope, "User", {Attribute::email, login}, 10));
        for (auto& row : mailed) add(candidates, i, std::move(row), "email");
      }
      for (const auto& external_id : external_ids) {
        DEPROV_TRY(rows, with_external_id(i.scope, external_id));
        for (auto& row : rows) add(candidates, i, std::move(row), "external_id_not_declared");
      }
    }
    return {};
  }

  port::Reader& reader_;
  std::string key_;
  std::vector<port::IntegrationRow> integrations_;
  std::set<std::pair<std::string, std::string>> joined_;  ///< idp, externalId
  std::set<std::pair<IntegrationId, ResourceId>> known_;
};

json::value parsed(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  boost::system::error_code ec;
  auto v = json::parse(*text, ec);
  return ec ? json::value(nullptr) : v;
}

json::object proof_json(const port::ActivityRow& row) {
  return {{"seq", row.seq},
          {"at", time_json(row.at)},
          {"event", row.event},
          {"actor", row.actor},
          {"hash", hash_text(row.hash)},
          {"detail", parsed(row.detail)},
          {"detail_deleted", !row.detail.has_value()}};
}

/// The first of them decided: what was over and then attested by a person has no other one.
bool begins_removal(std::string_view event) {
  return event == "removal.requested" || event == "job.retried" || event == "job.attested";
}

Result<json::object> removal_json(port::Reader& reader, const port::JobRow& job,
                                  const std::vector<port::ActivityRow>& records) {
  DEPROV_TRY(o, job_json(reader, job, true));
  o["decided_by"] = nullptr;
  o["decided_at"] = nullptr;
  o["decided_seq"] = nullptr;
  o["verified_at"] =
      job.state == port::JobState::succeeded_verified ? time_json(access_ended(job)) : json::value(nullptr);
  json::array proof;
  for (const auto& r : records) {
    if (r.job != job.id) continue;
    if (begins_removal(r.event) && o["decided_seq"].is_null()) {
      o["decided_by"] = r.actor;
      o["decided_at"] = time_json(r.at);
      o["decided_seq"] = r.seq;
    }
    proof.push_back(proof_json(r));
  }
  o["proof"] = std::move(proof);
  return o;
}

Result<json::object> app_json(port::Reader& reader, const Match& m) {
  const auto& scope = m.integration.scope;
  json::object o;
  o["integration"] = {{"id", scope.integration.str()},
                      {"name", m.integration.name},
                      {"idp", m.integration.idp},
                      {"connector", m.integration.connector},
                      {"deleted", m.integration.state == port::IntegrationState::deleted}};
  o["matched_by"] = m.by;
  DEPROV_TRY(subject, subject_json(reader, m.subject));
  const bool access = subject.at("access").as_bool();
  const bool retained = !subject.at("retained").is_null();
  const auto intent = subject.at("intent");
  o["subject"] = std::move(subject);

  std::vector<port::ActivityRow> records;
  std::uint64_t after = 0;
  for (bool more = true; more && records.size() < most_records;) {
    DEPROV_TRY(page, reader.activity_of(scope, m.subject.id, after, 500));
    more = page.more && !page.rows.empty();
    for (auto& row : page.rows) {
      after = row.seq;
      records.push_back(std::move(row));
    }
  }
  // What ended before access came back is another time. By their places in the chain: clocks jump.
  std::uint64_t restored = 0;
  std::map<JobId, std::uint64_t> begun;
  for (const auto& r : records) {
    if (r.event == "access.restored") restored = r.seq;
    if (!r.job.is_nil()) begun.emplace(r.job, r.seq);
  }
  port::JobFilter filter;
  filter.subject = m.subject.id;
  json::array removals;
  std::optional<WallTime> lost;
  std::optional<JobId> before;
  for (bool more = true; more && removals.size() < most_removals;) {
    DEPROV_TRY(page, reader.jobs(scope, filter, before, 100));
    more = page.more && !page.rows.empty();
    for (const auto& job : page.rows) {
      before = job.id;
      if (job.kind != port::JobKind::remove_access || removals.size() >= most_removals) continue;
      // A deletion, or what somebody enabled in the app, ends nothing that had not ended before.
      const auto first = begun.find(job.id);
      if (!access && first != begun.end() && first->second > restored)
        lost = std::min(lost.value_or(job.evidence_at), job.evidence_at);
      DEPROV_TRY(removal, removal_json(reader, job, records));
      removals.push_back(std::move(removal));
    }
  }
  // Who is retained has no removal, and lost access in the IdP all the same.
  o["lost_access_at"] = lost                                        ? time_json(*lost)
                        : !access && retained && intent.is_object() ? intent.at("evidence_at")
                                                                    : json::value(nullptr);
  o["removals"] = std::move(removals);
  return o;
}

void person_report(const CallPtr& call) {
  const auto it = call->query.find("key");
  if (it == call->query.end() || it->second.empty() || it->second.size() > 1024) {
    return fail(call, Error(Errc::invalid_argument, "a key of 1 to 1024 bytes is needed", "query parameter key",
                            "give a subject's id, an externalId, a userName or an e-mail address"));
  }
  read(call, [call, key = it->second](port::Reader& reader) -> Result<json::value> {
    Search search(reader, key);
    DEPROV_CHECK(search.run(call->by.workspace));
    json::array apps;
    for (const auto& m : search.matches) {
      DEPROV_TRY(app, app_json(reader, m));
      apps.push_back(std::move(app));
    }
    json::array candidates;
    for (const auto& m : search.candidates) {
      DEPROV_TRY(subject, subject_json(reader, m.subject));
      candidates.push_back(json::object{{"integration",
                                         {{"id", m.integration.scope.integration.str()},
                                          {"name", m.integration.name},
                                          {"idp", m.integration.idp},
                                          {"connector", m.integration.connector},
                                          {"deleted", m.integration.state == port::IntegrationState::deleted}}},
                                        {"matched_by", m.by},
                                        {"subject", std::move(subject)}});
    }
    return json::value(json::object{
        {"key", key}, {"apps", std::move(apps)}, {"candidates", std::move(candidates)}, {"more", search.more}});
  });
}

}  // namespace

void add_person_routes(std::vector<AdminRoute>& routes) {
  routes.push_back({"GET",
                    "/person-report",
                    "reportPerson",
                    "reports",
                    "When a person lost access, in which apps, who decided, and what proves it",
                    Needs::integrations,
                    {{"key", "string",
                      "A subject's id or an externalId that integrations declare immutable; a userName or e-mail "
                      "address finds candidates only."}},
                    "",
                    200,
                    "PersonReport",
                    person_report});
}

}  // namespace deprov::service
