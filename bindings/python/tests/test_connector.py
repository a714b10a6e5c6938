import asyncio
import threading
import time

import pytest
from conftest import DEADLINE, USER, everybody, like_disable, make_world

import deprov


def world_with(cls, workers=8, **options):
    made = deprov.connector("ours", workers=workers)(cls)
    return make_world("ours", connectors=[made], **options)


@pytest.mark.parametrize("workers", [0, 1, 8])
def test_a_connector_carries_a_removal_out_to_verified(apps, workers):
    with world_with(everybody(apps), workers).engine as engine:
        world = make_again(engine)
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
        assert apps.log == ["disable acc-ann"]
    assert apps.closed == len(apps.configs) > 0


def until(holds):
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


def make_again(engine):
    """The world of an engine that was made by world_with()."""
    from conftest import World
    acme = engine.create_workspace("second")
    return World(engine, acme, engine.create_integration(acme.local, "Wiki", idp="okta", connector="ours"))


def test_a_connector_of_coroutines(apps):
    async def disable(self, call):
        await asyncio.sleep(0)
        apps.log.append(f"disable {call.account} {threading.current_thread().name}")
        apps.active[call.account] = False

    world = world_with(everybody(apps, disable=like_disable(disable)))
    with world.engine:
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
    assert apps.log == ["disable acc-ann deprov-connector"]


def test_an_exception_becomes_an_outcome_and_the_removal_goes_on(apps):
    """R18: what was sent and not answered is read back."""

    def disable(self, call):
        apps.active[call.account] = False
        apps.log.append("disable")
        raise ConnectionResetError("the line went dead")

    world = world_with(everybody(apps, disable=like_disable(disable)))
    with world.engine:
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
        told = [r["detail"] for r in world.engine.activity(world.by, world.wiki.id)
                if r["detail"].get("outcome") == "UNKNOWN_OUTCOME"]
    assert apps.log == ["disable"]
    assert "ConnectionResetError: the line went dead" in str(told)


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize("workers", [0, 8])
@pytest.mark.parametrize("why, words", [
    (lambda: Speechless(), "Speechless"),
    (lambda: deprov.Failed(deprov.Outcome.UNAVAILABLE, retry_after=float("nan")), "ValueError: cannot convert"),
    (lambda: deprov.Failed(deprov.Outcome.OK, "all is well"), "ValueError: OK is no failure"),
    (lambda: SystemExit(3), "SystemExit: 3"),
])
def test_what_makes_no_sense_as_a_failure_says_so(apps, workers, why, words):
    def disable(self, call):
        apps.active[call.account] = False
        raise why()

    world = world_with(everybody(apps, disable=like_disable(disable)), workers)
    with world.engine:
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
        told = str([r["detail"] for r in world.engine.activity(world.by, world.wiki.id)])
    assert "UNKNOWN_OUTCOME" in told and words in told


def test_outcomes_are_raised(apps):
    def disable(self, call):
        apps.log.append("disable")
        if len(apps.log) == 1:
            raise deprov.Failed(deprov.Outcome.THROTTLED, "slow down", retry_after=0.001,
                                throttle_scope=deprov.ThrottleScope.ACCOUNT)
        apps.active[call.account] = False
        return deprov.Reply(effect=deprov.Effect.DONE)

    world = world_with(everybody(apps, disable=like_disable(disable)))
    with world.engine:
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
    assert apps.log == ["disable", "disable"]


def test_a_call_may_be_completed_later_by_another_thread(apps):
    kept = []
    there = threading.Event()

    def disable(self, call):
        kept.append(call)
        there.set()
        return deprov.LATER

    world = world_with(everybody(apps, disable=like_disable(disable)), workers=0)
    with world.engine:
        world.deactivate(world.add_user("ann"))
        assert there.wait(DEADLINE)
        call = kept[0]
        assert call.operation is deprov.Operation.DISABLE and call.account == "acc-ann"
        assert call.timeout > 0 and call.idempotency_key and not call.cancelled
        with pytest.raises(TypeError, match="answered int"):
            call.complete(5)
        with pytest.raises(deprov.InvalidError):
            call.complete(deprov.Reply(effect=deprov.Effect.ACCEPTED))  # without a handle
        apps.active["acc-ann"] = False
        assert call.complete()
        with pytest.raises(deprov.ConflictError):
            call.complete()
        world.wait_for("removal.verified")
    assert call.complete is not None and call.account == "acc-ann"


def test_a_call_that_was_let_go_of_is_read_back(apps):
    def disable(self, call):
        apps.active[call.account] = False
        return deprov.LATER  # and nobody keeps it

    lines = []
    world = world_with(everybody(apps, disable=like_disable(disable)),
                       log=lambda level, text: lines.append(text))
    with world.engine:
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
    assert any("let go of a call (disable)" in line for line in lines)


