"""Connectors written in Python: a class with a decorator, whose methods are the operations.

::

    @deprov.connector("wiki", workers=8)
    class Wiki:
        def __init__(self, config):              # the integration's config; raise to refuse it
            ...
        def check(self, call): ...               # any one Account: only then is it believed that one is not there
        def find(self, call): ...                # a list of Account
        def read(self, call): ...                # an Account; None: there is none
        @deprov.operation(reversible=True, idempotency="naturally", verification="read")
        def disable(self, call): ...             # no answer: done

A method answers a :class:`Reply`, or what is simpler, or raises :class:`Failed`. Any other exception is
UNKNOWN_OUTCOME for a change, which is then read back, and INTERNAL for everything else. Methods run in `workers`
threads of the connector; an ``async def`` method runs in an event loop of the connector, and is cancelled as a task.
What an integration has to know again after a restart is kept by :meth:`Call.set_checkpoint`.
With ``workers=0`` methods run on the engine's own thread: they have to be quick, and may not wait for the engine.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import enum
import inspect
import json
import threading
from typing import Any, Callable, Coroutine, Dict, Mapping, Optional, Sequence, Tuple, Type, TypeVar, Union

from . import _process, errors
from ._checkpoint import begin, engine_thread, not_the_engine
from ._native import ffi, lib

T = TypeVar("T", bound=type)
F = TypeVar("F", bound=Callable[..., Any])


class Operation(enum.IntEnum):
    CHECK = lib.DEPROV_OPERATION_CHECK
    FIND = lib.DEPROV_OPERATION_FIND
    READ = lib.DEPROV_OPERATION_READ
    LIST = lib.DEPROV_OPERATION_LIST
    DISABLE = lib.DEPROV_OPERATION_DISABLE
    ENABLE = lib.DEPROV_OPERATION_ENABLE
    REMOVE = lib.DEPROV_OPERATION_REMOVE
    TRANSFER = lib.DEPROV_OPERATION_TRANSFER
    REVOKE_SESSIONS = lib.DEPROV_OPERATION_REVOKE_SESSIONS
    LIST_ENTITLEMENTS = lib.DEPROV_OPERATION_LIST_ENTITLEMENTS
    REVOKE_ENTITLEMENT = lib.DEPROV_OPERATION_REVOKE_ENTITLEMENT
    GRANT_ENTITLEMENT = lib.DEPROV_OPERATION_GRANT_ENTITLEMENT
    POLL = lib.DEPROV_OPERATION_POLL


class Outcome(enum.IntEnum):
    OK = lib.DEPROV_OUTCOME_OK
    NOT_FOUND = lib.DEPROV_OUTCOME_NOT_FOUND
    AMBIGUOUS = lib.DEPROV_OUTCOME_AMBIGUOUS
    CONFLICT_STATE = lib.DEPROV_OUTCOME_CONFLICT_STATE
    PRECONDITION = lib.DEPROV_OUTCOME_PRECONDITION
    PROTECTED = lib.DEPROV_OUTCOME_PROTECTED
    INVALID_REQUEST = lib.DEPROV_OUTCOME_INVALID_REQUEST
    UNSUPPORTED = lib.DEPROV_OUTCOME_UNSUPPORTED
    PERMISSION_DENIED = lib.DEPROV_OUTCOME_PERMISSION_DENIED
    AUTH_EXPIRED = lib.DEPROV_OUTCOME_AUTH_EXPIRED
    AUTH_FAILED = lib.DEPROV_OUTCOME_AUTH_FAILED
    THROTTLED = lib.DEPROV_OUTCOME_THROTTLED
    UNAVAILABLE = lib.DEPROV_OUTCOME_UNAVAILABLE
    NOT_SENT = lib.DEPROV_OUTCOME_NOT_SENT
    UNKNOWN_OUTCOME = lib.DEPROV_OUTCOME_UNKNOWN_OUTCOME
    PROTOCOL = lib.DEPROV_OUTCOME_PROTOCOL
    CANCELLED = lib.DEPROV_OUTCOME_CANCELLED
    DEADLINE = lib.DEPROV_OUTCOME_DEADLINE
    INTERNAL = lib.DEPROV_OUTCOME_INTERNAL


class Effect(enum.IntEnum):
    NONE = lib.DEPROV_EFFECT_NONE
    DONE = lib.DEPROV_EFFECT_DONE
    ALREADY = lib.DEPROV_EFFECT_ALREADY
    ACCEPTED = lib.DEPROV_EFFECT_ACCEPTED


class ThrottleScope(enum.IntEnum):
    CONNECTION = lib.DEPROV_THROTTLE_CONNECTION
    OPERATION = lib.DEPROV_THROTTLE_OPERATION
    ACCOUNT = lib.DEPROV_THROTTLE_ACCOUNT


_CHANGES = frozenset((Operation.DISABLE, Operation.ENABLE, Operation.REMOVE, Operation.TRANSFER,
                      Operation.REVOKE_SESSIONS, Operation.REVOKE_ENTITLEMENT, Operation.GRANT_ENTITLEMENT))


@dataclasses.dataclass(frozen=True)
class Account:
    """An account in the app. ``id`` is immutable; ``active`` is None where the app does not say."""

    id: str
    active: Optional[bool] = None
    user_name: str = ""
    external_id: str = ""
    emails: Tuple[str, ...] = ()
    groups: Tuple[str, ...] = ()

    def _record(self) -> Dict[str, Any]:
        found: Dict[str, Any] = {"id": self.id}
        if self.active is not None:
            found["active"] = self.active
        for name in ("user_name", "external_id"):
            if getattr(self, name):
                found[name] = getattr(self, name)
        for name in ("emails", "groups"):
            if getattr(self, name):
                found[name] = list(getattr(self, name))
        return found


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a call is completed with. ``effect`` left alone is done for a change, and none for everything else.
    ``retry_after`` is in seconds; ``detail`` is for people, and never a secret."""

    outcome: Outcome = Outcome.OK
    effect: Optional[Effect] = None
    accounts: Sequence[Account] = ()
    next_cursor: str = ""
    handle: str = ""
    retry_after: Optional[float] = None
    throttle_scope: ThrottleScope = ThrottleScope.CONNECTION
    detail: str = ""


