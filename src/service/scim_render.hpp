// Resources as clients see them, written straight into the text of an answer.
#pragma once

#include <deprov/engine/engine.hpp>
#include <deprov/scim/index_plan.hpp>
#include <deprov/scim/projection.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "service/scim_call.hpp"
#include "service/scim_groups.hpp"

namespace deprov::service {

namespace json = boost::json;

void append_json_string(std::string& out, std::string_view text);

/// What the client wants of each member of a group.
struct MemberShape {
  bool value = true, ref = true, type = true, display = true;
  /// Who came without a `display` is shown with its own name; its document has to be read for that.
  bool own_names = false;
};

/// A text with holes: each piece is followed by the rest of a group's members, which are read when the answer is
/// sent. A last piece without a group ends it.
struct ScimBody {
  struct Piece {
    std::string text;
    ResourceId group;  ///< nil: nothing follows
    std::optional<ResourceId> after;
    bool first = true;  ///< no member was written yet
    MemberShape shape;
  };
  std::vector<Piece> pieces{1};
  std::size_t members = 0;  ///< that it holds already

  [[nodiscard]] std::string& text() { return pieces.back().text; }
  [[nodiscard]] bool whole() const { return pieces.size() == 1; }
};

/// Writes one page of members; dangling ones (their resource was deleted) are left out.
/// `after` moves on; false: there are no more.
[[nodiscard]] Result<bool> append_members(std::string& out, port::Reader& reader,
                                          const engine::IntegrationContext& context, std::string_view base,
                                          const MemberShape& shape, ResourceId group,
                                          std::optional<ResourceId>& after, bool& first, std::size_t limit,
                                          std::size_t& written);

/// Writes the resources of one answer. Used on one thread at a time; keeps the call alive.
class ScimRenderer {
 public:
  explicit ScimRenderer(Call call);

  /// False: members are left out whatever was asked for.
  bool members = true;

  /// The groups of a resource, direct and indirect, and what they add to its version.
  struct Groups {
    std::string list;  ///< a JSON array; empty: they are not asked for
    std::uint64_t version = 0;
  };
  [[nodiscard]] Result<Groups> groups(port::Reader& reader, const scim::TypeDef& type, ResourceId id);
  /// The resource without reading anything: `groups` comes from above, and there are no members.
  [[nodiscard]] Result<void> append_document(std::string& out, const scim::TypeDef& type,
                                             const port::ResourceRow& row, const Groups& groups);
  /// The version that it has there.
  [[nodiscard]] Result<scim::Version> append(ScimBody& out, port::Reader& reader, const scim::TypeDef& type,
                                             const port::ResourceRow& row);
  /// The version of what would be shown.
  [[nodiscard]] Result<scim::Version> version(port::Reader& reader, const scim::TypeDef& type,
                                              const port::ResourceRow& row);
  /// Whether members are asked for, and the type has any.
  [[nodiscard]] bool shows_members(const scim::TypeDef& type) {
    return type.row_attribute() != nullptr && view(type).members;
  }
  [[nodiscard]] std::string location(const scim::TypeDef& type, ResourceId id) const;
  /// `ETag`, `Location` and `Content-Location` of an answer that holds the resource (RFC 7643 section 3.1).
  void add_headers(Response& response, const scim::TypeDef& type, ResourceId id, scim::Version version) const;

  /// The finished answer: a text, or a stream where members are still to be read.
  [[nodiscard]] Response response(int status, ScimBody&& body) const;

 private:
  /// What of a type is asked for.
  struct View {
    bool stored_as_is = false;  ///< the document can be copied without looking into it
    bool groups = false;
    bool members = false;
    MemberShape shape;
    std::optional<scim::Projection> projection;
  };
  const View& view(const scim::TypeDef& type);
  [[nodiscard]] View make_view(const scim::TypeDef& type) const;
  Result<void> open(std::string& out, const scim::TypeDef& type, const View& v, const port::ResourceRow& row,
                    const Groups& groups);
  Result<void> open_bare(std::string& out, const scim::TypeDef& type, const View& v, const port::ResourceRow& row,
                         const Groups& groups);
  void append_meta(std::string& out, const scim::TypeDef& type, const port::ResourceRow& row,
                   std::uint64_t derived) const;

  Call call_;
  std::vector<std::pair<const scim::TypeDef*, View>> views_;
  GroupFinder group_finder_;
};

/// The version of a resource as it is shown with everything.
[[nodiscard]] Result<scim::Version> version_of(port::Reader& reader, const scim::TypeDef& type,
                                               const port::ResourceRow& row);

/// `{"id":...}` of the stored document for filters: with id, meta, and rows where the filter speaks of them.
struct MatchNeeds {
  bool meta = false, groups = false;
  bool version = false;       ///< `meta.version`, of which the groups are a part
  scim::RowQuestions rows;    ///< of the type's row attribute
  bool member_names = false;  ///< and whether their `display` is asked for
};
[[nodiscard]] Result<json::object> document_to_match(port::Reader& reader,
                                                     const engine::IntegrationContext& context,
                                                     std::string_view base, const scim::TypeDef& type,
                                                     const port::ResourceRow& row, const MatchNeeds& needs,
                                                     std::size_t max_members);

}  // namespace deprov::service
