#pragma once
#include <array>
#include <deprov/idp/snapshot_reader.hpp>
#include <deprov/scim/json.hpp>
#include <utility>

namespace deprov::idp::detail {

/// What a mapping names, in the order of its members.
enum SnapshotField : unsigned { field_id, field_external_id, field_user_name, field_email, field_active };
inline constexpr std::size_t snapshot_fields = 5;
inline constexpr std::array<std::string_view, snapshot_fields> field_names = {"id", "external_id", "user_name",
                                                                              "email", "active"};

inline const std::string& path_of(const SnapshotMapping& m, unsigned field) noexcept {
  switch (field) {
    case field_id: return m.id;
    case field_external_id: return m.external_id;
    case field_user_name: return m.user_name;
    case field_email: return m.email;
    default: return m.active;
  }
}

/// The beginning of it, for people and for records, which are UTF-8: whole characters, a question mark for each
/// byte that is none (a list may be in any encoding).
inline std::string shown(std::string_view text, std::size_t most) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() < most;) {
    const auto c = byte(i);
    std::size_t n = 0;
    if (c < 0x80) n = 1;
    if (c >= 0xC2 && c < 0xE0) n = 2;
    if (c >= 0xE0 && c < 0xF0) n = 3;
    if (c >= 0xF0 && c < 0xF5) n = 4;
    bool whole = n != 0 && i + n <= text.size();
    for (std::size_t k = 1; whole && k < n; ++k) whole = (byte(i + k) & 0xC0U) == 0x80;
    if (whole && n > 2) {  // neither longer than it has to be, nor half of a pair, nor beyond U+10FFFF
      const auto d = byte(i + 1);
      whole = !((c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F) || (c == 0xF0 && d < 0x90) ||
                (c == 0xF4 && d > 0x8F));
    }
    out += whole ? text.substr(i, n) : std::string_view("?");
    i += whole ? n : 1;
  }
  return out;
}

/// What the readers share: counting records, judging `active`, and the first failure.
class RecordSink {
 public:
  RecordSink(SnapshotMapping mapping, SnapshotUserSink sink)
      : mapping_(std::move(mapping)), sink_(std::move(sink)) {}

  Result<void> emit(SnapshotUser user, std::optional<std::string_view> active) {
    ++records_;
    if (user.id.empty())
      return refuse(Errc::invalid_value, "its \"" + mapping_.id + "\" is missing or empty",
                    "name the member or column that holds the source's immutable id");
    if (active) {
      const auto is_in = [&](const std::vector<std::string>& values) {
        for (const auto& v : values)
          if (scim::iequals(v, *active)) return true;
        return false;
      };
      user.active = is_in(mapping_.active_values);
      if (!user.active && !is_in(mapping_.inactive_values))
        return refuse(Errc::invalid_value,
                      "\"" + mapping_.active + "\" is \"" + shown(*active, 40) +
                          "\", and whether that is access is not known",
                      "add it to active_values or inactive_values of the source");
    }
    if (auto r = sink_(user); !r) return keep(r.error());
    return {};
  }
  /// About the record that comes next.
  Error refuse_next(Errc code, std::string detail, std::string advice = {}) {
    return keep(Error(code, std::move(detail), "record " + std::to_string(records_ + 1), std::move(advice)));
  }
  Error keep(Error why) {
    if (!failure_) failure_ = std::move(why);
    return *failure_;
  }
  /// The end of a list of lines. `marked`: its end marker was seen. `cut`: the last line has no line break.
  Result<EndOfList> end_of_lines(std::optional<std::uint64_t> users, bool marked, bool cut) {
    if (failure_) return *failure_;
    if (!mapping_.end_marker.empty() && !marked)
      return keep(Error(Errc::protocol, "the list ends without the line \"" + mapping_.end_marker + "\"",
                        "after record " + std::to_string(records_), "it was cut off: write it again"));
    if (cut)
      return keep(Error(Errc::protocol, "the last line does not end in a line break, and may have been cut off",
                        "record " + std::to_string(records_ + 1), "end every line of the list with a line break"));
    if (users) return EndOfList::counted(*users);
    if (marked || mapping_.whole) return EndOfList::seen();
    return keep(Error(Errc::protocol, "nothing shows that this is the whole list",
                      "after record " + std::to_string(records_),
                      "say how many users there are, name an end marker, or vouch for the file (whole)"));
  }
  [[nodiscard]] const std::optional<Error>& failure() const noexcept { return failure_; }
  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }
  [[nodiscard]] const SnapshotMapping& mapping() const noexcept { return mapping_; }

 private:
  Error refuse(Errc code, std::string detail, std::string advice) {
    return keep(Error(code, std::move(detail), "record " + std::to_string(records_), std::move(advice)));
  }
  SnapshotMapping mapping_;
  SnapshotUserSink sink_;
  std::uint64_t records_ = 0;
  std::optional<Error> failure_;
};

}  // namespace deprov::idp::detail