class Failed(Exception):
    """Raised by a method of a connector: the call ends with this outcome, which is not OK."""

    def __init__(self, outcome: Outcome, detail: str = "", *, retry_after: Optional[float] = None,
                 throttle_scope: ThrottleScope = ThrottleScope.CONNECTION) -> None:
        if outcome is Outcome.OK:
            raise ValueError("OK is no failure: answer a Reply, or nothing")
        super().__init__(f"{outcome.name}: {detail}" if detail else outcome.name)
        self.reply = Reply(outcome, detail=detail, retry_after=retry_after, throttle_scope=throttle_scope)


class _Later(enum.Enum):
    LATER = enum.auto()


LATER = _Later.LATER
"""Answered by a method that keeps the call, and completes it later, from any thread."""

Answer = Union[Reply, Account, Sequence[Account], None, _Later]


class Call:
    """One call to a connector. Completed once; one that is let go of without that has an unknown outcome."""

    __slots__ = ("_handle", "__weakref__")

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def __repr__(self) -> str:
        return f"<deprov.Call {self.operation.name.lower()} {self.account!r}>"

    @property
    def operation(self) -> Operation:
        return Operation(lib.deprov_call_get_operation(self._handle))

    @property
    def account(self) -> str:
        return errors.text(lib.deprov_call_get_account(self._handle))

    @property
    def external_id(self) -> str:
        return errors.text(lib.deprov_call_get_external_id(self._handle))

    @property
    def user_name(self) -> str:
        return errors.text(lib.deprov_call_get_user_name(self._handle))

    @property
    def emails(self) -> Tuple[str, ...]:
        handle = self._handle
        return tuple(errors.text(lib.deprov_call_get_email(handle, i))
                     for i in range(lib.deprov_call_get_email_count(handle)))

    @property
    def entitlement(self) -> str:
        return errors.text(lib.deprov_call_get_entitlement(self._handle))

    @property
    def delete_account(self) -> bool:
        """For remove: the account itself, and not its membership."""
        return bool(lib.deprov_call_get_delete_account(self._handle))

    @property
    def cursor(self) -> str:
        return errors.text(lib.deprov_call_get_cursor(self._handle))

    @property
    def page_size(self) -> int:
        return int(lib.deprov_call_get_page_size(self._handle))

    @property
    def handle(self) -> str:
        """For poll: what the change was accepted with."""
        return errors.text(lib.deprov_call_get_handle(self._handle))

    @property
    def idempotency_key(self) -> str:
        return errors.text(lib.deprov_call_get_idempotency_key(self._handle))

    @property
    def timeout(self) -> float:
        """Seconds that the call may take."""
        return float(lib.deprov_call_get_timeout_ms(self._handle)) / 1000

    @property
    def cancelled(self) -> bool:
        return bool(lib.deprov_call_is_cancelled(self._handle))

    def get_checkpoint(self, name: str) -> Optional[str]:
        """What was last kept under this name for the integration; None where nothing is. Waits: it may not be asked by
        a method that runs on the engine's own thread (:class:`deprov.WrongThreadError`)."""
        not_the_engine()
        return begin(self._handle, name, None).wait()

    def set_checkpoint(self, name: str, value: str) -> None:
        """Keeps a small text (at most 64 KiB, under at most 32 names) for the integration, in place of what was kept
        under this name; it is there after a restart. An empty one forgets it. It is no place for secrets. Waits, as
        :meth:`get_checkpoint`. Raises :class:`deprov.LimitExceededError`, :class:`deprov.NotFoundError` where the
        integration is gone, and what the store says."""
        not_the_engine()
        begin(self._handle, name, value).wait()

    async def get_checkpoint_async(self, name: str) -> Optional[str]:
        """The same for an ``async def`` method."""
        return await begin(self._handle, name, None).awaited()

    async def set_checkpoint_async(self, name: str, value: str) -> None:
        """The same for an ``async def`` method. Where its task is cancelled, the text may be kept or not."""
        await begin(self._handle, name, value).awaited()

    def complete(self, answer: Answer = None) -> bool:
        """Ends the call, from any thread. False: nobody waits for it any more. Raises :class:`deprov.InvalidError`
        for a reply that says nothing sensible, :class:`deprov.ConflictError` the second time."""
        reply = _reply_of(self.operation, answer)
        accounts = b"" if not reply.accounts else json.dumps([a._record() for a in reply.accounts]).encode()
        out = ffi.new("deprov_reply *")
        out.struct_size = ffi.sizeof("deprov_reply")
        out.outcome = int(reply.outcome)
        out.effect = int(reply.effect or Effect.NONE)
        out.throttle_scope = int(reply.throttle_scope)
        if reply.retry_after is not None:
            out.has_retry_after = 1
            out.retry_after_ms = max(0, round(reply.retry_after * 1000))
        keep = []
        for place, value in ((out.accounts, accounts), (out.next_cursor, reply.next_cursor.encode()),
                             (out.handle, reply.handle.encode()), (out.detail, reply.detail.encode("utf-8", "replace"))):
            keep.append(ffi.from_buffer("char[]", value))
            place.ptr = keep[-1]
            place.len = len(value)
        error = ffi.new("deprov_error **")
        status = lib.deprov_call_complete(self._handle, out, error)
        if status == lib.DEPROV_ERR_CLOSED:
            lib.deprov_error_free(error[0])
            return False
        errors.check(status, error)
        return True


