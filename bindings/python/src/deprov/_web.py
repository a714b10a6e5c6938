"""What the WSGI and ASGI applications share."""

from __future__ import annotations

import re
from typing import Tuple
from urllib.parse import quote

DEFAULT_MAX_BODY = 16 * 1024 * 1024

# What a path may have as it is (RFC 3986 section 3.3); a percent sign of the decoded path is one of its own.
_SAFE = "/:@!$&'()*+,;=-._~"


class Paths:
    """Which endpoints are mounted. What is not is 404, without asking the engine."""

    def __init__(self, scim: bool, admin: bool, events: bool, operations: bool) -> None:
        parts = []
        if scim:
            parts.append(r"/scim/.*")
        if admin:
            parts.append(r"/api/v1(?:[/?].*)?")
        if events:
            parts.append(r"/events/.*")
        if operations:
            parts.append(r"/(?:healthz|readyz|metrics)")
        if not parts:
            raise ValueError("mount at least one of scim, admin, events and operations")
        self._pattern = re.compile("|".join(parts), re.DOTALL)

    def have(self, path: str) -> bool:
        return self._pattern.fullmatch(path) is not None


def target_of(path: str, query: str) -> str:
    return path + ("?" + query if query else "")


def quoted(path: bytes) -> str:
    return quote(path, safe=_SAFE)


# One hop only, or the server's own affair.
HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"))


def problem(status: int, detail: str) -> Tuple[int, bytes]:
    """In the form of RFC 7644 section 3.12."""
    return status, ('{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","detail":"%s"}'
                    % (status, detail)).encode()
