// Plugins in a process of their own: what is said between the two, and what becomes of calls when it ends.
#include "plugin/frames.hpp"
#include "plugin/zoo.hpp"

using namespace deprov;
using namespace deprov::test;
namespace wire = plugin::wire;

TEST_CASE("a frame that is too long is refused as soon as its length is known, and the bound is named") {
  wire::Frames frames;
  frames.feed(std::string("\x01\x00\x00\x05", 4));  // 80 MiB and one
  const auto r = frames.next();
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::limit_exceeded);
  CHECK(r.error().message().find("max_frame_bytes (83886080)") != std::string::npos);
  wire::HttpDone huge;
  huge.body.assign(wire::max_frame_bytes, 'x');
  CHECK(wire::encode(huge).error().code() == Errc::limit_exceeded);
}

TEST_CASE("what a worker may not say is no frame") {
  const auto refused = [](const wire::Message& message) {
    const auto frame = wire::encode(message);
    REQUIRE(frame);
    return !wire::decode(std::string_view(*frame).substr(4));
  };
  wire::Replied replied;
  CHECK_FALSE(refused(replied));
  replied.reply.handle = "\xFF";
  CHECK(refused(replied));
  replied.reply.handle.clear();
  replied.reply.outcome = Outcome::ok;
  replied.reply.effect = connector::Effect::accepted;  // without a handle to ask for it
  CHECK(refused(replied));
  wire::SendHttp send;
  send.request.url = "https://a.example/";
  CHECK_FALSE(refused(send));
  send.request.headers.push_back({"X", "1\r\nHost: b.example"});
  CHECK(refused(send));
  // Another version is told apart before anything else is read.
  wire::Hello hello;
  hello.version = 7;
  const auto frame = wire::encode(hello);
  const auto read = wire::decode(frame->substr(4) + "and more");
  REQUIRE(read);
  CHECK(std::get<wire::Hello>(*read).version == 7);
}
