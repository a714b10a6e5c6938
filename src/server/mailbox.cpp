#include "server/mailbox.hpp"
#include "server/wire.hpp"

namespace deprov::server {

namespace {
thread_local Direct* direct = nullptr;
}

void Mailbox::put(Mail mail) {
  const std::scoped_lock lock(mutex_);
  if (!wake_) return;
  mails_.push_back(std::move(mail));
  if (mails_.size() == 1) wake_();
}

void Mailbox::take(std::vector<Mail>& into) {
  const std::scoped_lock lock(mutex_);
  mails_.swap(into);
}

void Mailbox::close() {
  std::vector<Mail> unread;  // destroyed after the lock is gone
  std::function<void()> wake;
  const std::scoped_lock lock(mutex_);
  unread.swap(mails_);
  wake.swap(wake_);
}

Direct::Direct(const Mailbox& mailbox, Ticket ticket) noexcept : mailbox_(&mailbox), ticket_(ticket) {
  direct = this;
}
Direct::~Direct() { direct = nullptr; }

Completion::~Completion() {
  if (!mailbox_) return;
  Mail mail{ticket_, std::nullopt, std::nullopt};
  if (!stream_) mail.response = refusal_response(500, "the request was dropped unanswered", {});
  send(std::move(mail));
}

void Completion::operator()(service::Response response) {
  if (mailbox_) send({ticket_, std::move(response), std::nullopt});
}

void Completion::operator()(std::optional<std::string> piece) {
  if (mailbox_) send({ticket_, std::nullopt, std::move(piece)});
}

void Completion::send(Mail mail) {
  const auto mailbox = std::move(mailbox_);
  if (direct != nullptr && direct->ticket_ == ticket_ && direct->mailbox_ == mailbox.get())
    direct->mail_ = std::move(mail);
  else
    mailbox->put(std::move(mail));
}

}  // namespace deprov::server
