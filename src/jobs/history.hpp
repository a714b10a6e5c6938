// What the earlier jobs of a subject leave open.
#pragma once

#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/port/store.hpp>
#include <string>
#include <vector>

namespace deprov::jobs {

/// Whether a disable of the subject's account was sent, by a job that is over or not, and nobody knows what came
/// of it; a restore that succeeded since then settles it. Looks at the newest 50 jobs.
[[nodiscard]] Result<bool> disable_in_doubt(port::Reader& reader, const port::Scope& scope, ResourceId subject);

/// Whether access was restored, and seen to be, by a job that is newer than `job`. Looks at the newest 50 jobs.
[[nodiscard]] Result<bool> restored_since(port::Reader& reader, const port::Scope& scope, ResourceId subject,
                                          JobId job);

/// Until when it is open whether the subject's access, as its groups show it, is what will be decided: a loss that
/// settles (R14), or work on groups that is not done yet. Nothing: it is decided.
[[nodiscard]] Result<std::optional<WallTime>> undecided_until(port::Reader& reader, const port::Scope& scope,
                                                              ResourceId subject, WallTime now);

/// Whether the guard let another job than `job` pass, made since then, that took something from the subject: it
/// counts for that, whatever becomes of `job`. What a person allowed does not count. Looks at the newest 50 jobs.
[[nodiscard]] Result<bool> let_pass_since(port::Reader& reader, const port::Scope& scope, ResourceId subject,
                                          JobId job, WallTime since);

/// Whether a newer job, not finished either, works out the role of the subject as much as `job` would (R1).
[[nodiscard]] Result<bool> newer_role(port::Reader& reader, const port::Scope& scope, const port::JobRow& job);

/// The handle of a request for `operation` that an earlier job made and that the app, as far as is known, is still
/// working on; empty: there is none. Looks at the newest 50 jobs.
[[nodiscard]] Result<std::string> handle_under_way(port::Reader& reader, const port::Scope& scope,
                                                   ResourceId subject, connector::Operation operation);

/// The handles of what other jobs than `job` asked of the subject's entitlements, and what the app, as far as is
/// known, is still working on. Looks at the newest 50 jobs.
[[nodiscard]] Result<std::vector<std::string>> roles_under_way(port::Reader& reader, const port::Scope& scope,
                                                               ResourceId subject, JobId job);

/// What deprov itself did to the entitlements of a subject's account last, or may have done: what may be its doing
/// is its own to undo (R4).
struct Entitlements {
  std::vector<std::string> taken;
  std::vector<std::string> given;
};
/// Looks at the newest 50 jobs.
[[nodiscard]] Result<Entitlements> entitlements_of(port::Reader& reader, const port::Scope& scope,
                                                   ResourceId subject);

}  // namespace deprov::jobs
