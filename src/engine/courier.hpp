// Tells webhooks what happens. The activity is the outbox: what is to be told was written in the transaction of
// the event itself, and each webhook has a durable place in each chain.
#pragma once

#include <deprov/engine/notification.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "engine/impl.hpp"

namespace deprov::engine {

/// One message is under way to a webhook at a time, which is what keeps the order. It tells up to `most_events` of
/// what lies behind the webhook's places in the chains, and stays the same at each attempt. While it is under way
/// nothing is written for what happens besides, however much that is: it waits in the chains, and the next message
/// tells it. Where several engines share the store each of them tells what it hears of, and what others have not
/// told when it looks; a message that another one has under way is waited for, and taken over when its sender is
/// silent. *Thread safety*: the executor only.
class Courier : public std::enable_shared_from_this<Courier> {
 public:
  static constexpr std::size_t most_events = 100;                    ///< in one message
  static constexpr Duration most_age = std::chrono::hours(72);       ///< of an event, and of a message
  static constexpr Duration most_age_again = std::chrono::hours(1);  ///< of one that is sent again, since then
  static constexpr Duration store_again_after = std::chrono::seconds(5);
  static constexpr Duration answer_time = std::chrono::seconds(15);
  static constexpr std::size_t most_answer = std::size_t{64} * 1024;
  static constexpr std::size_t delivered_kept = 20;
  static constexpr std::size_t dead_kept = 100;

  explicit Courier(Engine::Impl& engine) : engine_(engine) {}
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  /// All webhooks, at the start, and the chains of their workspaces.
  void start(const std::vector<port::WebhookRow>& rows, const std::vector<port::Scope>& chains);
  /// It is there, or it was changed.
  void put(const port::WebhookRow& row);
  void forget(WebhookId id);
  /// Messages that were given up are pending again.
  void again(WebhookId id);
  /// There are new records in the chain.
  void grown(const port::Scope& chain);
  [[nodiscard]] std::vector<WebhookId> known() const;
  /// What the store shows, where other engines write to it: all webhooks, how many records their chains have, and
  /// who was known when that was read.
  struct Shown {
    std::vector<port::WebhookRow> rows;
    std::map<port::Scope, std::uint64_t> heads;
    std::vector<WebhookId> known;
  };
  void seen(const Shown& shown);
  /// Starts nothing any more; `done` when nothing is under way.
  void stop(port::UniqueFunction<void()> done);

  /// What waits, for `/metrics`.
  struct Waiting {
    WorkspaceId workspace;
    WebhookId webhook;
    std::uint64_t messages = 0;
    std::vector<std::pair<port::Scope, std::uint64_t>> chains;  ///< that may have more behind this place
  };
  [[nodiscard]] std::vector<Waiting> waiting() const;

 private:
  struct Endpoint {
    port::WebhookRow row;
    std::vector<NotificationType> wanted;
    std::set<port::Scope> chains;                 ///< that may have something to tell
    std::map<port::Scope, std::uint64_t> looked;  ///< up to where nothing was to be told, beyond what is stored
    std::optional<port::DeliveryRow> pending;
    std::uint64_t behind = 0;  ///< further messages that are pending
    bool others = false;       ///< another engine may have `pending` under way
    bool resends = false;      ///< what a person had sent again is for this engine to send
    bool loaded = false;
    bool busy = false;
    port::TimerId timer = 0;
    std::optional<port::HttpCallId> call;
  };
  struct Look;

  [[nodiscard]] bool hears(const Endpoint& e, const port::Scope& chain) const;
  Endpoint* find(WebhookId id);
  void step(WebhookId id);
  void load(WebhookId id);
  void compose(WebhookId id);
  [[nodiscard]] Result<port::Transaction> look(port::Reader& reader, Look& look) const;
  void composed(const std::shared_ptr<Look>& look, bool stored, const std::optional<Error>& error);
  void send(WebhookId id);
  void answered(WebhookId id, const port::HttpResult& result);
  void record(WebhookId id, port::DeliveryRow row);
  [[nodiscard]] Duration wait_for_others() const;
  void later(WebhookId id, Duration wait);
  void count(std::string_view result);
  void finish_stop();

  Engine::Impl& engine_;
  std::map<WebhookId, Endpoint> endpoints_;
  std::map<port::Scope, std::uint64_t> heads_;  ///< as they were seen last
  bool stopped_ = false;
  std::size_t calls_ = 0;
  port::UniqueFunction<void()> all_over_;
};

/// What a webhook wants to hear of that chain; nothing: not a word.
[[nodiscard]] std::optional<std::vector<NotificationType>> wanted_in(const port::WebhookRow& row,
                                                                     const std::vector<NotificationType>& wanted,
                                                                     const port::Scope& chain);
/// The names of a webhook's events as stored.
[[nodiscard]] std::vector<NotificationType> wanted_of(const port::WebhookRow& row);
/// The request that carries a message, signed at `now` by the present secret, and by the former one while that is
/// good. Errors: `store_corrupt` where the secrets cannot be opened.
[[nodiscard]] Result<port::HttpRequest> webhook_request(Engine::Impl& engine, const port::WebhookRow& row,
                                                        const std::string& id, std::string body);
/// What an answer means: nothing where the message was taken, otherwise why it was not.
[[nodiscard]] std::optional<std::string> refusal(const port::HttpResult& result);
/// The message around events.
[[nodiscard]] json::object webhook_message(const port::WebhookRow& row, WallTime now, json::array events,
                                           std::uint64_t skipped);
[[nodiscard]] std::string message_id(DeliveryId id);

/// Secrets of a webhook, sealed. Errors: those of sealing and opening.
struct WebhookSecrets {
  std::string current;
  std::string previous;  ///< empty: none
  WallTime previous_until;
};
[[nodiscard]] Result<std::string> seal_secrets(Engine::Impl& engine, const port::WebhookRow& row,
                                               const WebhookSecrets& secrets);
[[nodiscard]] Result<WebhookSecrets> open_secrets(Engine::Impl& engine, const port::WebhookRow& row);

}  // namespace deprov::engine
