"""Lists of sources, whose rows come from the host."""

import datetime

import pytest
from conftest import make_world

import deprov

NAMES = ["ann", "bob", "cleo", "dan", "eve", "fay"]


class Company:
    def __init__(self, **options):
        self.world = make_world(**options)
        self.engine = self.world.engine
        self.by = self.world.by
        self.integration = self.world.wiki.id
        for name in NAMES:
            made = self.world.scim("POST", "/Users", {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
                "externalId": f"00u-{name}", "active": True})
            assert made.status == 201
        self.source = self.engine.admin(self.by, "POST", f"/integrations/{self.integration}/sources",
                                        {"name": "hr", "kind": "rows"})["id"]

    def people(self, names=NAMES):
        return (deprov.SourceUser(f"00u-{n}", external_id=f"00u-{n}", user_name=n) for n in names)

    def begin(self, **how):
        return self.engine.begin_list(self.by, self.integration, self.source, **how)

    def health(self):
        return self.engine.admin(self.by, "GET", f"/integrations/{self.integration}/sources/{self.source}")["health"]


@pytest.fixture(params=["threads", "host_driven"])
def company(request):
    made = Company(host_driven=request.param == "host_driven")
    with made.engine:
        yield made


def test_who_is_missing_from_the_next_list_loses_access(company):
    with company.begin() as people:
        people.add(company.people())
        assert people.count == len(NAMES)
        assert people.end(len(NAMES)).first
    with company.begin(dry_run=True) as people:
        people.add(company.people(NAMES[:-1]))
        assert people.end(len(NAMES) - 1).ends == 1
    with company.begin() as people:
        people.add(company.people(NAMES[:2]))
        people.add(company.people(NAMES[2:-1]))
        report = people.end(len(NAMES) - 1)
    assert report.ends == 1
    assert report.differences[0].user_name == "fay"
    assert company.world.wait_for("removal.requested")["detail"]["cause"] == "unassigned"


def test_a_list_that_is_not_whole_is_refused(company):
    with company.begin() as people:
        people.add(company.people())
        people.end(len(NAMES))
    with company.begin() as people:
        people.add(company.people(NAMES[:1]))
        with pytest.raises(deprov.InvalidError) as e:
            people.end(len(NAMES))
        assert e.value.name == "invalid_argument"
        with pytest.raises(deprov.NotFoundError):  # it has ended
            people.add(company.people(NAMES[:1]))
    assert company.health() == "failing"


def test_a_list_that_was_not_ended_is_given_up(company):
    with pytest.raises(ZeroDivisionError), company.begin() as people:
        people.add(company.people())
        1 / 0  # noqa: B018
    assert company.health() == "never_read"
    people = company.begin()
    people.give_up("the database was away")
    assert company.health() == "failing"
    with pytest.raises(deprov.NotFoundError):
        people.end()


def test_more_users_than_go_in_at_once(company):
    many = 25_000
    with company.begin(dry_run=True) as people:
        people.add(deprov.SourceUser(str(i)) for i in range(many))
        assert people.count == many
        assert people.end(many).listed == many


def test_what_makes_no_sense_is_refused(company):
    with company.begin() as people:
        with pytest.raises(deprov.InvalidError, match="zero byte"):
            people.add([deprov.SourceUser("a\0b")])
        with pytest.raises(deprov.InvalidError, match="no id"):
            people.add([deprov.SourceUser("")])
    with pytest.raises(ValueError, match="time zone"):
        company.begin(begun=datetime.datetime(2026, 1, 1))
    with pytest.raises(deprov.NotFoundError):
        company.engine.begin_list(company.by, company.integration, company.integration)
    with pytest.raises(deprov.UnauthorizedError):
        company.engine.begin_list(deprov.Caller(token="dp_nothing"), company.integration, company.source)


def test_a_list_that_was_read_before_the_last_one_is_a_conflict(company):
    with company.begin() as people:
        people.add(company.people())
        people.end(len(NAMES))
    with pytest.raises(deprov.ConflictError):
        company.begin(begun=datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1))


def test_a_list_outlives_its_engine_and_says_so(company):
    people = company.begin()
    company.engine.close()
    with pytest.raises(deprov.ClosedError):
        people.add(company.people())
