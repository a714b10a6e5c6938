"""The SCIM and admin endpoints as an ASGI application, for any server and framework of that kind."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Dict, List, MutableMapping, Optional, Tuple

from . import errors
from ._web import DEFAULT_MAX_BODY, HOP, Paths, problem, quoted, target_of
from .aio import AsyncEngine, AsyncResponse
from .engine import Engine

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Application:
    """`engine` behind the paths that the IdPs were given. Where it is mounted below a prefix, set each integration's
    setting `base_url` accordingly, since `location` names it.

    ``scim``, ``admin``, ``events`` (/events/{source}, where an IdP pushes security events or calls a source),
    ``operations`` (/healthz, /readyz, /metrics): which endpoints there are; the first two ask for their own tokens, and
    events are signed. ``max_body``: bytes of a request; more is answered 413. The engine stays the caller's to close. A
    host-driven engine is pumped by the event loop of the first request."""

    def __init__(self, engine: Engine, *, scim: bool = True, admin: bool = True, events: bool = True,
                 operations: bool = False, max_body: int = DEFAULT_MAX_BODY) -> None:
        self._engine = engine
        self._paths = Paths(scim, admin, events, operations)
        self._max_body = max_body
        self._aio: Dict[int, Tuple[asyncio.AbstractEventLoop, AsyncEngine]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise RuntimeError(f"deprov does not speak {scope['type']}")

    async def _engine_here(self) -> AsyncEngine:
        loop = asyncio.get_running_loop()
        known = self._aio.get(id(loop))
        if known is not None and known[0] is loop and known[1]._loop is not None:
            return known[1]
        for key, (other, _) in list(self._aio.items()):
            if other.is_closed():
                self._aio.pop(key)[1]._leave()
        aio = await self._engine.aio().__aenter__()
        self._aio[id(loop)] = loop, aio
        return aio

    async def aclose(self) -> None:
        """Lets go of the running event loop, as the end of its lifespan does."""
        known = self._aio.pop(id(asyncio.get_running_loop()), None)
        if known is not None:
            await known[1].__aexit__(None, None, None)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self._engine_here()
                except errors.Error as e:
                    await send({"type": "lifespan.startup.failed", "message": str(e)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path_of(scope)
        if not self._paths.have(path):
            await _say(send, *problem(404, "there is nothing here"))
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > self._max_body:
                await _say(send, *problem(413, f"more than {self._max_body} bytes"))
                return
            if not message.get("more_body", False):
                break
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]
                   if n.lower().decode("latin-1") not in HOP]
        client = scope.get("client")
        try:
            aio = await self._engine_here()
            response = await aio.call(scope["method"], target_of(path, scope.get("query_string", b"").decode("latin-1")),
                                      headers, bytes(body), peer=client[0] if client else "")
        except (errors.BusyError, errors.ClosedError) as e:
            await _say(send, *problem(503, e.name))
            return
        except errors.InvalidError as e:
            await _say(send, *problem(400, e.name))
            return
        await _pass_on(response, receive, send)


def _path_of(scope: Scope) -> str:
    """Below where this is mounted, as it was sent. Servers leave the prefix in the paths, some frameworks do not."""
    raw: Optional[bytes] = scope.get("raw_path")
    path = raw.split(b"?", 1)[0].decode("latin-1") if raw else quoted(scope["path"].encode())
    root = quoted(scope.get("root_path", "").encode()).rstrip("/")
    if root and path.startswith(root + "/"):
        return path[len(root):]
    return path


async def _pass_on(response: AsyncResponse, receive: Receive, send: Send) -> None:
    headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in response.headers
               if n.lower() not in HOP]
    if not response.streaming:
        body = response.body
        if response.status not in (204, 304) and not any(n == b"content-length" for n, _ in headers):
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        while True:
            piece = asyncio.ensure_future(response.read_async())
            await asyncio.wait((gone, piece), return_when=asyncio.FIRST_COMPLETED)
            if not piece.done():
                piece.cancel()
                return  # nobody reads it any more
            content = piece.result()
            if content is None:
                break
            await send({"type": "http.response.body", "body": content, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        response.close()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _say(send: Send, status: int, body: bytes) -> None:
    headers: List[Tuple[bytes, bytes]] = [(b"content-type", b"application/scim+json"),
                                          (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
