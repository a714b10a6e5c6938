// How answers, which may come from any thread at any time, get back to the thread of their connection.
#pragma once

#include <cstdint>
#include <deprov/service/http.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace deprov::server {

/// Which question an answer is for. A connection that is gone, or has moved on, does not get it.
struct Ticket {
  std::uint64_t connection = 0;
  std::uint64_t serial = 0;
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

struct Mail {
  Ticket ticket;
  std::optional<service::Response> response;  ///< empty: a piece of a stream, or its end
  std::optional<std::string> piece;
};

/// Outlives its loop as long as somebody may answer. *Thread safety*: any thread.
class Mailbox {
 public:
  /// `wake` is called, under the lock, when mail comes into an empty box: one wake-up for a batch.
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  void put(Mail mail);
  /// Exchanges what came for `into`, which has to be empty.
  void take(std::vector<Mail>& into);
  /// From now on mail is destroyed by whoever brings it, and nobody is woken.
  void close();

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<Mail> mails_;
};

/// While a call into the handler lasts, an answer to it given on the same thread is left here instead of
/// going through the mailbox.
class Direct {
 public:
  Direct(const Mailbox& mailbox, Ticket ticket) noexcept;
  ~Direct();
  Direct(const Direct&) = delete;
  Direct& operator=(const Direct&) = delete;

  [[nodiscard]] std::optional<Mail>& mail() noexcept { return mail_; }

 private:
  friend class Completion;
  const Mailbox* mailbox_;
  Ticket ticket_;
  std::optional<Mail> mail_;
};

/// Answers once. Dropped unused it answers 500, or ends the stream, so that no client waits for ever.
class Completion {
 public:
  Completion(std::shared_ptr<Mailbox> mailbox, Ticket ticket, bool stream) noexcept
      : mailbox_(std::move(mailbox)), ticket_(ticket), stream_(stream) {}
  Completion(Completion&&) noexcept = default;
  Completion& operator=(Completion&&) = delete;
  ~Completion();

  void operator()(service::Response response);
  void operator()(std::optional<std::string> piece);

 private:
  void send(Mail mail);

  std::shared_ptr<Mailbox> mailbox_;
  Ticket ticket_;
  bool stream_;
};

}  // namespace deprov::server
