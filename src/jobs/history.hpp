// What the earlier jobs of a subject leave open.
#pragma once

#include <deprov/error.hpp>
#include <deprov/port/store.hpp>

namespace deprov::jobs {

/// Whether a disable of the subject's account was sent, by a job that is over or not, and nobody knows what came
/// of it; a restore that succeeded since then settles it. Looks at the newest 50 jobs.
[[nodiscard]] Result<bool> disable_in_doubt(port::Reader& reader, const port::Scope& scope, ResourceId subject);

}  // namespace deprov::jobs
