#pragma once
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/throw_exception.hpp>
#include <cmath>
#include <deprov/idp/impl/security_event_types.ipp>
#include <deprov/idp/security_event.hpp>
#include <deprov/scim/json.hpp>
#include <stdexcept>
#include <utility>

namespace deprov::idp {

namespace detail {

inline constexpr std::size_t most_events = 16;
inline constexpr std::size_t most_identifiers = 32;
inline constexpr std::size_t longest_identifier = 1024;
inline constexpr std::size_t longest_id = 512;
inline constexpr std::size_t longest_shown = 1000;

inline SetRefusal refuse(std::string why) { return {SetError::invalid_request, std::move(why)}; }

/// A NumericDate (RFC 7519 section 2), which may have fractions.
inline std::optional<WallTime> numeric_date(const json::value& v, double unit = 1e6) {
  if (!v.is_number()) return std::nullopt;
  const double n = v.is_double()  ? v.get_double()
                   : v.is_int64() ? static_cast<double>(v.get_int64())
                                  : static_cast<double>(v.get_uint64());
  const double micros = n * unit;
  if (!std::isfinite(micros) || micros < 0 || micros > 8e18) return std::nullopt;
  return WallTime{static_cast<std::int64_t>(micros)};
}

class SetReader {
 public:
  SetReader(const json::object& claims, const SetExpectation& expected) : claims_(claims), expected_(expected) {}

  SetResult<SecurityEventToken> read() {
    auto failed = claims();
    if (!failed) failed = events();
    if (failed) return std::move(*failed);
    return std::move(set_);
  }

 private:
  using Failed = std::optional<SetRefusal>;
  static Failed bad(std::string why) { return refuse(std::move(why)); }

  void note_rule(std::string_view rule) {
    if (std::find(set_.rules.begin(), set_.rules.end(), rule) == set_.rules.end()) set_.rules.emplace_back(rule);
  }

  Failed claims() {
    for (const char* name : {"exp", "sub"})
      if (claims_.contains(name))
        return bad(std::string("the claim \"") + name + "\" must not be present in a Security Event Token");
    set_.issuer = jose_text(claims_, "iss");
    set_.jti = jose_text(claims_, "jti");
    if (set_.jti.empty() || set_.jti.size() > longest_id)
      return bad("the claim \"jti\" has to be a string of 1 to 512 bytes");
    if (const auto* txn = claims_.if_contains("txn")) {
      if (!txn->is_string() || txn->get_string().size() > longest_id)
        return bad("the claim \"txn\" has to be a string of at most 512 bytes");
      set_.txn = std::string(txn->get_string());
    }
    if (auto failed = audience()) return failed;
    const auto* iat = claims_.if_contains("iat");
    const auto issued = iat != nullptr ? numeric_date(*iat) : std::nullopt;
    if (!issued) return bad("the claim \"iat\" has to be a time in seconds");
    if (*issued > expected_.now + expected_.skew)
      return bad("the claim \"iat\" is later than it is now; look at the clocks");
    if (*issued < expected_.now - expected_.oldest)
      return bad("the token was issued too long ago: it may be a replay that nobody remembers");
    set_.issued = *issued;
    happened_ = *issued;
    if (const auto* toe = claims_.if_contains("toe")) {
      const auto at = numeric_date(*toe);
      if (!at || *at > *issued + expected_.skew) return bad("the claim \"toe\" has to be a time that is over");
      happened_ = std::min(*at, *issued);
    }
    return std::nullopt;
  }

  Failed audience() const {
    const auto* aud = claims_.if_contains("aud");
    std::vector<std::string_view> named;
    if (aud != nullptr && aud->is_string()) named.emplace_back(aud->get_string());
    if (aud != nullptr && aud->is_array())
      for (const auto& v : aud->get_array())
        if (v.is_string()) named.emplace_back(v.get_string());
    for (const auto& ours : expected_.audience)
      if (std::find(named.begin(), named.end(), ours) != named.end()) return std::nullopt;
    return SetRefusal{SetError::invalid_audience, "the claim \"aud\" does not name this receiver"};
  }

