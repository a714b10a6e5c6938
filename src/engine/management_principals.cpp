// Workspaces and principals: who may act at all.
#include <algorithm>
#include <tuple>
#include "engine/management.hpp"

namespace deprov::engine {

namespace {

constexpr std::string_view operator_prefix = "dpo_";

port::PrincipalRow new_principal(Engine::Impl& impl, WorkspaceId workspace, std::string name, port::Role role,
                                 const port::Sha256& token_hash) {
  port::PrincipalRow row;
  row.workspace = workspace;
  row.id = impl.new_id<PrincipalId>();
  row.name = std::move(name);
  row.role = role;
  row.token_hash = token_hash;
  row.created = impl.now();
  return row;
}

json::object principal_json(const port::PrincipalRow& row) {
  return {{"principal", row.id.str()}, {"name", row.name}, {"role", port::to_string(row.role)}};
}

Error only_owners(std::string_view what) {
  return {Errc::forbidden, "only an owner may " + std::string(what) + " owner", "role", "ask an owner to do it"};
}

/// A server in use cannot be asked locally, so that somebody has to be able to from afar.
Error only_for_the_installation() {
  return {Errc::forbidden,
          "only an owner of the installation's first workspace may create workspaces",
          {},
          "ask one of them, or run `deprov workspace create --data DIR` while no server uses the directory"};
}

}  // namespace

void Engine::authenticate(std::string token, Done<Principal> done) {
  const auto impl = impl_;
  const auto hash = impl->ports.crypto.sha256(port::bytes_of(token));
  auto found = std::make_shared<Result<Principal>>(
      Error(Errc::unauthorized, "the token is not that of a principal", "Authorization",
            "send `Authorization: Bearer <token>` with a token that deprov issued to a principal"));
  view(
      [impl, hash, found](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(row, reader.principal_by_token(hash));
        if (row && impl->ports.crypto.equal(row->token_hash, hash))
          *found = Principal{row->workspace, row->id, row->name, row->role};
        return {};
      },
      [found, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        done(std::move(*found));
      });
}

void Engine::create_workspace(Principal by, std::string name, std::string owner_name,
                              Done<CreatedPrincipal> done) {
  const auto impl = impl_;
  if (!by.id.is_nil() && by.role != port::Role::owner)
    return finish<CreatedPrincipal>(impl, std::move(done), only_for_the_installation());
  if (auto ok = check_name(name, "name"); !ok) return finish<CreatedPrincipal>(impl, std::move(done), ok.error());
  if (auto ok = check_name(owner_name, "owner"); !ok)
    return finish<CreatedPrincipal>(impl, std::move(done), ok.error());
  const auto token = issue_token(impl->ports, operator_prefix);
  port::WorkspaceRow workspace{impl->new_id<WorkspaceId>(), std::move(name), impl->now()};
  const auto owner = new_principal(*impl, workspace.id, std::move(owner_name), port::Role::owner, token.hash);
  const port::Scope chain{workspace.id, {}};
  impl->decide(
      [impl, by, workspace, owner, chain](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(present, reader.workspaces());
        if (!by.id.is_nil()) {
          const auto first = std::min_element(present.begin(), present.end(), [](const auto& a, const auto& b) {
            return std::tie(a.created, a.id) < std::tie(b.created, b.id);
          });
          if (first == present.end() || first->id != by.workspace) return only_for_the_installation();
        }
        for (const auto& w : present) {
          if (w.name == workspace.name) {
            return Error(Errc::conflict, "there is a workspace \"" + workspace.name + "\" already", "name",
                         "choose another name");
          }
        }
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutWorkspace{workspace});
        txn.ops.emplace_back(port::op::PutPrincipal{owner});
        txn.ops.emplace_back(impl->activity(chain, "workspace.created", by.actor(), {{"name", workspace.name}}));
        txn.ops.emplace_back(impl->activity(chain, "principal.added", by.actor(), principal_json(owner)));
        return txn;
      },
      [impl, chain, owner, token, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        impl->notify(chain);
        done(CreatedPrincipal{owner, token.text});
      });
}

