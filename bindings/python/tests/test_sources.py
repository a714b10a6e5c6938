"""Sources besides SCIM push: polled, read again, and security events, in threads and in an event loop."""

import asyncio
import contextlib
import datetime
import threading
import wsgiref.simple_server

import pytest
from conftest import make_world
from test_web import Client

import deprov.wsgi

NAMES = ["ann", "bob", "cleo"]
SIGNALS = {"issuer": "https://idp.example.com/", "audience": ["https://sp.example.com"],
           "jwks_uri": "https://idp.example.com/keys", "stream_id": "f67e"}


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass


@contextlib.contextmanager
def served(app):
    """One request a connection: the engine, which asks here, would keep others open."""
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Company:
    """An integration whose people are known to another one, too, which serves them over SCIM."""

    def __init__(self):
        self.world = make_world()
        self.engine, self.by = self.world.engine, self.world.by
        self.hr = self.engine.create_integration(self.by, "HR", idp="okta", connector="null")
        for name in NAMES:
            for integration in (self.world.wiki, self.hr):
                made = self.engine.scim(integration, "POST", "/Users", {
                    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
                    "externalId": f"00u-{name}", "active": True})
                assert made.status == 201
        self.sources = self.engine.sources(self.by, self.world.wiki.id)

    def polled(self, port):
        return deprov.SourceConfig(
            {"scim": {"base_url": f"http://127.0.0.1:{port}{self.hr.scim_base_path}", "allow_http": True,
                      "id": "externalId"}},
            auth=deprov.TokenAuth(self.hr.scim_token), poll=deprov.Polls(floor_s=86400, ceiling_s=86400))

    def remove(self, name):
        (row,) = (r for r in self.engine.subjects(self.by, self.hr.id) if r["user_name"] == name)
        assert self.engine.scim(self.hr, "DELETE", "/Users/" + row["id"]).status == 204


@pytest.fixture
def company():
    made = Company()
    with made.engine:
        yield made


def check_first(company, source, report):
    assert (source.kind, source.health, source.next_poll is not None) == ("scim", "ok", True)
    assert source.poll.round == report.round == "complete"
    assert source.poll.complete_at <= datetime.datetime.now(datetime.timezone.utc)
    assert (report.listed, report.ends, report.differences) == (3, 0, ())
    assert isinstance(source.poll.quota, deprov.Quota)
    assert company.hr.scim_token not in str(source)
    shown = deprov.SourceConfig.of(source.config)
    assert (shown.auth, shown.poll.floor_s) == (deprov.TokenAuth(), 86400)


@pytest.mark.parametrize("integration, source", [
    ("wiki", ""), ("", "hr"), ("wiki", "."), ("wiki", ".."), ("wiki?", "hr"), ("wiki", "?"), ("wiki", "hr/unlinked"),
    ("wiki/sources/hr", "x"), ("wiki", "%2e%2e"), ("wiki", "a\nb"), ("wiki", "\0")])
def test_an_id_names_nothing_but_what_it_is_of(integration, source):
    world = make_world()
    with world.engine:
        hr = world.engine.sources(world.by, world.wiki.id).add("hr", "rows")
        named = [text.replace("wiki", world.wiki.id).replace("hr", hr.id) for text in (integration, source)]
        for call in (lambda s: s.get(named[1]), lambda s: s.set(named[1], {"max_users": 10}), lambda s: s.poll(named[1]),
                     lambda s: s.unlinked(named[1]), lambda s: s.link(named[1], hr.id, "x"), lambda s: s.verify(named[1]),
                     lambda s: s.begin_list(named[1]), lambda s: s.remove(named[1])):
            with pytest.raises((deprov.NotFoundError, deprov.InvalidError)):
                call(world.engine.sources(world.by, named[0]))
        with pytest.raises((deprov.NotFoundError, deprov.InvalidError)):
            world.engine.begin_list(world.by, *named)
        assert [s.name for s in world.engine.sources(world.by, world.wiki.id).all()] == ["hr"]


