import asyncio
import collections
import gc
import json
import logging
import os
import pathlib
import sys
import threading
import time
import types
import warnings

import pytest
from conftest import USER, make_world

import deprov


def threads():
    return len(os.listdir("/proc/self/task"))


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_requests_are_answered_as_over_http(either):
    id = either.add_user("ann")
    got = either.scim("GET", f"/Users/{id}")
    assert (got.status, got.json()["userName"], got.streaming) == (200, "ann", False)
    assert got.header("content-type").startswith("application/scim+json")
    assert list(got) == [got.body]
    assert either.scim("GET", "/Users/nobody").status == 404
    stranger = either.engine.call("GET", either.wiki.scim_base_path + "/Users", {"Authorization": "Bearer wrong"})
    assert stranger.status == 401


def test_the_admin_api_is_there_for_the_local_administrator_and_for_principals(either):
    owner = deprov.Caller(token=either.acme.owner_token)
    for by in (either.by, owner):
        assert [i["name"] for i in either.engine.admin(by, "GET", "/integrations")["items"]] == ["Wiki"]
    assert either.engine.admin(owner, "GET", "/workspace")["name"] == "acme"
    assert either.engine.call("GET", "/api/v1/integrations", by=owner).status == 200
    with pytest.raises(deprov.UnauthorizedError):
        either.engine.admin(deprov.Caller(token="dpa_wrong"), "GET", "/integrations")


def test_what_the_admin_api_refuses_is_raised(world):
    with pytest.raises(deprov.NotFoundError) as caught:
        world.engine.admin(world.by, "GET", "/jobs/xx")
    assert caught.value.name == "not_found"
    assert isinstance(caught.value, LookupError)
    with pytest.raises(deprov.InvalidError) as refused:
        world.engine.create_integration(world.by, "X", idp="okta", connector="none of these")
    assert refused.value.where
    with pytest.raises(deprov.InvalidError, match="slash"):
        world.engine.admin(world.by, "GET", "jobs")


def test_options_that_cannot_be_are_refused():
    with pytest.raises(deprov.InvalidError) as caught:
        deprov.Engine()
    assert caught.value.where == "directory"
    assert "memory=True" in caught.value.advice
    with pytest.raises(deprov.InvalidError, match="32 random bytes"):
        deprov.Engine(memory=True, key=b"short")
    with pytest.raises(deprov.LimitExceededError):
        deprov.Engine(memory=True, store_readers=1000)
    with pytest.raises(TypeError, match="decorate the class"):
        deprov.Engine(memory=True, connectors=[object])


def test_me_is_whom_the_program_has_authenticated(world):
    id = world.add_user("ann")
    me = (world.wiki.scim_base_path + "/Me", {"Authorization": "Bearer " + world.wiki.scim_token})
    assert world.engine.call("GET", *me).status == 501
    got = world.engine.call("GET", *me, subject=id)
    assert (got.status, got.json()["id"]) == (200, id)


def test_requests_that_make_no_sense_are_refused(world):
    with pytest.raises(deprov.InvalidError) as caught:
        world.engine.call("GET", "Users")
    assert caught.value.where == "request.target"
    with pytest.raises(deprov.InvalidError, match="zero byte"):
        world.engine.call("GET", "/healthz", {"X": "a\0b"})
    for arguments, wrong in ((("GET", None), "target has to be str, and is NoneType"),
                             (("GET", "/healthz", {"X": 1}), "header 'X' has to be str, and is int"),
                             (("GET", "/healthz", [(b"X", "y")]), "the name of a header has to be str, and is bytes"),
                             (("GET", "/healthz", [("X",)]), "a pair of name and value"),
                             (("GET", "/healthz", ["XY"]), "a pair of name and value"),
                             (("GET", "/healthz", [None]), "a pair of name and value"),
                             (("GET", "/healthz", 7), "not iterable"),
                             (("GET", "/healthz", (), object()), "not JSON serializable")):
        with pytest.raises(TypeError, match=wrong):
            world.engine.call(*arguments)
    with pytest.raises(deprov.LimitExceededError):
        world.engine.call("GET", "/healthz", [("X", "y")] * 300)
    with pytest.raises(deprov.LimitExceededError):
        world.engine.call("GET", "/" + "x" * 70_000)
    with pytest.raises(UnicodeEncodeError):
        world.engine.call("GET", "/healthz", {"X": "\ud800"})
    assert world.engine.call("GET", "/healthz", [("X", "y")] * 256).status == 200
    assert world.engine._hub.waiting() == []


