#include <deprov/http/authorities.hpp>
#include <string>

namespace deprov::http {

Result<void> check_authorities(std::string_view pem) {
  constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view end = "-----END CERTIFICATE-----";
  const auto bad = [](std::string why, std::string advice) {
    return Error(Errc::invalid_argument, std::move(why), {}, std::move(advice));
  };
  if (pem.size() > max_authorities_bytes) {
    return Error(Errc::limit_exceeded, "the certificates have " + std::to_string(pem.size()) + " bytes", {},
                 "give at most " + std::to_string(max_authorities_bytes) + ": those of the authorities alone");
  }
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
    return bad("there is a private key among the certificates", "give the authorities' certificates alone");
  std::size_t found = 0;
  for (std::size_t at = 0; (at = pem.find(begin, at)) != std::string_view::npos; ++found) {
    const auto from = at + begin.size();
    at = pem.find(end, from);
    if (at == std::string_view::npos || pem.substr(from, at - from).find(begin) != std::string_view::npos)
      return bad("a certificate has no end", "give whole PEM blocks, from BEGIN CERTIFICATE to END CERTIFICATE");
  }
  if (found == 0) return bad("has no certificate", "give PEM: blocks from BEGIN CERTIFICATE to END CERTIFICATE");
  return {};
}

}  // namespace deprov::http
