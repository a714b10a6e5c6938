"""Records of the admin API: dictionaries as the OpenAPI document describes them, whose members have types as attributes.

A member that is not there is empty: "", 0, False, None for times. What a newer library adds is in the dictionary, and so is
the record as it came: ``json.dumps(record)`` is that. What a webhook posted is one, too: ``WebhookMessage(json.loads(body))``.
"""

from __future__ import annotations

import datetime
from typing import Any, Callable, Dict, Generic, Optional, Tuple, Type, TypeVar, Union, overload

from .records import time_of

T = TypeVar("T")
R = TypeVar("R", bound="Record")


class Record(Dict[str, Any]):
    """One record, as it came."""

    __slots__ = ()


class _Member(Generic[T]):
    """A member of a record; `name` where it is not that of the attribute."""

    def __init__(self, read: Callable[[Any], T], name: str = "") -> None:
        self._read = read
        self._name = name

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = self._name or name

    @overload
    def __get__(self, record: None, owner: type) -> "_Member[T]": ...

    @overload
    def __get__(self, record: Record, owner: type) -> T: ...

    def __get__(self, record: Optional[Record], owner: type) -> "Union[T, _Member[T]]":
        return self if record is None else self._read(record.get(self._name))

    def __set__(self, record: Record, value: T) -> None:
        raise AttributeError(f"{self._name} is read; the dictionary may be written")


def _text() -> _Member[str]:
    return _Member(lambda v: v or "")


def _number(name: str = "") -> _Member[int]:
    return _Member(lambda v: v or 0, name)


def _flag() -> _Member[bool]:
    return _Member(bool)


def _time() -> _Member[Optional[datetime.datetime]]:
    return _Member(time_of)


def _object() -> _Member[Dict[str, Any]]:
    return _Member(lambda v: v or {})


def _one(kind: Type[R]) -> _Member[Optional[R]]:
    return _Member(lambda v: None if v is None else kind(v))


def _many(kind: Type[R]) -> _Member[Tuple[R, ...]]:
    return _Member(lambda v: tuple(kind(x) for x in v or ()))


class Intent(Record):
    """The desired state of a subject."""

    generation = _number()
    desired = _text()  #: undecided, access, no_access
    cause = _text()
    via_group = _text()
    via_inferred = _flag()
    evidence_at = _time()
    policy_version = _number()


class Binding(Record):
    """The link from a subject to one account in the app."""

    state = _text()  #: unknown, bound, absent, ambiguous, removed
    account = _text()
    login = _text()
    last_set = _text()  #: untouched, disabled, enabled, removed
    checked_at = _time()


class JobMark(Record):
    """Names a job and its state."""

    id = _text()
    state = _text()


class Retained(Record):
    """Why an account stays although access ended."""

    why = _text()
    reason = _text()
    rule = _text()
    until = _time()
    by = _text()


class Subject(Record):
    """A person as the IdP presents them to one integration."""

    id = _text()
    integration = _text()
    user_name = _text()
    external_id = _text()
    display_name = _text()
    active = _flag()
    deleted = _flag()
    access = _flag()
    access_without_account = _flag()  #: access came back after what cannot be undone
    intent = _one(Intent)
    binding = _one(Binding)
    job = _one(JobMark)
    retained = _one(Retained)
    created = _time()
    modified = _time()


class Job(Record):
    """One plan being carried out for one subject."""

    id = _text()
    integration = _text()
    subject = _text()
    user_name = _text()
    kind = _text()  #: bind, remove_access, restore_access, change_role, revoke_sessions
    state = _text()
    cause = _text()
    via_group = _text()
    via_group_name = _text()
    via_inferred = _flag()
    generation = _number()
    priority = _number()
    attempts = _number()
    created = _time()
    due = _time()
    deadline = _time()
    evidence_at = _time()
    finished = _time()
    #: None while access has not ended.
    time_to_deprovision_ms: _Member[Optional[float]] = _Member(lambda v: v)
    reason = _text()


class Hold(Record):
    """What waits for a person's decision."""

    id = _text()
    integration = _text()
    state = _text()  #: open, closed
    opened = _time()
    closed = _time()
    window_from = _time()
    reason = _text()
    waiting = _number()
    item_count = _number("items")  #: the member ``items``, which is a method of dictionaries
    listing = _text()  #: names what a person saw, when it is allowed


class Activity(Record):
    """One record of what happened."""

    seq = _number()
    at = _time()
    integration = _text()
    event = _text()
    actor = _text()
    subject = _text()
    job = _text()
    detail = _object()  #: empty, too, where it was deleted
    hash = _text()


class NotificationSubject(Record):
    """One of those that a notification stands for."""

    subject = _text()
    user_name = _text()
    job = _text()


class Notification(Record):
    """One thing to tell people; several records of a kind may come as one."""

    id = _text()  #: the same each time it is told
    type = _text()  #: removal.verified, hold.opened, approval.wanted, …
    at = _time()
    workspace = _text()
    integration = _text()
    integration_name = _text()
    seq = _number()  #: of the record on the activity that it tells
    last_seq = _number()  #: of the last one that it stands for
    count = _number()
    actor = _text()
    subject = _text()
    user_name = _text()
    job = _text()
    subjects = _many(NotificationSubject)  #: the first ones, where it stands for many
    detail = _object()


class _WebhookData(Record):
    workspace = _text()
    webhook = _text()
    skipped = _number()
    events = _many(Notification)


class WebhookMessage(Record):
    """What a webhook posts. Verify its signature before you read it."""

    type = _text()  #: deprov.events; others are newer than this package
    timestamp = _time()
    _data: _Member[_WebhookData] = _Member(lambda v: _WebhookData(v or {}), "data")

    @property
    def workspace(self) -> str:
        return self._data.workspace

    @property
    def webhook(self) -> str:
        return self._data.webhook

    @property
    def skipped(self) -> int:
        """So many before them were given up."""
        return self._data.skipped

    @property
    def events(self) -> Tuple[Notification, ...]:
        return self._data.events
