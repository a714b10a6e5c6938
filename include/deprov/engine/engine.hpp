// The engine: integrations, jobs, activity. This is what people embed.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <deprov/engine/context.hpp>
#include <deprov/engine/effect.hpp>
#include <deprov/engine/notification.hpp>
#include <deprov/error.hpp>
#include <deprov/port/clock.hpp>
#include <deprov/port/connector.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/port/executor.hpp>
#include <deprov/port/http_transport.hpp>
#include <deprov/port/random.hpp>
#include <deprov/port/store.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace deprov::engine {

template <class T>
using Done = port::UniqueFunction<void(Result<T>)>;

/// The world, handed in. Everything outlives the engine.
struct Ports {
  port::Executor& executor;
  port::Clock& clock;
  port::Random& random;
  port::Store& store;
  port::HttpTransport& http;
  port::Crypto& crypto;
};

struct Options {
  port::ConnectorKinds connectors;
  std::string master_key;  ///< 32 bytes: seals the secrets of connections, webhooks and sources
  /// Keys before `master_key`, 32 bytes each. What one of them sealed is sealed anew, under `master_key`, by
  /// `start`; when that is over they are no longer needed.
  std::vector<std::string> former_keys{};
  bool background = true;  ///< false: jobs and evaluations are left alone; for looking and managing only
  std::string node;        ///< names this engine among several on one store; empty: "local"
  Duration lane_lease{0};  ///< how long a silent owner keeps its lanes; 0: the store is this engine's alone
  std::size_t inline_members = 500;  ///< members in one request beyond this are worked off in pieces
  std::size_t piece = 250;           ///< subjects a transaction then
  std::size_t max_in_flight = 4096;  ///< requests being applied; more are answered `busy`
  std::size_t lane_window = 256;     ///< jobs of one lane in memory
  /// Whether a connection that a principal makes or changes may name that file of this machine
  /// (`ConnectorKind::files`). The machine's own administrator may name any, and what is stored already stays.
  /// Empty: none may. Called from any thread.
  std::function<bool(const std::string& path)> may_name_file{};
};

/// Who manages: the row of the principal whose token it was, or the machine's own administrator.
struct Principal {
  WorkspaceId workspace;
  PrincipalId id;  ///< nil: the local administrator of the data directory
  std::string name;
  port::Role role = port::Role::member;
  [[nodiscard]] std::string actor() const;  ///< "principal:<id>" or "local"
};

struct Applied {
  std::uint64_t version = 0;  ///< of the resource afterwards; 0: it was not touched, or `version_lost`
  bool version_lost = false;  ///< it was touched, and the store's answer, which names the version, was lost
  bool deferred = false;      ///< the members are stored durably and worked off in pieces
};

/// An integration that cannot be used, since this version does not take what is stored of it.
struct IntegrationFault {
  port::Scope scope;
  std::string name;
  std::string why;
};

struct CreateIntegration {
  std::string name{};
  std::string idp{};
  std::string connector{};
  json::object config{};  ///< secrets in clear
  json::object policy{};
  json::object settings{};
  json::value schemas{};         ///< SCIM schemas in the RFC's form: one, an array or a ListResponse; null: none
  json::value resource_types{};  ///< SCIM resource types likewise; one named "User" or "Group" says its extensions
  bool check = true;             ///< ask the app whether the connection works
};
struct CreatedIntegration {
  port::IntegrationRow row;
  std::string scim_token;  ///< shown this once
};
struct CreatedPrincipal {
  port::PrincipalRow row;
  std::string token;  ///< shown this once
};

/// What a person did in the app by hand.
struct Attestation {
  std::string reason{};
  std::string reference{};  ///< where it can be looked up: a ticket, a screenshot; at most 1000 bytes
};

/// What a person decides about a hold.
struct HoldDecision {
  bool allow = true;
  std::string listing;                ///< hash of the listing that was seen, 64 hexadecimal digits; or
  std::optional<ResourceId> subject;  ///< one subject of it
  std::string reason;                 ///< needed to reject
  WallTime until;                     ///< to reject: access is kept until then
};

/// Whom to tell of what.
struct CreateWebhook {
  std::string name{};
  std::string url{};                           ///< https; http for localhost alone
  std::vector<NotificationType> events{};      ///< empty: all
  std::optional<IntegrationId> integration{};  ///< nothing: all of the workspace
  std::string ca_pem{};                        ///< authorities in place of the system's; empty: the system's
};
/// Which messages that were given up are sent again.
struct ResendDeliveries {
  std::optional<DeliveryId> message{};  ///< this one; nothing: all that were made
  WallTime since{};                     ///< then or later
};
struct CreatedWebhook {
  port::WebhookRow row;
  std::string secret;  ///< shown this once
};
/// What came of a test event.
struct WebhookTest {
  bool delivered = false;
  int status = 0;     ///< HTTP; 0: there was no answer
  std::string error;  ///< why it was not delivered
  Duration took{0};
};

