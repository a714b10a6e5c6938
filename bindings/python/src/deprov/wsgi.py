"""The SCIM and admin endpoints as a WSGI application (PEP 3333), for any server and framework of that kind."""

from __future__ import annotations

from http.client import responses
from typing import TYPE_CHECKING, Iterable, Iterator, List, Tuple

from . import errors
from ._web import DEFAULT_MAX_BODY, HOP, Paths, problem, quoted, target_of
from .engine import Engine
from .response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Application:
    """`engine` behind the paths that the IdPs were given. Where it is mounted below a prefix, set each integration's
    setting `base_url` accordingly, since `location` names it.

    ``scim``, ``admin``, ``events`` (/events/{source}, where an IdP pushes security events or calls a source),
    ``operations`` (/healthz, /readyz, /metrics): which endpoints there are; the first two ask for their own tokens, and
    events are signed. ``max_body``: bytes of a request; more is answered 413. The engine stays the caller's to close."""

    def __init__(self, engine: Engine, *, scim: bool = True, admin: bool = True, events: bool = True,
                 operations: bool = False, max_body: int = DEFAULT_MAX_BODY) -> None:
        self._engine = engine
        self._paths = Paths(scim, admin, events, operations)
        self._max_body = max_body

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = quoted(environ.get("PATH_INFO", "").encode("latin-1"))
        if not self._paths.have(path):
            return _say(start_response, *problem(404, "there is nothing here"))
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
        except ValueError:
            return _say(start_response, *problem(400, "Content-Length is no number"))
        if length > self._max_body:
            return _say(start_response, *problem(413, f"more than {self._max_body} bytes"))
        if environ.get("HTTP_TRANSFER_ENCODING") and environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read(self._max_body + 1)
            if len(body) > self._max_body:
                return _say(start_response, *problem(413, f"more than {self._max_body} bytes"))
        else:
            body = environ["wsgi.input"].read(length) if length > 0 else b""
            if len(body) < max(0, length):
                return _say(start_response, *problem(400, "the body is shorter than Content-Length"))
        try:
            response = self._engine.call(environ["REQUEST_METHOD"], target_of(path, environ.get("QUERY_STRING", "")),
                                         _headers(environ), body, peer=environ.get("REMOTE_ADDR", ""))
        except errors.BusyError as e:
            return _say(start_response, *problem(503, e.name))
        except errors.ClosedError as e:
            return _say(start_response, *problem(503, e.name))
        except errors.InvalidError as e:
            return _say(start_response, *problem(400, e.name))
        headers = [(n, v) for n, v in response.headers if n.lower() not in HOP]
        phrase = f"{response.status} {responses.get(response.status, 'Status')}"
        if response.streaming:
            start_response(phrase, headers)
            return _Pieces(response)
        content = response.body
        if not any(n.lower() == "content-length" for n, _ in headers) and response.status not in (204, 304):
            headers.append(("Content-Length", str(len(content))))
        start_response(phrase, headers)
        return [content]


class _Pieces:
    """The server calls `close` at the end, also where its client has gone."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response)

    def close(self) -> None:
        self._response.close()


def _headers(environ: "WSGIEnvironment") -> List[Tuple[str, str]]:
    found = [(name[5:].replace("_", "-").title(), value) for name, value in environ.items()
             if name.startswith("HTTP_") and name[5:].replace("_", "-").lower() not in HOP]
    if environ.get("CONTENT_TYPE"):
        found.append(("Content-Type", environ["CONTENT_TYPE"]))
    return found


def _say(start_response: "StartResponse", status: int, body: bytes) -> List[bytes]:
    start_response(f"{status} {responses[status]}",
                   [("Content-Type", "application/scim+json"), ("Content-Length", str(len(body)))])
    return [body]
