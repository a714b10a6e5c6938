"""Evidence that is checked without its store; what tampering is found, the scenario shows."""

import io
import json

import pytest

import deprov


def export(world):
    return world.engine.call("GET", "/api/v1/evidence", by=world.by).body


def test_evidence_holds_in_pieces_of_any_kind(world):
    world.add_user("ann@example.com")
    whole = export(world)
    verdict = deprov.verify_evidence(whole)
    assert verdict and verdict.holds and verdict.problems == ()
    assert verdict == deprov.verify_evidence(io.BytesIO(whole))
    assert verdict == deprov.verify_evidence(whole[i:i + 7] for i in range(0, len(whole), 7))
    assert deprov.verify_evidence(world.engine.call("GET", "/api/v1/evidence", by=world.by))  # a response
    assert deprov.verify_evidence(whole, manifest_sha256=verdict.manifest_sha256)


def test_what_was_noted_has_to_be_there(world):
    whole = export(world)
    assert deprov.verify_evidence(whole, manifest_sha256="a" * 64).problems[0].kind == "manifest"
    manifest = json.loads(whole.splitlines()[-1])
    world.add_user("ann@example.com")
    assert deprov.verify_evidence(export(world), earlier=manifest)
    cut = deprov.verify_evidence(b"\n".join(whole.splitlines()[:-2]))
    assert not cut and "truncated" in {p.kind for p in cut.problems}


def test_nothing_is_no_export():
    assert not deprov.verify_evidence(b"")
    assert deprov.verify_evidence(b"hello\n").problems[0].kind == "unreadable"
    with pytest.raises(deprov.InvalidError):
        deprov.verify_evidence(b"", manifest_sha256="ab")
    with pytest.raises(deprov.InvalidError):
        deprov.verify_evidence(b"", earlier="{")
