// Notifications for whoever embeds the engine: page by page, or as they come.
#include <algorithm>
#include <deprov/engine/notification.hpp>
#include <map>
#include <set>
#include <utility>
#include "engine/management.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t a_page = 100;
constexpr Duration read_again_after = std::chrono::seconds(1);

/// Reads the chains of one workspace behind what was told. One view at a time. On the executor.
class Feed : public std::enable_shared_from_this<Feed> {
 public:
  Feed(std::shared_ptr<Engine::Impl> impl, WorkspaceId workspace, std::vector<NotificationType> wanted,
       port::UniqueFunction<void(const Notification&)> tell)
      : impl_(std::move(impl)), workspace_(workspace), wanted_(std::move(wanted)), tell_(std::move(tell)) {}

  /// From where the chains end now.
  void begin() {
    struct Heads {
      std::map<port::Scope, std::uint64_t> at;
    };
    auto heads = std::make_shared<Heads>();
    busy_ = true;
    impl_->ports.store.view(
        [heads, workspace = workspace_](port::Reader& reader) -> Result<void> {
          heads->at.clear();
          std::vector<port::Scope> chains{{workspace, {}}};
          DEPROV_TRY(rows, reader.integrations_ever(workspace));
          for (const auto& row : rows) chains.push_back(row.scope);
          for (const auto& chain : chains) {
            DEPROV_TRY(head, reader.activity_head(chain));
            heads->at[chain] = head;
          }
          return {};
        },
        [weak = weak_from_this(), &executor = impl_->ports.executor, &clock = impl_->ports.clock,
         heads](Result<void> read) {
          executor.post([weak, &executor, &clock, heads, ok = read.has_value()] {
            const auto self = weak.lock();
            if (!self) return;
            self->busy_ = false;
            if (!ok) {
              executor.post_at(clock.mono() + read_again_after, [weak] {
                if (const auto again = weak.lock()) again->begin();
              });
              return;
            }
            self->places_ = std::move(heads->at);
            self->ready_ = true;
            self->next();
          });
        });
  }

  void grown(const port::Scope& chain) {
    if (chain.workspace != workspace_) return;
    grown_.insert(chain);
    next();
  }

 private:
  void next() {
    if (busy_ || !ready_ || grown_.empty()) return;
    busy_ = true;
    const auto chain = *grown_.begin();
    grown_.erase(grown_.begin());
    auto page = std::make_shared<NotificationPage>();
    const auto after = places_[chain];
    impl_->ports.store.view(
        [page, chain, after, wanted = wanted_](port::Reader& reader) -> Result<void> {
          DEPROV_TRY(found, read_notifications(reader, chain, after, a_page, wanted));
          *page = std::move(found);
          return {};
        },
        [weak = weak_from_this(), &executor = impl_->ports.executor, &clock = impl_->ports.clock, page,
         chain](Result<void> read) {
          executor.post([weak, &executor, &clock, page, chain, ok = read.has_value()] {
            const auto self = weak.lock();
            if (!self) return;
            if (!ok) {
              executor.post_at(clock.mono() + read_again_after, [weak, chain] {
                const auto again = weak.lock();
                if (!again) return;
                again->busy_ = false;
                again->grown(chain);
              });
              return;
            }
            self->busy_ = false;
            self->places_[chain] = page->upto;
            if (page->more) self->grown_.insert(chain);
            for (const auto& n : page->items) self->tell_(n);  // `self` outlives whoever unsubscribes in here
            self->next();
          });
        });
  }

  std::shared_ptr<Engine::Impl> impl_;
  WorkspaceId workspace_;
  std::vector<NotificationType> wanted_;
  port::UniqueFunction<void(const Notification&)> tell_;
  std::map<port::Scope, std::uint64_t> places_;
  std::set<port::Scope> grown_;
  bool ready_ = false;
  bool busy_ = false;
};

class FeedHandle final : public Engine::Subscription {
 public:
  FeedHandle(std::shared_ptr<Feed> feed, std::unique_ptr<Engine::Subscription> growth)
      : growth_(std::move(growth)), feed_(std::move(feed)) {}

 private:
  std::unique_ptr<Engine::Subscription> growth_;  ///< gone first
  std::shared_ptr<Feed> feed_;
};

}  // namespace

std::unique_ptr<Engine::Subscription> Engine::subscribe_notifications(
    WorkspaceId workspace, std::vector<NotificationType> wanted,
    port::UniqueFunction<void(const Notification&)> on_notification) {
  auto feed = std::make_shared<Feed>(impl_, workspace, std::move(wanted), std::move(on_notification));
  const std::weak_ptr<Feed> weak = feed;
  auto growth = subscribe([weak, &executor = impl_->ports.executor](const port::Scope& chain) {
    executor.post([weak, chain] {
      if (const auto self = weak.lock()) self->grown(chain);
    });
  });
  impl_->ports.executor.post([weak] {
    if (const auto self = weak.lock()) self->begin();
  });
  return std::make_unique<FeedHandle>(std::move(feed), std::move(growth));
}

void Engine::notifications(Principal by, IntegrationId id, std::uint64_t after, std::size_t limit,
                           Done<NotificationPage> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<NotificationPage>(impl, std::move(done), ok.error());
  auto page = std::make_shared<NotificationPage>();
  view(
      [by, id, after, limit, page](port::Reader& reader) -> Result<void> {
        const port::Scope chain{by.workspace, id};
        if (!id.is_nil()) {
          // A deleted one's chain is still there to be read.
          DEPROV_TRY(row, reader.integration(chain));
          if (!row) return Error(Errc::not_found, "there is no such integration", "integration " + id.str());
        }
        DEPROV_TRY(found, read_notifications(reader, chain, after, std::clamp<std::size_t>(limit, 1, 1000)));
        *page = std::move(found);
        return {};
      },
      [page, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        done(std::move(*page));
      });
}

}  // namespace deprov::engine
