#include "engine/preview.hpp"
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>
#include "engine/decision.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t page_size = 1000;

std::string hex(const port::Sha256& hash) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto b : hash) {
    out.push_back(digits[b >> 4U]);
    out.push_back(digits[b & 15U]);
  }
  return out;
}

std::string text_in(const port::ResourceRow& row, std::string_view name) {
  boost::system::error_code ec;
  const auto document = json::parse(row.document.empty() ? "{}" : row.document, ec);
  const auto* o = ec ? nullptr : document.if_object();
  const auto* v = o != nullptr ? o->if_contains(name) : nullptr;
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
}

template <class Take>
Result<void> each_resource(port::Reader& reader, const port::Scope& scope, std::string_view type, Take take) {
  std::optional<ResourceId> after;
  for (bool more = true; more;) {
    DEPROV_TRY(page, reader.resources(scope, type, after, page_size));
    for (const auto& row : page.rows) DEPROV_CHECK(take(row));
    if (!page.rows.empty()) after = page.rows.back().id;
    more = page.more && !page.rows.empty();
  }
  return {};
}

/// Whom the IdP deleted although something is still to come for them: a rule keeps the account, or what follows
/// was only observed.
template <class Take>
Result<void> each_left_behind(port::Reader& reader, const port::Scope& scope, Take take) {
  const auto deleted = [&](ResourceId id) -> Result<void> {
    DEPROV_TRY(row, reader.resource(scope, id));
    return row && row->deleted && row->type == "User" ? take(*row) : Result<void>();
  };
  std::optional<ResourceId> after;
  for (bool more = true; more;) {
    DEPROV_TRY(page, reader.dues_of_kind(scope, retained_kind, after, page_size));
    for (const auto& due : page.rows) DEPROV_CHECK(deleted(due.subject));
    if (!page.rows.empty()) after = page.rows.back().subject;
    more = page.more && !page.rows.empty();
  }
  port::JobFilter observed;
  observed.state = port::JobState::observed;
  std::optional<JobId> before;
  for (bool more = true; more;) {
    DEPROV_TRY(page, reader.jobs(scope, observed, before, page_size));
    for (const auto& job : page.rows) {
      DEPROV_TRY(subject, reader.subject(scope, job.subject));
      if (subject && subject->job == job.id) DEPROV_CHECK(deleted(job.subject));
    }
    if (!page.rows.empty()) before = page.rows.back().id;
    more = page.more && !page.rows.empty();
  }
  return {};
}

Error beyond(std::size_t bound, std::string_view what) {
  return {Errc::limit_exceeded,
          "the integration has more than " + std::to_string(bound) + " " + std::string(what) +
              ", which is more than a plan shows",
          "plan"};
}

}  // namespace

