"""What a connector of Python keeps for its integration: asking the library, and being told."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import Any, Optional, Tuple

from . import _process, errors
from ._native import ffi, lib


class Checkpoint:
    """Whoever waits for what became of a checkpoint. Told once, by the engine's thread."""

    def __init__(self, sets: bool) -> None:
        self._sets = sets
        self._future: "concurrent.futures.Future[Tuple[int, str]]" = concurrent.futures.Future()

    def told(self, status: int, value: str) -> None:
        self._future.set_result((status, value))

    def wait(self) -> Optional[str]:
        return self._of(*self._future.result())

    async def awaited(self) -> Optional[str]:
        loop = asyncio.get_running_loop()
        woken: "asyncio.Future[None]" = loop.create_future()

        def settle() -> None:
            if not woken.done():
                woken.set_result(None)

        def wake(_: object) -> None:
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:  # the loop was closed meanwhile
                pass

        self._future.add_done_callback(wake)
        await woken
        return self._of(*self._future.result())

    def _of(self, status: int, value: str) -> Optional[str]:
        if status == int(lib.DEPROV_ERR_NOT_FOUND) and not self._sets:
            return None
        if status != 0:
            raise errors.make(status, detail="the checkpoint was not kept" if self._sets else "the checkpoint was not found",
                              where="checkpoint")
        return value


engine_thread = threading.local()


def not_the_engine() -> None:
    if getattr(engine_thread, "inside", 0):
        raise errors.make(int(lib.DEPROV_ERR_WRONG_THREAD), detail="this is the engine's own thread, which would tell what is "
                          "kept", where="checkpoint", advice="give the connector workers, or use an async def method")


def begin(handle: Any, name: str, value: Optional[str]) -> Checkpoint:
    """Keeps `value` under `name`, or asks what is kept there. Raises what the library refuses."""
    _process.check_fork()
    keep = [ffi.from_buffer("char[]", each.encode()) for each in (name, value or "")]
    at, text = ({"ptr": buffer, "len": len(buffer)} for buffer in keep)
    error = ffi.new("deprov_error **")
    told = Checkpoint(value is not None)
    user = _process.user_of(told)
    if value is None:
        status = lib.deprov_call_checkpoint_get(handle, at, user, lib.deprovpy_found, error)
    else:
        status = lib.deprov_call_checkpoint_set(handle, at, text, user, lib.deprovpy_kept, error)
    if status != 0:
        _process._handles.discard(user)
        errors.raise_for(status, error[0])
    return told


@ffi.def_extern(onerror=_process.in_callback)  # type: ignore[untyped-decorator]
def deprovpy_found(user: Any, status: int, value: Any) -> None:
    told: Checkpoint = ffi.from_handle(user)
    _process._handles.discard(user)
    told.told(status, errors.text(value))


@ffi.def_extern(onerror=_process.in_callback)  # type: ignore[untyped-decorator]
def deprovpy_kept(user: Any, status: int) -> None:
    told: Checkpoint = ffi.from_handle(user)
    _process._handles.discard(user)
    told.told(status, "")
