import asyncio
import threading
import time
import types

import pytest
from conftest import DEADLINE, everybody, make_world

import deprov


def test_requests_are_awaited(either):
    async def main():
        async with either.engine.aio() as a:
            ids = [(await a.scim(either.wiki, "POST", "/Users", {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": f"u{i}", "active": True})
            ).json()["id"] for i in range(3)]
            answers = await asyncio.gather(*(a.scim(either.wiki, "GET", f"/Users/{ids[i % 3]}") for i in range(200)))
            assert [r.json()["id"] for r in answers] == [ids[i % 3] for i in range(200)]
            assert (await a.admin(either.by, "GET", "/workspace"))["name"] == "acme"
            with pytest.raises(deprov.NotFoundError):
                await a.admin(either.by, "GET", "/jobs/xx")
            with pytest.raises(deprov.InvalidError):
                await a.call("GET", "no slash")

    asyncio.run(main())
    assert either.scim("GET", "/Users").json()["totalResults"] == 3  # and without a loop again


def test_answers_that_are_there_at_once_leave_others_their_turn(world):
    async def main():
        turns, over = 0, False

        async def somebody_else():
            nonlocal turns
            while not over:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(somebody_else())
        async with world.engine.aio() as a:
            for _ in range(200):
                assert (await a.scim(world.wiki, "GET", "/Users/nobody")).status == 404
            over = True
            await other
            assert turns >= 200 // deprov.aio._AT_ONCE
            # What is there is let go of where nobody wants it any more, and the next ones are answered.
            for _ in range(10):
                asking = asyncio.create_task(a.scim(world.wiki, "GET", "/Users/nobody"))
                await asyncio.sleep(0)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            assert not world.engine._hub.waiting()
            assert (await a.scim(world.wiki, "GET", "/Users")).status == 200

    asyncio.run(main())


def test_a_whole_answer_is_told_in_one_piece_and_has_no_pieces(either):
    async def main():
        async with either.engine.aio() as a:
            answer = await a.scim(either.wiki, "GET", "/Users")
            assert [p async for p in answer] == [answer.body]
            assert answer.header("content-type").startswith("application/scim+json")
            with pytest.raises(deprov.InvalidError, match="pieces"):
                await answer.read_async()
            answer.close()
            assert answer.json()["totalResults"] == 0 and answer.headers

    asyncio.run(main())
    here = either.scim("GET", "/Users")
    with pytest.raises(deprov.InvalidError, match="pieces"):
        here.read()
    assert list(here) == [here.body]


def test_answers_that_do_not_fit_beside_the_others(world):
    """Longer ones, and many at once, are copied when they are looked at."""
    for i in range(150):
        world.add_user(f"user{i:03}")

    async def main():
        async with world.engine.aio() as a:
            one, two = await asyncio.gather(a.scim(world.wiki, "GET", "/Users?count=150"),
                                            a.scim(world.wiki, "GET", "/Users?count=149"))
            assert len(one.body) > 40_000
            assert [len(r.json()["Resources"]) for r in (one, two)] == [150, 149]
            assert one.headers and two.header("Content-Type") == one.header("Content-Type")

    asyncio.run(main())
    assert len(world.scim("GET", "/Users?count=150").json()["Resources"]) == 150


def test_a_host_driven_engine_is_pumped_by_the_loop(apps):
    made = deprov.connector("ours")(everybody(apps))
    world = make_world("ours", connectors=[made], host_driven=True)

    async def main():
        async with world.engine.aio() as a:
            user = await a.scim(world.wiki, "POST", "/Users", {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann", "active": True})
            await a.scim(world.wiki, "PATCH", "/Users/" + user.json()["id"], {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "replace", "value": {"active": False}}]})
            until = time.monotonic() + DEADLINE
            while time.monotonic() < until:
                if any(r["event"] == "removal.verified" for r in world.engine.activity(world.by, world.wiki.id)):
                    return
                await asyncio.sleep(0)
            raise AssertionError("it was not pumped")

    with world.engine:
        asyncio.run(main())


def test_bodies_come_in_pieces_and_none_is_lost(either):
    async def main():
        async with either.engine.aio() as a:
            stream = await a.call("GET", f"/api/v1/integrations/{either.wiki.id}/activity?follow=true",
                                  {"Accept": "text/event-stream"}, by=either.by)
            assert stream.streaming
            told = b""
            while b"integration.created" not in told:
                told += await stream.read_async()
            with pytest.raises(asyncio.TimeoutError):
                while True:
                    await asyncio.wait_for(stream.read_async(), 0.05)
            made = await a.scim(either.wiki, "POST", "/Users", {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "late", "active": True})
            assert made.status == 201
            async for piece in stream:
                if b"user.created" in piece:
                    break
            stream.close()

    asyncio.run(main())


def test_a_task_that_is_cancelled_lets_go(apps):
    there = threading.Event()
    again = threading.Event()

    def check(self, call):
        there.set()
        again.wait(DEADLINE)

    made = deprov.connector("ours")(everybody(apps, check=check))

    async def main(engine):
        by = engine.create_workspace("acme").local
        async with engine.aio() as a:
            asking = asyncio.ensure_future(a.admin(by, "POST", "/integrations", {
                "name": "W", "idp": "okta", "connector": "ours"}))
            while not there.is_set():
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            again.set()
            assert (await a.admin(by, "GET", "/workspace"))["name"] == "acme"

    with deprov.Engine(memory=True, connectors=[made]) as engine:
        asyncio.run(main(engine))
        assert engine._hub.expected == {}


def test_threads_and_a_loop_ask_the_same_engine(world):
    id = world.add_user("ann")
    over = threading.Event()
    statuses = set()

    def ask():
        while not over.is_set():
            statuses.add(world.scim("GET", f"/Users/{id}").status)

    async def main():
        async with world.engine.aio() as a:
            for _ in range(50):
                assert (await a.scim(world.wiki, "GET", f"/Users/{id}")).status == 200
                assert world.scim("GET", f"/Users/{id}").status == 200  # blocks the loop, and must not stand still

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        asyncio.run(main())
    finally:
        over.set()
        asking.join()
    assert statuses == {200}


def test_an_engine_that_is_closed_under_the_loop_says_so(either):
    async def main():
        async with either.engine.aio() as a:
            assert (await a.call("GET", "/healthz")).status == 200
            either.engine.close()
            with pytest.raises(deprov.ClosedError):
                await a.call("GET", "/healthz")
        with pytest.raises(deprov.ClosedError):
            await a.call("GET", "/healthz")

    asyncio.run(main())


def test_a_context_belongs_to_its_loop(world):
    a = world.engine.aio()

    async def enter():
        await a.__aenter__()
        with pytest.raises(RuntimeError, match="in use"):
            await a.__aenter__()

    async def elsewhere():
        with pytest.raises(RuntimeError, match="another event loop"):
            await a.call("GET", "/healthz")

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(enter())
        asyncio.run(elsewhere())
        loop.run_until_complete(a.__aexit__(None, None, None))
    finally:
        loop.close()


def test_a_loop_that_ended_without_its_context_is_let_go_of(world):
    loop = asyncio.new_event_loop()
    a = world.engine.aio()
    loop.run_until_complete(a.__aenter__())
    loop.close()
    assert world.scim("GET", "/Users").status == 200
    world.engine.close()
    assert world.engine._freed


def test_rows_are_awaited(either):
    ids = {either.add_user(f"u{i}") for i in range(5)}

    async def main():
        async with either.engine.aio() as a:
            rows = either.engine.subjects(either.by, either.wiki.id, page=2)
            assert {r["id"] async for r in a.rows(rows)} == ids
            activity = either.engine.activity(either.by, either.wiki.id)
            before = [r["event"] async for r in a.rows(activity)]
            assert before[0] == "integration.created"
            await a.scim(either.wiki, "POST", "/Users", {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "late", "active": True})
            assert "user.created" in [r["event"] async for r in a.rows(activity)]

    asyncio.run(main())
    assert either.engine._hub.expected == {}


def test_a_coroutine_that_is_dropped_lets_go(apps):
    """As where its loop is closed under it."""
    there = threading.Event()
    again = threading.Event()

    def check(self, call):
        there.set()
        again.wait(DEADLINE)

    made = deprov.connector("ours")(everybody(apps, check=check))

    async def main(engine):
        by = engine.create_workspace("acme").local
        async with engine.aio() as a:
            asking = a.admin(by, "POST", "/integrations", {"name": "W", "idp": "okta", "connector": "ours"})
            asking.send(None)
            assert len(engine._hub.expected) == 1
            assert there.wait(DEADLINE)
            asking.close()
            assert engine._hub.expected == {}
            again.set()
            assert (await a.admin(by, "GET", "/workspace"))["name"] == "acme"

    with deprov.Engine(memory=True, connectors=[made]) as engine:
        asyncio.run(main(engine))


def test_a_signal_between_two_answers_loses_none_of_the_others(world):
    hub = world.engine._hub
    told = []
    users = [hub.expect(lambda status, answer, i=i: told.append((i, status, answer))) for i in range(3)]

    def answer(event):
        if event.user == users[1]:
            raise KeyboardInterrupt
        return event.user

    room = types.SimpleNamespace(c=types.SimpleNamespace(taken=3), answer=answer,
                                 events=[types.SimpleNamespace(user=u, status=0) for u in users])
    with pytest.raises(KeyboardInterrupt):
        hub.hand_out(room, 0)
    assert told == [(0, 0, users[0]), (1, deprov._native.lib.DEPROV_ERR_CANCELLED, None), (2, 0, users[2])]
    assert hub.expected == {}


def test_a_loop_that_is_closed_in_between_harms_nobody_else():
    class Loop:
        def is_closed(self):
            return False

        def call_soon_threadsafe(self, *_):
            raise RuntimeError("Event loop is closed")

    deprov.aio._Awaited(types.SimpleNamespace(_ident=0), Loop())(0, None)
