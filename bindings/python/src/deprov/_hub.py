"""The completion queue of an engine, told apart: each request that was begun has somebody who waits for it, in a
thread or in an event loop. Whoever looks hands everybody theirs."""

from __future__ import annotations

import itertools
import threading
from typing import Any, Callable, Dict, List, Optional, Protocol, Tuple

from . import _process, errors
from ._native import ffi, lib

# How long a thread is in the library without looking for signals.
SLICE_MS = 100

# Of answers that are taken whole, many at once.
TEXT = 64 * 1024

_ROOM = ffi.typeof("deprovpy_room *")
_CHARS = ffi.typeof("char[]")
_TIMEOUT = int(lib.DEPROV_ERR_TIMEOUT)
_CANCELLED = int(lib.DEPROV_ERR_CANCELLED)
_free = lib.deprov_response_free
_next = lib.deprovpy_next


# An HTTP status; its headers (name and value, each with a zero behind it) and its body as they lay in memory, or else the
# library's response, and whether its body comes in pieces.
Answer = Tuple[int, bytes, Optional[bytes], Any, bool]
Taken = Callable[[int, Optional[Answer]], None]


class Waiter:
    """A thread that waits. It gets what ended, or why nothing did."""

    __slots__ = ("answer", "done", "status", "token", "_event")

    def __init__(self) -> None:
        self.done = False
        self.status = 0
        self.token = 0
        self.answer: Optional[Answer] = None
        self._event: Optional[threading.Event] = None

    def __call__(self, status: int, answer: Optional[Answer]) -> None:
        if self.done:
            return
        self.status = status
        self.answer = answer
        self.done = True
        if self._event is not None:
            self._event.set()

    def wait(self, seconds: float) -> None:
        # That it is done may be missed, for as long as `seconds`.
        if self._event is None:
            self._event = threading.Event()
        if not self.done:
            self._event.wait(seconds)


class Numbered(Protocol):
    """Whoever is told the library's number of a request, which cancels it."""

    token: int


class Room:
    """Where the library puts what ended; with `text`, whole answers are taken out of its memory at once."""

    __slots__ = ("c", "address", "events", "text", "waiter", "_keep")

    def __init__(self, text: int = 0) -> None:
        self.c = ffi.new(_ROOM)
        self.address = int(ffi.cast("uintptr_t", self.c))
        self.events = self.c.events
        self._keep = ffi.new(_CHARS, text)
        self.c.text = self._keep
        self.c.text_size = text
        self.text = ffi.buffer(self._keep)
        self.waiter = Waiter()  # for whoever asks with this room; one that had to wait is replaced

    def answer(self, event: Any) -> Optional[Answer]:
        http = event.http
        if http == 0:
            return None
        response = event.response
        if response:
            return http, b"", None, ffi.gc(response, _free), event.streaming != 0
        begin = event.at
        body = begin + event.head
        return http, self.text[begin:body], self.text[body:begin + event.whole], None, False


class Hub:
    def __init__(self, engine: Any) -> None:
        self._engine = engine
        # Whoever asks and is answered at once goes through these by itself: each step is one of the interpreter.
        self.ids = itertools.count(1)
        self.expected: Dict[int, Taken] = {}
        self.rooms: List[Room] = []  # of threads that asked
        self._leading = threading.Lock()
        self._leader = 0
        self._room = Room(TEXT)  # the leader's
        self.loops = 0  # event loops that look by themselves

    def expect(self, taken: Taken) -> int:
        """The number that names `taken` to the library. It is called once, by whichever thread looks."""
        user = next(self.ids)
        self.expected[user] = taken
        return user

    def forget(self, user: int) -> None:
        self.expected.pop(user, None)

    def begun(self, room: Room, waiter: Numbered) -> None:
        """A request was begun with the room, and not answered there. Hands out what else ended meanwhile."""
        waiter.token = room.c.token
        self.hand_out(room, room.c.status)

    def take(self, timeout_ms: int, room: Optional[Room] = None) -> int:
        """Hands out what ended; how much that was. Raises ClosedError when all is over."""
        room = room or Room()
        return self.hand_out(room, _next(self._engine, room.c, timeout_ms))

    def hand_out(self, room: Room, status: int) -> int:
        count: int = room.c.taken
        if status != 0:
            if status != _TIMEOUT:
                errors.raise_for(status, room.c.error)
            _process.raise_interrupt()
        waiting = self.expected
        user = next_one = 0
        handler: Optional[Taken] = None
        failed: Optional[BaseException] = None
        while next_one < count:
            try:
                while next_one < count:
                    handler = None
                    event = room.events[next_one]
                    user = event.user
                    next_one += 1
                    answer = room.answer(event)
                    handler = waiting.pop(user, None)
                    # Kinds of events that are not known are nobody's.
                    if handler is not None:
                        handler(event.status, answer)
            except BaseException as e:  # noqa: BLE001  (a signal, say: nobody else's answer is lost for it)
                failed = e
                handler = handler or waiting.pop(user, None)
                if handler is not None:
                    handler(_CANCELLED, None)
        if failed is not None:
            raise failed
        return count

    def wait(self, waiter: Waiter) -> None:
        """Until the waiter has what it waits for. Signals are seen at least every SLICE_MS. WrongThreadError where a
        callback of the engine waits for it."""
        here = threading.get_ident()
        while not waiter.done:
            if self.loops > 0 and self._leader != here:
                # An event loop is faster, but may be busy with something of its own.
                waiter.wait(0.02)
                if not waiter.done:
                    self.take(1)
            elif self._leader == here:
                self.take(SLICE_MS)
            elif self._leading.locked():
                waiter.wait(0.02)
            else:
                with self._leading:  # no signal comes between taking it and knowing that it was taken
                    self._leader = here
                    try:
                        if not waiter.done:
                            self.take(SLICE_MS, self._room)
                    finally:
                        self._leader = 0

    def waiting(self) -> List[Taken]:
        return list(self.expected.values())

    def fail_all(self) -> None:
        """The engine is gone: nobody is answered any more."""
        while self.expected:
            try:
                _, taken = self.expected.popitem()
            except KeyError:
                return
            taken(int(lib.DEPROV_ERR_CLOSED), None)


def empty_error(status: int) -> errors.Error:
    return errors.make(status, {int(lib.DEPROV_ERR_CANCELLED): "the request was cancelled",
                                int(lib.DEPROV_ERR_CLOSED): "the engine is closed"}.get(status, ""))