def test_closing_cancels_and_reports_what_does_not_end(apps):
    kept = []
    there = threading.Event()
    asked = []

    def disable(self, call):
        kept.append(call)
        there.set()
        return deprov.LATER

    def cancel(self, call):
        asked.append(call.account)

    world = world_with(everybody(apps, disable=like_disable(disable), cancel=cancel))
    world.deactivate(world.add_user("ann"))
    assert there.wait(DEADLINE)
    report = world.engine.close(deadline=0.05)
    assert report and report.calls == (deprov.CallLeft("ours", "disable", "acc-ann"),)
    assert asked == ["acc-ann"] and kept[0].cancelled
    assert kept[0].complete() is False


def test_closing_cancels_tasks(apps):
    there = threading.Event()

    async def disable(self, call):
        there.set()
        try:
            await asyncio.sleep(DEADLINE)
        finally:
            apps.log.append("cancelled")

    world = world_with(everybody(apps, disable=like_disable(disable)))
    world.deactivate(world.add_user("ann"))
    assert there.wait(DEADLINE)
    assert not world.engine.close(deadline=DEADLINE)
    assert apps.log == ["cancelled"]


def test_a_config_that_is_refused_says_why(apps):
    class Refusing:
        def __init__(self, config):
            if config.get("kind") == "error":
                raise deprov.NotFoundError("no such app", where="url", advice="look again")
            if config.get("kind") == "value":
                raise ValueError("the url is none")

        def check(self, call):
            raise deprov.Failed(deprov.Outcome.AUTH_FAILED, "wrong password")

    made = deprov.connector("ours", config_schema={"type": "object", "properties": {"kind": {"type": "string"},
                                                                                    "password": {"type": "string"}}},
                            secrets=["password"], name="Ours", version="1",
                            rate={"per_second": 100, "burst": 10, "max_concurrency": 4})(Refusing)
    with deprov.Engine(memory=True, connectors=[made]) as engine:
        by = engine.create_workspace("acme").local

        def refused(config, match):
            with pytest.raises(deprov.Error, match=match):
                engine.create_integration(by, "W", idp="okta", connector="ours", config=config)

        refused({"kind": "error"}, "no such app")
        refused({"kind": "value"}, "ValueError: the url is none")
        refused({"kind": 5}, "kind")
        refused({}, "wrong password")
        wiki = engine.create_integration(by, "W", idp="okta", connector="ours", check=False,
                                         config={"password": "geheim"})
        assert "geheim" not in str(engine.admin(by, "GET", f"/integrations/{wiki.id}"))


def test_descriptions_that_do_not_hold_are_refused_at_the_class():
    class Nothing:
        pass

    with pytest.raises(deprov.InvalidError):
        deprov.connector("nothing")(Nothing)

    class Check:
        def check(self, call):
            pass

    with pytest.raises(deprov.InvalidError) as caught:
        deprov.connector("Upper")(Check)
    assert caught.value.where == "description/id"
    for workers in (-1, 1.5, None):
        with pytest.raises(ValueError, match="workers is"):
            deprov.connector("check", workers=workers)


def test_the_engines_own_thread_does_not_wait_for_the_engine(apps):
    inside = []

    def disable(self, call):
        try:
            apps.world.engine.admin(None, "GET", "/workspaces")
        except deprov.WrongThreadError as e:
            inside.append(e.name)
        apps.active[call.account] = False

    for host_driven in (False, True):
        apps.world = world_with(everybody(apps, disable=like_disable(disable)), workers=0, host_driven=host_driven)
        with apps.world.engine:
            apps.world.deactivate(apps.world.add_user(f"ann{host_driven}"))
            apps.world.wait_for("removal.verified")
    assert inside == ["wrong_thread"] * 2


def test_many_calls_and_many_threads_do_not_stand_still(apps):
    """Callbacks take the interpreter's lock while threads that have it ask the engine."""
    world = world_with(everybody(apps), clock=__import__("time").time, log=lambda level, text: None)
    with world.engine:
        ids = [world.add_user(f"u{i}") for i in range(24)]
        faults = []

        def churn(part):
            try:
                for id in part:
                    world.deactivate(id)
                    list(world.engine.activity(world.by, world.wiki.id))
            except BaseException as e:  # noqa: BLE001
                faults.append(e)

        at_work = [threading.Thread(target=churn, args=(ids[i::3],)) for i in range(3)]
        for t in at_work:
            t.start()
        for t in at_work:
            t.join(DEADLINE)
            assert not t.is_alive()
    assert faults == []


