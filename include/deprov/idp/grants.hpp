// What the sources of a subject's access say, merged into one truth (R2, R5, R16).
#pragma once

#include <cstdint>
#include <deprov/idp/change.hpp>
#include <deprov/time.hpp>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp {

/// What a source says of one subject.
enum class Says : std::uint8_t {
  granted = 1,  ///< it was read: the subject has access
  ended = 2,    ///< it was read of the subject itself: access has ended (SCIM inactive, DELETE, a targeted read)
  absent = 3,   ///< inferred: a complete list of this source does not have the subject (R6)
  hint = 4,     ///< an event: something may have changed. Wants a targeted read, and is never an effect (R5)
};
[[nodiscard]] std::string_view to_string(Says s) noexcept;

/// What it means that a source's complete list does not have somebody.
enum class Reach : std::uint8_t {
  whole = 1,  ///< the list has everybody to whom this IdP gives access: all its earlier grants end
  own = 2,    ///< the list is one reason among others, such as one group: only this source's grant ends
};

/// One source's word.
struct Statement {
  std::string source;  ///< which one; unique within an integration
  std::string idp;     ///< whose truth it reads; sources of one IdP see the same grants
  Says says = Says::granted;
  Reach reach = Reach::own;  ///< of `absent`
  Cause cause = Cause::none;
  WallTime begun;        ///< when the request or read that shows it began; of a list, its first page
  WallTime evidence_at;  ///< when the change happened, as far as anything shows it; otherwise as `begun`
};

enum class Access : std::uint8_t {
  keep = 0,  ///< as it is: nobody has said anything, or what was said is frozen
  granted = 1,
  ended = 2,
};

/// What follows from all statements.
struct Verdict {
  Access access = Access::keep;
  /// Of an end: the cause, of what was said of the subject itself before what was inferred, the first of these.
  Cause cause = Cause::none;
  WallTime evidence_at;  ///< of an end: its first sign, whoever showed it; the clock of R20 runs from it
  /// Of an end: everybody who shows it, the first sign first. One removal, however many see it. Empty where the
  /// source that showed it is forgotten.
  std::vector<Statement> evidence;
  std::vector<std::string> frozen;  ///< sources whose inferred end does not count, since they fail now
  std::vector<std::string> reread;  ///< sources to read this subject from, since a hint came after their last word
};

/// The last word of each source on one subject. A value; as large as there are sources.
class Grants {
 public:
  /// False: this source said something of a later read before, or an end at that moment; nothing changes. What was
  /// read of the subject itself is not replaced by what a list lets infer.
  bool take(Statement s);
  /// The source is gone from the integration. That ends nothing, and restores nothing: what it alone had granted
  /// is kept until another source shows an end, and what it had ended stays so until a later read shows access.
  /// `fails`: it was failing, so that what it let infer did not count.
  void forget(std::string_view source, bool fails);
  /// `fails`: whether a source is failing now (R16).
  [[nodiscard]] Verdict judge(const std::function<bool(std::string_view source)>& fails) const;
  [[nodiscard]] const std::map<std::string, Statement, std::less<>>& statements() const noexcept { return last_; }

 private:
  std::map<std::string, Statement, std::less<>> last_;
  std::map<std::string, WallTime, std::less<>> hints_;  ///< by source
  /// What is known of an IdP beyond the last words. 0: never.
  struct Idp {
    WallTime granted;  ///< the latest read that showed access
    WallTime ended;    ///< the latest that ended all grants before it
    WallTime kept;     ///< of the latest grant by a source that is forgotten
  };
  std::map<std::string, Idp, std::less<>> idps_;
};

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/grants.ipp>
#endif
