#include "service/scim_members.hpp"
#include <algorithm>
#include <deprov/scim/match.hpp>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include "service/scim_rows.hpp"

namespace deprov::service {

namespace {

using engine::MemberStep;

constexpr std::size_t max_ancestors = 10'000;
constexpr std::size_t page_members = 1000;

/// The ids that a filter names, where it is nothing but `value eq "..."`, alone or joined by `or`.
bool named_values(const scim::Filter& f, std::vector<std::string>& out) {
  if (f.kind == scim::Filter::Kind::any_of)
    return std::all_of(f.operands.begin(), f.operands.end(), [&](const auto& o) { return named_values(o, out); });
  if (f.kind != scim::Filter::Kind::compare || f.op != scim::CompareOp::eq || !f.value.is_string() ||
      !f.attr.schema.empty() || !f.attr.sub.empty() || !scim::iequals(f.attr.attribute, "value"))
    return false;
  out.emplace_back(f.value.get_string());
  return true;
}

class Steps {
 public:
  Steps(port::Reader& reader, const engine::IntegrationContext& context, const MemberRequest& request)
      : reader_(reader), context_(context), request_(request) {}

  Result<std::vector<MemberStep>> run(const scim::MemberOps& ops) {
    // Only filters ask what the members are in between.
    follow_ = std::any_of(ops.begin(), ops.end(), [](const auto& op) { return op.filter.has_value(); });
    for (const auto& op : ops) DEPROV_CHECK(step(op));
    return std::move(out_);
  }

 private:
  using Kind = scim::MemberOp::Kind;

  Result<void> step(const scim::MemberOp& op) {
    switch (op.kind) {
      case Kind::add: return join(op, MemberStep::Kind::add);
      case Kind::replace: return join(op, MemberStep::Kind::replace);
      case Kind::remove: {
        std::vector<std::string> ids;
        ids.reserve(op.values.size());
        for (const auto& m : op.values) ids.push_back(m.value);
        return leave(ids);
      }
      case Kind::remove_where: {
        DEPROV_TRY(left, leave_where(*op.filter));
        (void)left;
        return {};
      }
      case Kind::replace_where: {
        DEPROV_TRY(left, leave_where(*op.filter));
        if (left == 0) {
          note_about(scim::to_string(*op.filter));
          return Error(Errc::no_target, "no member matches the filter " + scim::to_string(*op.filter), name(),
                       "use `add` to make somebody a member");
        }
        return join(op, MemberStep::Kind::add);
      }
      case Kind::name_where: return name_where(*op.filter, op.display);
    }
    return {};
  }

  Result<void> name_where(const scim::Filter& filter, const std::string& display) {
    DEPROV_TRY(step, matching(filter));
    DEPROV_TRY(matcher, scim::Matcher::compile_values(filter, *request_.type.row_attribute()));
    const auto unknown = request_.unknown.name_where(matcher, display);
    if (step.members.empty() && unknown == 0) {
      note_about(scim::to_string(filter));
      return Error(Errc::no_target, "no member matches the filter " + scim::to_string(filter), name());
    }
    step.kind = MemberStep::Kind::name;
    named_ += step.members.size();
    if (named_ > request_.max_members)
      return Error(Errc::limit_exceeded,
                   "the operations name more members than max_members_per_request (" +
                       std::to_string(request_.max_members) + ")",
                   name(), "send several requests");
    step.display = display;
    note(step);
    if (!step.members.empty()) out_.push_back(std::move(step));
    return {};
  }

  void note_about(std::string text) const {
    if (request_.about != nullptr) *request_.about = std::move(text);
  }
  [[nodiscard]] const std::string& name() const { return request_.type.row_attribute()->name; }

  struct Known {
    bool here = false;  ///< or was, until it was deleted
    bool live = false;
    bool is_group = false;
  };
  Result<Known> look_up(ResourceId id) {
    DEPROV_TRY(row, reader_.resource(context_.row.scope, id));
    Known known;
    if (!row) return known;
    known.here = true;
    const auto* type = context_.registry->type(row->type);
    known.is_group = type != nullptr && type->row_attribute() != nullptr;
    // Resources of custom types are no members: nothing can be granted to them.
    known.live = !row->deleted && (known.is_group || (type != nullptr && has_active(*type)));
    return known;
  }

