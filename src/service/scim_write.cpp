// POST, PUT, PATCH and DELETE: what a request comes to in stored terms, and its answer.
#include <algorithm>
#include <deprov/scim/patch.hpp>
#include <deprov/scim/resource.hpp>
#include <utility>
#include "service/scim_members.hpp"
#include "service/scim_references.hpp"
#include "service/scim_render.hpp"
#include "service/scim_rows.hpp"
#include "service/scim_unique.hpp"

namespace deprov::service {

namespace {

/// What the last try of an effect body found; the answer is made of it.
struct Outcome {
  port::ResourceRow row;
  std::uint64_t version = 0;  ///< after the commit, where its answer does not say
  bool rows_only = false;     ///< what was changed are the members: then others may have raised the version too
  ScimRenderer::Groups groups;
  bool tagged = true;  ///< false: its groups, which are a part of its version, cannot be told
};
using SharedOutcome = std::shared_ptr<Outcome>;

/// POST revives nobody, active or not (R12): the IdP is told whom it should change instead.
Error taken(std::string_view attribute, const port::ResourceRow& by) {
  return Error(Errc::uniqueness,
               "it is taken by the " + by.type + " " + by.id.str() + (by.active ? "" : ", who is inactive"),
               std::string(attribute),
               by.active ? "change that one" : "change that one, and set its active to true if it is meant to be");
}

/// The live resource that is addressed, its preconditions met.
Result<port::ResourceRow> addressed(const ScimCall& call, port::Reader& reader) {
  DEPROV_TRY(row, reader.resource(call.scope(), call.id));
  if (!row || row->deleted || row->type != call.type->name()) return call.no_resource();
  scim::Version version{row->version, 0};
  if (call.asks_derived()) {
    DEPROV_TRY(shown, version_of(reader, *call.type, *row));
    version = shown;
  }
  DEPROV_CHECK(call.check_preconditions(version));
  return std::move(*row);
}

Result<void> check_user_name(const ScimCall& call, port::Reader& reader, const port::ResourceRow& row) {
  if (row.user_name_key.empty()) return {};
  const port::ResourceKey key{port::ResourceKey::Attribute::user_name, row.user_name_key};
  DEPROV_TRY(holders, reader.resources_by_key(call.scope(), row.type, key, 2));
  for (const auto& h : holders)
    if (h.id != row.id) return taken("userName", h);
  return {};
}

/// By the sender, where it was recognised: the IdPs that are known create whom they name.
bool keeps_unknown_members(const ScimCall& call, const engine::IntegrationContext& context) {
  const auto* set = context.settings.if_contains("unknown_members");
  return set != nullptr && set->is_string() ? set->get_string() == "keep"
                                            : call.normal.dialect->keeps_unknown_members;
}

/// What a request asks of the group's members: of those that are resources as steps of the effect, of the others
/// in `unknown`. `about` gets what a failure is about.
Result<void> add_members(const ScimCall& call, port::Reader& reader, const engine::IntegrationContext& context,
                         ResourceId group, const scim::MemberOps& ops, UnknownMembers& unknown,
                         engine::Effect& effect, std::string* about = nullptr) {
  const bool created = call.id != group;
  const MemberRequest request{*call.type,
                              group,
                              created,
                              call.base,
                              call.options.limits.max_members_per_request,
                              unknown,
                              keeps_unknown_members(call, context),
                              call.promised.get(),
                              about};
  DEPROV_TRY(steps, member_steps(reader, context, request, ops));
  effect.members = std::move(steps);
  effect.group = group;
  effect.unknown_members = unknown.added();
  return {};
}

/// Puts those members back that are kept in the document.
void put_unknown(const scim::TypeDef& type, const UnknownMembers& unknown, json::object& document,
                 std::vector<std::string>& changes, bool& changed) {
  unknown.put(document, type);
  if (!unknown.changed()) return;
  changes.push_back(type.row_attribute()->name);
  changed = true;
}

bool external_id_immutable(const engine::IntegrationContext& context) {
  const auto* set = context.settings.if_contains("external_id_immutable");
  return set != nullptr && set->is_bool() ? set->get_bool() : context.dialect->external_id_immutable;
}

bool answers_with_resource(const ScimCall& call) {
  if (call.brief) return false;
  // RFC 7644 section 3.5.2: who names attributes wants to see them.
  if (!call.query.attributes.empty() || !call.query.excluded_attributes.empty()) return true;
  const auto* set = call.context->settings.if_contains("patch_answer");
  if (set != nullptr && set->is_string()) return set->get_string() != "no_content";
  return call.normal.patch_answer == idp::PatchAnswer::resource_200;
}

/// 0: nobody knows.
std::uint64_t version_after(const Outcome& outcome, const engine::Applied& applied) {
  if (!outcome.tagged) return 0;
  if (applied.version != 0) return applied.version;
  return applied.version_lost && outcome.rows_only ? 0 : outcome.version;
}

/// Answers a write that is done. Types with rows are read again; the others are known already.
void answer_written(const Call& call, const SharedOutcome& outcome, const engine::Applied& applied, int status) {
  auto& row = outcome->row;
  row.version = version_after(*outcome, applied);
  const scim::Version version{row.version, outcome->groups.version};
  if (call->brief) {
    auto response = scim_response(status, {});
    if (row.version != 0) response.headers.push_back({"ETag", scim::format_etag(version)});
    if (status == 201 || call->alias)
      response.headers.push_back({"Location", ScimRenderer(call).location(*call->type, row.id)});
    return call->answer(std::move(response));
  }
  if (call->type->row_attribute() != nullptr) {
    ReadBack how;
    how.status = status;
    how.members = !applied.deferred;
    how.only_small = call->request.method == "PATCH";
    if (how.only_small && applied.deferred) return call->no_content(version);
    how.written = std::shared_ptr<const port::ResourceRow>(outcome, &row);
    return answer_resource(call, row.id, how);
  }
  ScimRenderer renderer(call);
  std::string text;
  if (auto r = renderer.append_document(text, *call->type, row, outcome->groups); !r) return call->fail(r.error());
  auto response = scim_response(status, std::move(text));
  renderer.add_headers(response, *call->type, row.id, version);
  call->answer(std::move(response));
}

/// Whether both know the same schemas. Of the same text one registry may have been made twice.
bool same_schemas(const engine::IntegrationContext& a, const engine::IntegrationContext& b) {
  if (a.registry == b.registry) return true;
  const auto same = [&](std::string_view name) {
    const auto* x = a.settings.if_contains(name);
    const auto* y = b.settings.if_contains(name);
    return (x == nullptr && y == nullptr) || (x != nullptr && y != nullptr && *x == *y);
  };
  return same("schemas") && same("resource_types");
}

void apply(const Call& call, const SharedOutcome& outcome, engine::Engine::EffectBody body,
           port::UniqueFunction<void(const engine::Applied&)> done) {
  const auto outdated = std::make_shared<bool>(false);
  using Order = engine::Engine::Order;
  call->engine.apply(
      call->context, call->evidence(),
      [call, outdated, body = std::move(body)](
          port::Reader& reader, const engine::IntegrationContext& context) mutable -> Result<engine::Effect> {
        // What the request was understood by has changed since: nothing of it may be stored.
        if (*outdated = !same_schemas(*call->context, context); *outdated)
          return Error(Errc::busy, "the schemas of the integration have changed while the request was worked off",
                       {}, "send it again");
        return body(reader, context);
      },
      [call, outcome, outdated, done = std::move(done)](Result<engine::Applied> applied) mutable {
        if (!applied && *outdated && begin_anew(call)) return;
        if (!applied) return call->fail(applied.error());
        done(*applied);
      },
      call->in_turn ? Order::in_turn : Order::any);
}

/// RFC 7644 section 3.5.2.2: `active` that was removed is unassigned.
bool takes_active_away(const scim::TypeDef& type, const scim::PatchRequest& patch) {
  const auto* active = type.attribute("active");
  return std::any_of(patch.operations.begin(), patch.operations.end(), [&](const auto& op) {
    if (op.op != scim::PatchOperation::Op::remove || !op.path) return false;
    const auto r = type.resolve(op.path->attr);
    return r && r->attribute == active;
  });
}

/// Missing is not empty (R10): an `active` that is gone neither ends nor begins anybody's access. A value that is
/// neither true nor false has not said which of the two is meant.
Result<void> check_active(const ScimCall& call, const scim::PatchRequest& patch, const port::ResourceRow& before,
                          bool said_before, const json::object& document, engine::Effect& effect) {
  const auto& type = *call.type;
  if (!said_before || !has_active(type) || scim::Resource(document).active()) return {};
  const std::string state = before.active ? "active" : "inactive";
  if (!takes_active_away(type, patch))
    return Error(Errc::invalid_value, "a " + type.name() + " is active or not, and this one would stay " + state,
                 "active", "replace it by true or false");
  effect.ignored.push_back("active: it is unassigned now, which ends and begins nobody's access; the " +
                           type.name() + " stays " + state);
  return {};
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as what was parsed, which has a bound
bool holds_text(const json::value& v, std::string_view text) {
  if (const auto* s = v.if_string()) return scim::iequals(*s, text);
  if (const auto* a = v.if_array())
    return std::any_of(a->begin(), a->end(), [&](const auto& e) { return holds_text(e, text); });
  const auto* o = v.if_object();
  return o != nullptr &&
         std::any_of(o->begin(), o->end(), [&](const auto& m) { return holds_text(m.value(), text); });
}

/// The operation that names what a failure on the members is about.
Error in_operation(const scim::PatchRequest& patch, const Error& error, std::string_view about) {
  for (std::size_t i = 0; !about.empty() && i < patch.operations.size(); ++i) {
    const auto& op = patch.operations[i];
    const bool by_path = op.path && op.path->value_filter &&
                         (scim::to_string(*op.path->value_filter) == about ||
                          scim::to_string(*op.path).find(about) != std::string::npos);
    if (by_path || (op.value && holds_text(*op.value, about)))
      return error.within("Operations[" + std::to_string(i) + "]");
  }
  return error;
}

/// The operation that touched last what a failure on the whole is about.
Error in_change(const scim::PatchResult& result, const Error& error) {
  const std::string_view where = error.where();
  for (std::size_t i = 0; i < result.changes.size() && i < result.changed_by.size(); ++i) {
    const std::string_view name = result.changes[i];
    const auto rest = where.substr(std::min(name.size(), where.size()));
    if (scim::iequals(where.substr(0, name.size()), name) &&
        (rest.empty() || std::string_view(".:[").find(rest.front()) != std::string_view::npos))
      return error.within("Operations[" + std::to_string(result.changed_by[i]) + "]");
  }
  return error;
}

std::string_view created_values_rule() {
  return idp::rules()[static_cast<std::size_t>(idp::RuleId::create_absent_values)].name;
}

/// The effect of a document that differs from what is stored; `existing` is needed where the type has unique keys.
Result<void> put_change(const ScimCall& call, port::Reader& reader, const port::ResourceRow& before,
                        const json::object& existing, const json::object& document,
                        std::vector<std::string>& changes, engine::Effect& effect) {
  const auto& type = *call.type;
  DEPROV_CHECK(check_references(*call.context->registry, type, document));
  auto changed = changed_row(before, document, changes, type, call.arrived);
  if (changed.row.user_name_key != before.user_name_key) DEPROV_CHECK(check_user_name(call, reader, changed.row));
  if (has_unique_keys(type)) {
    DEPROV_TRY(had, unique_keys(type, existing));
    DEPROV_TRY(has, unique_keys(type, document));
    DEPROV_CHECK(move_keys(effect, reader, call.scope(), before.id, had, has));
  }
  effect.keys_changed = changed.keys_changed;
  effect.renamed = changed.renamed;
  effect.changed_attributes = std::move(changes);
  effect.after = std::move(changed.row);
  return {};
}

/// Groups for the answer, where they are asked for; where it holds no resource, for its version alone.
Result<void> read_groups(const Call& call, port::Reader& reader, Outcome& outcome, bool with_resource = true) {
  if (call->type->row_attribute() != nullptr) return {};
  ScimRenderer renderer(call);
  if (call->brief || !with_resource) {
    // A change must not fail of what others show: where the groups cannot be told, the answer has no version.
    const auto version = renderer.version(reader, *call->type, outcome.row);
    outcome.tagged = version.has_value();
    outcome.groups.version = version ? version->derived : 0;
    return {};
  }
  DEPROV_TRY(groups, renderer.groups(reader, *call->type, outcome.row.id));
  outcome.groups = std::move(groups);
  return {};
}

}  // namespace

void handle_create(const Call& call) {
  struct Input {
    port::ResourceRow row;
    scim::MemberOps members;
    std::vector<std::string> names;
    std::vector<std::string> ignored;
    std::vector<engine::UniqueKey> keys;
    bool revive = false;
  };
  auto document =
      scim::normalize(std::move(call->normal.body), *call->type, call->normal.leniency, call->options.limits);
  if (!document) return call->fail(document.error());
  const auto input = std::make_shared<Input>();
  input->ignored = std::move(document->notes);
  auto& value = document->value;
  if (has_active(*call->type) && !value.contains("active")) value["active"] = true;
  if (document->members) input->members.push_back(std::move(*document->members));
  for (const auto& m : value)
    if (m.key() != "schemas") input->names.emplace_back(m.key());
  auto& row = input->row;
  row.scope = call->scope();
  row.id = call->new_id.is_nil() ? call->engine.ports().random.id<ResourceId>(call->arrived) : call->new_id;
  row.type = call->type->name();
  row.active = scim::Resource(value).active().value_or(true);
  row.created = row.modified = call->arrived;
  row.document = document_text(value);
  fill_keys(row, value, *call->type);
  if (auto good = check_references(*call->context->registry, *call->type, value); !good)
    return call->fail(good.error());
  auto keys = unique_keys(*call->type, value);
  if (!keys) return call->fail(keys.error());
  input->keys = std::move(*keys);
  call->wrote = input->names;
  // Who was deleted and comes back under the same externalId is the same person (R12).
  input->revive =
      call->type->row_attribute() == nullptr && !row.external_id.empty() && external_id_immutable(*call->context);

  const auto outcome = std::make_shared<Outcome>();
  apply(
      call, outcome,
      [call, input, outcome](port::Reader& reader,
                             const engine::IntegrationContext& context) -> Result<engine::Effect> {
        engine::Effect effect;
        auto created = input->row;
        DEPROV_CHECK(check_user_name(*call, reader, created));
        if (input->revive) {
          const port::ResourceKey key{port::ResourceKey::Attribute::external_id, created.external_id};
          DEPROV_TRY(holders, reader.resources_by_key(call->scope(), created.type, key, 1));
          if (!holders.empty()) return taken("externalId", holders.front());
          DEPROV_TRY(tombstones,
                     reader.tombstones_by_external_id(call->scope(), created.type, created.external_id));
          if (!tombstones.empty() && !call->new_id.is_nil())
            return Error(Errc::conflict, "it was here before and takes its old id up again", "externalId",
                         "refer to it after it was created");
          if (!tombstones.empty()) {
            effect.before = std::move(tombstones.front());
            created.id = effect.before->id;
            created.version = effect.before->version;
            created.created = effect.before->created;
          }
        }
        DEPROV_CHECK(move_keys(effect, reader, call->scope(), created.id, {}, input->keys));
        if (!input->members.empty()) {
          UnknownMembers unknown;
          DEPROV_CHECK(add_members(*call, reader, context, created.id, input->members, unknown, effect));
          // A new group has no members that would have to leave.
          for (auto& s : effect.members) s.kind = engine::MemberStep::Kind::add;
          std::erase_if(effect.members, [](const auto& s) { return s.members.empty(); });
          if (!unknown.empty()) {
            DEPROV_TRY(stored, stored_document(created));
            unknown.put(stored, *call->type);
            created.document = document_text(stored);
            fill_keys(created, stored, *call->type);
          }
        }
        outcome->row = created;
        outcome->version = created.version + 1;
        if (effect.before) DEPROV_CHECK(read_groups(call, reader, *outcome));
        effect.after = std::move(created);
        effect.changed_attributes = input->names;
        effect.ignored = input->ignored;
        return effect;
      },
      [call, outcome](const engine::Applied& applied) { answer_written(call, outcome, applied, 201); });
}

void handle_replace(const Call& call) {
  const auto body = std::make_shared<const json::value>(std::move(call->normal.body));
  const auto outcome = std::make_shared<Outcome>();
  apply(
      call, outcome,
      [call, body, outcome](port::Reader& reader,
                            const engine::IntegrationContext& context) -> Result<engine::Effect> {
        DEPROV_TRY(before, addressed(*call, reader));
        DEPROV_TRY(existing, stored_document(before));
        auto unknown = UnknownMembers::take(existing, *call->type);
        scim::ReplaceOptions options;
        options.leniency = call->normal.leniency;
        DEPROV_TRY(next, scim::replace(existing, json::value(*body), *call->type, options, call->options.limits));
        engine::Effect effect;
        effect.ignored = std::move(next.document.notes);
        // What is unknown is so in every repeat of a whole resource; what is not stored may be new each time.
        effect.note_ignored = std::any_of(effect.ignored.begin(), effect.ignored.end(),
                                          [](const auto& note) { return note.ends_with(scim::not_stored_note); });
        outcome->row = before;
        outcome->version = before.version;
        outcome->rows_only = true;
        call->wrote.clear();
        for (const auto& m : next.document.value) call->wrote.emplace_back(m.key());
        if (next.document.members) {
          scim::MemberOps ops;
          ops.push_back(std::move(*next.document.members));
          DEPROV_CHECK(add_members(*call, reader, context, before.id, ops, unknown, effect));
          effect.if_unchanged = call->if_match.has_value();
        }
        put_unknown(*call->type, unknown, next.document.value, next.changes, next.changed);
        if (next.changed) {
          DEPROV_CHECK(put_change(*call, reader, before, existing, next.document.value, next.changes, effect));
          outcome->row = *effect.after;
          ++outcome->version;
          outcome->rows_only = false;
        }
        DEPROV_CHECK(read_groups(call, reader, *outcome));
        effect.before = std::move(before);
        return effect;
      },
      [call, outcome](const engine::Applied& applied) { answer_written(call, outcome, applied, 200); });
}

void handle_patch(const Call& call) {
  auto parsed = scim::parse_patch(std::move(call->normal.body), call->options.limits);
  if (!parsed) return call->fail(parsed.error());
  if (auto known = scim::check_paths(*parsed, *call->type, call->normal.patch_options); !known)
    return call->fail(known.error());
  const auto patch = std::make_shared<const scim::PatchRequest>(std::move(*parsed));
  const auto outcome = std::make_shared<Outcome>();
  const bool with_resource = answers_with_resource(*call);
  apply(
      call, outcome,
      [call, patch, outcome, with_resource](port::Reader& reader,
                                            const engine::IntegrationContext& context) -> Result<engine::Effect> {
        DEPROV_TRY(before, addressed(*call, reader));
        DEPROV_TRY(document, stored_document(before));
        auto unknown = UnknownMembers::take(document, *call->type);
        const bool said_active = scim::Resource(document).active().has_value();
        json::object existing;  // only where it is asked for afterwards
        if (has_unique_keys(*call->type)) existing = document;
        DEPROV_TRY(result, scim::apply(scim::PatchRequest(*patch), document, *call->type,
                                       call->normal.patch_options, call->options.limits));
        engine::Effect effect;
        effect.ignored = std::move(result.notes);
        effect.note_ignored = true;
        if (auto said = check_active(*call, *patch, before, said_active, document, effect); !said)
          return in_change(result, said.error());
        if (result.created_values) effect.dialect_rules.emplace_back(created_values_rule());
        outcome->row = before;
        outcome->version = before.version;
        outcome->rows_only = true;
        call->wrote = result.changes;
        if (!result.members.empty()) {
          std::string about;
          if (auto added = add_members(*call, reader, context, before.id, result.members, unknown, effect, &about);
              !added)
            return in_operation(*patch, added.error(), about);
          effect.if_unchanged = call->if_match.has_value();
        }
        put_unknown(*call->type, unknown, document, result.changes, result.changed);
        if (result.changed) {
          if (auto put = put_change(*call, reader, before, existing, document, result.changes, effect); !put)
            return in_change(result, put.error());
          if (with_resource) outcome->row = *effect.after;
          ++outcome->version;
          outcome->rows_only = false;
        }
        DEPROV_CHECK(read_groups(call, reader, *outcome, with_resource));
        effect.before = std::move(before);
        return effect;
      },
      [call, outcome, with_resource](const engine::Applied& applied) {
        if (with_resource) return answer_written(call, outcome, applied, 200);
        call->no_content({version_after(*outcome, applied), outcome->groups.version});
      });
}

void handle_delete(const Call& call) {
  apply(
      call, nullptr,
      [call](port::Reader& reader, const engine::IntegrationContext&) -> Result<engine::Effect> {
        DEPROV_TRY(before, addressed(*call, reader));
        engine::Effect effect;
        if (has_unique_keys(*call->type)) {
          DEPROV_TRY(document, stored_document(before));
          DEPROV_TRY(keys, unique_keys(*call->type, document));
          effect.released = std::move(keys);
        }
        effect.after = before;
        effect.after->deleted = true;
        effect.after->modified = call->arrived;
        effect.before = std::move(before);
        return effect;
      },
      [call](const engine::Applied&) { call->no_content({}); });
}

}  // namespace deprov::service