def test_headers_are_any_mapping_or_pairs(world):
    token = "Bearer " + world.wiki.scim_token
    target = world.wiki.scim_base_path + "/Users"
    for headers in ({"Authorization": token}, types.MappingProxyType({"Authorization": token}),
                    collections.UserDict(Authorization=token), [["Authorization", token]],
                    (pair for pair in (("X", "\u00e9"), ("Authorization", token)))):
        assert world.engine.call("GET", target, headers).status == 200
    by = deprov.Caller(token=world.acme.owner_token)
    assert world.engine.call("GET", "/api/v1/workspace", collections.UserDict(Accept="*/*"), by=by).status == 200
    for body in (b"{}", bytearray(b"{}"), memoryview(b"{}"), "{}", {}):
        assert world.engine.call("POST", target, {"Authorization": token, "Content-Type": "application/json"}, body).status == 400


def test_asking_keeps_nothing(world):
    """Of what was given, and of what was answered."""
    value = "".join(["Bearer ", world.wiki.scim_token])
    headers = {"Authorization": value}
    target = world.wiki.scim_base_path + "/Users"
    before = sys.getrefcount(value), sys.getrefcount(None)
    for _ in range(1000):
        got = world.engine.call("GET", target, headers)
        with pytest.raises(TypeError):
            world.engine.call("GET", target, [("Authorization", value), ("X", 1)])
    del _
    assert sys.getrefcount(value) == before[0]
    assert sys.getrefcount(None) - before[1] < 500
    assert sys.getrefcount(got.body) <= 3 and sys.getrefcount(got) == 2
    got._headers = [("cycle", got)]
    gc.collect()
    del got
    assert gc.collect() >= 1  # the answer was in it


def test_a_directory_is_durable_and_has_one_owner(tmp_path):
    with pytest.raises(deprov.NotFoundError):
        deprov.Engine(tmp_path / "none", must_exist=True)
    with deprov.Engine(tmp_path / "data") as engine:
        acme = engine.create_workspace("acme")
        with pytest.raises(deprov.StoreLockedError):
            deprov.Engine(tmp_path / "data")
    with deprov.Engine(tmp_path / "data", must_exist=True, look_only=True) as engine:
        assert engine.admin(acme.local, "GET", "/workspace")["name"] == "acme"


def test_a_url_says_which_store(tmp_path):
    place = tmp_path / "a b"
    deprov.Engine(url=place.as_uri()).close()
    assert any(place.iterdir())
    deprov.Engine(url="memory:").close()
    with pytest.raises(deprov.InvalidError, match="store_url"):
        deprov.Engine(place, url="memory:")
    with pytest.raises(deprov.UnsupportedError, match="postgresql") as refused:
        deprov.Engine(url="postgresql://deprov:hunter2@db/deprov")
    assert "hunter2" not in str(refused.value)


def test_the_master_key_may_be_asked_for(tmp_path):
    with deprov.Engine(tmp_path, key=lambda: b"k" * 32):
        pass
    assert not (tmp_path / "master.key").exists()
    with pytest.raises(ValueError, match="has 3 bytes"):
        deprov.Engine(tmp_path, key=lambda: b"abc")

    def locked():
        raise PermissionError("the vault is sealed")

    with pytest.raises(PermissionError, match="vault"):
        deprov.Engine(tmp_path, key=locked)
    with deprov.Engine(tmp_path / "b", key_file=tmp_path / "key"):
        assert (tmp_path / "key").stat().st_size > 0


def test_the_clock_and_the_log_are_the_hosts(caplog):
    lines = []
    with make_world(clock=lambda: 1_600_000_000.5, log=lambda level, text: lines.append((level, text))).engine as engine:
        made = engine.admin(None, "POST", "/workspaces", {"name": "b"})
        found = next(engine.activity(deprov.Caller(workspace=made["id"])))
        assert found["at"].startswith("2020-09-13T12:26:40")
    assert lines == [(logging.INFO, "the engine was opened"), (logging.INFO, "the engine was closed")]
    caplog.set_level(logging.INFO, "ours")
    deprov.Engine(memory=True, log=logging.getLogger("ours")).close()
    assert [r.message for r in caplog.records] == ["the engine was opened", "the engine was closed"]


@pytest.mark.parametrize("now", [lambda: 1 / 0, lambda: float("nan"), lambda: "noon", lambda: 1e300])
def test_a_clock_that_fails_dates_nothing(now, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, value, trace: told.append(kind))
    with make_world(clock=now).engine as engine:
        made = engine.admin(None, "POST", "/workspaces", {"name": "b"})
        assert next(engine.activity(deprov.Caller(workspace=made["id"])))["at"] > "2020"
    assert told