void Engine::list_workspaces(Principal by, Done<std::vector<port::WorkspaceRow>> done) {
  auto rows = std::make_shared<std::vector<port::WorkspaceRow>>();
  view(
      [by, rows](port::Reader& reader) -> Result<void> {
        if (by.id.is_nil()) {
          DEPROV_TRY(all, reader.workspaces());
          *rows = std::move(all);
          return {};
        }
        DEPROV_TRY(own, reader.workspace(by.workspace));
        if (own) rows->push_back(std::move(*own));
        return {};
      },
      [rows, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        done(std::move(*rows));
      });
}

void Engine::add_principal(Principal by, std::string name, port::Role role, Done<CreatedPrincipal> done) {
  const auto impl = impl_;
  if (auto ok = require_principals(by); !ok) return finish<CreatedPrincipal>(impl, std::move(done), ok.error());
  if (role == port::Role::owner && by.role != port::Role::owner)
    return finish<CreatedPrincipal>(impl, std::move(done), only_owners("grant the role"));
  if (auto ok = check_name(name, "name"); !ok) return finish<CreatedPrincipal>(impl, std::move(done), ok.error());
  const auto token = issue_token(impl->ports, operator_prefix);
  const auto row = new_principal(*impl, by.workspace, std::move(name), role, token.hash);
  const port::Scope chain{by.workspace, {}};
  impl->decide(
      [impl, by, row, chain](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_CHECK(require_workspace(reader, by));
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutPrincipal{row});
        txn.ops.emplace_back(impl->activity(chain, "principal.added", by.actor(), principal_json(row)));
        return txn;
      },
      [impl, chain, row, token, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        impl->notify(chain);
        done(CreatedPrincipal{row, token.text});
      });
}

void Engine::list_principals(Principal by, Done<std::vector<port::PrincipalRow>> done) {
  const auto impl = impl_;
  using Rows = std::vector<port::PrincipalRow>;
  if (auto ok = require_principals(by); !ok) return finish<Rows>(impl, std::move(done), ok.error());
  auto rows = std::make_shared<Rows>();
  view(
      [by, rows](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(all, reader.principals(by.workspace));
        *rows = std::move(all);
        return {};
      },
      [rows, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        done(std::move(*rows));
      });
}

void Engine::remove_principal(Principal by, PrincipalId id, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_principals(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  const port::Scope chain{by.workspace, {}};
  // In the writer: two owners who remove each other at once must not both succeed.
  impl->ports.store.transact(
      [impl, by, id, chain](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(rows, reader.principals(by.workspace));
        const port::PrincipalRow* row = nullptr;
        std::size_t owners = 0;
        for (const auto& r : rows) {
          if (r.id == id) row = &r;
          if (r.role == port::Role::owner) ++owners;
        }
        if (row == nullptr) {
          return Error(Errc::not_found, "there is no such principal", "principal " + id.str(),
                       "list them with `deprov principal list`");
        }
        if (row->role == port::Role::owner && by.role != port::Role::owner)
          return only_owners("take away the role");
        if (row->role == port::Role::owner && owners == 1) {
          return Error(Errc::conflict, "the last owner of a workspace stays", "principal " + id.str(),
                       "add another owner first");
        }
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::RemovePrincipal{by.workspace, id});
        txn.ops.emplace_back(impl->activity(chain, "principal.removed", by.actor(), principal_json(*row)));
        return txn;
      },
      [impl, chain, done = std::move(done)](Result<port::Committed> committed) mutable {
        impl->ports.executor.post(
            [impl, chain, done = std::move(done), committed = std::move(committed)]() mutable {
              if (!committed) return done(committed.error());
              impl->notify(chain);
              done({});
            });
      });
}

}  // namespace deprov::engine
