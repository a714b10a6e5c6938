#include "cli/event_source.hpp"
#include <array>
#include <boost/json/array.hpp>
#include <string_view>
#include <utility>
#include "cli/commands.hpp"

namespace deprov::cli {

namespace {

void put_all(json::object& config, const char* name, const std::vector<std::string>& values) {
  if (!values.empty()) config[name] = json::array(values.begin(), values.end());
}

void put(json::object& config, const char* name, const std::string& value) {
  if (!value.empty()) config[name] = value;
}

}  // namespace

Result<json::object> event_config_of(const EventSourceOptions& o, const std::string& links_file) {
  json::object config;
  put(config, "issuer", o.issuer);
  put_all(config, "audience", o.audience);
  put_all(config, "algorithms", o.algorithms);
  put_all(config, "compatibility", o.compatibility);
  put_all(config, "authoritative", o.authoritative);
  put_all(config, "critical_members", o.critical);
  put(config, "jwks_uri", o.jwks_uri);
  put(config, "stream_id", o.stream_id);
  put(config, "subject_issuer", o.subject_issuer);
  if (!o.jwks_file.empty()) {
    DEPROV_TRY(keys, read_json_file(o.jwks_file, "--jwks"));
    config["jwks"] = std::move(keys);
  }
  if (!o.ca_file.empty()) {
    DEPROV_TRY(pem, read_text_file(o.ca_file, "--transmitter-ca-file"));
    config["ca_pem"] = pem;
  }
  if (!o.authorization_file.empty()) {
    DEPROV_TRY(secret, read_secret_file(o.authorization_file, "--authorization-file"));
    config["authorization"] = secret;
  }
  if (!o.link.empty()) {
    json::object link;
    for (const auto& pair : o.link) {
      const auto eq = pair.find('=');
      if (eq == std::string::npos)
        return Error(Errc::invalid_argument, "is not FORMAT=ATTRIBUTE", "--event-link " + pair,
                     "such as email=user_name");
      link[pair.substr(0, eq)] = pair.substr(eq + 1);
    }
    config["link"] = std::move(link);
  }
  if (!links_file.empty()) {
    DEPROV_TRY(links, read_json_file(links_file, "--links"));
    config["links"] = std::move(links);
  }
  json::object poll, verification;
  put(poll, "url", o.poll_url);
  if (o.poll_interval) poll["interval_s"] = *o.poll_interval;
  if (!o.poll_authorization_file.empty()) {
    DEPROV_TRY(secret, read_secret_file(o.poll_authorization_file, "--poll-authorization-file"));
    poll["authorization"] = secret;
  }
  if (!poll.empty()) config["poll"] = std::move(poll);
  put(verification, "url", o.verification_url);
  if (!o.verification_authorization_file.empty()) {
    DEPROV_TRY(secret, read_secret_file(o.verification_authorization_file, "--verification-authorization-file"));
    verification["authorization"] = secret;
  }
  if (!verification.empty()) config["verification"] = std::move(verification);
  return config;
}

Error at_event_option(const Error& error) {
  struct Place {
    std::string_view member, option;
  };
  constexpr std::array<Place, 19> places = {{{"issuer", "--issuer"},
                                             {"audience", "--audience"},
                                             {"jwks_uri", "--jwks-uri"},
                                             {"jwks", "--jwks"},
                                             {"ca_pem", "--transmitter-ca-file"},
                                             {"algorithms", "--alg"},
                                             {"authorization", "--authorization-file"},
                                             {"compatibility", "--compat"},
                                             {"authoritative", "--authoritative"},
                                             {"subject_issuer", "--subject-issuer"},
                                             {"links", "--links"},
                                             {"link", "--event-link"},
                                             {"critical_members", "--critical"},
                                             {"stream_id", "--stream-id"},
                                             {"poll/interval_s", "--poll-interval"},
                                             {"poll/authorization", "--poll-authorization-file"},
                                             {"poll", "--poll-url"},
                                             {"verification/authorization", "--verification-authorization-file"},
                                             {"verification", "--verification-url"}}};
  constexpr std::string_view config = "config/";
  const auto at = error.where().rfind(config);
  if (error.code() != Errc::invalid_argument || at == std::string::npos) return error;
  const auto member = std::string_view(error.where()).substr(at + config.size());
  for (const auto& place : places)
    if (member == place.member || member.starts_with(std::string(place.member) + "/"))
      return {error.code(), error.detail(), std::string(place.option), error.advice()};
  return error;
}

void add_event_options(CLI::App& command, EventSourceOptions& o, bool changes) {
  // What is given and empty would pass for what is not given.
  const CLI::Validator given([](const std::string& text) { return text.empty() ? "is empty" : std::string{}; },
                             "");
  const auto add = [&](const char* name, auto& value, const char* text) {
    return command.add_option(name, value, text)->group(event_options_group)->check(given);
  };
  if (!changes) {
    add("--issuer", o.issuer, "The transmitter's issuer, exactly");
    add("--event-link", o.link,
        "FORMAT=ATTRIBUTE: what of a subject an identifier is compared with, such as email=user_name; may be "
        "repeated");
    add("--subject-issuer", o.subject_issuer, "The iss of subjects, where it is not the issuer");
  }
  add("--audience", o.audience, "Who this receiver is to it; may be repeated");
  add("--jwks", o.jwks_file, "JSON file with its public keys");
  add("--jwks-uri", o.jwks_uri, "Or where they are read, and read again when they change");
  add("--transmitter-ca-file", o.ca_file,
      "PEM file of authorities for its certificates, in place of the system's");
  add("--alg", o.algorithms,
      "An algorithm that tokens may be signed by; may be repeated (default: all that are safe)");
  add("--authorization-file", o.authorization_file, "File with what the Authorization header of a push has to be");
  add("--compat", o.compatibility, "Deviations that are understood: okta, google");
  add("--authoritative", o.authoritative,
      "A type of event that is believed, such as account-disabled or prov:deactivate; may be repeated. All others "
      "that would end or grant access are hints");
  add("--critical", o.critical,
      "A member of complex subjects that the transmitter calls critical; may be repeated");
  add("--stream-id", o.stream_id, "The stream's id at the transmitter");
  add("--poll-url", o.poll_url, "Tokens are fetched from there, and not pushed");
  add("--poll-interval", o.poll_interval, "Seconds between two polls (default: 60)");
  add("--poll-authorization-file", o.poll_authorization_file, "File with the Authorization header to poll with");
  add("--verification-url", o.verification_url, "Where `source verify` asks for a verification event");
  add("--verification-authorization-file", o.verification_authorization_file,
      "File with the Authorization header for that");
}

}  // namespace deprov::cli
