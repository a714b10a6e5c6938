"""Lists of sources: who has access, as the host knows it from elsewhere, handed in row by row.

::

    sources = engine.sources(by, wiki.id)
    hr = sources.add("hr", "rows")
    with sources.begin_list(hr.id) as people:
        people.add(deprov.SourceUser(id=p.okta_id, user_name=p.mail) for p in staff)
        report = people.end(count=len(staff))
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

from . import errors
from ._hub import Waiter, empty_error
from ._native import ffi, lib
from .engine import Engine, _answered
from .records import Caller
from .response import Response
from .rows import Use
from .sources import ListReport, report_of, source_path

if TYPE_CHECKING:
    from types import TracebackType

#: How many users are handed in at once.
BATCH = 10_000
_NULL = ffi.NULL


@dataclasses.dataclass(frozen=True)
class SourceUser:
    """One user of a list."""

    #: The source's immutable id, never empty: the externalId of a subject, unless the source's config says ``link`` or
    #: ``links``.
    id: str
    external_id: str = ""
    user_name: str = ""
    email: str = ""
    #: In the list, and has access by it.
    active: bool = True


def beginning(integration: str, source: str, dry_run: bool, differences: int,
              begun: Optional[datetime.datetime]) -> Tuple[str, str, Dict[str, Any]]:
    """The call of the admin API that begins a list."""
    body: Dict[str, Any] = {"dry_run": dry_run, "differences": differences}
    if begun is not None:
        if begun.tzinfo is None:
            raise ValueError("begun has no time zone, so it names no moment")
        utc = begun.astimezone(datetime.timezone.utc)
        body["begun"] = utc.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return "POST", source_path(integration, source, "/lists"), body


def batches(users: Iterable[SourceUser]) -> Iterator[List[SourceUser]]:
    source = iter(users)
    while True:
        batch = list(itertools.islice(source, BATCH))
        if not batch:
            return
        yield batch


#: Begins something, under the number of whoever waits for it; answers the library's number of it.
Begin = Callable[[int], int]


class ListHandle:
    """What a list is to the library; those who wait and those who await stand on it."""

    def __init__(self, engine: Engine, by: Caller, id: str) -> None:
        self.engine = engine
        self.id = id
        keep = [x.encode() for x in (by.workspace, by.token, id)]
        caller = ffi.new("deprov_caller *")
        caller.struct_size = ffi.sizeof("deprov_caller")
        named = ffi.new("deprov_str *")
        buffers = [ffi.from_buffer("char[]", x) for x in keep]
        for place, buffer, value in zip((caller.workspace, caller.token, named[0]), buffers, keep):
            place.ptr = buffer
            place.len = len(value)
        made = ffi.new("deprov_list **")
        error = ffi.new("deprov_error **")
        with Use(engine) as handle:
            errors.check(lib.deprov_list_open(handle, caller, named[0], made, error), error)
        self.handle = ffi.gc(made[0], lib.deprov_list_free)

    @property
    def count(self) -> int:
        return int(lib.deprov_list_get_count(self.handle))

    def release(self) -> None:
        ffi.release(self.handle)

    def add(self, users: List[SourceUser]) -> Begin:
        parts: List[str] = []
        for u in users:
            parts += (u.id, u.external_id, u.user_name, u.email)
        parts.append("")
        text = "\0".join(parts).encode()
        inactive = bytes(not u.active for u in users)

        def begin(user: int) -> int:
            token = ffi.new("uint64_t *")
            error = ffi.new("deprov_error **")
            errors.check(lib.deprovpy_list_add(self.handle, user, text, len(text), inactive, len(users), token, error),
                         error)
            return int(token[0])

        return begin

    def end(self, count: Optional[int]) -> Begin:
        return self._step(lib.DEPROV_LIST_END, count, "")

    def give_up(self, failure: str) -> Begin:
        return self._step(lib.DEPROV_LIST_GIVE_UP, None, failure)

    def _step(self, kind: int, count: Optional[int], failure: str) -> Begin:
        why = failure.encode()

        def begin(user: int) -> int:
            step = ffi.new("deprov_list_step *")
            step.struct_size = ffi.sizeof("deprov_list_step")
            step.kind = kind
            step.has_count = count is not None
            step.count = count or 0
            buffer = ffi.from_buffer("char[]", why)
            step.failure.ptr = buffer
            step.failure.len = len(why)
            token = ffi.new("uint64_t *")
            error = ffi.new("deprov_error **")
            errors.check(lib.deprov_list_send(self.handle, step, ffi.cast("void *", user), token, error), error)
            return int(token[0])

        return begin


class SourceList:
    """A list on its way, of :meth:`deprov.Engine.begin_list`. What it changes is decided when its end was seen, and
    judged as one unit. At the end of ``with`` a list that has not ended is given up, and nothing follows from it."""

    def __init__(self, engine: Engine, by: Caller, id: str) -> None:
        self._handle = ListHandle(engine, by, id)
        self._ended = False

    def __enter__(self) -> "SourceList":
        return self

    def __exit__(self, kind: Optional[type], value: Optional[BaseException],
                 trace: Optional["TracebackType"]) -> None:
        self._handle.release()

    @property
    def id(self) -> str:
        return self._handle.id

    @property
    def count(self) -> int:
        """How many users it has."""
        return self._handle.count

    def add(self, users: Iterable[SourceUser]) -> None:
        """The next users, however many; those that are not needed yet are not asked for. What the library refuses stays:
        the list cannot become complete any more."""
        for batch in batches(users):
            self._ask(self._handle.add(batch))

    def end(self, count: Optional[int] = None) -> ListReport:
        """It is over. `count`: how many users there should be, where the source counts them; it has to, unless its
        config says ``whole``. The report: what differs, and what follows. Raises why the list is not complete."""
        return report_of(self._ask(self._handle.end(count)))

    def give_up(self, failure: str = "") -> None:
        """It will not come to its end. Where it could not be read, `failure` says why: that is a failure of the source."""
        self._ask(self._handle.give_up(failure))

    def _ask(self, begin: Begin) -> Any:
        engine = self._handle.engine
        waiter = Waiter()
        hub = engine._hub
        user = hub.expect(waiter)
        token = 0
        with Use(engine) as handle:
            try:
                token = begin(user)
                hub.wait(waiter)
            except BaseException:
                hub.forget(user)
                if token != 0:
                    lib.deprov_engine_cancel(handle, token, _NULL)
                raise
        if waiter.answer is None:
            raise empty_error(waiter.status)
        return _answered(Response(*waiter.answer))
