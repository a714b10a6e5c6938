"""What belongs to the process: forks are noticed, callbacks are kept alive, and handles that nobody closed are let
go of by a thread of their own."""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
import weakref
from typing import Any, Callable, Optional, Set

from ._ask import interpreter
from ._native import ffi, lib
from .errors import ForkedError

if interpreter() != 0:
    # The library's threads would call into the main interpreter with what belongs to this one.
    raise ImportError("deprov is for the main interpreter of a process, and not for a subinterpreter; with mod_wsgi set "
                      "WSGIApplicationGroup %{GLOBAL}")

_opened_here = False
_forked = False
_handles: Set[Any] = set()


def opened() -> None:
    global _opened_here
    _opened_here = True


def after_fork() -> None:
    global _forked, _reaper
    _forked = _forked or _opened_here
    _reaper = None


os.register_at_fork(after_in_child=after_fork)


def forked() -> bool:
    return _forked


def check_fork() -> None:
    if _forked:
        raise ForkedError("this process was forked from one that had opened an engine; open engines after the fork, "
                          'or start processes with the method "spawn"')


def user_of(value: object) -> Any:
    """A `user` that names `value`, until the library calls its `user_free`."""
    handle = ffi.new_handle(value)
    _handles.add(handle)
    return handle


_interrupted = False


def interrupted_by(error: BaseException) -> bool:
    """A signal was handled in a callback, above which is the library and nobody who could be told: whoever called
    into the library raises it."""
    global _interrupted
    if isinstance(error, KeyboardInterrupt):
        _interrupted = True
    return isinstance(error, KeyboardInterrupt)


def raise_interrupt() -> None:
    global _interrupted
    if _interrupted and threading.get_ident() == main_ident:
        _interrupted = False
        raise KeyboardInterrupt


main_ident = threading.main_thread().ident


def in_callback(kind: type, value: BaseException, trace: Any) -> None:
    """For callbacks that do nothing but call the host: what it raises is shown as of threads, and has no other
    consequence."""
    if not interrupted_by(value):
        sys.excepthook(kind, value, trace)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def deprovpy_user_free(user: Any) -> None:
    _handles.discard(user)


class _Reaper:
    """Freeing an engine may wait for its calls, and must not be done by its own thread, where the collector of
    garbage may well run. Engines that were closed are freed where they are."""

    def __init__(self) -> None:
        self._queue: "queue.SimpleQueue[Optional[Callable[[], None]]]" = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="deprov-reaper", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            if work is None:
                return
            work()

    def add(self, work: Callable[[], None]) -> None:
        self._queue.put(work)

    def finish(self) -> None:
        self._queue.put(None)
        self._thread.join()


_reaper: Optional[_Reaper] = None
_exiting = False
_open: "weakref.WeakSet[Any]" = weakref.WeakSet()


def free_later(free: Callable[[Any], None], handle: Any) -> None:
    """From a finalizer: any thread, any moment."""
    global _reaper
    if _forked:
        return
    if _exiting:
        free(handle)
        return
    if _reaper is None:
        _reaper = _Reaper()
    _reaper.add(lambda: free(handle))


def close_at_exit(engine: Any) -> None:
    """Engines end before the interpreter does, which their threads may call."""
    _open.add(engine)


@atexit.register
def _exit() -> None:
    global _exiting
    if _forked:
        return
    for engine in list(_open):
        engine.close(deadline=10.0)
    if _reaper is not None:
        _reaper.finish()
    _exiting = True


free_engine: Callable[[Any], None] = lib.deprov_engine_free