  Result<void> join(const scim::MemberOp& op, MemberStep::Kind kind) {
    MemberStep step;
    step.kind = kind;
    step.members.reserve(op.values.size());
    if (kind == MemberStep::Kind::replace) request_.unknown.clear();
    std::unordered_set<ResourceId> seen;
    for (const auto& m : op.values) {
      const auto id = ResourceId::parse(m.value);
      if (id && !seen.insert(*id).second) continue;
      Known known;
      if (id) {
        DEPROV_TRY(found, look_up(*id));
        known = found;
      }
      if (!known.live) {
        // Of the same Bulk request: only circles come before what they refer to (RFC 7644 section 3.7.1).
        if (id && request_.promised != nullptr && request_.promised->contains(*id)) {
          if (*id == request_.group) DEPROV_CHECK(check_cycle(*id));
          step.members.push_back({request_.group, *id, request_.promised->at(*id), m.display});
          continue;
        }
        DEPROV_CHECK(join_unknown(m, known.here));
        continue;
      }
      if (known.is_group) DEPROV_CHECK(check_cycle(*id));
      step.members.push_back({request_.group, *id, known.is_group, m.display});
    }
    note(step);
    if (kind == MemberStep::Kind::replace || !step.members.empty()) out_.push_back(std::move(step));
    return {};
  }

  Result<void> join_unknown(const scim::Member& m, bool here) {
    constexpr std::string_view reference = "bulkId:";  // to what its Bulk request does not create
    const bool promise = scim::iequals(std::string_view(m.value).substr(0, reference.size()), reference);
    if (here || promise || !request_.keep_unknown) {
      note_about(m.value);
      return Error(Errc::invalid_value,
                   "\"" + m.value.substr(0, 100) + "\" is the id of no User or Group of this integration", name(),
                   "create the resource before it becomes a member");
    }
    auto added = request_.unknown.add(m);
    if (added) return {};
    note_about(m.value);
    return added.error().within(name());
  }

  // A group may not be found among the groups that it is in, directly or through others.
  Result<void> check_cycle(ResourceId member) {
    const auto refuse = [&] {
      note_about(member.str());
      return Error(Errc::invalid_value, "\"" + member.str() + "\" would make the group a member of itself",
                   name());
    };
    if (member == request_.group) return refuse();
    if (request_.created) return {};
    if (!ancestors_) {
      ancestors_.emplace();
      std::vector<ResourceId> open{request_.group};
      while (!open.empty()) {
        const auto at = open.back();
        open.pop_back();
        DEPROV_TRY(above, reader_.groups_of(context_.row.scope, at));
        for (const auto& g : above)
          if (ancestors_->insert(g).second) open.push_back(g);
        if (ancestors_->size() > max_ancestors)
          return Error(Errc::limit_exceeded, "the group is in more than 10000 other groups", name());
      }
    }
    return ancestors_->contains(member) ? Result<void>(refuse()) : Result<void>();
  }

  Result<void> leave(const std::vector<std::string>& ids) {
    MemberStep step;
    step.kind = MemberStep::Kind::remove;
    std::unordered_set<ResourceId> seen;
    for (const auto& text : ids) {
      request_.unknown.remove(text);
      const auto id = ResourceId::parse(text);
      if (!id || !seen.insert(*id).second) continue;
      DEPROV_TRY(row, reader_.resource(context_.row.scope, *id));
      if (!row) continue;  // never here, so no member
      const auto* type = context_.registry->type(row->type);
      step.members.push_back({request_.group, *id, type != nullptr && type->row_attribute() != nullptr, {}});
    }
    note(step);
    if (!step.members.empty()) out_.push_back(std::move(step));
    return {};
  }

  /// As it is after the steps so far; nothing: it is no member.
  Result<std::optional<port::MemberRow>> member(ResourceId id) {
    const auto it = changed_.find(id);
    std::optional<port::MemberRow> stored;
    if (it != changed_.end() && !it->second.in) return stored;
    if (!request_.created && (!replaced_ || it != changed_.end())) {
      DEPROV_TRY(row, reader_.member(context_.row.scope, request_.group, id));
      stored = std::move(row);
    }
    if (it == changed_.end()) return stored;
    if (!stored) stored.emplace(port::MemberRow{request_.group, id, it->second.is_group, {}});
    if (it->second.display) stored->display = *it->second.display;
    return stored;
  }