/// Numbers of one lane, now.
struct LaneStatus {
  std::uint32_t in_flight = 0;    ///< jobs in memory
  std::uint32_t calls = 0;        ///< connector calls under way
  std::uint32_t concurrency = 0;  ///< what AIMD allows now
  bool breaker_open = false;
  bool stopped = false;  ///< by the kill switch, of the integration or of its workspace
  std::string paused;    ///< why; empty: it runs
};

/// Everything `/metrics` shows.
struct Metrics {
  std::map<std::string, std::uint64_t> attempts;  ///< by "operation/outcome"
  std::map<std::string, std::uint64_t> finished;  ///< jobs by state
  std::vector<double> ttd_bounds;                 ///< seconds
  std::vector<std::uint64_t> ttd_counts;          ///< per bound, the last one is +Inf; not cumulative
  double ttd_sum = 0;
  std::uint64_t applied = 0, refused = 0;
  std::map<port::Scope, LaneStatus> lanes;
  std::vector<IntegrationFault> faults;
  std::map<port::Scope, std::uint64_t> held;    ///< subjects that wait for a person (R7)
  std::map<std::string, std::uint64_t> events;  ///< security event tokens: taken, repeated, refused
  std::map<std::string, std::uint64_t>
      deliveries;  ///< to webhooks: delivered, failed (an attempt), dead, skipped_events
  struct Webhook {
    std::uint64_t messages = 0;  ///< on their way
    std::uint64_t records = 0;   ///< of the activity that wait to be looked at for it
  };
  std::map<std::pair<WorkspaceId, WebhookId>, Webhook> webhooks;
};

class Events;
class Sources;

/// *Thread safety*: every function may be called from any thread; completions come on the executor, once.
/// *Errors* besides those named: `busy` (back-pressure, nothing was done), `closed`, and those of the store.
class Engine {
 public:
  /// Errors: `invalid_argument` (master key of the wrong length).
  static Result<std::unique_ptr<Engine>> create(Ports ports, Options options);
  /// After `close` has completed; otherwise work in flight is abandoned, which is safe and found at the next
  /// start.
  ~Engine();

  /// Reads the integrations, takes the lanes, takes up what was left unfinished. An integration that is stored as
  /// this version does not take it does not keep the others from working: see `faults`.
  void start(Done<void> done);
  /// Starts nothing new, waits for calls in flight until `deadline`, then abandons them.
  void close(Duration deadline, Done<void> done);

  // ---- what the SCIM service needs
  /// The integration that a gateway token opens. Errors: `unauthorized`; `unavailable` where it has a fault.
  [[nodiscard]] Result<Context> authenticate_gateway(std::string_view token) const;
  /// A live integration by id, or nothing.
  [[nodiscard]] Context integration(IntegrationId id) const;
  [[nodiscard]] std::vector<Context> integrations() const;
  /// Integrations whose stored policy or settings this version refuses. They are alone in that: their requests are
  /// answered `unavailable` and their jobs wait, until `update_integration` gives what is missing or
  /// `delete_integration` takes them away.
  [[nodiscard]] std::vector<IntegrationFault> faults() const;
  /// Why one of them cannot be used; nothing: it can.
  [[nodiscard]] std::optional<std::string> fault(IntegrationId id) const;
  /// Decides what follows from an effect, and stores both in one transaction. `body` reads what it needs and says
  /// the effect; it is called again where another transaction came between (up to four times), so it must leave
  /// its captures as they are. Its error goes to `done` and nothing is stored.
  using EffectBody = port::UniqueFunction<Result<Effect>(port::Reader&, const IntegrationContext&)>;
  /// `in_turn`: decided inside the writer, after whatever was handed in before it, so that requests can follow
  /// each other without waiting for the disk each time. What the guard holds is decided once more, behind the
  /// others.
  enum class Order : std::uint8_t { any, in_turn };
  void apply(Context context, Evidence evidence, EffectBody body, Done<Applied> done, Order order = Order::any);
  /// Puts what a read needed of its dialect on the activity: each rule once for an integration while the engine
  /// runs, whatever the number of reads. What could not be stored is tried again with the next one.
  void note_read(const Context& context, const Evidence& evidence);
  /// A consistent read.
  void view(port::ViewBody body, Done<void> done);
  /// The same for a body that answers whoever asked by itself: `failed` is called only where it, or the store,
  /// failed. A brief body reads a few rows; it may run inside the call, on the caller's thread.
  enum class Reading { brief, any };
  void read(Reading how, port::ViewBody body, Done<void> failed);

