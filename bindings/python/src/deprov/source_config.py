"""What a source is told, with types: which API by which credential, how often. What this package does not know of stays
reachable as ``more``, and is handed on, so that a newer library's kinds and members need no newer package.

::

    sources.add("okta", "okta", deprov.SourceConfig(
        {"okta": {"url": "https://acme.okta.com", "app": "0oa…"}},
        auth=deprov.ClientCredentials(client_id="0oa…", private_key=pem, scope="okta.users.read")))
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Mapping, Optional, Tuple, Type, TypeVar, Union

C = TypeVar("C")


def _secret() -> Any:
    """Given to the library, which never shows it again: empty in what is read."""
    return dataclasses.field(default="", repr=False)


def _more() -> Any:
    """Further members, as the schema SourceConfig of the OpenAPI document names them."""
    return dataclasses.field(default_factory=dict, repr=False)


@dataclasses.dataclass(frozen=True)
class NoAuth:
    """The API asks for none."""

    more: Mapping[str, Any] = _more()


@dataclasses.dataclass(frozen=True)
class TokenAuth:
    """A token that does not end, or that somebody replaces."""

    token: str = _secret()
    #: "Bearer" or "SSWS"; empty: what the API is used to.
    scheme: str = ""
    more: Mapping[str, Any] = _more()


@dataclasses.dataclass(frozen=True)
class BasicAuth:
    """RFC 7617."""

    user: str = ""
    password: str = _secret()
    more: Mapping[str, Any] = _more()


@dataclasses.dataclass(frozen=True)
class ClientCredentials:
    """OAuth 2.0, RFC 6749 section 4.4. The client shows ``client_secret``, or signs with ``private_key`` (RFC 7523)."""

    client_id: str = ""
    client_secret: str = _secret()
    #: Empty: the one that belongs to the kind of source, where it has one. Likewise ``scope``.
    token_url: str = ""
    scope: str = ""
    #: "basic", "post" or "private_key_jwt"; empty: the last one where there is a key, otherwise the first.
    client_auth: str = ""
    #: PEM. Entra ID needs the key's certificate, others the name that they gave the key.
    private_key: str = _secret()
    certificate: str = _secret()
    key_id: str = ""
    #: Empty: what suits the key; ``token_url``.
    algorithm: str = ""
    audience: str = ""
    #: Further fields of the request for a token.
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: Whether tokens are bound to a key (RFC 9449); None: as the kind of source has it.
    dpop: Optional[bool] = None
    more: Mapping[str, Any] = _more()


@dataclasses.dataclass(frozen=True)
class OtherAuth:
    """Of a kind that is newer than this package; its members are in ``more``."""

    type: str = ""
    more: Mapping[str, Any] = _more()


Auth = Union[NoAuth, TokenAuth, BasicAuth, ClientCredentials, OtherAuth]

_KINDS: Dict[str, Type[Any]] = {"none": NoAuth, "token": TokenAuth, "basic": BasicAuth,
                                "client_credentials": ClientCredentials}
_WORDS = {kind: word for word, kind in _KINDS.items()}


@dataclasses.dataclass(frozen=True)
class Polls:
    """How often, and how far. 0: as the kind of source has it; see the OpenAPI document."""

    floor_s: int = 0
    ceiling_s: int = 0
    complete_every_s: int = 0
    max_pages: int = 0
    timeout_s: int = 0
    more: Mapping[str, Any] = _more()  # quota_reserve_percent is one, which may be 0


def _members(value: Any) -> Dict[str, Any]:
    """What says something, and what this package does not know."""
    out = dict(value.more)
    for field in dataclasses.fields(value):
        found = getattr(value, field.name)
        if field.name != "more" and (found or found is False):
            out[field.name] = dict(found) if isinstance(found, Mapping) else found
    return out


def _read(kind: Type[C], record: Mapping[str, Any]) -> C:
    names = {f.name for f in dataclasses.fields(kind)} - {"more"}  # type: ignore[arg-type]
    known = {n: v for n, v in record.items() if n in names}
    make: Any = kind
    made: C = make(**known, more={n: v for n, v in record.items() if n not in names})
    return made


def _auth_of(record: Mapping[str, Any]) -> Auth:
    rest = {n: v for n, v in record.items() if n != "type"}
    kind = _KINDS.get(record["type"])
    if kind is None:
        return OtherAuth(record["type"], rest)
    found: Auth = _read(kind, rest)
    return found


@dataclasses.dataclass(frozen=True)
class SourceConfig:
    """``members``: what else the schema SourceConfig of the OpenAPI document has, such as where the API is (under the word
    of its kind) or how a list is written. :meth:`of` reads what :attr:`Source.config` shows."""

    members: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)  # may have credentials of streams
    auth: Union[Auth, None] = None
    poll: Union[Polls, None] = None
    #: What calls of the IdP show (kinds okta and graph). Two while one takes the place of the other.
    hook_secrets: Tuple[str, ...] = dataclasses.field(default=(), repr=False)
    #: Authorities in place of the system's, PEM.
    ca_pem: str = dataclasses.field(default="", repr=False)

    def record(self) -> Dict[str, Any]:
        """As the admin API takes it."""
        out = dict(self.members)
        if isinstance(self.auth, OtherAuth):
            out["auth"] = _members(self.auth)
        elif self.auth is not None:
            out["auth"] = {"type": _WORDS[type(self.auth)], **_members(self.auth)}
        if self.poll is not None:
            out["poll"] = _members(self.poll)
        if self.hook_secrets:
            out["hook"] = {"secrets": list(self.hook_secrets)}
        if self.ca_pem:
            out["ca_pem"] = self.ca_pem
        return out

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "SourceConfig":
        own = ("auth", "poll", "ca_pem")
        return cls({n: v for n, v in config.items() if n not in own},
                   auth=_auth_of(config["auth"]) if "auth" in config else None,
                   poll=_read(Polls, config["poll"]) if "poll" in config else None,
                   ca_pem=config.get("ca_pem", ""))
