// Which integrations there are and which token opens which: in memory, read by every request.
#pragma once

#include <deprov/engine/context.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/error.hpp>
#include <deprov/port/connector.hpp>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace deprov::engine {

/// The schemas and resource types in the settings of an integration. Errors: as SchemaRegistry::customized.
[[nodiscard]] Result<scim::SchemaRegistry> registry_of(const json::object& settings);
[[nodiscard]] bool has_own_schemas(const json::object& settings);

/// Makes a context of a row. Errors: `store_corrupt` where what is stored does not parse, and what the policy's
/// and the schemas' readers refuse.
[[nodiscard]] Result<Context> make_context(port::IntegrationRow row, const port::ConnectorKinds& kinds);

/// *Thread safety*: any thread.
class Directory {
 public:
  [[nodiscard]] Context find(IntegrationId id) const;
  [[nodiscard]] std::vector<Context> all() const;
  /// Those that cannot be used, which are not among `all`.
  [[nodiscard]] std::vector<IntegrationFault> faults() const;
  [[nodiscard]] std::optional<IntegrationFault> fault(IntegrationId id) const;
  void put_fault(IntegrationFault fault);
  /// Takes the newer of what it has and what it is given; a deleted integration leaves it.
  void put(Context context);
  void remove(IntegrationId id);

  /// What is remembered of a gateway token's hash: nothing when it was never looked up.
  [[nodiscard]] std::optional<port::GatewayTokenRow> token(const port::Sha256& hash) const;
  void put_token(const port::GatewayTokenRow& row);
  /// All tokens of the integration but `keep` end at `at`.
  void expire_tokens(IntegrationId id, const port::Sha256& keep, WallTime at);

 private:
  struct HashOfHash {
    std::size_t operator()(const port::Sha256& h) const noexcept {
      std::size_t v = 0;
      for (std::size_t i = 0; i < sizeof v; ++i) v = (v << 8U) | h[i];
      return v;
    }
  };
  mutable std::mutex mutex_;
  std::unordered_map<Uuid, Context> contexts_;
  std::unordered_map<Uuid, IntegrationFault> faults_;
  std::unordered_map<port::Sha256, port::GatewayTokenRow, HashOfHash> tokens_;
};

}  // namespace deprov::engine
