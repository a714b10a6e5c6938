"""deprov notices that a person lost access in the identity provider, and makes sure that every connected app knows it.

:class:`Engine` is where to begin; ``deprov.connector`` makes a class a connector; :mod:`deprov.wsgi` and
:mod:`deprov.asgi` put the SCIM and admin endpoints into a web server. What the words mean and what is guaranteed
stands in the README of the project; what a function does in depth, in ``deprov.h``.
"""

from __future__ import annotations

import json as _json
from typing import Any as _Any, Dict as _Dict

from ._native import ffi as _ffi, lib as _lib
from ._options import Plugins, WorkerLimits
from .connector import (LATER, Account, Call, Effect, Failed, Operation, Outcome, Reply, ThrottleScope, connector,
                        operation)
from .engine import Engine
from .errors import (BusyError, CancelledError, ClosedError, ConflictError, Error, ForbiddenError, ForkedError,
                     HeldError, InternalError, InvalidError, LimitExceededError, NotFoundError,
                     PreconditionFailedError, ProtocolError, StoreError, StoreLockedError, TimeoutError, UnauthorizedError,
                     UniquenessError, UnsupportedError, WrongThreadError, text as _text)
from .evidence import Problem, Verdict, verify_evidence
from .lists import SourceList, SourceUser
from .records import Caller, CallLeft, CloseReport, Integration, Workspace
from .response import Response
from .rows import Rows
from .source_config import BasicAuth, ClientCredentials, NoAuth, OtherAuth, Polls, SourceConfig, TokenAuth
from .sources import ListDifference, ListReport, Polling, Quota, Source, Sources, UnlinkedSubject
from .typed import (Activity, Binding, Hold, Intent, Job, JobMark, Notification, NotificationSubject, Record, Retained,
                    Subject, WebhookMessage)

__all__ = [
    "Account", "Activity", "BasicAuth", "Binding", "BusyError", "Call", "CallLeft", "Caller", "CancelledError",
    "ClientCredentials", "CloseReport", "ClosedError", "ConflictError", "Effect", "Engine", "Error", "Failed",
    "ForbiddenError", "ForkedError", "HeldError", "Hold", "Integration", "Intent", "InternalError", "InvalidError",
    "Job", "JobMark", "LATER", "LimitExceededError", "ListDifference", "ListReport", "NoAuth", "NotFoundError",
    "Notification", "NotificationSubject", "Operation", "OtherAuth", "Outcome", "Plugins", "Polling", "Polls",
    "PreconditionFailedError", "Problem", "ProtocolError", "Quota", "Record", "Reply", "Response", "Retained", "Rows", "Source",
    "SourceConfig", "SourceList", "SourceUser", "Sources", "StoreError", "StoreLockedError", "Subject", "ThrottleScope",
    "TimeoutError", "TokenAuth", "UnauthorizedError", "UniquenessError", "UnlinkedSubject", "UnsupportedError",
    "Verdict", "WebhookMessage", "WorkerLimits", "Workspace", "WrongThreadError", "build_info", "connector", "has_feature", "operation",
    "verify_evidence",
]

__version__: str = _text(_lib.deprov_build_get_version())


def build_info() -> _Dict[str, _Any]:
    """What the library was built from and what it has: `version`, `abi`, `compiler`, `features`."""
    found: _Dict[str, _Any] = _json.loads(_text(_lib.deprov_build_get_info()))
    return found


def has_feature(name: str) -> bool:
    """Whether the library has a feature, such as "store.memory" or "connector.scim"."""
    bytes_ = name.encode()
    buffer = _ffi.from_buffer("char[]", bytes_)
    place = _ffi.new("deprov_str *", {"ptr": buffer, "len": len(bytes_)})
    return bool(_lib.deprov_build_has_feature(place[0]))
