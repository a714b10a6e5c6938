// An HTTP transport for what does not send: no request arrives anywhere.
#pragma once

#include <deprov/port/http_transport.hpp>

namespace deprov::test {

class NoHttp final : public port::HttpTransport {
 public:
  port::HttpCallId send(port::HttpRequest, port::UniqueFunction<void(port::HttpResult)> done) override {
    done({});
    return 0;
  }
  void cancel(port::HttpCallId) override {}
};

}  // namespace deprov::test
