#include <algorithm>
#include <boost/asio/post.hpp>
#include "server/connection.hpp"
#include "server/wire.hpp"

namespace deprov::server {

namespace {
/// Deadlines are looked at together, an eighth of the shortest apart: no timer to set for each request.
Millis tick_for(const ServerOptions& o) {
  const auto shortest =
      std::min({o.header_timeout, o.body_timeout, o.idle_timeout, o.write_timeout, o.linger_timeout});
  return std::clamp(shortest / 8, Millis(5), Millis(500));
}
}  // namespace

Loop::Loop(Shared& s, std::size_t share_of_in_flight, std::function<void()> on_empty)
    : shared(s),
      mailbox(std::make_shared<Mailbox>([this] { asio::post(context, [this] { deliver(); }); })),
      max_in_flight_(std::max<std::size_t>(share_of_in_flight, 1)),
      on_empty_(std::move(on_empty)),
      work_(context.get_executor()),
      tick_(context),
      tick_every_(tick_for(s.options)) {}

Loop::~Loop() {
  mailbox->close();
  connections_.clear();
}

void Loop::run() { context.run(); }

void Loop::adopt(asio::ip::tcp::socket socket, bool reject) {
  const auto id = ++last_connection_;
  const auto connection = std::make_shared<Connection>(*this, id, std::move(socket), reject);
  connections_.emplace(id, connection);
  arm_tick();
  connection->start();
}

void Loop::remove(std::uint64_t connection, bool rejected) {
  if (connections_.erase(connection) == 0) return;
  if (rejected)
    shared.rejecting_now.fetch_sub(1, std::memory_order_relaxed);
  else
    shared.counters.connections_now.fetch_sub(1, std::memory_order_relaxed);
  if (stopping && connections_.empty() && on_empty_) std::exchange(on_empty_, nullptr)();
}

void Loop::begin_stop() {
  if (stopping) return;
  stopping = true;
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [id, c] : connections_) all.push_back(c);
  for (const auto& c : all) c->stop();
  if (connections_.empty() && on_empty_) std::exchange(on_empty_, nullptr)();
}

std::size_t Loop::abort_all() {
  std::vector<std::shared_ptr<Connection>> all;
  std::size_t unfinished = 0;
  for (const auto& [id, c] : connections_) {
    all.push_back(c);
    unfinished += c->unfinished() ? 1U : 0U;
  }
  for (const auto& c : all) c->close();
  work_.reset();
  tick_.cancel();
  return unfinished;
}

bool Loop::enter(std::uint64_t connection) {
  if (in_flight_ < max_in_flight_ && waiting_.empty()) {
    ++in_flight_;
    return true;
  }
  waiting_.push_back(connection);
  return false;
}

void Loop::leave() {
  --in_flight_;
  if (waiting_.empty() || admitting_) return;
  admitting_ = true;
  asio::post(context, [this] { admit_waiting(); });
}

void Loop::admit_waiting() {
  while (in_flight_ < max_in_flight_ && !waiting_.empty()) {
    const auto id = waiting_.front();
    waiting_.pop_front();
    const auto found = connections_.find(id);
    if (found == connections_.end()) continue;
    ++in_flight_;
    const auto connection = found->second;  // it may go away meanwhile
    connection->admit();
  }
  admitting_ = false;
}

void Loop::deliver() {
  mailbox->take(mails_);
  for (auto& mail : mails_) {
    const auto found = connections_.find(mail.ticket.connection);
    if (found == connections_.end()) continue;
    const auto connection = found->second;
    connection->deliver(std::move(mail));
  }
  mails_.clear();
}

void Loop::arm_tick() {
  if (ticking_) return;
  ticking_ = true;
  tick_.expires_after(tick_every_);
  tick_.async_wait([this](const NetError& error) {
    ticking_ = false;
    if (error) return;
    sweep();
    if (!connections_.empty()) arm_tick();  // with nobody there the process sleeps
  });
}

void Loop::sweep() {
  const auto now = Clock::now();
  std::vector<std::shared_ptr<Connection>> due;
  for (const auto& [id, c] : connections_)
    if (c->due(now)) due.push_back(c);
  for (const auto& c : due) c->expire();
}

std::string_view Loop::date() {
  const auto now = std::time(nullptr);
  if (now != date_of_) {
    date_of_ = now;
    date_ = http_date(now);
  }
  return date_;
}

}  // namespace deprov::server
