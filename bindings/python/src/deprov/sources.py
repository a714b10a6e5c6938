"""Where changes come from besides SCIM push: lists that are handed in, APIs that are polled, security events.

::

    sources = engine.sources(by, wiki.id)
    okta = sources.add("okta", "okta", {"okta": {"url": "https://acme.okta.com", "app": "0oa…"}, "auth": {…}})
    report = sources.poll(okta.id, dry_run=True)
    print(report.ends, [d.user_name for d in report.differences])
"""

from __future__ import annotations

import dataclasses
import datetime
import urllib.parse
from typing import TYPE_CHECKING, Any, Callable, Dict, Generic, List, Mapping, Optional, Tuple, TypeVar, Union

from . import errors
from .records import Caller, time_of as _time
from .source_config import SourceConfig

if TYPE_CHECKING:
    from .aio import AsyncEngine, AsyncSourceList
    from .engine import Engine
    from .lists import SourceList

T = TypeVar("T")
Config = Union[SourceConfig, Mapping[str, Any], None]


@dataclasses.dataclass(frozen=True)
class Quota:
    """What the API of a source last said may still be asked."""

    remaining: Optional[int] = None
    limit: Optional[int] = None
    reset_at: Optional[datetime.datetime] = None


@dataclasses.dataclass(frozen=True)
class Polling:
    """How the polling of a source stands."""

    #: What its last round was: "complete" or "changes"; None before the first.
    round: Optional[str]
    #: When everybody was last read.
    complete_at: Optional[datetime.datetime]
    #: How old what is known of it is, and what lies between two polls now, in seconds.
    lag_s: Optional[int]
    interval_s: Optional[int]
    #: What that lies between.
    floor_s: int
    ceiling_s: int
    quota: Quota
    #: Why it is not read now, though it does not fail.
    waits: Optional[str]
    #: The engine that reads it now.
    reader: Optional[str]


@dataclasses.dataclass(frozen=True)
class Source:
    """Where changes come from besides SCIM push."""

    id: str
    name: str
    #: "rows": users are handed in, by ``begin_list``; "file": bytes; "events": security events come; others are polled.
    kind: str
    #: By the schema SourceConfig of the OpenAPI document, without its secrets; ``SourceConfig.of`` gives it types.
    config: Dict[str, Any]
    created: Optional[datetime.datetime]
    #: never_read, ok or failing.
    health: str
    #: In its last complete list, which began to be read then.
    users: int
    list_begun: Optional[datetime.datetime]
    #: The work that carries out what that list changes.
    carrying_out: Optional[str]
    attempted: Optional[datetime.datetime]
    succeeded: Optional[datetime.datetime]
    #: Since then what was inferred from it waits.
    failing_since: Optional[datetime.datetime]
    failure: Optional[str]
    failures: int
    #: None: it is not read by itself.
    next_poll: Optional[datetime.datetime]
    #: None: it is not polled.
    poll: Optional[Polling]


@dataclasses.dataclass(frozen=True)
class ListDifference:
    """One subject that is not as the list has it."""

    #: not_listed, listed_inactive, no_access_here, no_link or ambiguous.
    kind: str
    subject: str
    user_name: str
    external_id: str
    #: Something follows from it.
    acts: bool
    what: str


@dataclasses.dataclass(frozen=True)
class ListReport:
    """How a list, or what was polled, differs, and what follows."""

    list: str
    begun: Optional[datetime.datetime]
    dry_run: bool
    #: There was none to compare with: nothing is changed by it.
    first: bool
    listed: int
    listed_active: int
    subjects: int
    with_access: int
    #: Active in the list, and no subject here.
    unknown_here: int
    #: Subjects by how they and the list differ; users by how they and the last complete list differ.
    counts: Dict[str, int]
    since_last: Dict[str, int]
    #: Subjects whose access ends by it, as far as the guard and protection let it.
    ends: int
    restores: int
    #: What carries it out; None: nothing has to be.
    work: Optional[str]
    differences: Tuple[ListDifference, ...]
    more: bool
    #: Of a polled source: "complete", "changes" or "subjects", and its quota.
    round: Optional[str] = None
    quota: Optional[Quota] = None


@dataclasses.dataclass(frozen=True)
class UnlinkedSubject:
    """Whom events of a source named that nobody here could be linked to."""

    #: As the transmitter names it, as JSON.
    subject: str
    #: unknown or ambiguous.
    why: str
    #: The last one, and how many there were.
    event: str
    count: int
    first: Optional[datetime.datetime]
    last: Optional[datetime.datetime]
    #: Subjects here whom it may mean.
    candidates: Tuple[str, ...]