Result<policy::RecordedState> read_state(port::Reader& reader, const port::Scope& scope,
                                         const policy::Protection& protection) {
  const bool attributes = policy::needs_attributes(protection);
  policy::RecordedState state;
  const auto take_user = [&](const port::ResourceRow& row) -> Result<void> {
    if (state.users.size() == policy::max_state_users) return beyond(policy::max_state_users, "users");
    policy::RecordedState::User u;
    u.id = row.id.str();
    u.user_name = text_in(row, "userName");
    u.external_id = row.external_id;
    u.active = row.active && !row.deleted;
    if (attributes) {
      boost::system::error_code ec;
      auto document = json::parse(row.document.empty() ? "{}" : row.document, ec);
      if (!ec && document.is_object()) u.attributes = std::move(document.get_object());
    }
    if (protection.about_accounts()) {
      DEPROV_TRY(binding, reader.binding(scope, row.id));
      if (binding) {
        u.account_id = binding->account_id;
        u.account_login = binding->account_login;
      }
    }
    DEPROV_TRY(subject, reader.subject(scope, row.id));
    if (subject) {
      u.access = subject->access;
      u.ended = subject->desired == port::Desired::no_access;
      u.cause = subject->cause;
      if (u.ended && !subject->job.is_nil()) {
        DEPROV_TRY(job, reader.job(scope, subject->job));
        u.observed = job && job->state == port::JobState::observed;
      }
      if (u.ended && !u.access) {
        DEPROV_TRY(due, reader.due(scope, row.id, retained_kind));
        if (due) {
          DEPROV_TRY(retention, policy::parse_retention(due->payload));
          u.retained = !retention.rule.empty();
          u.own_account = retention.rule == policy::own_account_rule;
        }
      }
    }
    state.users.push_back(std::move(u));
    return {};
  };
  DEPROV_CHECK(each_resource(reader, scope, "User", take_user));
  DEPROV_CHECK(each_left_behind(reader, scope, take_user));
  std::size_t members = 0;
  const auto take_group = [&](const port::ResourceRow& row) -> Result<void> {
    policy::RecordedState::Group g{row.id.str(), row.external_id, text_in(row, "displayName"), {}};
    std::optional<ResourceId> after;
    for (bool more = true; more;) {
      DEPROV_TRY(page, reader.members(scope, row.id, after, page_size));
      for (const auto& m : page.rows) g.members.push_back(m.member.str());
      if (!page.rows.empty()) after = page.rows.back().member;
      more = page.more && !page.rows.empty();
      members += page.rows.size();
      if (members > policy::max_state_members) return beyond(policy::max_state_members, "memberships");
    }
    state.groups.push_back(std::move(g));
    return {};
  };
  DEPROV_CHECK(each_resource(reader, scope, "Group", take_group));
  return state;
}

json::object preview_document(const port::Crypto& crypto, const policy::Policy& policy,
                              const policy::RecordedState& state, const connector::Description& app,
                              WallTime now) {
  auto document = policy::preview(policy, state, app, now);
  document["hash"] = hex(crypto.sha256(port::bytes_of(json::serialize(document))));
  return document;
}

void Engine::preview(Principal by, IntegrationId id, std::optional<json::object> policy,
                     std::optional<json::object> recorded, Done<json::object> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<json::object>(impl, std::move(done), ok.error());
  auto out = std::make_shared<json::object>();
  view(
      [impl, by, id, policy = std::move(policy), recorded = std::move(recorded),
       out](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(row, load_integration(reader, by, id));
        const auto scope = row.scope;
        DEPROV_TRY(context, make_context(std::move(row), impl->options.connectors));
        if (context->connector == nullptr) {
          return Error(Errc::unsupported, "this program knows no connector \"" + context->row.connector + "\"",
                       "integration " + id.str(), "use a build or plugin that has it");
        }
        auto candidate = context->policy;
        if (policy) {
          auto parsed = policy::parse_policy(*policy);
          if (!parsed)
            return Error(parsed.error().code(), parsed.error().detail(), "policy" + parsed.error().where(),
                         parsed.error().advice());
          parsed->protection.own = std::move(candidate.protection.own);
          candidate = std::move(*parsed);
        }
        auto state = recorded ? policy::parse_state(*recorded) : read_state(reader, scope, candidate.protection);
        if (!state) {
          return Error(state.error().code(), state.error().detail(),
                       recorded ? "state" + state.error().where() : state.error().where(), state.error().advice());
        }
        *out = preview_document(impl->ports.crypto, candidate, *state, *context->connector, impl->now());
        return {};
      },
      [out, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        done(std::move(*out));
      });
}

void Engine::record_state(Principal by, IntegrationId id, Done<json::object> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<json::object>(impl, std::move(done), ok.error());
  auto out = std::make_shared<json::object>();
  view(
      [impl, by, id, out](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(row, load_integration(reader, by, id));
        const auto scope = row.scope;
        DEPROV_TRY(context, make_context(std::move(row), impl->options.connectors));
        DEPROV_TRY(state, read_state(reader, scope, context->policy.protection));
        *out = policy::to_json(state);
        return {};
      },
      [out, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        done(std::move(*out));
      });
}

}  // namespace deprov::engine
