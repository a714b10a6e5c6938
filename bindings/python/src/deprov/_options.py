"""How an engine is opened: what Python says, as the library takes it, and what the library calls meanwhile and later."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pathlib
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from . import _process, errors
from ._native import ffi, lib
from .connector import kind_of

Path = Union[str, "os.PathLike[str]"]
LogCallback = Callable[[int, str], None]


@dataclasses.dataclass(frozen=True)
class WorkerLimits:
    """What the kernel ends a worker for, or refuses to it; 0 is the usual bound."""

    #: Of address space; 4 GiB.
    memory_bytes: int = 0
    #: Without a new call in between; 60.
    cpu_seconds: int = 0
    #: Open descriptors; 256.
    files: int = 0
    #: In flight at once, the others wait in this process; 64.
    calls: int = 0


@dataclasses.dataclass(frozen=True)
class Plugins:
    """Connectors in files of their own, which are loaded where this says so. Paths are absolute; the files and all
    directories above them are writable by nobody but root and this user."""

    #: Every plugin in them.
    directories: Iterable[Path] = ()
    #: Single ones: path to SHA-256.
    files: Mapping[Path, str] = dataclasses.field(default_factory=dict)
    #: ``deprov-connector-worker``; None: the one that came with this package.
    worker: Optional[Path] = None
    #: "in_process" or "worker": of integrations whose setting ``placement`` does not say.
    placement: str = "in_process"
    limits: WorkerLimits = WorkerLimits()
    #: Is told of each HTTP exchange of theirs (``schemas/connector-recording.schema.json``), which is without credentials,
    #: but has what else bodies say of people. On the engine's thread, which waits meanwhile; it calls nothing of deprov.
    record: Optional[Callable[[Dict[str, Any]], None]] = None


_placements = {"in_process": int(lib.DEPROV_PLACEMENT_IN_PROCESS), "worker": int(lib.DEPROV_PLACEMENT_WORKER)}


def own_worker() -> Optional[pathlib.Path]:
    """The worker that came with this package."""
    path = pathlib.Path(__file__).resolve().parent / "deprov-connector-worker"
    return path if path.is_file() else None


def open_engine(directory: Optional[Path], *, memory: bool, url: str, must_exist: bool, look_only: bool, host_driven: bool,
                store_readers: int, key: Union[bytes, Callable[[], bytes], None], key_file: Optional[Path],
                clock: Optional[Callable[[], float]], log: Union[LogCallback, logging.Logger, None],
                connectors: Iterable[Any], plugins: Optional[Plugins]) -> Any:
    """Answers the library's handle. Raises what the library refuses, or what `key` raised."""
    if directory is None and not memory and not url:
        raise errors.InvalidError("directory: is not given; name one, or say memory=True", where="directory",
                                  detail="is not given", advice="name one, or say memory=True")
    kinds = [kind_of(c) for c in connectors]
    options = ffi.new("deprov_engine_options *")
    options.struct_size = ffi.sizeof("deprov_engine_options")
    keep: List[Any] = []
    options.store = lib.DEPROV_STORE_MEMORY if memory else lib.DEPROV_STORE_DIRECTORY
    if directory is not None:
        _put(options.directory, os.fsencode(directory), keep)
    _put(options.store_url, url.encode(), keep)
    options.must_exist = must_exist
    options.look_only = look_only
    options.host_driven = host_driven
    options.store_readers = store_readers
    if plugins is not None:
        _put_plugins(options, plugins, keep)
    asked: Optional[_Key] = None
    if key_file is not None:
        options.key_source = lib.DEPROV_KEY_FILE
        _put(options.key_file, os.fsencode(key_file), keep)
    elif callable(key):
        asked = _Key(key)
    elif key is not None:
        options.key_source = lib.DEPROV_KEY_BYTES
        _put(options.key_bytes, _key_bytes(key), keep)
    array = ffi.new("deprov_connector *[]", [k.handle for k in kinds])
    options.connectors = array
    options.connector_count = len(kinds)
    # Last, since the library takes over what they name, and nothing here may raise in between.
    if asked is not None:
        options.key_source = lib.DEPROV_KEY_CALLBACK
        options.key = lib.deprovpy_key
        options.key_user = _process.user_of(asked)
        options.key_user_free = lib.deprovpy_user_free
    if clock is not None:
        options.clock = lib.deprovpy_clock
        options.clock_user = _process.user_of(clock)
        options.clock_user_free = lib.deprovpy_user_free
    if log is not None:
        options.log = lib.deprovpy_log
        options.log_user = _process.user_of(log.log if isinstance(log, logging.Logger) else log)
        options.log_user_free = lib.deprovpy_user_free
    if plugins is not None and plugins.record is not None:
        options.plugin_record = lib.deprovpy_record
        options.plugin_record_user = _process.user_of(plugins.record)
        options.plugin_record_user_free = lib.deprovpy_user_free
    engine = ffi.new("deprov_engine **")
    error = ffi.new("deprov_error **")
    status = lib.deprov_engine_open(options, engine, error)
    if asked is not None and asked.raised is not None:
        lib.deprov_error_free(error[0])
        raise asked.raised
    errors.check(status, error)
    return engine[0]