def _made(kind: Callable[..., T], record: Mapping[str, Any], times: Tuple[str, ...] = (),
          **instead: Any) -> T:
    """Of the members that this package knows: a newer library may say more."""
    names = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    found = {n: v for n, v in record.items() if n in names}
    found.update((n, _time(found.get(n))) for n in times)
    found.update(instead)
    return kind(**found)


def _quota(record: Optional[Mapping[str, Any]]) -> Optional[Quota]:
    return None if record is None else _made(Quota, record, ("reset_at",))


def _polling(record: Optional[Mapping[str, Any]]) -> Optional[Polling]:
    return None if record is None else _made(Polling, record, ("complete_at",), quota=_quota(record.get("quota", {})))


def _source(record: Mapping[str, Any]) -> Source:
    return _made(Source, record, ("created", "list_begun", "attempted", "succeeded", "failing_since", "next_poll"),
                 poll=_polling(record.get("poll")))


def report_of(record: Mapping[str, Any]) -> ListReport:
    return _made(ListReport, record, ("begun",), quota=_quota(record.get("quota")),
                 differences=tuple(_made(ListDifference, d) for d in record["differences"]))


def _unlinked(record: Mapping[str, Any]) -> UnlinkedSubject:
    return _made(UnlinkedSubject, record, ("first", "last"), candidates=tuple(record["candidates"]))


@dataclasses.dataclass(frozen=True)
class _Ask(Generic[T]):
    """A call of the admin API, and what its answer is."""

    method: str
    path: str
    body: Optional[Dict[str, Any]]
    read: Callable[[Any], T]


def _nothing(_: Any) -> None:
    return None


def _segment(what: str, id: str) -> str:
    """Of a path. An empty one would name what is above."""
    if not id:
        raise errors.InvalidError(f"{what}: is not given; give its id", where=what, detail="is not given",
                                  advice="give its id")
    return urllib.parse.quote(id, safe="")


def source_path(integration: str, source: str, what: str = "") -> str:
    """Of the admin API."""
    return f"/integrations/{_segment('integration', integration)}/sources/{_segment('source', source)}{what}"


class _Asks:
    """Of one integration."""

    def __init__(self, integration: str) -> None:
        self.integration = integration
        self.path = "/integrations/" + _segment("integration", integration)

    def _of(self, source: str, what: str = "") -> str:
        return source_path(self.integration, source, what)

    def add(self, name: str, kind: str, config: Config) -> _Ask[Source]:
        body: Dict[str, Any] = {"name": name, "kind": kind}
        if config is not None:
            body["config"] = config.record() if isinstance(config, SourceConfig) else config
        return _Ask("POST", self.path + "/sources", body, _source)

    def all(self) -> _Ask[List[Source]]:
        return _Ask("GET", self.path + "/sources", None, lambda found: [_source(s) for s in found["items"]])

    def get(self, source: str) -> _Ask[Source]:
        return _Ask("GET", self._of(source), None, _source)

    def set(self, source: str, config: Union[SourceConfig, Mapping[str, Any]]) -> _Ask[Source]:
        members = config.record() if isinstance(config, SourceConfig) else dict(config)
        return _Ask("PATCH", self._of(source), {"config": members}, _source)

    def remove(self, source: str) -> _Ask[None]:
        return _Ask("DELETE", self._of(source), None, _nothing)

    def poll(self, source: str, dry_run: bool, complete: bool, differences: int) -> _Ask[ListReport]:
        return _Ask("POST", self._of(source, "/poll"),
                    {"dry_run": dry_run, "complete": complete, "differences": differences}, report_of)

    def reread(self, id: str, subject: str, source: str) -> _Ask[int]:
        named = {"id": id, "subject": subject, "source": source}
        return _Ask("POST", self.path + "/rereads", {n: v for n, v in named.items() if v},
                    lambda found: int(found["asked"]))

    def unlinked(self, source: str) -> _Ask[List[UnlinkedSubject]]:
        return _Ask("GET", self._of(source, "/unlinked"), None, lambda found: [_unlinked(s) for s in found["items"]])

    def link(self, source: str, subject: str, identifier: str) -> _Ask[None]:
        return _Ask("POST", self._of(source, "/links"), {"subject": subject, "identifier": identifier}, _nothing)

    def verify(self, source: str) -> _Ask[None]:
        return _Ask("POST", self._of(source, "/verify"), None, _nothing)


