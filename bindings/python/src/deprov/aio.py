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
import types
from typing import TYPE_CHECKING, Any, AsyncIterator, Generator, Iterable, Optional, Tuple

from . import _process, errors
from ._ask import ask
from ._hub import TEXT, Answer, Hub, Room, empty_error
from ._native import ffi, lib
from .engine import AS_TOKEN, Body, Engine, Headers, _admin, _answered, closed_error, on_behalf, pack_body
from .lists import Begin, ListHandle, SourceUser, batches, beginning
from .records import Caller, Integration
from .response import Response
from .rows import R, Rows, Use
from .sources import AsyncSources, ListReport, report_of

if TYPE_CHECKING:
    import datetime
    from types import TracebackType

_NULL = ffi.NULL
get_running_loop = asyncio.get_running_loop
_TIMEOUT = int(lib.DEPROV_ERR_TIMEOUT)
_END = int(lib.DEPROV_END)
_PUMP_BUDGET = 0.005
# So many requests that are answered at once come one after the other, before the loop has its turn: about 0.1 ms.
_AT_ONCE = 16


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """What asyncio.sleep(0) comes to."""
    yield


#: What became of a request.
_Ended = Tuple[int, Optional[Answer]]


class _Awaited:
    """Somebody in the loop who waits. Called by the loop itself, or by a thread that was faster."""

    __slots__ = ("aio", "loop", "future", "ended", "token")

    def __init__(self, aio: "AsyncEngine", loop: asyncio.AbstractEventLoop) -> None:
        self.aio = aio
        self.loop = loop
        self.future: "Optional[asyncio.Future[_Ended]]" = None
        self.ended: Optional[_Ended] = None
        self.token = 0

    def __call__(self, status: int, answer: Optional[Answer]) -> None:
        if threading.get_ident() == self.aio._ident:
            self.settle(status, answer)
        else:
            try:
                self.loop.call_soon_threadsafe(self.settle, status, answer)
            except RuntimeError:  # it is closed, and nobody waits
                pass

    def settle(self, status: int, answer: Optional[Answer]) -> None:
        if self.future is None:
            self.ended = self.ended or (status, answer)
        elif not self.future.done():
            self.future.set_result((status, answer))

    def wait(self) -> "asyncio.Future[_Ended]":
        """By the loop, which alone settles it; once."""
        self.future = self.loop.create_future()
        if self.ended is not None:
            self.future.set_result(self.ended)
        return self.future


