"""Who manages, and what is managed most."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Optional, Tuple


def time_of(text: Optional[str]) -> Optional[datetime.datetime]:
    if text is None:
        return None
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return moment + datetime.timedelta(microseconds=int(fraction.ljust(6, "0")[:6] or 0))


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who manages: the local administrator of a workspace, or the principal whose token this is. Neither: the local
    administrator without a workspace, which is enough to make one."""

    workspace: str = ""
    token: str = ""


@dataclasses.dataclass(frozen=True)
class Workspace:
    """One customer. ``owner_token`` is shown this once."""

    id: str
    name: str
    owner_token: str = dataclasses.field(repr=False)

    @property
    def local(self) -> Caller:
        """Its local administrator."""
        return Caller(workspace=self.id)


@dataclasses.dataclass(frozen=True)
class Integration:
    """One app with its IdP. ``scim_token`` is shown this once."""

    id: str
    name: str
    scim_base_path: str
    scim_token: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class CallLeft:
    """A call to a connector that had not ended."""

    connector: str
    operation: str
    account: str


@dataclasses.dataclass(frozen=True)
class CloseReport:
    """What had not ended when the engine was closed; false where everything had."""

    requests: Tuple[int, ...] = ()
    calls: Tuple[CallLeft, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requests or self.calls)