def test_what_is_polled_has_types(company):
    with served(deprov.wsgi.Application(company.engine)) as port:
        added = company.sources.add("hr", "scim", company.polled(port))
        assert isinstance(added, deprov.Source) and added.health == "never_read"
        report = company.sources.poll(added.id)
        check_first(company, company.sources.get(added.id), report)
        company.remove("cleo")
        dry = company.sources.poll(added.id, dry_run=True, complete=True, differences=1)
        assert (dry.dry_run, dry.ends, dry.work) == (True, 1, None)
        (difference,) = dry.differences
        assert (difference.kind, difference.user_name, difference.acts) == ("not_listed", "cleo", True)
        assert company.sources.poll(added.id, complete=True).work is not None
        assert company.world.wait_for("removal.requested")["detail"]["cause"] == "unassigned"
        assert company.sources.reread(id="00u-ann") == 1
        (only,) = company.sources.all()
        assert only.users == 2
        faster = company.sources.set(added.id, deprov.SourceConfig(poll=deprov.Polls(floor_s=43200)))
        assert "43200" in str(faster.config) and faster.users == 2
        with pytest.raises(deprov.InvalidError):
            company.sources.set(added.id, {"link": "id"})
        company.sources.remove(added.id)
        assert company.sources.all() == []


def test_security_events_have_types(company):
    signals = company.sources.add("signals", "events", SIGNALS)
    assert (signals.kind, signals.poll) == ("events", None)
    assert company.sources.unlinked(signals.id) == []
    (ann,) = (r for r in company.engine.subjects(company.by, company.world.wiki.id) if r["user_name"] == "ann")
    company.sources.link(signals.id, ann["id"], "00u1")
    assert "00u1" in str(company.sources.get(signals.id).config)
    with pytest.raises(deprov.InvalidError):
        company.sources.link(signals.id, "ann", "00u1")
    with pytest.raises(deprov.Error):  # it has no place to ask
        company.sources.verify(signals.id)
    with pytest.raises(deprov.InvalidError):
        company.sources.poll(signals.id)
    with served(deprov.wsgi.Application(company.engine)) as port:
        client = Client(port, "", company.world)
        headers = {"Content-Type": "application/secevent+jwt"}
        assert client.ask("POST", "/events/" + signals.id, b"no token", **headers)[0] == 400
    with served(deprov.wsgi.Application(company.engine, events=False)) as port:
        assert Client(port, "", company.world).ask("POST", "/events/" + signals.id, b"no token", **headers)[2].startswith(
            b'{"schemas"')


def test_the_same_in_an_event_loop(company):
    async def walk(port):
        async with company.engine.aio() as a:
            sources = a.sources(company.by, company.world.wiki.id)
            hr = await sources.add("hr", "scim", company.polled(port))
            report = await sources.poll(hr.id)
            check_first(company, await sources.get(hr.id), report)
            assert await sources.reread(id="00u-ann", source=hr.id) == 1
            signals = await sources.add("signals", "events", SIGNALS)
            assert [s.name for s in await sources.all()] == ["hr", "signals"]
            assert await sources.unlinked(signals.id) == []
            with pytest.raises(deprov.InvalidError):
                await sources.link(signals.id, "ann", "00u1")
            with pytest.raises(deprov.Error):
                await sources.verify(signals.id)
            rows = await sources.add("rows", "rows")
            async with await sources.begin_list(rows.id, dry_run=True) as people:
                await people.add([deprov.SourceUser("1")])
                listed = await people.end(1)
            assert (listed.listed, listed.dry_run) == (1, True)
            await sources.remove(rows.id)

    with served(deprov.wsgi.Application(company.engine)) as port:
        asyncio.run(walk(port))


def test_a_newer_library_may_say_more():
    from deprov import sources
    record = {"remaining": 7, "limit": 10, "reset_at": "2026-11-30T06:00:00.5Z", "colour": "red"}
    assert sources._quota(record) == deprov.Quota(7, 10, datetime.datetime(2026, 11, 30, 6, 0, 0, 500_000,
                                                                           datetime.timezone.utc))
