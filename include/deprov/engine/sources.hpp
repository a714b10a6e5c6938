// Sources besides SCIM push: full lists of who has access, against the last complete one (R5, R6, R7, R16).
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <deprov/engine/engine.hpp>
#include <deprov/idp/feed_hook.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace deprov::engine {

/// What the config of a source may hold, as a JSON Schema.
[[nodiscard]] const json::value& source_config_schema();

struct AddSource {
  std::string name{};  ///< unique within the integration
  /// "file": the bytes of a list are handed in; "rows": users are; or the kind of a feed (idp/feed.hpp), which is
  /// polled.
  std::string kind = "file";
  json::object config{};  ///< by `source_config_schema`
};

/// What is to be different about a source.
struct SetSource {
  /// Members of its config: each takes the place of what it has, null takes it away. Of `poll`, `verification` and
  /// `links` only the members that are given; `auth` and `hook` are replaced whole, secrets in them. What cannot
  /// be changed, since the lists before were read by it or tokens are judged by it: another source is added for
  /// that.
  json::object config{};
};

/// One user of a list, as a host hands it in.
struct SourceUser {
  std::string id;  ///< the source's immutable id; never empty
  std::string external_id{}, user_name{}, email{};
  bool active = true;  ///< in the list, and has access by it
};

struct BeginList {
  bool dry_run = false;                  ///< tell what would happen, and store nothing
  std::size_t differences = 1000;        ///< how many are listed, at most 10,000
  std::optional<json::object> ad_hoc{};  ///< without a source: bytes, by this config, compared and nothing else
  /// When whoever made the list began to read it; nothing: now. What SCIM push showed after that counts (R16), so
  /// an export of last night says so. Before that of the source's last list: `conflict`.
  std::optional<WallTime> begun{};
};

/// How a polled source is read now.
struct PollSource {
  bool dry_run = false;            ///< tell what would happen, and store nothing
  bool complete = false;           ///< read everybody, also where asking for what changed would do
  std::size_t differences = 1000;  ///< how many are listed, at most 10,000
};

/// Something elsewhere showed that a user may have changed (R5): a security event, a webhook of the IdP, a push.
struct SourceHint {
  std::optional<SourceId> source{};     ///< the one to ask; nothing: all polled ones of the integration that can
  std::string id{};                     ///< the source's immutable id of the user; empty: `subject` says who
  std::optional<ResourceId> subject{};  ///< found in the source by what links it
};

/// How a polled source is doing, besides what its row says, whose `due` is when it is read next. Security events
/// are asked for at `due`; past that it is being asked, for 30 seconds at most, or nobody is there who would.
struct PollHealth {
  WallTime complete_at{};  ///< when everybody was last read; 0: never
  std::string round{};     ///< what its last round was: complete, changes
  std::string waits{};     ///< why it is not read now, though it does not fail
  /// The engine that reads it now; of security events, the one that fetches them where several engines share the
  /// store. Empty: none does.
  std::string reader{};
  WallTime reader_until{};        ///< silent for longer, and another one takes its place; 0: while it reads
  Duration interval{0};           ///< between polls, now; 0: it was not polled yet
  Duration floor{0}, ceiling{0};  ///< what that lies between; an answer with Retry-After may ask for more
  std::optional<std::uint64_t> quota_remaining{}, quota_limit{};  ///< as its API last said
  std::optional<WallTime> quota_reset{};
};
/// A call of an IdP to a polled source: an event hook of Okta, a change notification of Microsoft Graph.
struct HookCall {
  std::string method;
  std::string query;  ///< behind the `?`, still encoded
  std::vector<idp::FeedHeader> headers{};
  std::string body{};
};

/// Nothing for a source that is not polled.
[[nodiscard]] std::optional<PollHealth> poll_health(const port::SourceRow& row);

