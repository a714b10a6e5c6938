"""The engine: opening it, asking it, closing it."""

from __future__ import annotations

import collections.abc
import json
import logging
import os
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Callable, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from . import _process, errors
from ._ask import ask
from ._hub import SLICE_MS, TEXT, Hub, Room, Waiter, empty_error
from ._native import ffi, lib
from ._options import LogCallback, Plugins, open_engine
from .records import Caller, CallLeft, CloseReport, Integration, Workspace
from .response import Response
from .rows import R, Rows, Use
from .typed import Activity, Hold, Job, Notification, Subject

if TYPE_CHECKING:
    import datetime
    from types import TracebackType

    from .aio import AsyncEngine
    from .lists import SourceList
    from .sources import Sources

Headers = Union[Mapping[str, str], Iterable[Tuple[str, str]]]
Body = Union[bytes, bytearray, memoryview, str, Mapping[str, Any], Sequence[Any], None]

_TIMEOUT = int(lib.DEPROV_ERR_TIMEOUT)
_NULL = ffi.NULL
AS_TOKEN = int(lib.DEPROV_AS_TOKEN)
_AS_LOCAL = int(lib.DEPROV_AS_LOCAL)
_main_ident = _process.main_ident
get_ident = threading.get_ident


def closed_error() -> errors.Error:
    return errors.make(int(lib.DEPROV_ERR_CLOSED), detail="the engine is closed", where="engine")


def pack_body(body: Union[bytes, bytearray, memoryview, str, Mapping[str, Any], Sequence[Any]]) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    return json.dumps(body, separators=(",", ":")).encode()


def on_behalf(by: Caller, headers: Headers) -> Tuple[int, str, Headers]:
    """As whom it is asked, the workspace, and the headers with their token."""
    if not by.token:
        return _AS_LOCAL, by.workspace, headers
    pairs = headers.items() if isinstance(headers, collections.abc.Mapping) else headers
    return AS_TOKEN, "", [*pairs, ("Authorization", "Bearer " + by.token)]


