"""Checks exports of evidence: without a store and without an engine.

::

    verdict = deprov.verify_evidence(engine.call("GET", "/api/v1/evidence", by=by))
    for problem in verdict.problems:
        print(problem.kind, problem.chain, problem.seq, problem.what)
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Iterable, Mapping, Optional, Tuple, Union

from . import errors
from ._native import ffi, lib


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with an export. What is not known of it is None."""

    #: edited, removed, inserted, reordered, truncated, unreadable or manifest.
    kind: str
    #: For people.
    what: str
    #: The chain's name, and the id of its integration.
    chain: Optional[str] = None
    integration: Optional[str] = None
    #: The record, or the first of several, and the last.
    seq: Optional[int] = None
    last_seq: Optional[int] = None
    #: Of the export, from 1 on.
    line: Optional[int] = None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """True where no record was edited, removed, inserted or reordered, and the export is whole."""

    holds: bool
    chains: int
    records: int
    details: int
    #: Whose hash holds, and whose detail retention deleted.
    details_deleted: int
    problem_count: int
    #: The first 1000.
    problems: Tuple[Problem, ...]
    manifest_sha256: Optional[str]

    def __bool__(self) -> bool:
        return self.holds


def verify_evidence(export: Union[bytes, Iterable[bytes]], *, manifest_sha256: str = "",
                    earlier: Union[str, bytes, Mapping[str, Any]] = "") -> Verdict:
    """`export`: the bytes of ``GET /evidence`` or of ``deprov evidence export`` (JSON Lines), whole or in pieces: a file
    that is open in binary, a response. `manifest_sha256`: a hash that was noted elsewhere. `earlier`: the manifest of an
    earlier export, whose heads have to be there. That an export does not hold raises nothing."""
    if isinstance(earlier, Mapping):
        earlier = json.dumps(earlier)
    noted = manifest_sha256.encode()
    before = earlier.encode() if isinstance(earlier, str) else bytes(earlier)
    options = ffi.new("deprov_verifier_options *")
    options.struct_size = ffi.sizeof("deprov_verifier_options")
    buffers = [ffi.from_buffer("char[]", noted), ffi.from_buffer("char[]", before)]
    options.manifest_sha256.ptr, options.manifest_sha256.len = buffers[0], len(noted)
    options.earlier.ptr, options.earlier.len = buffers[1], len(before)
    made = ffi.new("deprov_verifier **")
    error = ffi.new("deprov_error **")
    errors.check(lib.deprov_verifier_new(options, made, error), error)
    with ffi.gc(made[0], lib.deprov_verifier_free) as verifier:
        piece = ffi.new("deprov_str *")
        for bytes_ in (export,) if isinstance(export, (bytes, bytearray, memoryview)) else export:
            piece.ptr, piece.len = ffi.from_buffer("char[]", bytes_), len(bytes_)
            errors.check(lib.deprov_verifier_feed(verifier, piece[0], error), error)
        report = ffi.new("deprov_buffer **")
        errors.check(lib.deprov_verifier_finish(verifier, ffi.NULL, report, error), error)
    found = json.loads(errors.text(lib.deprov_buffer_get(report[0])))
    lib.deprov_buffer_free(report[0])
    problems = tuple(Problem(**p) for p in found.pop("problems"))
    return Verdict(problems=problems, **found)
