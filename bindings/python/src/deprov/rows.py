"""Records, one after the other."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Callable, Generic, Iterator, Optional, Tuple, TypeVar

from . import _process, errors
from ._hub import Taken, Waiter
from ._native import ffi, lib

if TYPE_CHECKING:
    from .engine import Engine

R = TypeVar("R")

_END = int(lib.DEPROV_END)
_NULL = ffi.NULL
_TOKEN = ffi.typeof("uint64_t *")
_ERROR = ffi.typeof("deprov_error **")
_main_ident = _process.main_ident


class Use:
    """Somebody is inside of the library with this engine."""

    __slots__ = ("_engine",)

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def __enter__(self) -> Any:
        self._engine._enter()
        return self._engine._handle

    def __exit__(self, *_: object) -> None:
        self._engine._exit()


class Rows(Iterator[R], Generic[R]):
    """Records, one after the other; threads take turns. At the end the iteration stops; of activity and notifications
    more may come, and a new ``for`` over the same rows goes on with it."""

    def __init__(self, handle: Any, engine: "Engine", record: Callable[[Any], R]) -> None:
        self._handle = handle
        self._record = record
        self._engine = engine
        self._row = ffi.new("deprov_str *")
        self._error = ffi.new(_ERROR)
        self._turn = threading.Lock()  # the library has one thread at a time for rows

    def __iter__(self) -> "Rows[R]":
        return self

    def __next__(self) -> R:
        with Use(self._engine):
            if threading.get_ident() == _main_ident:
                self._hear_signals()
            record = self._read()
        if record is None:
            raise StopIteration
        return record

    def _read(self) -> Optional[R]:
        with self._turn:
            status = lib.deprov_rows_next(self._handle, self._row, self._error)
            if status == _END:
                lib.deprov_error_free(self._error[0])
                return None
            errors.check(status, self._error)
            row = errors.bytes_of(self._row[0])
        return self._record(json.loads(row))

    def _want(self, taken: Taken) -> Tuple[int, int]:
        """The numbers that name the wish, for the hub and for the library; both 0 where a row can be read now."""
        hub = self._engine._hub
        user = hub.expect(taken)
        token = ffi.new(_TOKEN)
        error = ffi.new(_ERROR)
        with self._turn:
            status = lib.deprov_rows_want(self._handle, ffi.cast("void *", user), token, error)
        if status == 0 and token[0] != 0:
            return user, int(token[0])
        hub.forget(user)
        errors.check(status, error)
        return 0, 0

    def _hear_signals(self) -> None:
        waiter = Waiter()
        user, token = self._want(waiter)
        if token == 0:
            return
        try:
            self._engine._hub.wait(waiter)
        except BaseException:
            self._engine._hub.forget(user)
            lib.deprov_engine_cancel(self._engine._handle, token, _NULL)
            raise

    @property
    def restart(self) -> str:
        """Where these rows are: what `restart` takes, in this process or in another, today or later."""
        with self._turn:
            return errors.text(lib.deprov_rows_get_restart(self._handle))