def test_notifications_are_drained_once(world):
    """Whoever keeps the restart hears of each once."""
    by, wiki = world.by, world.wiki.id
    rows = world.engine.notifications(by, wiki)
    assert [n["type"] for n in rows] == ["lane.resumed"]
    world.engine.admin(by, "POST", f"/integrations/{wiki}/pause")
    assert [n["type"] for n in rows] == ["lane.paused"]
    again = world.engine.notifications(by, wiki, restart=rows.restart)
    assert list(again) == []
    world.engine.admin(by, "POST", "/workspace/stop", {"reason": "drill"})
    assert [n["type"] for n in world.engine.notifications(by)] == ["lane.paused"]
    with pytest.raises(deprov.NotFoundError):
        next(world.engine.notifications(by, by.workspace))


def test_rows_go_on_where_they_were(either):
    ids = [either.add_user(f"u{i}") for i in range(7)]
    rows = either.engine.subjects(either.by, either.wiki.id, page=2)
    first = [next(rows)["id"] for _ in range(3)]
    again = either.engine.subjects(either.by, either.wiki.id, restart=rows.restart)
    found = first + [r["id"] for r in again]
    assert len(found) == len(ids) and set(found) == set(ids)
    assert list(either.engine.jobs(either.by, filter="state=failed")) == []
    assert list(either.engine.holds(either.by, either.wiki.id)) == []
    activity = either.engine.activity(either.by, either.wiki.id)
    before = len(list(activity))
    either.add_user("late")
    assert before > 0 and "user.created" in [r["event"] for r in activity]
    with pytest.raises(deprov.InvalidError):
        either.engine.subjects(either.by, either.wiki.id, restart="nonsense")


def test_large_bodies_come_in_pieces(either):
    for i in range(40):
        either.add_user(f"user{i}")
    stream = either.engine.call("GET", f"/api/v1/integrations/{either.wiki.id}/activity?follow=true",
                                {"Accept": "text/event-stream"}, by=either.by)
    assert stream.status == 200, stream.body
    assert stream.streaming
    told = b""
    while b"integration.created" not in told:
        told += stream.read(timeout=60)
    until = time.monotonic() + 60
    with pytest.raises(deprov.TimeoutError):
        while time.monotonic() < until:
            stream.read(timeout=0)
    stream.close()


def test_closing_ends_everything_and_twice_is_once():
    gc.collect()
    before = threads(), descriptors()
    for _ in range(20):
        world = make_world()
        world.add_user("ann")
        assert not world.engine.close()
        assert not world.engine.close()
        assert world.engine.closed
        with pytest.raises(deprov.ClosedError):
            world.scim("GET", "/Users")
    gc.collect()
    assert (threads(), descriptors()) == before


def test_what_was_handed_out_may_outlive_the_engine():
    world = make_world()
    world.add_user("ann")
    rows = world.engine.subjects(world.by, world.wiki.id)
    response = world.scim("GET", "/Users")
    world.engine.close()
    assert response.json()["totalResults"] == 1
    with pytest.raises(deprov.ClosedError):
        next(rows)
    with pytest.raises(deprov.ClosedError):
        world.engine.pump()


def test_an_engine_that_nobody_closed_says_so_and_ends():
    gc.collect()
    before = threads()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        engine = deprov.Engine(memory=True)
        engine.create_workspace("acme")
        del engine
        gc.collect()
    assert [w.category for w in caught] == [ResourceWarning]
    until = time.monotonic() + 60
    while threads() > before + 1 and time.monotonic() < until:  # one is the thread that lets go of it
        time.sleep(0.01)
    assert threads() <= before + 1


def test_many_threads_ask_at_once(either):
    ids = [either.add_user(f"u{i}") for i in range(4)]
    wrong = []

    def ask(id):
        for _ in range(50):
            got = either.scim("GET", f"/Users/{id}")
            if got.status != 200 or got.json()["id"] != id:
                wrong.append(got.body)

    asking = [threading.Thread(target=ask, args=(i,)) for i in ids]
    for t in asking:
        t.start()
    for i in ids:  # the main thread, too
        ask(i)
    for t in asking:
        t.join()
    assert wrong == []


def test_closing_while_others_ask():
    world = make_world()
    outcomes = set()
    started = threading.Barrier(5)

    def ask():
        started.wait()
        try:
            while True:
                outcomes.add(world.scim("GET", "/Users").status)
        except deprov.ClosedError:
            outcomes.add("closed")

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for t in asking:
        t.start()
    started.wait()
    world.engine.close()
    for t in asking:
        t.join()
    assert outcomes <= {200, "closed"} and "closed" in outcomes