def _reply_of(operation: Operation, answer: Any) -> Reply:
    if isinstance(answer, Reply):
        reply = answer
    elif isinstance(answer, Account):
        reply = Reply(accounts=(answer,))
    elif answer is None:
        reply = Reply(Outcome.NOT_FOUND) if operation is Operation.READ else Reply()
    elif isinstance(answer, Sequence) and all(isinstance(a, Account) for a in answer):
        reply = Reply(accounts=answer)
    else:
        raise TypeError(f"a method for {operation.name.lower()} answered {type(answer).__name__}; answer a Reply, an "
                        "Account, a list of Account, None, or LATER")
    if reply.effect is None and reply.outcome is Outcome.OK and operation in _CHANGES:
        return dataclasses.replace(reply, effect=Effect.DONE)
    return reply


# ---- how a class becomes one

def operation(*, reversible: bool = False, idempotency: str = "no", asynchrony: str = "no", verification: str = "none",
              verification_lag: float = 0.0, dangers: Sequence[str] = (), scopes: Sequence[str] = ()) -> Callable[[F], F]:
    """What an operation is like in this app; `verification_lag` in seconds. A method without it is none of these."""
    said: Dict[str, Any] = {"reversible": reversible, "idempotency": idempotency, "asynchrony": asynchrony,
                            "verification": verification, "verification_lag_ms": round(verification_lag * 1000),
                            "dangers": list(dangers), "scopes": list(scopes)}

    def mark(method: F) -> F:
        method.__deprov_operation__ = said  # type: ignore[attr-defined]
        return method

    return mark


