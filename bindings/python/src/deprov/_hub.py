"""The completion queue of an engine, told apart: each request that was begun has somebody who waits for it, in a
thread or in an event loop. Whoever looks hands everybody theirs."""

from __future__ import annotations

import itertools
import threading
from typing import Any, Callable, Dict, Optional

from . import _process, errors
from ._native import ffi, lib

# How long a thread is in the library without looking for signals.
SLICE_MS = 100
_BATCH = 64

Taken = Callable[[int, Any], None]


class Waiter:
    """A thread that waits. It gets what ended, or why nothing did."""

    __slots__ = ("done", "status", "response", "_event")

    def __init__(self) -> None:
        self.done = False
        self.status = 0
        self.response: Any = None
        self._event = threading.Event()

    def __call__(self, status: int, response: Any) -> None:
        self.status = status
        self.response = response
        self.done = True
        self._event.set()

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)


class Hub:
    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._ids = itertools.count(1)
        self._waiting: Dict[int, Taken] = {}
        self._leading = threading.Lock()
        self._leader = 0
        self.loops = 0  # event loops that look by themselves

    def expect(self, taken: Taken) -> int:
        """The number that names `taken` to the library. It is called once, by whichever thread looks."""
        user = next(self._ids)
        self._waiting[user] = taken
        return user

    def forget(self, user: int) -> None:
        self._waiting.pop(user, None)

    def take(self, timeout_ms: int) -> int:
        """Hands out what ended; how much that was. Raises ClosedError when all is over."""
        events = ffi.new("deprov_event[]", _BATCH)
        taken = ffi.new("size_t *")
        error = ffi.new("deprov_error **")
        status = lib.deprov_engine_next(self._engine, events, _BATCH, timeout_ms, taken, error)
        if _process._interrupted and status in (0, lib.DEPROV_ERR_TIMEOUT) and taken[0] == 0:
            lib.deprov_error_free(error[0])
            _process.raise_interrupt()
            return 0
        if status == lib.DEPROV_ERR_TIMEOUT:
            lib.deprov_error_free(error[0])
            return 0
        errors.check(status, error)
        count = int(taken[0])
        for i in range(count):
            event = events[i]
            response = event.response
            if response != ffi.NULL:
                response = ffi.gc(response, lib.deprov_response_free)
            handler = self._waiting.pop(int(ffi.cast("uintptr_t", event.user)), None)
            # Kinds of events that are not known are nobody's.
            if handler is not None:
                handler(int(event.status), response)
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

    def fail_all(self) -> None:
        """The engine is gone: nobody is answered any more."""
        while self._waiting:
            try:
                _, taken = self._waiting.popitem()
            except KeyError:
                return
            taken(int(lib.DEPROV_ERR_CLOSED), ffi.NULL)


def empty_error(status: int) -> errors.Error:
    return errors.make(status, {int(lib.DEPROV_ERR_CANCELLED): "the request was cancelled",
                                int(lib.DEPROV_ERR_CLOSED): "the engine is closed"}.get(status, ""))


def optional(value: Optional[str]) -> bytes:
    return b"" if value is None else value.encode()
