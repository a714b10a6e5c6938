"""Records and configurations with types, and what they do with what they do not know."""

import asyncio
import datetime
import json

import pytest

import deprov

from conftest import PATCH, USER, make_world


@pytest.fixture(scope="module")
def removed():
    """A world in which somebody came and left."""
    world = make_world()
    with world.engine:
        made = world.scim("POST", "/Users", {"schemas": [USER],
                                             "userName": "ann", "externalId": "7", "active": True})
        world.ann = made.json()["id"]
        assert world.scim("PATCH", "/Users/" + world.ann, {"schemas": [PATCH], "Operations": [
            {"op": "replace", "path": "active", "value": False}]}).status == 200
        world.wait_for("removal.requested")
        yield world


def test_rows_are_the_records_that_came_and_have_types(removed):
    engine, by, wiki = removed.engine, removed.by, removed.wiki.id
    (subject,) = engine.subjects(by, wiki)
    assert isinstance(subject, deprov.Subject) and isinstance(subject, dict)
    assert (subject.id, subject.user_name, subject.active, subject.deleted) == (removed.ann, "ann", False, False)
    assert subject.intent.desired == subject["intent"]["desired"] == "no_access"
    assert isinstance(subject.binding, deprov.Binding)
    assert subject.created <= datetime.datetime.now(datetime.timezone.utc)
    jobs = list(engine.jobs(by, wiki))
    assert any(job.kind == "remove_access" and job.user_name == "ann" for job in jobs)
    assert all(isinstance(job.created, datetime.datetime) for job in jobs)
    (requested,) = (a for a in engine.activity(by, wiki) if a.event == "removal.requested")
    assert isinstance(requested, deprov.Activity) and requested.subject == removed.ann
    assert requested.detail["cause"] == "deactivated" and requested.seq > 0 and requested.hash
    assert list(engine.holds(by, wiki)) == []
    # As JSON it is what it was.
    assert json.loads(json.dumps(requested)) == requested
    with pytest.raises(AttributeError):
        requested.seq = 1


def test_rows_that_are_awaited_have_the_same_types(removed):
    async def main():
        async with removed.engine.aio() as a:
            return [row async for row in a.rows(removed.engine.activity(removed.by, removed.wiki.id))]

    rows = asyncio.run(main())
    assert rows == list(removed.engine.activity(removed.by, removed.wiki.id))
    assert all(isinstance(row, deprov.Activity) and row.at is not None for row in rows)


def test_what_is_not_there_is_empty_and_what_is_newer_stays():
    told = deprov.Notification(json.loads('{"id": "n", "subjects": [{"user_name": "ann"}], "newer": [1], "job": null}'))
    assert (told.id, told.type, told.at, told.count, told.job, told.detail) == ("n", "", None, 0, "", {})
    assert told.subjects[0].user_name == "ann" and told["newer"] == [1]
    hold = deprov.Hold({"items": 7, "opened": "2026-11-30T12:00:00.5Z"})
    assert hold.item_count == 7
    assert hold.opened == datetime.datetime(2026, 11, 30, 12, 0, 0, 500000, datetime.timezone.utc)


def test_what_a_webhook_posts_has_the_types_of_notifications():
    posted = deprov.WebhookMessage(json.loads(
        '{"type": "deprov.events", "timestamp": "2026-11-30T12:00:00.000000Z", "data": {"workspace": "w", "webhook": "h",'
        ' "skipped": 2, "events": [{"id": "n", "type": "removal.verified", "seq": 7}]}}'))
    assert (posted.type, posted.workspace, posted.webhook, posted.skipped) == ("deprov.events", "w", "h", 2)
    assert posted.timestamp.year == 2026
    (event,) = posted.events
    assert isinstance(event, deprov.Notification) and (event.type, event.seq) == ("removal.verified", 7)
    assert deprov.WebhookMessage({"type": "deprov.test"}).events == ()


AUTHS = [
    (deprov.NoAuth(), {"type": "none"}),
    (deprov.TokenAuth("t", scheme="SSWS"), {"type": "token", "token": "t", "scheme": "SSWS"}),
    (deprov.BasicAuth("ann", "p"), {"type": "basic", "user": "ann", "password": "p"}),
    (deprov.ClientCredentials("id", "s", scope="users", parameters={"resource": "x"}),
     {"type": "client_credentials", "client_id": "id", "client_secret": "s", "scope": "users",
      "parameters": {"resource": "x"}}),
    (deprov.ClientCredentials("id", private_key="k", certificate="c", more={"newer": 1}),
     {"type": "client_credentials", "client_id": "id", "private_key": "k", "certificate": "c", "newer": 1}),
    (deprov.ClientCredentials("id", dpop=False), {"type": "client_credentials", "client_id": "id", "dpop": False}),
    (deprov.OtherAuth("mtls", {"certificate": "c"}), {"type": "mtls", "certificate": "c"}),
]


@pytest.mark.parametrize("auth, record", AUTHS)
def test_a_credential_is_the_record_of_the_api_and_back(auth, record):
    config = deprov.SourceConfig({"okta": {"url": "https://acme.okta.com"}}, auth=auth)
    assert config.record() == {"okta": {"url": "https://acme.okta.com"}, "auth": record}
    assert deprov.SourceConfig.of(config.record()) == config
    shown = repr(config)
    for secret in ("token", "password", "client_secret", "private_key", "certificate"):
        assert f"{secret}=" not in shown


def test_how_often_is_polled_and_what_calls_show():
    config = deprov.SourceConfig({"okta": {}}, poll=deprov.Polls(floor_s=60, more={"quota_reserve_percent": 0}),
                                 hook_secrets=("0123456789abcdef",), ca_pem="pem")
    assert config.record() == {"okta": {}, "poll": {"floor_s": 60, "quota_reserve_percent": 0},
                               "hook": {"secrets": ["0123456789abcdef"]}, "ca_pem": "pem"}
    assert "0123456789abcdef" not in repr(config)
    # What is shown has no secrets; the rest of it comes back.
    shown = {"okta": {}, "auth": {"type": "token"}, "hook": {}, "poll": {"floor_s": 60}}
    assert deprov.SourceConfig.of(shown).record() == shown