def connector(id: str, *, name: str = "", version: str = "", config_schema: Optional[Mapping[str, Any]] = None,
              secrets: Sequence[str] = (), own_account: Sequence[str] = (), revoke_before_disable: bool = False,
              rate: Optional[Mapping[str, float]] = None, workers: int = 8) -> Callable[[T], T]:
    """Makes a class a connector. Its instances are the ways to one app each: made with the integration's config, and
    ended with `close()`, if they have that. Its methods that are called as operations are those it offers.
    `own_account` names members of the config that say which account the connection itself has in the app: that one is
    never taken away. `workers`: threads of each instance, at most."""
    if not isinstance(workers, int) or workers < 0:
        raise ValueError(f"workers is {workers!r}; give how many threads run the methods, or 0 for the engine's own")

    def make(cls: T) -> T:
        operations = {}
        for each in Operation:
            method = getattr(cls, each.name.lower(), None)
            if callable(method):
                operations[each.name.lower()] = getattr(method, "__deprov_operation__", {})
        description: Dict[str, Any] = {"id": id, "operations": operations}
        for member, value in (("name", name), ("version", version), ("config_schema", config_schema),
                              ("secrets", list(secrets)), ("own_account", list(own_account)), ("rate", rate)):
            if value:
                description[member] = value
        if revoke_before_disable:
            description["revoke_before_disable"] = True
        cls.__deprov_connector__ = ConnectorKind(cls, description, workers)  # type: ignore[attr-defined]
        return cls

    return make


class ConnectorKind:
    """The library's side of a class; made here, so that a description that does not hold is refused at its class."""

    def __init__(self, cls: Type[Any], description: Mapping[str, Any], workers: int) -> None:
        _process.check_fork()
        self.cls = cls
        self.description = description
        callbacks = ffi.new("deprov_connector_callbacks *")
        callbacks.struct_size = ffi.sizeof("deprov_connector_callbacks")
        callbacks.user = _process.user_of(_Maker(cls, workers))
        callbacks.user_free = lib.deprovpy_user_free
        callbacks.open = lib.deprovpy_open
        callbacks.close = lib.deprovpy_close
        callbacks.start = lib.deprovpy_start
        callbacks.cancel = lib.deprovpy_cancel
        text = json.dumps(description).encode()
        buffer = ffi.from_buffer("char[]", text)
        place = ffi.new("deprov_str *", {"ptr": buffer, "len": len(text)})
        out = ffi.new("deprov_connector **")
        error = ffi.new("deprov_error **")
        errors.check(lib.deprov_connector_new(place[0], callbacks, out, error), error)
        self.handle = ffi.gc(out[0], lib.deprov_connector_free)


def kind_of(value: Any) -> ConnectorKind:
    found = getattr(value, "__deprov_connector__", None)
    if not isinstance(found, ConnectorKind):
        raise TypeError(f"{value!r} is no connector: decorate the class with @deprov.connector(id)")
    return found


class _Maker:
    def __init__(self, cls: Type[Any], workers: int) -> None:
        self.cls = cls
        self.workers = workers


class _Way:
    """One instance of a connector's class, and what its methods run on."""

    def __init__(self, maker: _Maker, config: Any) -> None:
        self.app = maker.cls(config)
        self._workers = maker.workers
        self._pool: Optional[concurrent.futures.ThreadPoolExecutor] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread: Optional[threading.Thread] = None
        self._tasks: Dict[int, "concurrent.futures.Future[None]"] = {}
        self._lock = threading.Lock()

    def start(self, call: Call) -> None:
        method = getattr(self.app, call.operation.name.lower())
        if inspect.iscoroutinefunction(method):
            self._start_task(method, call)
        elif self._workers == 0:
            self._run(method, call)
        else:
            if self._pool is None:
                self._pool = concurrent.futures.ThreadPoolExecutor(self._workers, "deprov-connector")
            self._pool.submit(self._run, method, call)

    @staticmethod
    def _run(method: Callable[[Call], Any], call: Call) -> None:
        try:
            answer = method(call)
        except BaseException as e:  # noqa: BLE001  (it becomes the outcome)
            _fail(call, e)
            return
        _finish(call, answer)

    def _start_task(self, method: Callable[[Call], Coroutine[Any, Any, Any]], call: Call) -> None:
        if self._loop is None:
            loop = asyncio.new_event_loop()
            self._loop = loop
            self._thread = threading.Thread(target=self._run_loop, args=(loop,), name="deprov-connector", daemon=True)
            self._thread.start()

        async def run() -> None:
            try:
                answer = await method(call)
            except BaseException as e:  # noqa: BLE001  (it becomes the outcome, a cancellation as well)
                _fail(call, e)
                return
            _finish(call, answer)

        key = int(ffi.cast("uintptr_t", call._handle))
        with self._lock:
            task = asyncio.run_coroutine_threadsafe(run(), self._loop)
            self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))

    @staticmethod
    def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            loop.close()

    def _forget(self, key: int, task: "concurrent.futures.Future[None]") -> None:
        with self._lock:
            if self._tasks.get(key) is task:  # another call may have the address of this one by now
                del self._tasks[key]

    def cancel(self, handle: Any) -> None:
        with self._lock:
            task = self._tasks.get(int(ffi.cast("uintptr_t", handle)))
        if task is not None:
            task.cancel()
        ask = getattr(self.app, "cancel", None)
        if callable(ask):
            ask(Call(ffi.gc(lib.deprov_call_retain(handle), lib.deprov_call_free)))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
        end = getattr(self.app, "close", None)
        if callable(end):
            end()


