#pragma once
#include <algorithm>
#include <deprov/scim/impl/member.ipp>
#include <deprov/scim/match.hpp>
#include <deprov/scim/patch.hpp>
#include <utility>

namespace deprov::scim::detail {

/// `value eq "a"`, or several of these joined by `or`: the ids.
inline bool listed_ids(const Filter& f, std::vector<Member>& out) {
  if (f.kind == Filter::Kind::any_of) {
    for (const auto& o : f.operands)
      if (!listed_ids(o, out)) return false;
    return true;
  }
  if (f.kind != Filter::Kind::compare || f.op != CompareOp::eq || !iequals(f.attr.attribute, "value") ||
      !f.attr.sub.empty() || !f.value.is_string() || f.value.get_string().empty())
    return false;
  out.push_back(Member{std::string(f.value.get_string()), {}, {}});
  return true;
}

/// Turns operations on the attribute that is stored as rows into steps for the store.
class MemberSteps {
 public:
  MemberSteps(MemberOps& out, const Limits& limits, bool remove_listed_values)
      : out_(out), limits_(limits), remove_listed_values_(remove_listed_values) {}

  Result<void> apply(PatchOperation::Op op, const Attribute& rows, const Attribute* sub, const Filter* filter,
                     const json::value* value) {
    using Op = PatchOperation::Op;
    if (sub != nullptr) return part(op, rows, *sub, filter, value);
    if (filter != nullptr) return filtered(op, rows, *filter, value);
    if (value == nullptr) {
      if (op == Op::remove) return push(MemberOp::Kind::replace, {});
      return Error(Errc::invalid_value, "it is missing", rows.name);
    }
    if (op == Op::remove && !remove_listed_values_)
      return Error(Errc::invalid_value, "a remove operation has no value", rows.name,
                   "select members by a filter in the path");
    if (value->is_null())
      return Error(Errc::invalid_value, "null says neither which members are meant nor that none are", rows.name,
                   op == Op::replace  ? "send [] to remove all members"
                   : op == Op::remove ? "list the members, or leave the value out to remove all of them"
                                      : "list the members");
    DEPROV_TRY(members, values_of(rows, *value));
    switch (op) {
      case Op::add: return push(MemberOp::Kind::add, std::move(members));
      case Op::replace: return push(MemberOp::Kind::replace, std::move(members));
      case Op::remove: return push(MemberOp::Kind::remove, std::move(members));
    }
    return {};
  }

  /// Once all operations were applied.
  void finish() {
    for (auto& s : out_) keep_first_of_each(s.values);
  }

 private:
  Result<void> part(PatchOperation::Op op, const Attribute& rows, const Attribute& sub, const Filter* filter,
                    const json::value* value) {
    const auto where = rows.name + "." + sub.name;
    if (sub.name != "display" || sub.mutability != Mutability::read_write)
      return Error(Errc::mutability, "what a member is cannot be changed", where,
                   "remove the member and add it again");
    if (filter == nullptr)
      return Error(Errc::invalid_path, "it does not say whose display is meant", where,
                   "name the member: " + rows.name + "[value eq \"...\"]." + sub.name);
    if (auto m = Matcher::compile_values(*filter, rows); !m) return m.error();
    if (op != PatchOperation::Op::remove && value == nullptr)
      return Error(Errc::invalid_value, "it is missing", where);
    MemberOp named{MemberOp::Kind::name_where, {}, *filter, {}};
    if (op != PatchOperation::Op::remove && value != nullptr && !value->is_null()) {
      const auto* text = value->if_string();
      if (text == nullptr)
        return Error(Errc::invalid_value, "expected a string, not " + std::string(kind_name(*value)), where);
      if (auto fits = check_display(*text); !fits) return fits.error().within(rows.name);
      named.display = *text;
    }
    out_.push_back(std::move(named));
    return {};
  }

  Result<void> filtered(PatchOperation::Op op, const Attribute& rows, const Filter& filter,
                        const json::value* value) {
    using Op = PatchOperation::Op;
    if (auto m = Matcher::compile_values(filter, rows); !m) return m.error();
    std::vector<Member> members;
    if (op == Op::remove) {
      if (listed_ids(filter, members)) return push(MemberOp::Kind::remove, std::move(members));
      out_.push_back({MemberOp::Kind::remove_where, {}, filter, {}});
      return {};
    }
    if (op == Op::add)
      return Error(Errc::invalid_path, "members are added without a filter in the path", rows.name);
    if (value == nullptr || value->is_null()) return Error(Errc::invalid_value, "it is missing", rows.name);
    DEPROV_TRY(replacing, values_of(rows, *value));
    out_.push_back({MemberOp::Kind::replace_where, std::move(replacing), filter, {}});
    return {};
  }

  Result<std::vector<Member>> values_of(const Attribute& rows, const json::value& value) {
    auto members = parse_members(value, limits_);
    if (!members) return members.error().within(rows.name);
    return std::move(*members);
  }

  Result<void> push(MemberOp::Kind kind, std::vector<Member>&& members) {
    count_ += members.size();
    if (count_ > limits_.max_members_per_request)
      return Error(Errc::limit_exceeded,
                   "the operations name more members than max_members_per_request (" +
                       std::to_string(limits_.max_members_per_request) + ")",
                   {}, "send several requests");
    if (members.empty() && kind != MemberOp::Kind::replace) return {};
    if (!out_.empty() && out_.back().kind == kind && kind != MemberOp::Kind::replace) {
      auto& last = out_.back().values;
      last.insert(last.end(), std::make_move_iterator(members.begin()), std::make_move_iterator(members.end()));
      return {};
    }
    const auto may_fail = [](const MemberOp& o) {
      return o.kind == MemberOp::Kind::replace_where || o.kind == MemberOp::Kind::name_where;
    };
    if (kind == MemberOp::Kind::replace && std::none_of(out_.begin(), out_.end(), may_fail))
      out_.clear();  // what came before makes no difference
    out_.push_back({kind, std::move(members), std::nullopt, {}});
    return {};
  }

  MemberOps& out_;
  const Limits& limits_;
  bool remove_listed_values_;
  std::size_t count_ = 0;
};

}  // namespace deprov::scim::detail
