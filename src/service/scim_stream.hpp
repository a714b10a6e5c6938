// Answers that are too large to hold: the members of large groups are read while they are sent.
#pragma once

#include <deprov/engine/engine.hpp>
#include <deprov/service/http.hpp>
#include <memory>
#include <string>
#include "service/scim_render.hpp"

namespace deprov::service {

/// Each page of members is read as it stands when its turn comes. Where that fails the stream ends in the middle,
/// so that the client sees a broken document and no short list.
[[nodiscard]] std::shared_ptr<BodyStream> make_member_stream(engine::Engine& engine, engine::Context context,
                                                             std::string base, ScimBody body);

}  // namespace deprov::service