def _finish(call: Call, answer: Any) -> None:
    if answer is LATER:
        return
    try:
        call.complete(answer)
    except errors.ConflictError:
        pass  # the method had completed it by itself
    except Exception as e:  # noqa: BLE001  (a reply that says nothing sensible)
        _fail(call, e)


def _fail(call: Call, why: BaseException) -> None:
    _process.interrupted_by(why)
    try:
        call.complete(why.reply if isinstance(why, Failed) else _unforeseen(call, why))
    except errors.ConflictError:
        pass  # it was completed before it failed
    except Exception as e:  # noqa: BLE001  (a reply that says nothing sensible)
        try:
            call.complete(_unforeseen(call, e))
        except errors.Error:
            pass


def _unforeseen(call: Call, why: BaseException) -> Reply:
    if call.operation in _CHANGES:
        return Reply(Outcome.UNKNOWN_OUTCOME, detail=_words(why))
    return Reply(Outcome.CANCELLED if isinstance(why, asyncio.CancelledError) else Outcome.INTERNAL, detail=_words(why))


def _words(why: BaseException) -> str:
    try:
        said = str(why)
    except Exception:  # noqa: BLE001  (its own fault)
        said = ""
    return f"{type(why).__name__}: {said}" if said else type(why).__name__


# ---- what the library calls

@ffi.def_extern(error=int(lib.DEPROV_ERR_INTERNAL))  # type: ignore[untyped-decorator]
def deprovpy_open(user: Any, config: Any, instance: Any, error: Any) -> int:
    status, where, advice = int(lib.DEPROV_ERR_INVALID_ARGUMENT), "config", ""
    try:
        handle = ffi.new_handle(_Way(ffi.from_handle(user), json.loads(errors.bytes_of(config))))
        _process._handles.add(handle)
        instance[0] = handle
        return 0
    except errors.Error as e:
        status, detail, where, advice = e.status, e.detail, e.where, e.advice
    except BaseException as e:  # noqa: BLE001  (the config is refused with it)
        _process.interrupted_by(e)
        detail = _words(e)
    said = [ffi.new("char[]", s.encode("utf-8", "replace")) for s in (detail, where, advice)]
    error[0] = lib.deprov_error_new(status, *({"ptr": s, "len": len(s) - 1} for s in said))
    return status


@ffi.def_extern(onerror=_process.in_callback)  # type: ignore[untyped-decorator]
def deprovpy_close(user: Any, instance: Any) -> None:
    way: _Way = ffi.from_handle(instance)
    _process._handles.discard(instance)
    way.close()


@ffi.def_extern()  # type: ignore[untyped-decorator]
def deprovpy_start(user: Any, instance: Any, handle: Any) -> None:
    call = Call(ffi.gc(handle, lib.deprov_call_free))
    engine_thread.inside = getattr(engine_thread, "inside", 0) + 1
    try:
        ffi.from_handle(instance).start(call)
    except BaseException as e:  # noqa: BLE001  (nobody is above this)
        _fail(call, e)
    finally:
        engine_thread.inside -= 1


@ffi.def_extern(onerror=_process.in_callback)  # type: ignore[untyped-decorator]
def deprovpy_cancel(user: Any, instance: Any, handle: Any) -> None:
    ffi.from_handle(instance).cancel(handle)
