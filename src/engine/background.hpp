// Lanes and expanders of the integrations, and what they may ask of the engine.
#pragma once

#include "engine/expander.hpp"
#include "engine/impl.hpp"
#include "jobs/lane.hpp"

namespace deprov::engine {

class BackgroundHost final : public jobs::LaneHost, public ExpanderHost {
 public:
  explicit BackgroundHost(Engine::Impl& engine) : engine_(engine) {}

  Result<bool> has_access(port::Reader& reader, const port::Scope& scope, ResourceId subject) override;
  Result<std::optional<policy::RoleRule>> wanted_role(port::Reader& reader, const port::Scope& scope,
                                                      ResourceId subject) override;
  Result<std::optional<policy::Retention>> retained(port::Reader& reader, const port::Scope& scope,
                                                    ResourceId subject) override;
  Result<std::optional<Standing>> standing(port::Reader& reader, const port::Scope& scope) override;
  void changed_elsewhere(const port::Scope& scope) override;
  Result<std::optional<std::string>> frozen(port::Reader& reader, const port::Scope& scope,
                                            ResourceId subject) override;
  void activity_appended(const port::Scope& scope) override;
  void hold_opened(const port::Scope& scope) override;
  void evaluation_stored(const port::Scope& scope) override;
  void count_attempt(connector::Operation operation, connector::Outcome outcome) override;
  void count_finished(port::JobState state, std::optional<Duration> time_to_deprovision) override;
  void count_secured(Duration time_to_deprovision) override;
  void expander_decide(Decide body, port::UniqueFunction<void(Result<port::Committed>)> done) override;
  Context expander_context(const port::Scope& scope) override;
  void expander_committed(const port::Scope& scope) override;
  void expander_doubted(const port::Scope& scope, const std::vector<ResourceId>& subjects) override;

 private:
  Engine::Impl& engine_;
};

[[nodiscard]] LaneStatus lane_status(const jobs::Lane& lane, MonoTime now);

}  // namespace deprov::engine
