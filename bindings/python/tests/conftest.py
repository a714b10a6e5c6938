import dataclasses
import time

import pytest

import deprov

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
DEADLINE = 60.0


class Apps:
    """What the connector of these tests found: everybody has an account called "acc-" and the userName."""

    def __init__(self):
        self.active = {}
        self.log = []
        self.configs = []
        self.closed = 0


def everybody(apps, **more):
    """A connector whose class is made anew for each test; `more` replaces methods."""

    class Everybody:
        def __init__(self, config):
            apps.configs.append(config)

        def check(self, call):
            pass

        def find(self, call):
            return [self.read_id("acc-" + call.user_name)]

        def read(self, call):
            return self.read_id(call.account)

        def read_id(self, id):
            return deprov.Account(id, apps.active.setdefault(id, True))

        def list(self, call):
            return deprov.Reply(accounts=[self.read_id(i) for i in list(apps.active)])

        @deprov.operation(reversible=True, idempotency="naturally", verification="read")
        def disable(self, call):
            apps.log.append(f"disable {call.account}")
            apps.active[call.account] = False

        @deprov.operation(reversible=True, idempotency="naturally", verification="read")
        def enable(self, call):
            apps.active[call.account] = True

        @deprov.operation(idempotency="naturally")
        def revoke_sessions(self, call):
            pass

        def close(self):
            apps.closed += 1

    for name, method in more.items():
        setattr(Everybody, name, method)
    return Everybody


def like_disable(method):
    return deprov.operation(reversible=True, idempotency="naturally", verification="read")(method)


@dataclasses.dataclass
class World:
    engine: deprov.Engine
    acme: deprov.Workspace
    wiki: deprov.Integration

    @property
    def by(self):
        return self.acme.local

    def scim(self, method, path, body=None):
        return self.engine.scim(self.wiki, method, path, body)

    def add_user(self, name):
        made = self.scim("POST", "/Users", {"schemas": [USER], "userName": name, "active": True})
        assert made.status == 201, made.body
        return made.json()["id"]

    def deactivate(self, id):
        done = self.scim("PATCH", f"/Users/{id}", {"schemas": [PATCH], "Operations": [
            {"op": "replace", "value": {"active": False}}]})
        assert done.ok, done.body

    def wait_for(self, event):
        rows = self.engine.activity(self.by, self.wiki.id)
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            for row in rows:
                if row["event"] == event:
                    return row
            if self.engine.host_driven:
                self.engine.pump(0.01)
        raise AssertionError(f"no {event} came")


def make_world(connector="null", **options):
    engine = deprov.Engine(memory=True, **options)
    try:
        acme = engine.create_workspace("acme")
        wiki = engine.create_integration(acme.local, "Wiki", idp="okta", connector=connector)
    except BaseException:
        engine.close()
        raise
    return World(engine, acme, wiki)


@pytest.fixture
def apps():
    return Apps()


@pytest.fixture
def world():
    made = make_world()
    with made.engine:
        yield made


@pytest.fixture(params=["threads", "host_driven"])
def either(request):
    """A world of each way to drive an engine."""
    made = make_world(host_driven=request.param == "host_driven")
    with made.engine:
        yield made
