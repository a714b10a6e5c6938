#include "engine/connector_checkpoints.hpp"
#include <optional>
#include <utility>

namespace deprov::engine {
namespace {

Error gone(const port::Scope& scope) {
  return {Errc::not_found, "there is no such integration", "integration " + scope.integration.str()};
}
Error ended() { return {Errc::closed, "the engine is shutting down", "checkpoint", "try again after its start"}; }

class EngineCheckpoints final : public port::Checkpoints {
 public:
  EngineCheckpoints(std::weak_ptr<Engine::Impl> engine, const port::Scope& scope)
      : engine_(std::move(engine)), scope_(scope) {}

  void get(std::string name, port::UniqueFunction<void(Result<std::string>)> done) override {
    const auto impl = engine_.lock();
    if (!impl) return done(ended());
    impl->ports.executor.post([impl, scope = scope_, name = std::move(name), done = std::move(done)]() mutable {
      if (auto ok = port::check_checkpoint(name, {}); !ok) return done(ok.error());
      auto value = std::make_shared<std::optional<std::string>>();
      impl->ports.store.view(
          [scope, name, value](port::Reader& reader) -> Result<void> {
            DEPROV_TRY(found, reader.checkpoint(scope, name));
            *value = std::move(found);
            return {};
          },
          [impl, name, value, done = std::move(done)](Result<void> viewed) mutable {
            impl->ports.executor.post([name, value, viewed = std::move(viewed), done = std::move(done)]() mutable {
              if (!viewed) return done(viewed.error());
              if (!*value) return done(Error(Errc::not_found, "nothing is kept", "checkpoint " + name));
              done(std::move(**value));
            });
          });
    });
  }

  void set(std::string name, std::string value, port::UniqueFunction<void(Result<void>)> done) override {
    const auto impl = engine_.lock();
    if (!impl) return done(ended());
    impl->ports.executor.post([impl, scope = scope_, name = std::move(name), value = std::move(value),
                               done = std::move(done)]() mutable {
      if (auto ok = port::check_checkpoint(name, value); !ok) return done(ok.error());
      impl->decide(
          [impl, scope, name = std::move(name),
           value = std::move(value)](port::Reader& reader) -> Result<port::Transaction> {
            DEPROV_TRY(row, reader.integration(scope));
            if (!row || row->state == port::IntegrationState::deleted) return gone(scope);
            port::Transaction txn;
            txn.id = impl->new_id<TxnId>();
            txn.ops.emplace_back(port::op::PutCheckpoint{scope, name, value, max_names});
            return txn;
          },
          [done = std::move(done)](const Result<port::Committed>& committed) mutable {
            done(committed ? Result<void>() : Result<void>(committed.error()));
          },
          true);  // in their order, and never behind the deletion of the integration
    });
  }

 private:
  const std::weak_ptr<Engine::Impl> engine_;
  const port::Scope scope_;
};

}  // namespace

std::shared_ptr<port::Checkpoints> checkpoints_of(Engine::Impl& engine, const port::Scope& scope) {
  return std::make_shared<EngineCheckpoints>(engine.weak_from_this(), scope);
}

}  // namespace deprov::engine