  // ---- principals and workspaces (the caller's role is checked: R21)
  [[nodiscard]] static bool may_manage_integrations(port::Role role);
  [[nodiscard]] static bool may_manage_principals(port::Role role);
  /// Errors: `unauthorized`.
  void authenticate(std::string token, Done<Principal> done);
  /// A workspace with its first owner. Only the local administrator.
  void create_workspace(Principal by, std::string name, std::string owner_name, Done<CreatedPrincipal> done);
  void list_workspaces(Principal by, Done<std::vector<port::WorkspaceRow>> done);
  void add_principal(Principal by, std::string name, port::Role role, Done<CreatedPrincipal> done);
  void list_principals(Principal by, Done<std::vector<port::PrincipalRow>> done);
  void remove_principal(Principal by, PrincipalId id, Done<void> done);

  // ---- integrations (Owner, Super Admin, Admin; others `forbidden`)
  void create_integration(Principal by, CreateIntegration what, Done<CreatedIntegration> done);
  /// Changes the members that are present: name, config, policy, settings, schemas, resource_types. With
  /// `plan_hash` the policy is taken only where `preview` of it has that hash now. Errors: `conflict` where it has
  /// not, and where stored resources would no longer fit their schema.
  void update_integration(Principal by, IntegrationId id, json::object changes, Done<port::IntegrationRow> done);
  /// `reason`: why, for the activity.
  void set_integration_state(Principal by, IntegrationId id, port::IntegrationState state,
                             Done<port::IntegrationRow> done, std::string reason = {});
  /// The kill switch: from now on nothing is sent to the app, over restarts too, until the integration is resumed;
  /// calls under way end as they do. SCIM goes on being accepted.
  void stop_integration(Principal by, IntegrationId id, std::string reason, Done<port::IntegrationRow> done);
  /// The same for every integration of the workspace, those made later included. Resuming takes owner or
  /// super_admin, and leaves integrations that were stopped or paused themselves as they are.
  void stop_workspace(Principal by, std::string reason, Done<void> done);
  void resume_workspace(Principal by, std::string reason, Done<void> done);
  /// Errors: `conflict` while removals are unfinished, unless `abandon` (R8): then they are named on the activity.
  void delete_integration(Principal by, IntegrationId id, bool abandon, Done<void> done);
  /// A new gateway token; the old ones stay good for `overlap`.
  void rotate_token(Principal by, IntegrationId id, Duration overlap, Done<std::string> done);
  /// Asks the app now; the answer is on the activity too.
  void check_integration(Principal by, IntegrationId id, Done<connector::Reply> done);

  // ---- what a policy would do (R22)
  /// What `policy` (nothing: the present one) would do to `recorded` (nothing: the present state), and the hash by
  /// which that can be approved: see `plan_hash` in update_integration. Nothing is done.
  void preview(Principal by, IntegrationId id, std::optional<json::object> policy,
               std::optional<json::object> recorded, Done<json::object> done);
  /// The present state, as `preview` takes it.
  void record_state(Principal by, IntegrationId id, Done<json::object> done);

  // ---- subjects and jobs
  /// Binds a subject to an account that a person names, or (empty account) looks it up anew.
  void bind(Principal by, IntegrationId id, ResourceId subject, std::string account_id, Done<void> done);
  void unbind(Principal by, IntegrationId id, ResourceId subject, Done<void> done);
  /// Ends access by a person's decision, with a reason.
  void offboard(Principal by, IntegrationId id, ResourceId subject, std::string reason, Done<JobId> done);
  /// A new job for what failed, died or was held. Errors: `conflict` in other states.
  void retry_job(Principal by, IntegrationId id, JobId job, Done<JobId> done);
  /// Lets the step that a job waits with be taken, within the time that the policy gives. By the role that the
  /// policy names, or a higher one. Errors: `forbidden`, `conflict`.
  void approve_job(Principal by, IntegrationId id, JobId job, std::string reason, Done<void> done);
  /// Somebody did by hand what the job was to do; it ends as `attested`, which is not `verified`. What had ended
  /// already keeps its record, and gets a new job. Errors: `conflict` while a request is under way.
  void attest_job(Principal by, IntegrationId id, JobId job, Attestation what, Done<JobId> done);
  /// Releases the listing, or keeps access until a date (R7); answers how many subjects that decided. What arrived
  /// later stays held. Errors: `not_found`; `conflict` where nothing of it waits, or no listing has that hash.
  void decide_hold(Principal by, IntegrationId id, HoldId hold, HoldDecision what, Done<std::uint64_t> done);
  void cancel_job(Principal by, IntegrationId id, JobId job, std::string reason, Done<void> done);

