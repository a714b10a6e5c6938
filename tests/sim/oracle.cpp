#include "sim/oracle.hpp"
#include <algorithm>
#include <utility>
#include "sim/world.hpp"

namespace deprov::test::sim {

namespace {

std::string operation_name(const connector::Call& call) {
  return call.delete_account ? "delete" : std::string(connector::to_string(call.operation));
}

std::string key_of(const connector::Call& call) {
  return call.idempotency_key.substr(0, call.idempotency_key.find(':')) + " " + operation_name(call) + " " +
         call.entitlement;
}

}  // namespace

void Oracle::violated(std::string oracle, std::string what) {
  if (violation_) return;
  violation_ = Violation{std::move(oracle), std::move(what)};
  world_.stop_running();
}

std::optional<std::size_t> Oracle::app_of(const port::Scope& scope) const {
  for (std::size_t i = 0; i < world_.apps.size(); ++i)
    if (world_.apps[i].scope == scope) return i;
  return std::nullopt;
}

std::string Oracle::name(std::size_t app, ResourceId subject) {
  const auto& users = world_.apps[app].idp->users();
  for (std::size_t u = 0; u < users.size(); ++u)
    if (users[u].id == subject.str()) return "user " + std::to_string(u) + " of app " + std::to_string(app);
  return "former user " + subject.str() + " of app " + std::to_string(app);
}

void Oracle::call_begins(std::size_t app, const connector::Call& call) {
  if (!connector::is_change(call.operation)) return;
  // What another engine had recorded as sent before the stop was stored may still be on its way.
  const auto sent = sent_.find(key_of(call));
  const bool under_way =
      world_.several() && sent != sent_.end() && world_.clock.mono() - sent->second.at < std::chrono::seconds(10);
  if ((world_.apps[app].stopped || world_.all_stopped) && !under_way)
    violated("kill switch",
             operation_name(call) + " of account " + call.account_id + " leaves although everything was stopped");
}

void Oracle::change_arrives(std::size_t app, const connector::Call& call) {
  world_.change_arrived();
  auto& sent = sent_[key_of(call)];
  if (++sent.arrived > sent.recorded)
    violated("sent", operation_name(call) + " of account " + call.account_id + " of app " + std::to_string(app) +
                         " arrives, and no record says that it was sent");
  if (sent.recorded != 0 && sent.account != call.account_id)
    violated("sent",
             operation_name(call) + " hits account " + call.account_id + ", and was sent for " + sent.account);
}

void Oracle::effect(std::size_t app, const connector::Call& call, const SimAccount& account, By before) {
  ++counts_.effects;
  (void)before;
  if (call.operation == connector::Operation::enable && !account.enabled_for_a_reason)
    violated("R4", "account " + call.account_id + " of app " + std::to_string(app) +
                       " is enabled, and it was not deprov that disabled it");
  if (account.deleted > 1) violated("R3", "account " + call.account_id + " is deleted a second time");
}

void Oracle::calendar_jumped() {
  reserved_.clear();
  let_go_.clear();
}

void Oracle::before(const port::Transaction& txn, port::Reader& reader) {
  suspected_.clear();
  suspect_ = txn.id;
  for (const auto& op : txn.ops) {
    const auto* record = std::get_if<port::op::AppendActivity>(&op);
    if (record == nullptr || !is_sent(*record)) continue;
    if (const auto app = app_of(record->scope)) check_sent(*app, txn, *record, reader);
  }
}

void Oracle::look() {
  if (violation_) return;
  world_.disk->read([&](port::Reader& reader) {
    for (std::size_t i = 0; i < world_.apps.size(); ++i) {
      note_presence(i);
      check_access(i, reader, false, false);
    }
  });
}

void Oracle::at_rest() {
  if (violation_) return;
  world_.disk->read([&](port::Reader& reader) {
    for (std::size_t i = 0; i < world_.apps.size(); ++i) {
      check_queues(i, reader);
      check_source(i, reader);
      check_access(i, reader, true, false);
      check_roles(i, reader);
    }
  });
}

void Oracle::at_the_end() {
  if (violation_) return;
  world_.disk->read([&](port::Reader& reader) {
    for (std::size_t i = 0; i < world_.apps.size(); ++i) {
      check_queues(i, reader);
      check_told(i, reader);
      check_source(i, reader);
      check_access(i, reader, true, true);
      check_roles(i, reader);
      check_chain(world_.apps[i].scope, reader);
    }
    check_chain({world_.workspace, {}}, reader);
  });
}

}  // namespace deprov::test::sim