class Sources:
    """The sources of one integration, of :meth:`deprov.Engine.sources`."""

    def __init__(self, engine: "Engine", by: Caller, integration: str) -> None:
        self._engine = engine
        self._by = by
        self._integration = integration
        self._asks = _Asks(integration)

    def _do(self, ask: _Ask[T]) -> T:
        return ask.read(self._engine.admin(self._by, ask.method, ask.path, ask.body))

    def add(self, name: str, kind: str = "file", config: Config = None) -> Source:
        """Makes one; its first list changes nothing. `config`: its types, or as the schema
        SourceConfig of the OpenAPI document has it."""
        return self._do(self._asks.add(name, kind, config))

    def all(self) -> List[Source]:
        """Each with its health."""
        return self._do(self._asks.all())

    def get(self, source: str) -> Source:
        return self._do(self._asks.get(source))

    def set(self, source: str, config: Union[SourceConfig, Mapping[str, Any]]) -> Source:
        """Changes members of its config: a credential, how often it is read, who is linked to whom. Each takes the place of
        what there is, None takes it away; of `poll`, `verification` and `links` only the members that are given. What it has
        read, and what was inferred from that, stays."""
        return self._do(self._asks.set(source, config))

    def remove(self, source: str) -> None:
        """Forgets a source; that ends nobody's access and restores nobody's."""
        self._do(self._asks.remove(source))

    def poll(self, source: str, *, dry_run: bool = False, complete: bool = False, differences: int = 1000) -> ListReport:
        """Reads a polled source now. `dry_run`: tell what would happen, and store nothing. `complete`: everybody, also
        where asking for what changed would do. `differences`: how many the report lists, at most 10,000."""
        return self._do(self._asks.poll(source, dry_run, complete, differences))

    def reread(self, *, id: str = "", subject: str = "", source: str = "") -> int:
        """One user, by the source's `id` or as a `subject`, is read again from polled sources (one, or all), soon; nothing
        follows from the request itself. How many sources will be asked."""
        return self._do(self._asks.reread(id, subject, source))

    def unlinked(self, source: str) -> List[UnlinkedSubject]:
        """Whom its events named that nobody here could be linked to, the newest first, at most 100."""
        return self._do(self._asks.unlinked(source))

    def link(self, source: str, subject: str, identifier: str) -> None:
        """Says whom an identifier of a transmitter of events means; an empty one: none any more."""
        self._do(self._asks.link(source, subject, identifier))

    def verify(self, source: str) -> None:
        """Asks the transmitter of events for a verification event; its coming is on the activity."""
        self._do(self._asks.verify(source))

    def begin_list(self, source: str, *, dry_run: bool = False, differences: int = 1000,
                   begun: Optional[datetime.datetime] = None) -> "SourceList":
        """As :meth:`deprov.Engine.begin_list`."""
        return self._engine.begin_list(self._by, self._integration, source, dry_run=dry_run, differences=differences,
                                       begun=begun)


class AsyncSources:
    """As :class:`Sources`, of ``engine.aio()``."""

    def __init__(self, aio: "AsyncEngine", by: Caller, integration: str) -> None:
        self._aio = aio
        self._by = by
        self._integration = integration
        self._asks = _Asks(integration)

    async def _do(self, ask: _Ask[T]) -> T:
        return ask.read(await self._aio.admin(self._by, ask.method, ask.path, ask.body))

    async def add(self, name: str, kind: str = "file", config: Config = None) -> Source:
        return await self._do(self._asks.add(name, kind, config))

    async def all(self) -> List[Source]:
        return await self._do(self._asks.all())

    async def get(self, source: str) -> Source:
        return await self._do(self._asks.get(source))

    async def set(self, source: str, config: Union[SourceConfig, Mapping[str, Any]]) -> Source:
        return await self._do(self._asks.set(source, config))

    async def remove(self, source: str) -> None:
        await self._do(self._asks.remove(source))

    async def poll(self, source: str, *, dry_run: bool = False, complete: bool = False,
                   differences: int = 1000) -> ListReport:
        return await self._do(self._asks.poll(source, dry_run, complete, differences))

    async def reread(self, *, id: str = "", subject: str = "", source: str = "") -> int:
        return await self._do(self._asks.reread(id, subject, source))

    async def unlinked(self, source: str) -> List[UnlinkedSubject]:
        return await self._do(self._asks.unlinked(source))

    async def link(self, source: str, subject: str, identifier: str) -> None:
        await self._do(self._asks.link(source, subject, identifier))

    async def verify(self, source: str) -> None:
        await self._do(self._asks.verify(source))

    async def begin_list(self, source: str, *, dry_run: bool = False, differences: int = 1000,
                         begun: Optional[datetime.datetime] = None) -> "AsyncSourceList":
        return await self._aio.begin_list(self._by, self._integration, source, dry_run=dry_run,
                                          differences=differences, begun=begun)