def test_threads_take_turns_at_rows_and_bodies(world):
    """Each row is read once, whoever reads; a body that is closed ends for who reads it."""
    for i in range(40):
        world.add_user(f"user{i}")
    by, wiki = world.by, world.wiki.id
    rows = world.engine.subjects(by, wiki, page=1)
    seen, failed = [], []

    def read_rows():
        try:
            for row in rows:
                seen.append(row["id"])
                assert rows.restart.startswith("s1:")
        except BaseException as e:
            failed.append(e)

    body = world.engine.call("GET", f"/api/v1/integrations/{wiki}/activity?follow=true", by=by)
    pieces = []

    def read_body():
        try:
            for piece in body:
                pieces.append(piece)
        except deprov.ClosedError:
            pieces.append(b"closed")
        except BaseException as e:
            failed.append(e)

    threads = [threading.Thread(target=f) for f in [read_rows] * 6 + [read_body] * 3]
    for thread in threads:
        thread.start()
    for thread in threads[:6]:
        thread.join(60)
    body.close()
    body.close()
    for thread in threads[6:]:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads) and failed == []
    assert len(seen) == len(set(seen)) == 40
    assert pieces.count(b"closed") == 3 and body.headers


@pytest.mark.parametrize("key", [32, lambda: 32, "k" * 32, lambda: [0] * 32])
def test_a_master_key_is_bytes(key):
    with pytest.raises(TypeError, match="32 bytes"):
        deprov.Engine(memory=True, key=key)


def test_a_host_drives_its_engine():
    with make_world(host_driven=True).engine as engine:
        assert engine.host_driven and engine.pump_descriptor >= 0
        wait = engine.pump(0.01)
        assert wait is None or wait >= 0
    with deprov.Engine(memory=True) as engine:
        assert engine.pump_descriptor == -1
        with pytest.raises(deprov.UnsupportedError):
            engine.pump()


def test_a_response_that_is_closed_keeps_what_it_had(world):
    got = world.scim("GET", "/Users")
    got.close()
    got.close()
    assert got.json()["totalResults"] == 0 and got.header("Content-Type")
    stream = world.engine.call("GET", f"/api/v1/integrations/{world.wiki.id}/activity?follow=true",
                               {"Accept": "text/event-stream"}, by=world.by)
    stream.close()
    with pytest.raises(deprov.ClosedError, match="the response is closed"):
        stream.read()


def test_the_library_says_what_it_is():
    info = deprov.build_info()
    assert info["version"] == deprov.__version__
    assert deprov.has_feature("store.memory") and not deprov.has_feature("teleport")
    assert "connector.host" in info["features"]


def test_secrets_are_in_no_repr(world):
    assert world.wiki.scim_token not in repr(world.wiki)
    assert world.acme.owner_token not in repr(world.acme)


def test_the_package_is_typed():
    assert (pathlib.Path(deprov.__file__).parent / "py.typed").is_file()
    assert json.dumps(sorted(deprov.__all__))
    for name in deprov.__all__:
        assert hasattr(deprov, name)


def test_an_answer_that_is_larger_than_the_room_for_one_comes_whole():
    world = make_world()
    for i in range(120):
        made = world.scim("POST", "/Users", {"schemas": [USER], "userName": f"u{i}", "active": True,
                                             "displayName": "x" * 600})
        assert made.status == 201
    path = "/Users?count=120"

    def complete(response):
        assert len(response.body) > 64 * 1024 and len(response.json()["Resources"]) == 120
        assert response.header("Content-Type").startswith("application/scim+json")

    complete(world.scim("GET", path))
    found = []
    thread = threading.Thread(target=lambda: found.append(world.scim("GET", path)))
    thread.start()
    thread.join()
    complete(found[0])

    async def main():
        async with world.engine.aio() as a:
            return await asyncio.gather(*(a.scim(world.wiki, "GET", path) for _ in range(3)))

    for response in asyncio.run(main()):
        complete(response)
    assert world.engine._hub.expected == {}
    world.engine.close()


def test_what_a_header_raises_by_itself_is_heard(world):
    class Pair:
        def __len__(self):
            raise KeyboardInterrupt

        def __getitem__(self, i):
            raise IndexError

    with pytest.raises(KeyboardInterrupt):
        world.engine.call("GET", "/healthz", [Pair()])
    assert world.engine.call("GET", "/healthz").status == 200
    assert world.engine._hub.expected == {}
