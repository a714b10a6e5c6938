"""The engine for asyncio: nothing here blocks the event loop, which waits on the library's descriptors.

::

    with deprov.Engine("./data") as engine:
        async with engine.aio() as a:
            response = await a.call("GET", "/healthz")

A host-driven engine is pumped by the loop as long as the context is open.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, AsyncIterator, Dict, Iterable, Optional, Tuple

from . import errors
from ._hub import Answer, Taken, empty_error
from ._native import ffi, lib
from .engine import Body, Caller, Engine, Headers, Integration, Rows, _admin, _answered, _Use
from .lists import Begin, ListHandle, SourceUser, batches, beginning
from .response import Response

if TYPE_CHECKING:
    import datetime
    from types import TracebackType

_NULL = ffi.NULL
_TIMEOUT = int(lib.DEPROV_ERR_TIMEOUT)
_END = int(lib.DEPROV_END)
_PUMP_BUDGET = 0.005


class _Awaited:
    """Somebody in the loop who waits. Called by the loop itself, or by a thread that was faster."""

    __slots__ = ("aio", "loop", "future")

    def __init__(self, aio: "AsyncEngine", loop: asyncio.AbstractEventLoop,
                 future: "asyncio.Future[Tuple[int, Optional[Answer]]]") -> None:
        self.aio = aio
        self.loop = loop
        self.future = future

    def __call__(self, status: int, answer: Optional[Answer]) -> None:
        if threading.get_ident() == self.aio._ident:
            if not self.future.done():
                self.future.set_result((status, answer))
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.settle, status, answer)

    def settle(self, status: int, answer: Optional[Answer]) -> None:
        if not self.future.done():
            self.future.set_result((status, answer))


class AsyncEngine:
    """An engine seen from one event loop, the one that runs when the context is entered."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._timer: Optional[asyncio.TimerHandle] = None
        self._ident = 0
        self._events = -1
        self._pump = -1
        self._use: Optional[_Use] = None
        self._token = ffi.new("uint64_t *")
        self._error = ffi.new("deprov_error **")

    async def __aenter__(self) -> "AsyncEngine":
        if self._loop is not None:
            raise RuntimeError("this AsyncEngine is in use; engine.aio() makes another one")
        use = self.engine._use()
        use.__enter__()  # the library's side stays as long as the loop looks at it
        self._use = use
        self._loop = asyncio.get_running_loop()
        self._ident = threading.get_ident()
        self.engine._loops.add(self)
        self._events = self.engine.event_descriptor
        self._loop.add_reader(self._events, self._on_events)
        self.engine._hub.loops += 1
        if self.engine.host_driven:
            self._pump = self.engine.pump_descriptor
            self._loop.add_reader(self._pump, self._on_pump)
            self._on_pump()
        return self

    async def __aexit__(self, kind: Optional[type], value: Optional[BaseException],
                        trace: Optional["TracebackType"]) -> None:
        self._leave()
        # Whoever still waits is told, and not left alone.
        for waiting in self.engine._hub.waiting():
            if isinstance(waiting, _Awaited) and waiting.aio is self:
                waiting.settle(int(lib.DEPROV_ERR_CLOSED), None)

    def _leave(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            return
        self.engine._hub.loops -= 1
        if not loop.is_closed():
            loop.remove_reader(self._events)
            if self._pump >= 0:
                loop.remove_reader(self._pump)
        if self._timer is not None:
            self._timer.cancel()
        self.engine._loops.discard(self)
        if self._use is not None:
            self._use.__exit__()
            self._use = None

    def engine_closed(self) -> None:
        """By whichever thread closed it."""
        loop = self._loop
        if loop is None:
            return
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here or loop.is_closed():
            self._leave()
        else:
            try:
                loop.call_soon_threadsafe(self._leave)
            except RuntimeError:  # it was closed meanwhile
                self._leave()

    # ---- what the loop calls

    def _on_events(self) -> None:
        try:
            self.engine._hub.take(0)  # if there is more, the descriptor says so again
        except errors.ClosedError:
            self._leave()  # the engine was closed under the loop

    def _on_pump(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is None:
            return
        try:
            wait = self.engine.pump(_PUMP_BUDGET)
        except errors.ClosedError:
            self._leave()
            return
        if wait is not None:
            self._timer = self._loop.call_later(wait, self._on_pump)

    # ---- waiting

    def _future(self) -> Tuple["asyncio.Future[Tuple[int, Optional[Answer]]]", Taken]:
        loop = self._loop
        if loop is None:
            raise errors.make(int(lib.DEPROV_ERR_CLOSED), detail="the asynchronous context is not open",
                              where="engine", advice="use `async with engine.aio() as a`")
        if loop is not asyncio.get_running_loop():
            raise RuntimeError("this AsyncEngine belongs to another event loop")
        future: "asyncio.Future[Tuple[int, Optional[Answer]]]" = loop.create_future()
        return future, _Awaited(self, loop, future)

    async def call(self, method: str, target: str, headers: Headers = (), body: Body = None, *, peer: str = "",
                   by: Optional[Caller] = None, subject: str = "") -> "AsyncResponse":
        """As :meth:`Engine.call`. A task that is cancelled lets go of the request; what was asked for may happen all
        the same."""
        packed = Engine._pack(method, target, headers, body, peer, by, subject)
        future, taken = self._future()
        engine = self.engine
        engine._enter()
        try:
            user, token = engine._begin(engine._handle, packed, taken, self._token, self._error)
        finally:
            engine._exit()
        if self._pump >= 0:
            self._on_pump()
        try:
            status, answer = await future
        except asyncio.CancelledError:
            self.engine._hub.forget(user)
            try:
                with _Use(self.engine) as handle:
                    lib.deprov_engine_cancel(handle, token, _NULL)
            except errors.ClosedError:
                pass
            raise
        if answer is None:
            raise empty_error(status)
        return AsyncResponse(answer, self)

    async def scim(self, integration: Integration, method: str, path: str, body: Body = None) -> "AsyncResponse":
        """As :meth:`Engine.scim`."""
        headers = [("Authorization", "Bearer " + integration.scim_token)]
        if body is not None:
            headers.append(("Content-Type", "application/scim+json"))
        return await self.call(method, integration.scim_base_path + path, headers, body)

    async def admin(self, by: Optional[Caller], method: str, path: str, body: Body = None) -> Any:
        """As :meth:`Engine.admin`."""
        response = await self.call(method, *_admin(path, body), by=by or Caller())
        if response.streaming:
            response._body = b"".join([piece async for piece in response])
        return _answered(response)

    async def rows(self, rows: Rows) -> AsyncIterator[Dict[str, Any]]:
        """The records of an iterator of the engine, such as ``engine.jobs(by)``, without blocking the loop."""
        while True:
            future, taken = self._future()
            with _Use(self.engine) as handle:
                user, token = rows._want(taken)
            if token == 0:
                future.cancel()
            else:
                if self._pump >= 0:
                    self._on_pump()
                try:
                    await future
                except asyncio.CancelledError:
                    self.engine._hub.forget(user)
                    lib.deprov_engine_cancel(handle, token, _NULL)
                    raise
            with _Use(self.engine):
                record = rows._read()
            if record is None:
                return
            yield record


    async def begin_list(self, by: Caller, integration: str, source: str, *, dry_run: bool = False,
                         differences: int = 1000, begun: Optional["datetime.datetime"] = None) -> "AsyncSourceList":
        """As :meth:`Engine.begin_list`; an asynchronous context manager."""
        made = await self.admin(by, *beginning(integration, source, dry_run, differences, begun))
        return AsyncSourceList(self, ListHandle(self.engine, by, made["list"]))

    async def _ask(self, begin: Begin) -> Any:
        future, taken = self._future()
        user = self.engine._hub.expect(taken)
        try:
            with _Use(self.engine):
                token = begin(user)
        except BaseException:
            self.engine._hub.forget(user)
            future.cancel()
            raise
        if self._pump >= 0:
            self._on_pump()
        try:
            status, answer = await future
        except asyncio.CancelledError:
            self.engine._hub.forget(user)
            try:
                with _Use(self.engine) as handle:
                    lib.deprov_engine_cancel(handle, token, _NULL)
            except errors.ClosedError:
                pass
            raise
        if answer is None:
            raise empty_error(status)
        return _answered(Response(answer))


class AsyncSourceList:
    """As :class:`deprov.SourceList`."""

    def __init__(self, aio: AsyncEngine, handle: ListHandle) -> None:
        self._aio = aio
        self._handle = handle

    async def __aenter__(self) -> "AsyncSourceList":
        return self

    async def __aexit__(self, kind: Optional[type], value: Optional[BaseException],
                        trace: Optional["TracebackType"]) -> None:
        self._handle.release()

    @property
    def id(self) -> str:
        return self._handle.id

    @property
    def count(self) -> int:
        return self._handle.count

    async def add(self, users: Iterable[SourceUser]) -> None:
        for batch in batches(users):
            await self._aio._ask(self._handle.add(batch))

    async def end(self, count: Optional[int] = None) -> Dict[str, Any]:
        report: Dict[str, Any] = await self._aio._ask(self._handle.end(count))
        return report

    async def give_up(self, failure: str = "") -> None:
        await self._aio._ask(self._handle.give_up(failure))


class AsyncResponse(Response):
    """As :class:`Response`; a body that comes in pieces is iterated over with ``async for``."""

    __slots__ = ("_aio", "_user", "_wanted")

    def __init__(self, answer: Answer, aio: AsyncEngine) -> None:
        super().__init__(answer)
        self._aio = aio
        self._user = 0
        self._wanted: "Optional[asyncio.Future[Tuple[int, Optional[Answer]]]]" = None

    def __del__(self) -> None:
        if getattr(self, "_user", 0) != 0:
            self._aio.engine._hub.forget(self._user)

    async def read_async(self) -> Optional[bytes]:
        """The next piece of a body that comes in pieces; None at its end. None is lost where the task is cancelled."""
        piece = ffi.new("deprov_str *")
        error = ffi.new("deprov_error **")
        while True:
            with self._turn:
                status = lib.deprov_response_read(self._open(), 0, piece, error)
                if status == 0:
                    return errors.bytes_of(piece[0])
            if status == _END:
                lib.deprov_error_free(error[0])
                return None
            if status != _TIMEOUT:
                errors.raise_for(status, error[0])
            lib.deprov_error_free(error[0])
            if self._wanted is None:
                self._want()
            assert self._wanted is not None
            status, _ = await asyncio.shield(self._wanted)
            self._wanted, self._user = None, 0
            if status != 0:
                raise empty_error(status)

    def _want(self) -> None:
        future, taken = self._aio._future()
        hub = self._aio.engine._hub
        error = ffi.new("deprov_error **")
        user = hub.expect(taken)
        with self._turn:
            status = lib.deprov_response_want(self._open(), ffi.cast("void *", user), error)
        if status != 0:
            hub.forget(user)
            future.cancel()
            errors.raise_for(status, error[0])
        self._wanted, self._user = future, user
        if self._aio._pump >= 0:
            self._aio._on_pump()

    async def _pieces(self) -> AsyncIterator[bytes]:
        if not self.streaming:
            if self.body:
                yield self.body
            return
        while True:
            piece = await self.read_async()
            if piece is None:
                return
            yield piece

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces()
