// Views of sources, of their lists and of what they said; and of what connectors keep.
#include "sqlite_reader_base.hpp"

namespace deprov::store {

using namespace port;

Result<std::optional<SourceRow>> SqliteReaderBase::source(const Scope& scope, SourceId id) {
  Use use(c_, Q::source_get, scopes_.find(scope), id);
  return one<SourceRow>(use, [&] { return read_source(use, scope); });
}

Result<std::vector<SourceRow>> SqliteReaderBase::sources(const Scope& scope) {
  Use use(c_, Q::source_all, scopes_.find(scope));
  return all<SourceRow>(use, [&] { return read_source(use, scope); });
}

Result<Page<SourcePieceRow>> SqliteReaderBase::source_pieces(const SourcePieces& which, std::uint32_t from,
                                                             std::size_t limit) {
  Use use(c_, Q::source_piece_page, scopes_.find(which.scope), which.source, which.part, which.base,
          which.generation, from, sql_limit(limit) + 1);
  return page<SourcePieceRow>(use, limit, [&] {
    SourcePieceRow row;
    row.scope = which.scope;
    row.source = which.source;
    row.part = which.part;
    use.read_all(row.place, row.generation, row.bytes);
    return row;
  });
}

Result<std::vector<GrantRow>> SqliteReaderBase::grants(const Scope& scope, ResourceId subject) {
  Use use(c_, Q::grant_all, scopes_.find(scope), subject);
  return all<GrantRow>(use, [&] {
    GrantRow row;
    row.scope = scope;
    row.subject = subject;
    use.read_all(row.source, row.says, row.cause, row.begun, row.evidence_at);
    return row;
  });
}

Result<Page<ResourceId>> SqliteReaderBase::subjects_to_reread(const Scope& scope, SourceId source,
                                                              std::optional<ResourceId> after, std::size_t limit) {
  const auto from = after.value_or(ResourceId{});
  Use use(c_, Q::grant_hinted, scopes_.find(scope), from, source, sql_limit(limit) + 1);
  return page<ResourceId>(use, limit, [&] {
    ResourceId id;
    use.read_all(id);
    return id;
  });
}

Result<Page<ResourceId>> SqliteReaderBase::subjects_with_grants(const Scope& scope,
                                                                std::optional<ResourceId> after,
                                                                std::size_t limit) {
  const auto from = after.value_or(ResourceId{});
  Use use(c_, Q::grant_subjects, scopes_.find(scope), from, sql_limit(limit) + 1);
  return page<ResourceId>(use, limit, [&] {
    ResourceId id;
    use.read_all(id);
    return id;
  });
}

Result<std::optional<std::string>> SqliteReaderBase::checkpoint(const Scope& scope, std::string_view name) {
  Use use(c_, Q::checkpoint_get, scopes_.find(scope), name);
  return one<std::string>(use, [&] {
    std::string value;
    use.read_all(value);
    return value;
  });
}

}  // namespace deprov::store