class AsyncEngine:
    """An engine seen from one event loop, the one that runs when the context is entered."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._timer: Optional[asyncio.TimerHandle] = None
        self._ident = 0
        self._events = -1
        self._pump = -1
        self._use: Optional[Use] = None
        self._room = Room(TEXT)
        self._at_once = 0
        self._spare: _Awaited  # for the next request

    async def __aenter__(self) -> "AsyncEngine":
        if self._loop is not None:
            raise RuntimeError("this AsyncEngine is in use; engine.aio() makes another one")
        use = self.engine._use()
        use.__enter__()  # the library's side stays as long as the loop looks at it
        self._use = use
        self._loop = asyncio.get_running_loop()
        self._ident = threading.get_ident()
        self._spare = _Awaited(self, self._loop)
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
            self.engine._hub.take(0, self._room)  # if there is more, the descriptor says so again
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

    def _awaited(self) -> _Awaited:
        loop = self._loop
        if loop is None or loop is not get_running_loop():
            raise self._not_here()
        return _Awaited(self, loop)

    def _not_here(self) -> Exception:
        if self._loop is None:
            return errors.make(int(lib.DEPROV_ERR_CLOSED), detail="the asynchronous context is not open",
                               where="engine", advice="use `async with engine.aio() as a`")
        return RuntimeError("this AsyncEngine belongs to another event loop")

    async def _end(self, awaited: _Awaited, user: int) -> _Ended:
        """What became of a request that was begun. A task that is cancelled lets go of it."""
        if self._pump >= 0:
            self._on_pump()
        try:
            return await awaited.wait() if awaited.ended is None else awaited.ended
        except (asyncio.CancelledError, GeneratorExit):
            self.engine._hub.forget(user)
            try:
                with Use(self.engine) as handle:
                    lib.deprov_engine_cancel(handle, awaited.token, _NULL)
            except errors.ClosedError:
                pass
            raise

    async def call(self, method: str, target: str, headers: Headers = (), body: Body = None, *, peer: str = "",
                   by: Optional[Caller] = None, subject: str = "") -> "AsyncResponse":
        """As :meth:`Engine.call`. A task that is cancelled lets go of the request; what was asked for may happen all
        the same."""
        loop = self._loop
        if loop is None or loop is not get_running_loop():
            raise self._not_here()
        if body is not None and type(body) is not bytes:
            body = pack_body(body)
        as_, workspace = AS_TOKEN, ""
        if by is not None:
            as_, workspace, headers = on_behalf(by, headers)
        engine = self.engine
        hub = engine._hub
        room = self._room
        user = next(hub.ids)
        awaited = self._spare
        hub.expected[user] = awaited
        if _process._forked:
            _process.check_fork()
        users = engine._users
        users.append(None)
        try:
            if engine._free_wanted:
                raise closed_error()
            answered = ask(AsyncResponse, engine._address, room.address, user, as_, method, target, peer, workspace,
                           subject, headers, body)
            if answered is None:
                self._spare = _Awaited(self, loop)
                hub.begun(room, awaited)
        except BaseException:
            hub.forget(user)
            raise
        finally:
            users.pop()
            if engine._free_wanted:
                engine._freed_by_last()
            if _process._interrupted:
                _process.raise_interrupt()
        if answered is not None:
            hub.expected.pop(user, None)  # who closes the engine may have taken it
            self._at_once += 1
            if self._at_once < _AT_ONCE:
                return answered
            # Others have their turn all the same.
            self._at_once = 0
            await _turn()
            return answered
        status, answer = await self._end(awaited, user)
        if answer is None:
            raise empty_error(status)
        answered = AsyncResponse(*answer)
        answered._aio = self
        return answered

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

    async def rows(self, rows: Rows[R]) -> AsyncIterator[R]:
        """The records of an iterator of the engine, such as ``engine.jobs(by)``, without blocking the loop."""
        while True:
            awaited = self._awaited()
            with Use(self.engine):
                user, awaited.token = rows._want(awaited)
            if awaited.token != 0:
                await self._end(awaited, user)
            with Use(self.engine):
                record = rows._read()
            if record is None:
                return
            yield record

    def sources(self, by: Caller, integration: str) -> AsyncSources:
        """As :meth:`Engine.sources`."""
        return AsyncSources(self, by, integration)

    async def begin_list(self, by: Caller, integration: str, source: str, *, dry_run: bool = False,
                         differences: int = 1000, begun: Optional["datetime.datetime"] = None) -> "AsyncSourceList":
        """As :meth:`Engine.begin_list`; an asynchronous context manager."""
        made = await self.admin(by, *beginning(integration, source, dry_run, differences, begun))
        return AsyncSourceList(self, ListHandle(self.engine, by, made["list"]))

    async def _ask(self, begin: Begin) -> Any:
        awaited = self._awaited()
        hub = self.engine._hub
        user = hub.expect(awaited)
        try:
            with Use(self.engine):
                awaited.token = begin(user)
        except BaseException:
            hub.forget(user)
            raise
        status, answer = await self._end(awaited, user)
        if answer is None:
            raise empty_error(status)
        return _answered(Response(*answer))


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

    async def end(self, count: Optional[int] = None) -> ListReport:
        return report_of(await self._aio._ask(self._handle.end(count)))

    async def give_up(self, failure: str = "") -> None:
        await self._aio._ask(self._handle.give_up(failure))


class _Wanted:
    """A piece that was asked for. Nobody waits for it any more when this goes."""

    __slots__ = ("hub", "user", "future")

    def __init__(self, hub: Hub, user: int, future: "asyncio.Future[_Ended]") -> None:
        self.hub = hub
        self.user = user
        self.future = future

    def __del__(self) -> None:
        self.hub.forget(self.user)


class AsyncResponse(Response):
    """As :class:`Response`; a body that comes in pieces is iterated over with ``async for``."""

    __slots__ = ("_aio", "_wanted")

    _aio: AsyncEngine
    _wanted: "Optional[_Wanted]"  # there once a piece was asked for

    async def read_async(self) -> Optional[bytes]:
        """The next piece of a body that comes in pieces; None at its end. None is lost where the task is cancelled."""
        piece = ffi.new("deprov_str *")
        error = ffi.new("deprov_error **")
        while True:
            with self._my_turn():
                status = lib.deprov_response_read(self._open(), 0, piece, error)
                if status == 0:
                    return errors.bytes_of(piece[0])
            if status == _END:
                lib.deprov_error_free(error[0])
                return None
            if status != _TIMEOUT:
                errors.raise_for(status, error[0])
            lib.deprov_error_free(error[0])
            wanted = getattr(self, "_wanted", None)
            if wanted is None:
                wanted = self._wanted = self._want()
            status, _ = await asyncio.shield(wanted.future)
            self._wanted = None
            if status != 0:
                raise empty_error(status)

    def _want(self) -> "_Wanted":
        awaited = self._aio._awaited()
        hub = self._aio.engine._hub
        error = ffi.new("deprov_error **")
        wanted = _Wanted(hub, hub.expect(awaited), awaited.wait())
        with self._my_turn():
            status = lib.deprov_response_want(self._open(), ffi.cast("void *", wanted.user), error)
        if status != 0:
            errors.raise_for(status, error[0])
        if self._aio._pump >= 0:
            self._aio._on_pump()
        return wanted

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