def test_every_operation_and_what_a_call_says(apps):
    seen = {}

    def find(self, call):
        seen["find"] = (call.user_name, call.external_id, call.emails, call.account)
        return deprov.Account("1", True, user_name="ann", external_id="x", emails=("a@b",), groups=("g",))

    def list_(self, call):
        seen["list"] = (call.cursor, call.page_size > 0)
        return deprov.Reply(accounts=[deprov.Account("1", True)])

    world = world_with(everybody(apps, find=find, list=list_))
    with world.engine:
        made = world.scim("POST", "/Users", {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                                             "userName": "ann", "externalId": "x", "active": True,
                                             "emails": [{"value": "a@b", "primary": True}]})
        assert made.status == 201
        world.wait_for("account.bound")
        assert seen["find"] == ("ann", "x", ("a@b",), "")
        world.engine.admin(world.by, "POST", f"/integrations/{world.wiki.id}/reconcile", {})
        world.wait_for("reconciliation.done")
        assert seen["list"] == ("", True)


def test_what_a_connector_keeps_is_there_after_a_restart(apps, tmp_path):
    def find(self, call):
        apps.log.append(call.get_checkpoint("cursor"))
        call.set_checkpoint("cursor", f"seen {call.user_name} é")
        apps.log.append(call.get_checkpoint("cursor"))
        call.set_checkpoint("gone", "x")
        call.set_checkpoint("gone", "")
        apps.log.append(call.get_checkpoint("gone"))
        return [self.read_id("acc-" + call.user_name)]

    cls = deprov.connector("ours")(everybody(apps, find=find))
    with deprov.Engine(tmp_path / "data", connectors=[cls]) as engine:
        world = make_again(engine)
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
    by, wiki = world.by, world.wiki
    assert apps.log[:3] == [None, "seen ann é", None]
    del apps.log[:]
    with deprov.Engine(tmp_path / "data", must_exist=True, connectors=[cls]) as engine:
        assert engine.scim(wiki, "POST", "/Users", {"schemas": [USER], "userName": "bob", "active": True}).status == 201
        until(lambda: len(apps.log) >= 3)
    assert apps.log[:3] == ["seen ann é", "seen bob é", None]
    assert by


def test_a_coroutine_waits_for_what_it_keeps(apps):
    async def find(self, call):
        await asyncio.gather(*(call.set_checkpoint_async(f"n{i}", str(i)) for i in range(32)))
        apps.log.append(await asyncio.gather(*(call.get_checkpoint_async(f"n{i}") for i in range(32))))
        with pytest.raises(deprov.LimitExceededError):
            await call.set_checkpoint_async("one-more", "1")
        # A task that is cancelled leaves nothing behind that would be told in vain.
        task = asyncio.ensure_future(call.get_checkpoint_async("n1"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        apps.log.append("done")
        return [self.read_id("acc-" + call.user_name)]

    world = world_with(everybody(apps, find=find))
    with world.engine:
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
    assert apps.log[0] == [str(i) for i in range(32)]
    assert apps.log[1] == "done"


def test_what_cannot_be_kept_is_refused_and_leaves_nothing(apps):
    before = len(deprov._process._handles)

    def find(self, call):
        for name, value, error in (("", "x", deprov.InvalidError), ("a b", "x", deprov.InvalidError),
                                   ("n" * 101, "x", deprov.LimitExceededError),
                                   ("n", "x" * 65537, deprov.LimitExceededError),
                                   ("n", "\ud800", UnicodeEncodeError), ("n", "a\0b", None)):
            try:
                call.set_checkpoint(name, value)
            except Exception as e:
                apps.log.append((name, type(e)) if error is None else isinstance(e, error))
            else:
                apps.log.append(call.get_checkpoint(name) == value)
        return [self.read_id("acc-" + call.user_name)]

    made = deprov.connector("ours", workers=8)(everybody(apps, find=find))
    alive = len(deprov._process._handles)
    world = make_world("ours", connectors=[made])
    with world.engine:
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
        assert apps.log[:6] == [True] * 6
    until(lambda: len(deprov._process._handles) <= alive)
    assert alive == before + 1


def test_the_engines_own_thread_cannot_wait_for_a_checkpoint(apps):
    def find(self, call):
        for ask in (lambda: call.get_checkpoint("cursor"), lambda: call.set_checkpoint("cursor", "1")):
            try:
                ask()
            except deprov.WrongThreadError:
                apps.log.append("wrong thread")
        return [self.read_id("acc-" + call.user_name)]

    world = world_with(everybody(apps, find=find), workers=0)
    with world.engine:
        world.deactivate(world.add_user("ann"))
        world.wait_for("removal.verified")
    assert apps.log[:2] == ["wrong thread", "wrong thread"]


def test_whoever_waits_for_a_checkpoint_hears_that_the_engine_is_closed(apps):
    ended = []
    began = threading.Event()

    def find(self, call):
        began.set()
        try:
            while True:
                call.set_checkpoint("cursor", "1")
        except deprov.Error as e:
            ended.append(e)
            raise

    world = world_with(everybody(apps, find=find))
    world.add_user("ann")
    assert began.wait(DEADLINE)
    world.engine.close(deadline=0.2)
    until(lambda: ended)
    assert isinstance(ended[0], deprov.ClosedError)
