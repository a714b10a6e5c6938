// Checks exports of evidence, without a store and without an engine.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/evidence/verifier.hpp>
#include <memory>
#include <string>
#include <utility>
#include "guard.hpp"

using namespace deprov;

struct deprov_verifier {
  std::unique_ptr<port::Crypto> crypto = crypto::make_crypto();
  evidence::Verifier verifier{*crypto};
  std::string rest;  // of a line that has not ended
  bool finished = false;
};

namespace {

Result<void> expect(deprov_verifier& v, const deprov_verifier_options* options) {
  if (options == nullptr) return {};
  deprov_verifier_options in{};
  DEPROV_CHECK(capi::take_struct(options, "options", in));
  DEPROV_TRY(noted, capi::text(in.manifest_sha256, "options.manifest_sha256"));
  if (!noted.empty()) {
    if (auto ok = evidence::parse_sha256(noted); !ok) return Error(ok.error()).within("options.manifest_sha256");
    v.verifier.expect_manifest(std::move(noted));
  }
  DEPROV_TRY(earlier, capi::text(in.earlier, "options.earlier"));
  if (earlier.empty()) return {};
  boost::system::error_code ec;
  const auto value = boost::json::parse(earlier, ec);
  if (ec) return Error(Errc::invalid_syntax, "not JSON: " + ec.message(), "options.earlier");
  const auto manifest = evidence::parse_manifest(value, *v.crypto);
  if (!manifest) return Error(manifest.error()).within("options.earlier");
  v.verifier.expect_heads(*manifest);
  return {};
}

Result<void> is_open(const deprov_verifier* v) {
  if (v == nullptr) return capi::null_argument("verifier");
  if (v->finished) return Error(Errc::closed, "the verifier was finished", "verifier", "make another one");
  return {};
}

/// Whole lines go to the verifier. One beyond its bound is cut, and refused as a whole all the same.
void feed(deprov_verifier& v, std::string_view bytes) {
  const auto keep = [&](std::string_view part) {
    constexpr auto most = evidence::Verifier::max_line + 1;
    v.rest.append(part.substr(0, most - std::min(most, v.rest.size())));
  };
  for (auto end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    if (v.rest.empty()) {
      v.verifier.line(bytes.substr(0, end));
    } else {
      keep(bytes.substr(0, end));
      v.verifier.line(v.rest);
      v.rest.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  keep(bytes);
}

}  // namespace

deprov_status deprov_verifier_new(const deprov_verifier_options* options, deprov_verifier** verifier,
                                  deprov_error** error) {
  if (verifier != nullptr) *verifier = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    if (verifier == nullptr) return capi::null_argument("verifier");
    auto made = std::make_unique<deprov_verifier>();
    DEPROV_CHECK(expect(*made, options));
    *verifier = made.release();
    return {};
  });
}

deprov_status deprov_verifier_feed(deprov_verifier* verifier, deprov_str bytes, deprov_error** error) {
  return capi::guard(error, [&]() -> Result<void> {
    DEPROV_CHECK(is_open(verifier));
    if (bytes.ptr == nullptr && bytes.len != 0) return capi::null_argument("bytes");
    feed(*verifier, capi::view(bytes));
    return {};
  });
}

deprov_status deprov_verifier_finish(deprov_verifier* verifier, int32_t* holds, deprov_buffer** report,
                                     deprov_error** error) {
  if (holds != nullptr) *holds = 0;
  if (report != nullptr) *report = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    DEPROV_CHECK(is_open(verifier));
    auto& v = *verifier;
    v.finished = true;
    if (!v.rest.empty()) v.verifier.line(std::exchange(v.rest, {}));
    const auto found = v.verifier.finish();
    if (report != nullptr) *report = new deprov_buffer{boost::json::serialize(evidence::to_json(found))};
    if (holds != nullptr) *holds = found.holds() ? 1 : 0;
    return {};
  });
}

void deprov_verifier_free(deprov_verifier* verifier) { delete verifier; }
