"""What can go wrong: one exception for each status that programs branch on, all of them :class:`Error`."""

from __future__ import annotations

import builtins
from typing import Any, Dict, NoReturn, Optional, Type

from ._native import ffi, lib


class Error(Exception):
    """A status other than ok, with its words.

    ``status`` is the number and ``name`` the stable short name of it; ``detail`` says what is wrong, ``where`` names
    the option, attribute or file, and ``advice`` what to do. ``str()`` has all of it in one line.
    """

    status: int = 0

    def __init__(self, message: str, *, status: Optional[int] = None, detail: str = "", where: str = "",
                 advice: str = "") -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
        self.detail = detail or message
        self.where = where
        self.advice = advice

    @property
    def name(self) -> str:
        return status_name(self.status)


class InvalidError(Error, ValueError):
    """Input that cannot be understood or accepted (statuses 1 to 17); ``name`` says which of them."""

    status = int(lib.DEPROV_ERR_INVALID_ARGUMENT)


class LimitExceededError(InvalidError):
    """A size, depth or count is over its bound, which the text names."""

    status = int(lib.DEPROV_ERR_LIMIT_EXCEEDED)


class UniquenessError(InvalidError):
    """The name is taken."""

    status = int(lib.DEPROV_ERR_UNIQUENESS)


class UnsupportedError(InvalidError):
    """Known, and not offered here."""

    status = int(lib.DEPROV_ERR_UNSUPPORTED)


class UnauthorizedError(Error):
    """The token is none, or nobody's."""

    status = int(lib.DEPROV_ERR_UNAUTHORIZED)


class ForbiddenError(Error, PermissionError):
    """Known who asks, and not allowed."""

    status = int(lib.DEPROV_ERR_FORBIDDEN)


class NotFoundError(Error, LookupError):
    """There is no such thing."""

    status = int(lib.DEPROV_ERR_NOT_FOUND)


class ConflictError(Error):
    """The present state does not allow it."""

    status = int(lib.DEPROV_ERR_CONFLICT)


class PreconditionFailedError(ConflictError):
    """It was changed by somebody else meanwhile."""

    status = int(lib.DEPROV_ERR_PRECONDITION_FAILED)


class BusyError(Error):
    """Back-pressure: try again later, nothing was done."""

    status = int(lib.DEPROV_ERR_BUSY)


class StoreError(Error, OSError):
    """The data directory: it cannot be read or written, is full, damaged, too new, or another process has it."""

    status = int(lib.DEPROV_ERR_IO)


class StoreLockedError(StoreError):
    """Another process has the data directory."""

    status = int(lib.DEPROV_ERR_STORE_LOCKED)


class HeldError(Error):
    """The guard holds it, until a person decides."""

    status = int(lib.DEPROV_ERR_HELD_BY_GUARD)


class TimeoutError(Error, builtins.TimeoutError):  # noqa: A001  (read as deprov.TimeoutError)
    """The time that the caller gave ran out."""

    status = int(lib.DEPROV_ERR_TIMEOUT)


class CancelledError(Error):
    """It was cancelled; what was asked for may have happened all the same."""

    status = int(lib.DEPROV_ERR_CANCELLED)


class ClosedError(Error):
    """The engine is closed, or what was asked for ended with it."""

    status = int(lib.DEPROV_ERR_CLOSED)


class WrongThreadError(Error, RuntimeError):
    """A connector's method that runs on the engine's own thread may not wait for the engine."""

    status = int(lib.DEPROV_ERR_WRONG_THREAD)


class ForkedError(ClosedError, RuntimeError):
    """This process was forked from one that had opened an engine: its threads are not here, and neither is its lock
    on the data directory. Open engines after the fork, or start processes with the method "spawn"."""


class ProtocolError(Error):
    """The other side, an app or an IdP, does not keep to its protocol."""

    status = int(lib.DEPROV_ERR_PROTOCOL)


class InternalError(Error):
    """A fault of deprov, or a status that this package does not know."""

    status = int(lib.DEPROV_ERR_INTERNAL)


_classes: Dict[int, Type[Error]] = {
    int(lib.DEPROV_ERR_PRECONDITION_FAILED): PreconditionFailedError,
    int(lib.DEPROV_ERR_RATE_LIMITED): BusyError,
    int(lib.DEPROV_ERR_METHOD_NOT_ALLOWED): UnsupportedError,
    int(lib.DEPROV_ERR_STORAGE_FULL): StoreError,
    int(lib.DEPROV_ERR_STORE_VERSION): StoreError,
    int(lib.DEPROV_ERR_STORE_CORRUPT): StoreError,
    int(lib.DEPROV_ERR_UNAVAILABLE): BusyError,
}
for _class in (LimitExceededError, UniquenessError, UnsupportedError, UnauthorizedError, ForbiddenError, NotFoundError,
               ConflictError, BusyError, StoreError, StoreLockedError, HeldError, TimeoutError, CancelledError,
               ClosedError, WrongThreadError, ProtocolError):
    _classes[_class.status] = _class


def text(value: Any) -> str:
    """A deprov_str as a Python text."""
    return bytes_of(value).decode("utf-8", "replace")


def bytes_of(value: Any) -> bytes:
    return b"" if value.len == 0 else bytes(ffi.unpack(value.ptr, value.len))


def status_name(status: int) -> str:
    return text(lib.deprov_status_get_name(status))


# The admin API says the same short names in its answers.
by_name: Dict[str, int] = {
    status_name(int(getattr(lib, n))): int(getattr(lib, n)) for n in dir(lib) if n.startswith("DEPROV_ERR_")
}


def make(status: int, message: str = "", detail: str = "", where: str = "", advice: str = "") -> Error:
    if message == "":
        message = (f"{where}: " if where else "") + (detail or status_name(status)) + (f"; {advice}" if advice else "")
    chosen = _classes.get(status)
    if chosen is None:
        chosen = InvalidError if 0 < status < 40 else InternalError
    return chosen(message, status=status, detail=detail, where=where, advice=advice)


def raise_for(status: int, error: Any) -> NoReturn:
    """Raises what a function of the library said; ``error`` is freed."""
    if status == int(lib.DEPROV_ERR_NO_MEMORY):
        lib.deprov_error_free(error)
        raise MemoryError("deprov has no memory left")
    made = make(status, text(lib.deprov_error_get_message(error)), text(lib.deprov_error_get_detail(error)),
                text(lib.deprov_error_get_where(error)), text(lib.deprov_error_get_advice(error)))
    lib.deprov_error_free(error)
    raise made


def check(status: int, error: Any) -> None:
    """``error`` is the deprov_error ** that the call was given."""
    if status != 0:
        raise_for(status, error[0])