  Failed events() {
    const auto* events = claims_.if_contains("events");
    if (events == nullptr || !events->is_object() || events->get_object().empty())
      return bad("the claim \"events\" has to be an object with at least one event");
    if (events->get_object().size() > most_events) return bad("a token has at most 16 events here");
    const auto* sub_id = claims_.if_contains("sub_id");
    std::optional<EventSubject> subject;
    if (sub_id != nullptr) {
      if (auto failed = read_subject(*sub_id, subject)) return failed;
    }
    for (const auto& [uri, payload] : events->get_object()) {
      if (!payload.is_object()) return bad("the payload of an event has to be an object");
      SecurityEvent event;
      event.uri = std::string(uri);
      if (event.uri.size() > longest_identifier) return bad("the name of an event has at most 1024 bytes here");
      event.type = find_event_type(uri);
      event.payload = payload.get_object();
      event.subject = subject;
      event.at = happened_;
      if (auto failed = look_at(event)) return failed;
      set_.events.push_back(std::move(event));
    }
    return std::nullopt;
  }

  Failed look_at(SecurityEvent& event) {
    if (event.type == nullptr) return std::nullopt;
    const auto& compatibility = expected_.compatibility;
    if (const auto* inside = event.payload.if_contains("subject"); inside != nullptr && !event.subject) {
      if (!compatibility.okta && !compatibility.google)
        return bad("the token has no claim \"sub_id\"; a subject inside the event is not understood here");
      if (auto failed = read_subject(*inside, event.subject)) return failed;
      note_rule(compatibility.okta ? "okta.event_subject" : "google.event_subject");
    }
    if (!event.subject) return bad("the token has no claim \"sub_id\"");
    if (const auto* stamp = event.payload.if_contains("event_timestamp")) {
      auto at = numeric_date(*stamp);
      if (at && compatibility.okta && *at > set_.issued + expected_.skew) {
        at = numeric_date(*stamp, 1e3);
        note_rule("okta.millisecond_timestamp");
      }
      if (!at || *at > set_.issued + expected_.skew)
        return bad("\"event_timestamp\" has to be a time in seconds that is over");
      event.at = std::min(*at, set_.issued);
    }
    for (auto rest = event.type->required; !rest.empty();) {
      const auto end = std::min(rest.find(','), rest.size());
      const auto name = rest.substr(0, end);
      const auto* v = event.payload.if_contains(name);
      if (v == nullptr || !v->is_string())
        return bad("an event of type " + std::string(event.type->name) + " has to have the string \"" +
                   std::string(name) + "\"");
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return scim_payload(event);
  }

  /// RFC 9967 section 2.4: exactly one of `data` and `attributes`, as the name of the event says.
  static Failed scim_payload(const SecurityEvent& event) {
    const bool full = ends_with(event.type->uri, ":full");
    if (!full && !ends_with(event.type->uri, ":notice")) return std::nullopt;
    const auto* data = event.payload.if_contains("data");
    const auto* attributes = event.payload.if_contains("attributes");
    if ((data != nullptr) != full || (attributes != nullptr) == full)
      return bad(full ? "an event in full has \"data\", and no \"attributes\""
                      : "a notice has \"attributes\", and no \"data\"");
    if (full ? !data->is_object() : !attributes->is_array())
      return bad("\"data\" has to be an object, and \"attributes\" an array");
    return std::nullopt;
  }

  // ---- subjects

  Failed read_subject(const json::value& v, std::optional<EventSubject>& out) {
    if (!v.is_object()) return bad("a subject has to be an object");
    const auto& o = v.get_object();
    EventSubject subject;
    subject.whole = json::serialize(o);
    subject.text = shortened(subject.whole, longest_shown);
    const auto format = format_of(o);
    if (format.empty() || format == "complex") {
      if (auto failed = read_complex(o, format.empty(), subject)) return failed;
    } else if (auto failed = read_simple(o, format, true, subject)) {
      return failed;
    }
    out = std::move(subject);
    return std::nullopt;
  }

  std::string format_of(const json::object& o) {
    std::string format(jose_text(o, "format"));
    if (!format.empty() || !expected_.compatibility.google) return format;
    format = jose_text(o, "subject_type");
    if (format.empty()) return format;
    note_rule("google.subject_type");
    std::replace(format.begin(), format.end(), '-', '_');
    return format;
  }

  /// SSF 1.0 section 3.3: `format` is `complex`; members that have no format of their own are not subjects.
  Failed read_complex(const json::object& o, bool unnamed, EventSubject& subject) {
    subject.user = false;
    bool any = false;
    for (const auto& [name, v] : o) {
      if (!v.is_object()) continue;
      any = true;
      if (subject.members.size() < most_identifiers) subject.members.emplace_back(name);
      if (name != "user") continue;
      const auto format = format_of(v.get_object());
      if (auto failed = read_simple(v.get_object(), format, true, subject)) return failed;
      subject.user = true;
    }
    if (!any || unnamed) return bad("a subject has to have a \"format\"");
    return std::nullopt;
  }

  Failed read_simple(const json::object& o, std::string_view format, bool may_nest, EventSubject& subject) {
    const auto take = [&](IdentifierFormat as, std::string_view member, bool needed) -> Failed {
      const auto value = jose_text(o, member);
      if (value.empty() || value.size() > longest_identifier) {
        if (!needed && !o.contains(member)) return std::nullopt;
        return bad("a subject of format " + std::string(format) + " has to have \"" + std::string(member) +
                   "\", a string of at most 1024 bytes");
      }
      if (subject.identifiers.size() == most_identifiers) return bad("a subject has at most 32 identifiers here");
      subject.identifiers.push_back({as, std::string(value), {}});
      return std::nullopt;
    };
    if (format == "iss_sub") {
      if (auto failed = take(IdentifierFormat::iss_sub, "sub", true)) return failed;
      const auto issuer = jose_text(o, "iss");
      if (issuer.empty()) return bad("a subject of format iss_sub has to have \"iss\"");
      subject.identifiers.back().issuer = std::string(issuer);
      return std::nullopt;
    }
    if (format == "opaque") return take(IdentifierFormat::opaque, "id", true);
    if (format == "email") return take(IdentifierFormat::email, "email", true);
    if (format == "phone_number") return take(IdentifierFormat::phone_number, "phone_number", true);
    if (format == "did") return take(IdentifierFormat::did, "url", true);
    if (format == "uri") return take(IdentifierFormat::uri, "uri", true);
    if (format == "account") {
      if (auto failed = take(IdentifierFormat::account, "uri", true)) return failed;
      auto& uri = subject.identifiers.back().value;
      if (uri.size() <= 5 || !scim::iequals(std::string_view(uri).substr(0, 5), "acct:"))
        return bad("a subject of format account has to have an acct: URI");
      uri.erase(0, 5);
      return std::nullopt;
    }
    if (format == "aliases") return read_aliases(o, may_nest, subject);
    if (format == "scim") return read_scim(o, subject);
    // A format that is not known: nobody is named by it, which is for a person to see.
    return std::nullopt;
  }

  Failed read_aliases(const json::object& o, bool may_nest, EventSubject& subject) {
    const auto* identifiers = o.if_contains("identifiers");
    if (!may_nest || identifiers == nullptr || !identifiers->is_array() || identifiers->get_array().empty())
      return bad("a subject of format aliases has \"identifiers\", an array of others, none of it of that format");
    for (const auto& v : identifiers->get_array()) {
      if (!v.is_object()) return bad("an identifier has to be an object");
      if (auto failed = read_simple(v.get_object(), format_of(v.get_object()), false, subject)) return failed;
    }
    return std::nullopt;
  }

  /// RFC 9967 section 2.1.
  Failed read_scim(const json::object& o, EventSubject& subject) {
    const std::string uri(jose_text(o, "uri"));
    const auto slash = uri.rfind('/');
    if (slash == std::string::npos || slash + 1 == uri.size() || uri.size() > longest_identifier)
      return bad("a subject of format scim has to have \"uri\", such as /Users/ID");
    const auto before = uri.substr(0, slash);
    if (!scim::iequals(before.substr(before.rfind('/') + 1), "Users")) {
      subject.user = false;
      return std::nullopt;
    }
    const auto add = [&](IdentifierFormat as, std::string_view value) {
      if (value.empty() || value.size() > longest_identifier) return;
      const Identifier identifier{as, std::string(value), {}};
      const auto& all = subject.identifiers;
      if (all.size() < most_identifiers && std::find(all.begin(), all.end(), identifier) == all.end())
        subject.identifiers.push_back(identifier);
    };
    add(IdentifierFormat::scim_id, std::string_view(uri).substr(slash + 1));
    add(IdentifierFormat::scim_id, jose_text(o, "id"));
    add(IdentifierFormat::scim_external_id, jose_text(o, "externalId"));
    add(IdentifierFormat::scim_user_name, jose_text(o, "userName"));
    return std::nullopt;
  }

  const json::object& claims_;
  const SetExpectation& expected_;
  SecurityEventToken set_;
  WallTime happened_;
};

}  // namespace detail

DEPROV_INLINE void throw_exception_from_error(const SetRefusal& refusal, const boost::source_location& where) {
  boost::throw_exception(std::logic_error("a refused token was taken for a good one: " + refusal.description),
                         where);
}

DEPROV_INLINE std::string shortened(std::string_view utf8, std::size_t most) {
  if (utf8.size() <= most) return std::string(utf8);
  while (most > 0 && (static_cast<unsigned char>(utf8[most]) & 0xC0U) == 0x80U) --most;
  return std::string(utf8.substr(0, most));
}

DEPROV_INLINE SetResult<CompactJws> parse_set(std::string_view token) {
  auto jws = parse_compact_jws(token);
  if (!jws) return detail::refuse("the body is no Security Event Token: " + jws.error().message());
  return std::move(*jws);
}

DEPROV_INLINE SetResult<SetSignature> check_set_header(const CompactJws& jws, const SetExpectation& expected) {
  auto type = detail::jose_text(jws.header, "typ");
  constexpr std::string_view prefix = "application/";  // RFC 7515 section 4.1.9 lets it be left out
  if (type.size() > prefix.size() && scim::iequals(type.substr(0, prefix.size()), prefix))
    type.remove_prefix(prefix.size());
  if (!scim::iequals(type, "secevent+jwt")) return detail::refuse("the header's \"typ\" has to be secevent+jwt");
  if (jws.header.contains("crit"))
    return detail::refuse("the header has critical parameters, and none is understood here");
  // As if it was not there, any key of the issuer would do.
  if (const auto* kid = jws.header.if_contains("kid"); kid != nullptr && !kid->is_string())
    return detail::refuse("the header's \"kid\" has to be a string");
  const auto algorithm = detail::jose_text(jws.header, "alg");
  if (algorithm.empty() || scim::iequals(algorithm, "none"))
    return SetRefusal{SetError::authentication_failed, "the token is not signed"};
  const auto known = parse_jws_algorithm(algorithm);
  const auto& allowed = expected.algorithms;
  if (!known || std::find(allowed.begin(), allowed.end(), *known) == allowed.end())
    return SetRefusal{SetError::invalid_key, "tokens that are signed by this algorithm are not taken here"};
  if (jws.signature.empty()) return SetRefusal{SetError::authentication_failed, "the token is not signed"};
  const auto issuer = detail::jose_text(jws.payload, "iss");
  if (issuer.empty() || issuer != expected.issuer)
    return SetRefusal{SetError::invalid_issuer, "tokens of this issuer are not taken here"};
  return SetSignature{*known, std::string(detail::jose_text(jws.header, "kid"))};
}

DEPROV_INLINE const Jwk* find_key(const JwkSet& keys, const SetSignature& signature) noexcept {
  const Jwk* found = nullptr;
  for (const auto& key : keys.keys) {
    if (!fits(signature.algorithm, key)) continue;
    if (!signature.kid.empty()) {
      if (key.kid == signature.kid) return &key;
      continue;
    }
    if (found != nullptr) return nullptr;
    found = &key;
  }
  return found;
}

DEPROV_INLINE SetResult<SecurityEventToken> read_set(const CompactJws& jws, const SetExpectation& expected) {
  return detail::SetReader(jws.payload, expected).read();
}

}  // namespace deprov::idp