  // ---- reconciliation
  /// Compares who has access with the accounts that are in the app (R6), and proposes, or queues what the policy
  /// says. Every integration is reconciled daily by itself, proposing, where its settings say nothing else.
  /// `started` gets the run's id, or `conflict` where a run is under way; then `ended` its report, or
  /// `unsupported` where the app cannot list its accounts, or `closed`.
  void reconcile(Principal by, IntegrationId id, bool queue, Done<WorkId> started, Done<json::object> ended);
  /// The report of the run under way, or of the last one. Its `state` is running, done or never.
  void reconciliation(Principal by, IntegrationId id, Done<json::object> done);

  // ---- evidence
  /// Deletes what the records before `before` say in detail, in pieces; their hashes stay, and so the chain holds
  /// (R20). The act is on the activity before anything is deleted, and its count after it. A nil integration: the
  /// chain of the workspace. Owner, Super Admin. Answers how many details were deleted.
  void delete_details(Principal by, IntegrationId id, WallTime before, Done<std::uint64_t> done);

  // ---- notifications: what there is to tell people (Owner, Super Admin, Admin)
  /// A webhook hears of what happens after it was made; one of a single integration hears of stops of the whole
  /// workspace, too. Its messages are signed (see webhook_signature.hpp),
  /// repeated until they are answered with 2xx, for 72 hours, and come in the order of each chain, at least once.
  /// Errors: `invalid_argument`, `conflict` (the name), `limit_exceeded` (50 a workspace), `not_found` (the
  /// integration).
  void create_webhook(Principal by, CreateWebhook what, Done<CreatedWebhook> done);
  /// A new secret; messages are signed with the old one besides for `overlap`.
  void rotate_webhook_secret(Principal by, WebhookId id, Duration overlap, Done<std::string> done);
  /// What is on its way to it is given up.
  void remove_webhook(Principal by, WebhookId id, Done<void> done);
  /// Other authorities that its certificate is judged by; empty: the system's.
  void set_webhook_authorities(Principal by, WebhookId id, std::string ca_pem, Done<void> done);
  /// Messages that were given up are sent again, as they were and under the same id, the oldest first and before
  /// what is new; one that is not taken within an hour is given up again. Answers how many. Errors: `not_found`,
  /// `conflict` (the message was not given up).
  void resend_deliveries(Principal by, WebhookId id, ResendDeliveries what, Done<std::uint64_t> done);
  /// Sends a test event, once, now.
  void test_webhook(Principal by, WebhookId id, Done<WebhookTest> done);
  /// For hosts that drain: what there is to tell of one chain (a nil integration: the workspace's own), in order,
  /// after `after`; at most `limit`. Start with 0, or where you are content to begin, keep `upto` of the page that
  /// you have dealt with in a store of your own, and give it as `after` the next time: nothing is missed over
  /// restarts.
  void notifications(Principal by, IntegrationId id, std::uint64_t after, std::size_t limit,
                     Done<NotificationPage> done);

  // ---- watching
  /// Calls `on_append` on the executor whenever a chain has grown, until the subscription is destroyed.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(port::UniqueFunction<void(const port::Scope&)> on_append);
  /// For hosts that want to be called: calls `on_notification` on the executor for each notification of the
  /// workspace's chains from about now on, in the order of each chain, once, until the subscription is destroyed
  /// (on the executor, or before it runs). `wanted` empty: all. What happens while nobody is subscribed is for
  /// `notifications`. A host that pumps is called from within `pump`. The function must be quick.
  [[nodiscard]] std::unique_ptr<Subscription> subscribe_notifications(
      WorkspaceId workspace, std::vector<NotificationType> wanted,
      port::UniqueFunction<void(const Notification&)> on_notification);
  void metrics(Done<Metrics> done);

  // ---- sources besides SCIM push: see sources.hpp
  [[nodiscard]] Sources sources() const;
  /// Those of them that receive security events: see events.hpp.
  [[nodiscard]] Events events() const;

  [[nodiscard]] const Ports& ports() const noexcept;
  [[nodiscard]] const Options& options() const noexcept;

  struct Impl;

 private:
  explicit Engine(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace deprov::engine
