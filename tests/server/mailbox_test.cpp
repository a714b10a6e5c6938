#include "server/mailbox.hpp"
#include "catch.hpp"

using namespace deprov::server;
using deprov::service::Response;

TEST_CASE("a batch of mail wakes once", "[server][mailbox]") {
  int woken = 0;
  const auto box = std::make_shared<Mailbox>([&woken] { ++woken; });
  std::vector<Mail> mails;
  Completion(box, {1, 1}, false)(Response{200, {}, "a", nullptr});
  Completion(box, {2, 5}, true)(std::optional<std::string>("piece"));
  CHECK(woken == 1);
  box->take(mails);
  REQUIRE(mails.size() == 2);
  CHECK(mails[0].response->body == "a");
  CHECK(mails[1].ticket == Ticket{2, 5});
  CHECK(mails[1].piece == "piece");
  mails.clear();
  Completion(box, {1, 2}, false)(Response{});
  CHECK(woken == 2);
}

TEST_CASE("a completion answers once, and in any case", "[server][mailbox]") {
  const auto box = std::make_shared<Mailbox>([] {});
  std::vector<Mail> mails;
  {
    Completion twice(box, {1, 1}, false);
    twice(Response{201, {}, "", nullptr});
    twice(Response{202, {}, "", nullptr});
    const Completion dropped(box, {1, 2}, false);
    const Completion ended(box, {1, 3}, true);
    const Completion moved(std::move(twice));
  }
  box->take(mails);
  REQUIRE(mails.size() == 3);
  CHECK(mails[0].response->status == 201);
  CHECK_FALSE(mails[1].response);
  CHECK_FALSE(mails[1].piece);
  CHECK(mails[1].ticket.serial == 3);
  CHECK(mails[2].response->status == 500);
}

TEST_CASE("an answer within the call does not go through the box", "[server][mailbox]") {
  int woken = 0;
  const auto box = std::make_shared<Mailbox>([&woken] { ++woken; });
  const auto other = std::make_shared<Mailbox>([] {});
  Direct direct(*box, {1, 1});
  Completion(other, {1, 1}, false)(Response{});
  CHECK_FALSE(direct.mail());
  Completion(box, {1, 2}, false)(Response{});
  CHECK_FALSE(direct.mail());
  CHECK(woken == 1);
  Completion(box, {1, 1}, false)(Response{203, {}, "", nullptr});
  REQUIRE(direct.mail());
  CHECK(direct.mail()->response->status == 203);
  CHECK(woken == 1);
}

TEST_CASE("a closed box destroys what comes", "[server][mailbox]") {
  struct Stream final : deprov::service::BodyStream {
    void next(deprov::port::UniqueFunction<void(std::optional<std::string>)>) override {}
  };
  int woken = 0;
  const auto box = std::make_shared<Mailbox>([&woken] { ++woken; });
  const auto stream = std::make_shared<Stream>();
  Completion(box, {1, 1}, false)(Response{200, {}, "", stream});
  CHECK(stream.use_count() == 2);
  box->close();
  CHECK(stream.use_count() == 1);
  Completion(box, {1, 1}, false)(Response{200, {}, "", stream});
  CHECK(stream.use_count() == 1);
  CHECK(woken == 1);
}