/// The lists of the sources of an integration. Made by `Engine::sources`, and as long-lived as that engine; cheap.
///
/// A list is handed in between `begin` and `end`. What it changes is decided when it was seen to be complete, and
/// stored together with it in one transaction; then it is carried out like a request of the IdP that touches many,
/// judged as one unit (R7). The first list of a source changes nothing: it is what later ones are compared with.
/// Who never was in a list is not gone from it. A list that shows no end, is empty, has a page or a user twice, or
/// another count than its source says, ends nobody's access: it is refused, and what was inferred from that source
/// before waits until a list is complete again (R16).
///
/// *Thread safety*: any thread; completions come on the executor, once. *Roles*: Owner, Super Admin, Admin; others
/// `forbidden`. *Errors* besides those named: those of the store, `closed`.
class Sources {
 public:
  /// Errors: `invalid_argument`, `conflict` (the name), `limit_exceeded` (20 an integration), `not_found`.
  void add(Principal by, IntegrationId id, AddSource what, Done<port::SourceRow> done);
  void list(Principal by, IntegrationId id, Done<std::vector<port::SourceRow>> done);
  /// A credential, how often it is read, who is linked to whom: what it has read, and what was inferred from that,
  /// stays. A polled source whose credential is another one is read at once. What is being read now does not
  /// count. On the activity are the names of what changed, and no value. Errors: `not_found`, `invalid_argument`:
  /// also where a secret would go elsewhere than before and is not given anew.
  void set(Principal by, IntegrationId id, SourceId source, SetSource what, Done<port::SourceRow> done);
  /// Its list is forgotten. That ends nobody's access and restores nobody's. Errors: `conflict` while changes of
  /// its last list are being carried out, and while it fails and removals that were inferred from it wait for
  /// that.
  void remove(Principal by, IntegrationId id, SourceId source, Done<void> done);

  /// A list begins; the answer names it. One that had begun before and did not end is given up, and so is one that
  /// gets nothing for ten minutes. Errors: `conflict` while changes of the last list are being carried out; `busy`
  /// while 8 lists are being read, or 4 of the workspace.
  void begin(Principal by, IntegrationId id, SourceId source, BeginList how, Done<WorkId> done);
  /// The next bytes of it, at most 8 MiB, and how many came before them; answers how many there are now. Errors:
  /// `not_found` (it was given up), `conflict` (the offset); the first failure of the list stays.
  void feed(Principal by, WorkId list, std::uint64_t offset, std::string bytes, Done<std::uint64_t> done);
  /// The same for users, at most 10,000 at once; `offset` counts users. This is how a host hands in its rows.
  void add_users(Principal by, WorkId list, std::uint64_t offset, std::vector<SourceUser> users,
                 Done<std::uint64_t> done);
  /// It is over. `count`: how many users there should be, where the source counts them; a list that does not show
  /// its own end needs that, or a config that says `whole`. Answers a report: what differs from the subjects, and
  /// what follows. Errors: `invalid_argument`, why the list is not complete; `conflict` where another list of the
  /// source was stored meanwhile.
  void end(Principal by, WorkId list, std::optional<std::uint64_t> count, Done<json::object> done);
  /// It will not come to its end; nothing follows from that. Where it could not be read, `failure` says why, and
  /// that is a failure of the source (R16). Errors: `invalid_argument` (of more than 1000 bytes; it goes on being
  /// read), `conflict` (it has ended).
  void give_up(Principal by, WorkId list, std::string failure, Done<void> done);

  /// Reads a polled source now, whenever it is due; answers the report of `end`, with `round` (complete, changes)
  /// and `quota` besides. A dry run reads everybody. Errors: why the round does not count; `invalid_argument` (it
  /// is not polled), `conflict` (changes of the last one are being carried out, or another engine reads it),
  /// `busy`, `rate_limited` (the source wants to be left alone for longer than a round may wait).
  void poll(Principal by, IntegrationId id, SourceId source, PollSource how, Done<json::object> done);
  /// That user is read again, soon, from polled sources, and what they then show counts as a targeted read;
  /// nothing follows from the hint itself. Hints of one user that wait are one. Not stored: after a crash the next
  /// poll shows the same. (That a source is to be asked again for whom SCIM push brought back is stored.) Answers
  /// how many sources will be asked; 0: none can. Errors: `not_found`, `busy` (10,000 wait for one source; the
  /// next complete round answers them all).
  void reread(Principal by, IntegrationId id, SourceHint what, Done<std::size_t> done);
  /// A call of the IdP, answered as its kind wants it; it shows a secret of the source's `hook`. What it says is a
  /// hint: users are read again as by `reread`, or the source is polled out of turn, at most each ten seconds.
  /// Errors: `not_found` (no polled source with a `hook`); `busy`, `closed` and those of the store: it calls
  /// again.
  void called(SourceId source, HookCall call, Done<idp::HookAnswer> done);

 private:
  friend class Engine;
  explicit Sources(std::shared_ptr<Engine::Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Engine::Impl> impl_;
};

}  // namespace deprov::engine