  // How many left.
  Result<std::size_t> leave_where(const scim::Filter& filter) {
    std::vector<std::string> ids;
    if (named_values(filter, ids)) {
      std::size_t present = 0;
      for (const auto& text : ids) {
        present += request_.unknown.contains(text) ? 1U : 0U;
        if (const auto id = ResourceId::parse(text)) {
          DEPROV_TRY(row, member(*id));
          present += row ? 1U : 0U;
        }
      }
      DEPROV_CHECK(leave(ids));
      return present;
    }
    DEPROV_TRY(matcher, scim::Matcher::compile_values(filter, *request_.type.row_attribute()));
    DEPROV_TRY(step, matching(filter));
    step.kind = MemberStep::Kind::remove;
    const auto left = step.members.size();
    note(step);
    if (left != 0) out_.push_back(std::move(step));
    return left + request_.unknown.remove_where(matcher);
  }

  /// The members that match, as they are after the steps so far. Those that are named cost a look-up each; any
  /// other filter looks at all of them, up to a bound.
  Result<MemberStep> matching(const scim::Filter& filter) {
    MemberStep step;
    std::vector<std::string> ids;
    if (named_values(filter, ids)) {
      for (const auto& text : ids)
        if (const auto id = ResourceId::parse(text)) {
          DEPROV_TRY(row, member(*id));
          if (row) step.members.push_back({request_.group, *id, row->member_is_group, {}});
        }
      return step;
    }
    DEPROV_TRY(matcher, scim::Matcher::compile_values(filter, *request_.type.row_attribute()));
    const bool with_display = scim::mentions(filter, "display");
    std::size_t looked_at = 0;
    const auto ask = [&](ResourceId id, const std::string& display) -> Result<void> {
      if (++looked_at > request_.max_members)
        return Error(Errc::limit_exceeded,
                     "the filter looks at more than max_members_per_request (" +
                         std::to_string(request_.max_members) + ") members",
                     name(), "name the members by `value eq`");
      DEPROV_TRY(row, reader_.resource(context_.row.scope, id));
      if (!row) return {};
      const auto* type = context_.registry->type(row->type);
      if (type == nullptr) return {};
      json::object one{{"value", id.str()}, {"type", type->name()}};
      one["$ref"] = std::string(request_.base) + type->type().endpoint + "/" + id.str();
      if (with_display) {
        auto shown = display;
        if (shown.empty()) {
          DEPROV_TRY(document, stored_document(*row));
          shown = scim::Resource(document).shown_name();
        }
        if (!shown.empty()) one["display"] = shown;
      }
      if (matcher.value(one)) step.members.push_back({request_.group, id, type->row_attribute() != nullptr, {}});
      return {};
    };
    if (!replaced_ && !request_.created) {
      std::optional<ResourceId> after;
      for (bool more = true; more;) {
        DEPROV_TRY(page, reader_.members(context_.row.scope, request_.group, after, page_members));
        for (const auto& m : page.rows) {
          after = m.member;
          if (!changed_.contains(m.member)) DEPROV_CHECK(ask(m.member, m.display));
        }
        more = page.more && !page.rows.empty();
      }
    }
    for (const auto& changed : changed_) {
      const auto id = changed.first;
      DEPROV_TRY(row, member(id));
      if (row) DEPROV_CHECK(ask(id, row->display));
    }
    return step;
  }

  void note(const MemberStep& step) {
    using K = MemberStep::Kind;
    if (!follow_) return;
    if (step.kind == K::replace) {
      replaced_ = true;
      changed_.clear();
    }
    using Text = const std::string;
    const bool for_all = step.kind == K::remove || step.kind == K::name;
    const auto display = for_all ? std::make_shared<Text>(step.display) : nullptr;
    for (const auto& m : step.members) {
      auto& change = changed_[m.member];
      change.in = step.kind != K::remove;
      change.is_group = m.member_is_group;
      if (for_all) {
        change.display = display;
      } else if (!m.display.empty()) {
        change.display = std::make_shared<Text>(m.display);
      }
    }
  }

  port::Reader& reader_;
  const engine::IntegrationContext& context_;
  const MemberRequest& request_;
  std::vector<MemberStep> out_;
  bool follow_ = false;
  bool replaced_ = false;
  std::size_t named_ = 0;  ///< by paths that say what they are called
  struct Change {
    bool in = false;
    bool is_group = false;
    std::shared_ptr<const std::string> display{};  ///< null: as it is stored; of one step shared by all
  };
  std::unordered_map<ResourceId, Change> changed_;  ///< by the steps so far
  std::optional<std::unordered_set<ResourceId>> ancestors_;
};

}  // namespace

Result<std::vector<engine::MemberStep>> member_steps(port::Reader& reader,
                                                     const engine::IntegrationContext& context,
                                                     const MemberRequest& request, const scim::MemberOps& ops) {
  return Steps(reader, context, request).run(ops);
}

}  // namespace deprov::service
