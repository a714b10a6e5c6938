"""The completion queue of an engine, told apart: each request that was begun has somebody who waits for it, in a
thread or in an event loop. Whoever looks hands everybody theirs."""

from __future__ import annotations

import itertools
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import _process, errors
from ._native import ffi, lib

# How long a thread is in the library without looking for signals.
SLICE_MS = 100
_BATCH = 64

_EVENTS = ffi.typeof("deprovpy_event[]")
_SIZE = ffi.typeof("size_t *")
_ERROR = ffi.typeof("deprov_error **")
_TOKEN = ffi.typeof("uint64_t *")
_TIMEOUT = int(lib.DEPROV_ERR_TIMEOUT)
_NULL = ffi.NULL
_free = lib.deprov_response_free
_buffer = ffi.buffer


# A response, its HTTP status, whether its body comes in pieces, and the body where it does not and is known.
Answer = Tuple[Any, int, int, Optional[bytes]]
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


class Room:
    """Where the library puts what ended."""

    __slots__ = ("error", "events", "taken", "token")

    def __init__(self) -> None:
        self.events = ffi.new(_EVENTS, _BATCH)
        self.taken = ffi.new(_SIZE)
        self.token = ffi.new(_TOKEN)
        self.error = ffi.new(_ERROR)


class Hub:
    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._ids = itertools.count(1)
        self._waiting: Dict[int, Taken] = {}
        self._leading = threading.Lock()
        self._leader = 0
        self._room = Room()  # the leader's
        self.loops = 0  # event loops that look by themselves

    def expect(self, taken: Taken) -> int:
        """The number that names `taken` to the library. It is called once, by whichever thread looks."""
        user = next(self._ids)
        self._waiting[user] = taken
        return user

    def forget(self, user: int) -> None:
        self._waiting.pop(user, None)

    def ask(self, user: int, packed: Tuple[Any, ...], waiter: Waiter) -> None:
        """Begins a request, and is the one that looks, where nobody else is."""
        here = threading.get_ident()
        lead = self.loops == 0 and self._leader != here and self._leading.acquire(blocking=False)
        room = self._room if lead else Room()
        try:
            if lead:
                self._leader = here
            status = lib.deprovpy_ask(self._engine, user, *packed, room.token, room.events, SLICE_MS if lead else 0,
                                      room.taken, room.error)
            waiter.token = room.token[0]
            self.hand_out(room, status)
        finally:
            if lead:
                self._leader = 0
                self._leading.release()

    def take(self, timeout_ms: int) -> int:
        """Hands out what ended; how much that was. Raises ClosedError when all is over."""
        room = Room()
        return self.hand_out(room, lib.deprovpy_next(self._engine, room.events, timeout_ms, room.taken, room.error))

    def hand_out(self, room: Room, status: int) -> int:
        count = int(room.taken[0])
        if status != 0:
            if status != _TIMEOUT:
                errors.check(status, room.error)
            _process.raise_interrupt()
        events = room.events
        waiting = self._waiting
        for i in range(count):
            event = events[i]
            response = event.response
            answer: Optional[Answer] = None
            if response:
                streaming = event.streaming
                whole = None if streaming else bytes(_buffer(event.body.ptr, event.body.len))
                answer = (ffi.gc(response, _free), event.http, streaming, whole)
            handler = waiting.pop(event.user, None)
            # Kinds of events that are not known are nobody's.
            if handler is not None:
                handler(event.status, answer)
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
            elif self._leading.acquire(blocking=False):
                self._leader = here
                try:
                    self.take(SLICE_MS)
                finally:
                    self._leader = 0
                    self._leading.release()
            else:
                waiter.wait(0.02)

    def waiting(self) -> List[Taken]:
        return list(self._waiting.values())

    def fail_all(self) -> None:
        """The engine is gone: nobody is answered any more."""
        while self._waiting:
            try:
                _, taken = self._waiting.popitem()
            except KeyError:
                return
            taken(int(lib.DEPROV_ERR_CLOSED), None)


def empty_error(status: int) -> errors.Error:
    return errors.make(status, {int(lib.DEPROV_ERR_CANCELLED): "the request was cancelled",
                                int(lib.DEPROV_ERR_CLOSED): "the engine is closed"}.get(status, ""))