def _put(place: Any, value: bytes, keep: List[Any]) -> None:
    keep.append(ffi.from_buffer("char[]", value))
    place.ptr = keep[-1]
    place.len = len(value)


def _put_plugins(options: Any, plugins: Plugins, keep: List[Any]) -> None:
    placement = _placements.get(plugins.placement)
    if placement is None:
        raise ValueError(f"plugins.placement is {plugins.placement!r}; give \"in_process\" or \"worker\"")
    directories = [os.fsencode(d) for d in plugins.directories]
    files: List[Tuple[bytes, bytes]] = [(os.fsencode(path), sha.encode()) for path, sha in plugins.files.items()]
    options.plugin_directories = texts = ffi.new("deprov_str[]", len(directories))
    options.plugin_directory_count = len(directories)
    for text, directory in zip(texts, directories):
        _put(text, directory, keep)
    options.plugin_files = allowed = ffi.new("deprov_plugin_file[]", len(files))
    options.plugin_file_count = len(files)
    for file, (path, sha256) in zip(allowed, files):
        _put(file.path, path, keep)
        _put(file.sha256, sha256, keep)
    keep += [texts, allowed]
    worker = plugins.worker if plugins.worker is not None else own_worker()
    if worker is not None:
        _put(options.plugin_worker, os.fsencode(worker), keep)
    options.plugin_placement = placement
    options.worker_memory_bytes = plugins.limits.memory_bytes
    options.worker_cpu_seconds = plugins.limits.cpu_seconds
    options.worker_files = plugins.limits.files
    options.worker_calls = plugins.limits.calls


def _key_bytes(key: Any) -> bytes:
    """A number is no key: bytes(32) would be 32 zeros."""
    if not isinstance(key, (bytes, bytearray, memoryview)):
        raise TypeError(f"the master key is 32 bytes, and not {type(key).__name__}")
    return bytes(key)


# ---- what the library calls

class _Key:
    def __init__(self, ask: Callable[[], bytes]) -> None:
        self.ask = ask
        self.raised: Optional[BaseException] = None


@ffi.def_extern(error=int(lib.DEPROV_ERR_INTERNAL))  # type: ignore[untyped-decorator]
def deprovpy_key(user: Any, key: Any) -> int:
    holder: _Key = ffi.from_handle(user)
    try:
        found = _key_bytes(holder.ask())
        if len(found) != 32:
            raise ValueError(f"the master key has {len(found)} bytes; it needs 32")
        ffi.memmove(key, found, 32)
        return 0
    except BaseException as e:  # noqa: BLE001  (Engine() raises it)
        holder.raised = e
        return int(lib.DEPROV_ERR_INVALID_ARGUMENT)


@ffi.def_extern(onerror=_process.in_callback)  # type: ignore[untyped-decorator]
def deprovpy_clock(user: Any) -> int:
    try:
        now = int(ffi.from_handle(user)() * 1_000_000)
        if not -2**63 <= now < 2**63:
            raise OverflowError(f"the clock shows {now} microseconds, which is beyond what can be dated")
        return now
    except BaseException as e:  # noqa: BLE001  (there is nobody to be told, and 1970 would date what happens)
        _process.in_callback(type(e), e, e.__traceback__)
        return time.time_ns() // 1000


_levels = {int(lib.DEPROV_LOG_INFO): logging.INFO, int(lib.DEPROV_LOG_WARNING): logging.WARNING,
           int(lib.DEPROV_LOG_ERROR): logging.ERROR}


@ffi.def_extern(onerror=_process.in_callback)  # type: ignore[untyped-decorator]
def deprovpy_log(user: Any, level: int, message: Any) -> None:
    ffi.from_handle(user)(_levels.get(int(level), logging.ERROR), errors.text(message))


@ffi.def_extern(onerror=_process.in_callback)  # type: ignore[untyped-decorator]
def deprovpy_record(user: Any, exchange: Any) -> None:
    ffi.from_handle(user)(json.loads(errors.text(exchange)))