class Engine:
    """A running engine, on a data directory or in memory; any thread may use it.

    ``url``: in place of ``directory`` and ``memory``, "file:///DIRECTORY" or "memory:".
    As a context manager it is closed at the end. One that nobody closed is let go of with a ResourceWarning.

    ``key``: the 32 bytes of the master key, or a function that answers them; ``key_file`` names a file instead.
    ``clock``: seconds since 1970, called by any thread; where it raises, the machine's is asked. ``log``: a function of a
    level of :mod:`logging` and a text, or a logger.
    ``connectors``: classes that :func:`deprov.connector` made connectors. ``plugins``: files with connectors in them.
    ``host_driven``: no thread of deprov runs; call :meth:`pump`.
    """

    def __init__(self, directory: Union[str, "os.PathLike[str]", None] = None, *, memory: bool = False, url: str = "",
                 must_exist: bool = False, look_only: bool = False, host_driven: bool = False, store_readers: int = 0,
                 key: Union[bytes, Callable[[], bytes], None] = None,
                 key_file: Union[str, "os.PathLike[str]", None] = None,
                 clock: Optional[Callable[[], float]] = None,
                 log: Union[LogCallback, logging.Logger, None] = None,
                 connectors: Iterable[Any] = (), plugins: Optional[Plugins] = None) -> None:
        _process.check_fork()
        self._lock = threading.Lock()
        # Who is inside; a list, since appending and popping are one step each, without a lock.
        self._users: List[None] = []
        self._free_wanted = False
        self._freed = False
        self._report: Optional[CloseReport] = None
        self._loops: "weakref.WeakSet[AsyncEngine]" = weakref.WeakSet()
        self._handle: Any = open_engine(directory, memory=memory, url=url, must_exist=must_exist, look_only=look_only,
                                        host_driven=host_driven, store_readers=store_readers, key=key,
                                        key_file=key_file, clock=clock, log=log, connectors=connectors,
                                        plugins=plugins)
        self._address = int(ffi.cast("uintptr_t", self._handle))
        _process.opened()
        self._host_driven = host_driven
        self._hub = Hub(self._handle)
        self._finalizer = weakref.finalize(self, _process.free_later, _process.free_engine, self._handle)
        self._finalizer.atexit = False
        _process.close_at_exit(self)

    # ---- life

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, kind: Optional[type], value: Optional[BaseException],
                 trace: Optional["TracebackType"]) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None and not self._free_wanted and not _process.forked():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self)

    def __repr__(self) -> str:
        return f"<deprov.Engine at {id(self):#x}{' (closed)' if self._free_wanted else ''}>"

    @property
    def closed(self) -> bool:
        return self._free_wanted

    def close(self, deadline: float = 10.0) -> CloseReport:
        """Closes in order, within `deadline` seconds, and lets go of the library's side. What had not ended is in the
        report. Twice is once."""
        if self._report is not None:
            return self._report
        try:
            with self._use() as handle:
                report = _interruptibly(lambda: self._close(handle, deadline))
        except errors.ClosedError:
            return self._report or CloseReport()
        try:
            while self._hub.take(0) > 0:
                pass
        except errors.ClosedError:
            pass
        self._hub.fail_all()
        self._report = report
        for loop in list(self._loops):
            loop.engine_closed()
        self._free_wanted = True
        if not self._users and self._free_once():
            _process.free_engine(self._handle)
        return report

    def _close(self, handle: Any, deadline: float) -> CloseReport:
        report = ffi.new("deprov_buffer **")
        error = ffi.new("deprov_error **")
        status = lib.deprov_engine_close(handle, max(0, round(deadline * 1000)), report, error)
        found = errors.text(lib.deprov_buffer_get(report[0]))
        lib.deprov_buffer_free(report[0])
        if status not in (0, _TIMEOUT) or not found:
            errors.raise_for(status, error[0])
        lib.deprov_error_free(error[0])
        left = json.loads(found)
        return CloseReport(tuple(int(t) for t in left["requests"]), tuple(CallLeft(**c) for c in left["calls"]))

    def _free_once(self) -> bool:
        with self._lock:
            if self._freed:
                return False
            self._freed = True
        return self._finalizer.detach() is not None

    def _enter(self) -> None:
        if _process._forked:
            _process.check_fork()
        self._users.append(None)
        if self._free_wanted:
            self._exit()
            raise closed_error()

    def _exit(self) -> None:
        self._users.pop()
        if self._free_wanted:
            self._freed_by_last()
        if _process._interrupted:
            _process.raise_interrupt()

    def _freed_by_last(self) -> None:
        """It was closed meanwhile. This may be the engine's own thread, which would wait for itself."""
        if not self._users and self._free_once():
            _process.free_later(_process.free_engine, self._handle)

    def _use(self) -> Use:
        return Use(self)

    # ---- requests

    def call(self, method: str, target: str, headers: Headers = (), body: Body = None, *, peer: str = "",
             by: Optional[Caller] = None, subject: str = "") -> Response:
        """Carries out a request as an HTTP server got it: SCIM, the admin API, health, metrics. `by` asks as the
        local administrator, for paths below /api/v1. `subject`: the SCIM id of the User whom the program has
        authenticated, for `/Me`. Signals are heard while it waits in the main thread."""
        if body is not None and type(body) is not bytes:
            body = pack_body(body)
        as_, workspace = AS_TOKEN, ""
        if by is not None:
            as_, workspace, headers = on_behalf(by, headers)
        if _process._forked:
            _process.check_fork()
        users = self._users
        users.append(None)
        try:
            if self._free_wanted:
                raise closed_error()
            hub = self._hub
            rooms = hub.rooms
            try:
                room = rooms.pop()
            except IndexError:
                room = Room(TEXT)
            # A room in which something failed is nobody's any more.
            if get_ident() == _main_ident:
                waiter = room.waiter
                user = next(hub.ids)
                hub.expected[user] = waiter
                try:
                    answered = ask(Response, self._address, room.address, user, as_, method, target, peer, workspace,
                                   subject, headers, body)
                    if answered is None:
                        room.waiter = Waiter()
                        hub.begun(room, waiter)
                        if not waiter.done:
                            hub.wait(waiter)
                        if waiter.answer is None:
                            raise empty_error(waiter.status)
                        answered = Response(*waiter.answer)
                    else:
                        hub.expected.pop(user, None)  # who closes the engine may have taken it
                except BaseException:
                    if hub.expected.pop(user, None) is not None and waiter.token != 0:
                        lib.deprov_engine_cancel(self._handle, waiter.token, _NULL)
                    raise
            else:
                answered = ask(Response, self._address, room.address, 0, as_, method, target, peer, workspace, subject,
                               headers, body)
                if answered is None:
                    if room.c.status != 0:
                        errors.raise_for(room.c.status, room.c.error)
                    large = room.answer(room.events[0])
                    if large is None:
                        raise empty_error(0)
                    answered = Response(*large)
            rooms.append(room)
            return answered
        finally:
            users.pop()
            if self._free_wanted:
                self._freed_by_last()
            if _process._interrupted:
                _process.raise_interrupt()

    def scim(self, integration: Integration, method: str, path: str, body: Body = None) -> Response:
        """A SCIM request with the integration's own token, such as `"GET", "/Users?count=1"`."""
        headers = [("Authorization", "Bearer " + integration.scim_token)]
        if body is not None:
            headers.append(("Content-Type", "application/scim+json"))
        return self.call(method, integration.scim_base_path + path, headers, body)

    def admin(self, by: Optional[Caller], method: str, path: str, body: Body = None) -> Any:
        """One call of the admin API; `path` is below /api/v1. The record that was answered, or None. Raises what the
        API refuses, in its own words."""
        return _answered(self.call(method, *_admin(path, body), by=by or Caller()))

    # ---- managing

    def create_workspace(self, name: str, owner: str = "owner") -> Workspace:
        made = self.admin(None, "POST", "/workspaces", {"name": name, "owner": owner})
        return Workspace(made["id"], made["name"], made["owner_token"])

    def create_integration(self, by: Caller, name: str, *, idp: str, connector: str,
                           **more: Any) -> Integration:
        """Further members as the admin API names them: config, policy, settings, schemas, resource_types, check."""
        made = self.admin(by, "POST", "/integrations", {"name": name, "idp": idp, "connector": connector, **more})
        return Integration(made["id"], made["name"], made["scim_base_path"], made["scim_token"])

    def subjects(self, by: Caller, integration: str, *, restart: str = "", filter: str = "", page: int = 0) -> Rows[Subject]:
        """Subjects in the order in which they came. `filter`: more query parameters of the list, encoded for URLs."""
        return self._rows(lib.DEPROV_ROWS_SUBJECTS, by, integration, restart, filter, page, Subject)

    def jobs(self, by: Caller, integration: str = "", *, restart: str = "", filter: str = "", page: int = 0) -> Rows[Job]:
        """Jobs, the newest first; of one integration, or of all."""
        return self._rows(lib.DEPROV_ROWS_JOBS, by, integration, restart, filter, page, Job)

    def activity(self, by: Caller, integration: str = "", *, restart: str = "", filter: str = "",
                 page: int = 0) -> Rows[Activity]:
        """The activity of one integration, or (none) of acts on the workspace, the oldest first."""
        return self._rows(lib.DEPROV_ROWS_ACTIVITY, by, integration, restart, filter, page, Activity)

    def holds(self, by: Caller, integration: str, *, restart: str = "", filter: str = "", page: int = 0) -> Rows[Hold]:
        """Holds of an integration, the newest first."""
        return self._rows(lib.DEPROV_ROWS_HOLDS, by, integration, restart, filter, page, Hold)

    def notifications(self, by: Caller, integration: str = "", *, restart: str = "", page: int = 0) -> Rows[Notification]:
        """What there is to tell people, of one integration or (none) of the workspace itself, the oldest first. Whoever
        keeps :attr:`Rows.restart` behind what was dealt with, and gives it the next time, misses nothing."""
        return self._rows(lib.DEPROV_ROWS_NOTIFICATIONS, by, integration, restart, "", page, Notification)

    def sources(self, by: Caller, integration: str) -> "Sources":
        """The sources of an integration besides SCIM push."""
        from .sources import Sources
        return Sources(self, by, integration)

    def begin_list(self, by: Caller, integration: str, source: str, *, dry_run: bool = False,
                   differences: int = 1000, begun: Optional["datetime.datetime"] = None) -> "SourceList":
        """A list of a source of kind "rows" begins: the whole of who has access, as the host knows it. With `dry_run` it
        is compared and changes nothing; `begun` is when reading it began, where that was not now. A context manager."""
        from .lists import SourceList, beginning
        made = self.admin(by, *beginning(integration, source, dry_run, differences, begun))
        return SourceList(self, by, made["list"])

    def _rows(self, kind: int, by: Caller, integration: str, restart: str, filter: str, page: int,
              record: Callable[[Any], R]) -> Rows[R]:
        keep = [x.encode() for x in (by.workspace, by.token, integration, restart, filter)]
        caller = ffi.new("deprov_caller *")
        options = ffi.new("deprov_rows_options *")
        caller.struct_size = ffi.sizeof("deprov_caller")
        options.struct_size = ffi.sizeof("deprov_rows_options")
        buffers = [ffi.from_buffer("char[]", x) for x in keep]
        for place, buffer, value in zip((caller.workspace, caller.token, options.integration, options.restart,
                                         options.filter), buffers, keep):
            place.ptr = buffer
            place.len = len(value)
        options.kind = kind
        options.page = page
        rows = ffi.new("deprov_rows **")
        error = ffi.new("deprov_error **")
        with self._use() as handle:
            errors.check(lib.deprov_rows_open(handle, caller, options, rows, error), error)
        return Rows(ffi.gc(rows[0], lib.deprov_rows_free), self, record)

    # ---- driving

    def pump(self, budget: float = 0.0) -> Optional[float]:
        """For `host_driven`: runs what is ready, for about `budget` seconds. How many seconds there will be nothing
        to do unless the descriptor becomes readable: 0.0 where work is left, None where only the descriptor can
        tell."""
        wait = ffi.new("int64_t *")
        error = ffi.new("deprov_error **")
        with self._use() as handle:
            errors.check(lib.deprov_engine_pump(handle, round(budget * 1000), wait, error), error)
        left = int(wait[0])
        return None if left == 2**63 - 1 else left / 1000

    @property
    def pump_descriptor(self) -> int:
        """For `host_driven`: readable whenever there is something to pump; -1 otherwise."""
        with self._use() as handle:
            return int(lib.deprov_engine_get_pump_descriptor(handle))

    @property
    def event_descriptor(self) -> int:
        with self._use() as handle:
            return int(lib.deprov_engine_get_event_descriptor(handle))

    @property
    def host_driven(self) -> bool:
        return self._host_driven

    def aio(self) -> "AsyncEngine":
        """The same engine for the running event loop of asyncio; an asynchronous context manager."""
        from .aio import AsyncEngine
        return AsyncEngine(self)


