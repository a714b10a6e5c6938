#include "engine/sources/source_lookup.hpp"
#include <memory>
#include <utility>

namespace deprov::engine {

void SourceLookup::find(SourceId id, Done<std::optional<port::SourceRow>> done) {
  const auto now = engine_.ports.clock.mono();
  if (looked_ && now - *looked_ < rest)
    return done(Error(Errc::busy, "nobody could look for that source now", "source " + id.str(),
                      "try again in a few seconds"));
  looked_ = now;
  auto found = std::make_shared<std::optional<port::SourceRow>>();
  engine_.ports.store.view(
      [id, found](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(integrations, reader.integrations(std::nullopt));
        for (const auto& integration : integrations) {
          if (!integration.sources) continue;
          DEPROV_TRY(row, reader.source(integration.scope, id));
          if (row) *found = std::move(*row);
        }
        return {};
      },
      [&executor = engine_.ports.executor, found, done = std::move(done)](const Result<void>& read) mutable {
        executor.post([found, read, done = std::move(done)]() mutable {
          if (!read) return done(read.error());
          done(std::move(*found));
        });
      });
}

}  // namespace deprov::engine
