// Rules of dialects that reads have needed, told once each.
#include <utility>
#include "engine/impl.hpp"

namespace deprov::engine {

void Engine::note_read(const Context& context, const Evidence& evidence) {
  auto self = impl_;
  const auto scope = context->row.scope;
  auto rules = std::make_shared<std::vector<std::string>>();
  {
    const std::lock_guard lock(self->noted_mutex);
    auto& noted = self->noted[scope.integration.value];
    for (const auto& rule : evidence.dialect_rules)
      if (noted.insert(rule).second) rules->push_back(rule);
  }
  if (rules->empty()) return;
  json::object detail{{"source", evidence.source}, {"request", evidence.request}, {"method", evidence.method}};
  detail["dialect_rules"] = json::array(rules->begin(), rules->end());
  if (!evidence.detected.empty()) detail["detected"] = evidence.detected;
  self->decide(
      [self, scope, actor = evidence.actor,
       detail = std::move(detail)](port::Reader&) -> Result<port::Transaction> {
        port::Transaction txn;
        txn.id = self->new_id<TxnId>();
        txn.ops.emplace_back(self->activity(scope, "request.dialect_rules", actor, detail));
        return txn;
      },
      [self, scope, rules](const Result<port::Committed>& stored) {
        if (stored) return self->notify(scope);
        const std::lock_guard lock(self->noted_mutex);
        for (const auto& rule : *rules) self->noted[scope.integration.value].erase(rule);
      });
}

}  // namespace deprov::engine