def _admin(path: str, body: Body) -> Tuple[str, List[Tuple[str, str]], Body]:
    if not path.startswith("/"):
        raise errors.make(int(lib.DEPROV_ERR_INVALID_ARGUMENT), detail="does not begin with a slash", where="path",
                          advice="give it without /api/v1")
    return "/api/v1" + path, [] if body is None else [("Content-Type", "application/json")], body


def _answered(response: Response) -> Any:
    if response.ok:
        return json.loads(response.body) if response.body else None
    try:
        said = json.loads(response.body)["error"]
    except (ValueError, KeyError, TypeError):
        said = {}
    status = errors.by_name.get(said.get("code", ""), int(lib.DEPROV_ERR_INTERNAL))
    raise errors.make(status, detail=said.get("message", f"answered {response.status}"), where=said.get("where", ""),
                      advice=said.get("advice", ""))


def _interruptibly(work: Callable[[], CloseReport]) -> CloseReport:
    """In the main thread signals are heard while another thread does it; elsewhere there are none to be heard."""
    if threading.get_ident() != _main_ident:
        return work()
    done: List[CloseReport] = []
    failed: List[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as e:  # noqa: BLE001  (it is raised again where it belongs)
            failed.append(e)

    thread = threading.Thread(target=run, name="deprov-close", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(SLICE_MS / 1000)
    if failed:
        raise failed[0]
    return done[0]
