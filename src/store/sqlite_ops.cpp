// What the ops on integrations, resources, members and subjects do to the tables.
#include "problems.hpp"
#include "sqlite_rows.hpp"
#include "sqlite_writer.hpp"

namespace deprov::store {

using namespace port;

Result<void> SqliteWriter::apply(const op::PutWorkspace& o) {
  DEPROV_CHECK(write(Q::workspace_put, o.row.id.value.bytes, o.row.name, o.row.created));
  return {};
}

namespace {

Result<std::optional<PrincipalRow>> principal(Connection& c, WorkspaceId workspace, PrincipalId id) {
  Use use(c, Q::principal_get, workspace.value.bytes, id.value.bytes);
  std::optional<PrincipalRow> row;
  if (use.row()) row = read_principal(use);
  DEPROV_CHECK(c.check());
  return row;
}

Result<bool> is_last_owner(Connection& c, const PrincipalRow& row) {
  if (row.role != Role::owner) return false;
  Use use(c, Q::principal_owners, row.workspace.value.bytes);
  const auto owners = use.row() ? use.integer() : 0;
  DEPROV_CHECK(c.check());
  return owners == 1;
}

}  // namespace

Result<void> SqliteWriter::apply(const op::PutPrincipal& o) {
  const auto& row = o.row;
  DEPROV_TRY(old, principal(c_, row.workspace, row.id));
  if (const auto now = old ? old->version : 0; now != row.version)
    return stale(named("principal", row.id), row.version, now);
  if (old && row.role != Role::owner) {
    DEPROV_TRY(last, is_last_owner(c_, *old));
    if (last) return last_owner(row.workspace);
  }
  std::optional<Sha256> hash;
  if (row.token_hash != Sha256{}) {
    hash = row.token_hash;
    Use use(c_, Q::principal_by_token, *hash);
    if (use.row()) {
      const auto holder = read_principal(use);
      if (holder.id != row.id || holder.workspace != row.workspace)
        return not_unique("token of " + named("principal", row.id), "the token");
    }
    DEPROV_CHECK(c_.check());
  }
  DEPROV_CHECK(write(Q::principal_put, row.workspace.value.bytes, row.id.value.bytes, row.name, row.role, hash,
                     row.created, row.version + 1));
  return {};
}

Result<void> SqliteWriter::apply(const op::RemovePrincipal& o) {
  DEPROV_TRY(old, principal(c_, o.workspace, o.id));
  if (!old) return no_such(named("principal", o.id));
  DEPROV_TRY(last, is_last_owner(c_, *old));
  if (last) return last_owner(o.workspace);
  DEPROV_CHECK(write(Q::principal_remove, o.workspace.value.bytes, o.id.value.bytes));
  return {};
}

Result<void> SqliteWriter::apply(const op::PutIntegration& o) {
  const auto& r = o.row;
  DEPROV_CHECK(check_integration({r.scope, r.version}));
  DEPROV_TRY(scope, scope_for_writing(r.scope));
  DEPROV_CHECK(write(Q::integration_put, scope, r.name, r.idp, r.connector, r.config, r.secrets, r.settings,
                     r.policy, r.policy_version, r.state, r.created, r.modified, r.version + 1, r.sources));
  integrations_[scope] = r.version + 1;
  return {};
}

Result<void> SqliteWriter::apply(const op::PutGatewayToken& o) {
  {
    Use use(c_, Q::token_scope, o.row.hash);
    if (use.row() && use.integer() != scopes_.find(o.row.scope)) return not_unique("gateway token", "the token");
    DEPROV_CHECK(c_.check());
  }
  DEPROV_TRY(scope, scope_for_writing(o.row.scope));
  DEPROV_CHECK(write(Q::token_put, o.row.hash, scope, o.row.created, o.row.expires));
  return {};
}

Result<void> SqliteWriter::apply(const op::ExpireGatewayTokens& o) {
  DEPROV_CHECK(write(Q::token_expire, o.at, scopes_.find(o.scope), o.keep));
  return {};
}

Result<void> SqliteWriter::apply(const op::PutResource& o) {
  const auto& r = o.row;
  if (r.version == 0) {
    {
      Use use(c_, Q::resource_state, scopes_.find(r.scope), r.id);
      if (use.row()) return stale(named("resource", r.id), 0, static_cast<std::uint64_t>(use.integer()));
      DEPROV_CHECK(c_.check());
    }
    DEPROV_TRY(scope, scope_for_writing(r.scope));
    return insert_resource(scope, r);
  }
  const auto scope = scopes_.find(r.scope);
  if (!o.keys_changed) {
    Use use(c_, Q::resource_update, r.active, r.created, r.modified, r.document, scope, r.id, r.version, r.deleted,
            r.type);
    DEPROV_CHECK(use.write());
    if (use.changed() == 1) {
      wrote_ = true;
      out_.resource_versions.push_back(r.version + 1);
      return {};
    }
  }
  return rewrite_resource(scope, o);
}

Result<void> SqliteWriter::insert_resource(std::int64_t scope, const ResourceRow& r) {
  {
    Use use(c_, Q::resource_insert, scope, r.id, r.type, 1, r.active, r.deleted, r.created, r.modified,
            r.external_id, r.user_name_key, r.display_name_key);
    const auto emails = pack_texts(r.email_keys);
    use.bind_blob(emails.data(), emails.size());
    use.bind(r.document);
    switch (use.run()) {
      case Use::Ran::done: break;
      case Use::Ran::constraint: return not_unique("userName", r.user_name_key);
      case Use::Ran::failed: return c_.check();
    }
  }
  wrote_ = true;
  if (!r.deleted) {
    for (const auto& email : r.email_keys) DEPROV_CHECK(write(Q::email_insert, scope, email, r.id));
    txn_resources_.push_back({{scope, r.type}, 1});
  }
  out_.resource_versions.push_back(1);
  return {};
}

/// The slow way: keys or the tombstone's mark change, or something is wrong.
Result<void> SqliteWriter::rewrite_resource(std::int64_t scope, const op::PutResource& o) {
  const auto& r = o.row;
  std::int64_t rid = 0;
  std::string type;
  bool deleted = false;
  std::string external_id;
  std::string user_name;
  std::string display_name;
  std::vector<std::string> emails;
  {
    Use use(c_, Q::resource_state, scope, r.id);
    std::uint64_t now = 0;
    if (use.row()) {
      use.read_all(now, rid, type, deleted, external_id, user_name, display_name);
      emails = unpack_texts(use.text());
    }
    DEPROV_CHECK(c_.check());
    if (now != r.version) return stale(named("resource", r.id), r.version, now);
  }
  if (type != r.type)
    return conflicting(named("resource", r.id), "is a " + type + " and cannot become a " + r.type);
  const auto& new_emails = o.keys_changed ? r.email_keys : emails;
  {
    const auto packed = pack_texts(new_emails);
    Use use(c_, Q::resource_rewrite, r.active, r.deleted, r.created, r.modified,
            o.keys_changed ? r.external_id : external_id, o.keys_changed ? r.user_name_key : user_name,
            o.keys_changed ? r.display_name_key : display_name);
    use.bind_blob(packed.data(), packed.size());
    use.bind(r.document);
    use.bind(rid);
    switch (use.run()) {
      case Use::Ran::done: break;
      case Use::Ran::constraint: return not_unique("userName", o.keys_changed ? r.user_name_key : user_name);
      case Use::Ran::failed: return c_.check();
    }
  }
  wrote_ = true;
  if (deleted != r.deleted || (!r.deleted && emails != new_emails)) {
    if (!deleted)
      for (const auto& email : emails) DEPROV_CHECK(write(Q::email_remove, scope, email, r.id));
    if (!r.deleted)
      for (const auto& email : new_emails) DEPROV_CHECK(write(Q::email_insert, scope, email, r.id));
  }
  if (deleted != r.deleted) txn_resources_.push_back({{scope, type}, r.deleted ? -1 : 1});
  out_.resource_versions.push_back(r.version + 1);
  return {};
}

Result<void> SqliteWriter::apply(const op::TouchResource& o) {
  Use use(c_, Q::resource_touch, o.modified, scopes_.find(o.scope), o.id);
  if (!use.row()) {
    DEPROV_CHECK(c_.check());
    return no_such(named("resource", o.id));
  }
  wrote_ = true;
  out_.resource_versions.push_back(static_cast<std::uint64_t>(use.integer()));
  return {};
}

Result<void> SqliteWriter::member_changed(std::int64_t scope, ResourceId group, ResourceId member, bool changed,
                                          int delta) {
  out_.members_changed.push_back(changed);
  if (!changed) return {};
  wrote_ = true;
  txn_groups_.push_back({{scope, group}, delta});
  DEPROV_CHECK(write(Q::subject_raise, scope, member));
  return {};
}

Result<void> SqliteWriter::apply(const op::AddMember& o) {
  DEPROV_TRY(scope, scope_for_writing(o.scope));
  bool added = false;
  {
    Use use(c_, Q::member_insert, scope, o.row.group, o.row.member, o.row.member_is_group, o.row.display);
    DEPROV_CHECK(use.write());
    added = use.changed() == 1;
  }
  if (!added && !o.row.display.empty())
    DEPROV_CHECK(apply(op::NameMember{o.scope, o.row.group, o.row.member, o.row.display}));
  return member_changed(scope, o.row.group, o.row.member, added, 1);
}

Result<void> SqliteWriter::apply(const op::NameMember& o) {
  Use use(c_, Q::member_name, o.display, scopes_.find(o.scope), o.group, o.member);
  DEPROV_CHECK(use.write());
  if (use.changed() != 0) wrote_ = true;
  return {};
}

Result<void> SqliteWriter::apply(const op::RemoveMember& o) {
  const auto scope = scopes_.find(o.scope);
  Use use(c_, Q::member_remove, scope, o.group, o.member);
  DEPROV_CHECK(use.write());
  return member_changed(scope, o.group, o.member, use.changed() == 1, -1);
}

Result<void> SqliteWriter::apply(const op::PutSubject& o) {
  const auto& r = o.row;
  std::optional<std::uint64_t> expected;
  for (const auto& guard : guards_)
    if (guard.op == &o) expected = guard.expected;
  auto scope = scopes_.find(r.scope);
  const auto run = [&](Q query, auto... last) {
    Use use(c_, query, r.access, r.generation, r.desired, r.cause, r.via_group, r.via_inferred, r.evidence_at,
            r.policy_version, r.job, r.last_deactivated, r.last_group_lost, r.last_group_lost_at, r.counted_at,
            scope, r.id, last...);
    const auto ran = use.run();
    return std::pair(ran, use.changed());
  };
  if (!expected || *expected > 0) {
    const auto [ran, changed] = expected ? run(Q::subject_update_if, *expected) : run(Q::subject_update);
    DEPROV_CHECK(c_.check());
    if (changed == 1) {
      wrote_ = true;
      return {};
    }
    // The full comparison of the read set finds the number that it is at now.
    if (expected) return stale(named("grants of subject", r.id), *expected, 0);
  }
  DEPROV_TRY(made, scope_for_writing(r.scope));
  scope = made;
  const auto [ran, changed] = run(Q::subject_insert);
  DEPROV_CHECK(c_.check());
  if (ran == Use::Ran::constraint) return stale(named("grants of subject", r.id), 0, 1);
  wrote_ = true;
  return {};
}

Result<void> SqliteWriter::apply(const op::PutBinding& o) {
  const auto& r = o.row;
  auto scope = scopes_.find(r.scope);
  {
    Use use(c_, Q::binding_version, scope, r.subject);
    const auto now = use.row() ? static_cast<std::uint64_t>(use.integer()) : 0;
    DEPROV_CHECK(c_.check());
    if (now != r.version) return stale(named("binding of subject", r.subject), r.version, now);
  }
  DEPROV_TRY(made, scope_for_writing(r.scope));
  scope = made;
  DEPROV_CHECK(write(r.version == 0 ? Q::binding_insert : Q::binding_update, r.state, r.account_id,
                     r.account_login, r.was_bound, r.last_set, r.checked_at, r.version + 1, scope, r.subject));
  return {};
}

}  // namespace deprov::store
