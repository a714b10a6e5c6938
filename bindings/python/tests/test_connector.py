import asyncio
import threading

import pytest
from conftest import DEADLINE, everybody, like_disable, make_world

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
