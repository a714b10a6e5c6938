"""tests/scenario/lifecycle.json, as its README says."""

import json
import os
import pathlib
import re

import deprov


def scenario_file() -> pathlib.Path:
    root = os.environ.get("DEPROV_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[3]
    return pathlib.Path(root) / "tests" / "scenario" / "lifecycle.json"


def connector_of(said):
    accounts = {a["id"]: deprov.Account(**a) for a in said["accounts"]}

    class Roster:
        def __init__(self, config):
            pass

        def check(self, call):
            pass

        def find(self, call):
            return [a for a in accounts.values() if a.external_id == call.external_id or a.user_name == call.user_name]

        def read(self, call):
            return accounts.get(call.account)

        def list(self, call):
            return list(accounts.values())

        def disable(self, call):
            return self._set(call, False)

        def enable(self, call):
            return self._set(call, True)

        def revoke_sessions(self, call):
            pass

        def remove(self, call):
            pass

        def _set(self, call, active):
            a = accounts[call.account]
            accounts[a.id] = deprov.Account(a.id, active, a.user_name, a.external_id, a.emails, a.groups)
            return deprov.Reply(effect=deprov.Effect.ALREADY if a.active is active else deprov.Effect.DONE)

    for name in (o.name.lower() for o in deprov.Operation):
        if name not in said["operations"] and hasattr(Roster, name):
            delattr(Roster, name)  # what the file does not name is not offered, as everywhere else
    for name, like in said["operations"].items():
        setattr(Roster, name, deprov.operation(**like)(getattr(Roster, name)))
    return deprov.connector(said["id"], workers=0)(Roster), accounts


def pointed_at(document, pointer):
    for part in pointer.split("/")[1:]:
        document = document[int(part) if isinstance(document, list) else part]
    return document


class Player:
    def __init__(self, scenario):
        self.scenario = scenario
        self.now_ms = scenario["clock_ms"]
        connector, self.accounts = connector_of(scenario["connector"])
        self.engine = deprov.Engine(memory=True, host_driven=True, connectors=[connector],
                                    clock=lambda: self.now_ms / 1000)
        self.by = self.engine.create_workspace("acme").local
        self.wiki = self.engine.create_integration(self.by, **scenario["integration"])
        self.saved = {"integration": self.wiki.id}

    def settle(self):
        while self.engine.pump(0.05) == 0:
            pass

    def fill(self, value):
        return json.loads(re.sub(r"\$\{(\w+)\}", lambda m: self.saved[m.group(1)], json.dumps(value)))

    def step(self, step):
        self.now_ms += 1
        if "advance_ms" in step:
            self.now_ms += step["advance_ms"]
        elif step.get("evidence"):
            self.check_evidence()
        elif "list" in step:
            self.hand_in(step)
        else:
            kind = "scim" if "scim" in step else "admin"
            request = self.fill(step[kind])
            if kind == "scim":
                answer = self.engine.scim(self.wiki, request["method"], request["path"], request.get("body"))
            else:
                answer = self.engine.call(request["method"], "/api/v1" + request["path"],
                                          {"Content-Type": "application/json"}, request.get("body"), by=self.by)
            assert answer.status == step["status"], (step["name"], answer.body)
            for name, pointer in step.get("save", {}).items():
                self.saved[name] = pointed_at(answer.json(), pointer)
        self.settle()

    def hand_in(self, step):
        said = self.fill(step["list"])
        with self.engine.begin_list(self.by, self.wiki.id, said["source"], dry_run=said.get("dry_run", False)) as people:
            people.add(deprov.SourceUser(**u) for u in said["users"])
            try:
                report = people.end(said["count"])
            except deprov.Error as e:
                assert e.name == step.get("refused"), (step["name"], e)
                return
        assert "refused" not in step, (step["name"], report)
        assert {name: getattr(report, name) for name in step["report"]} == step["report"], (step["name"], report)

    def check_evidence(self):
        export = self.engine.call("GET", f"/api/v1/evidence?integration={self.wiki.id}", by=self.by).body
        verdict = deprov.verify_evidence(export)
        assert verdict, verdict
        assert verdict.records == len(list(self.engine.activity(self.by, self.wiki.id)))
        for how in self.scenario["tampering"]:
            lines = export.splitlines(keepends=True)
            at = how["record"] + 1
            if "replace" in how:
                before, after = (x.encode() for x in how["replace"])
                assert before in lines[at]
                lines[at] = lines[at].replace(before, after)
            elif "remove" in how:
                del lines[at]
            else:
                lines[at:at + 2] = lines[at + 1], lines[at]
            verdict = deprov.verify_evidence(lines)
            assert not verdict
            assert f"{verdict.problems[0].kind} {verdict.problems[0].seq}" == how["found"]

    def activity(self):
        names = {v: k for k, v in self.saved.items()}
        lines = []
        for record in self.engine.activity(self.by, self.wiki.id):
            subject = record["subject"]
            line = record["event"] + " " + ("-" if subject is None else names.get(subject, "new"))
            for key in self.scenario["activity_keys"]:
                if key in record["detail"]:
                    value = record["detail"][key]
                    line += f" {key}={value if isinstance(value, str) else json.dumps(value, separators=(',', ':'))}"
            lines.append(line)
        return lines


def test_lifecycle():
    scenario = json.loads(scenario_file().read_text(encoding="utf-8"))
    player = Player(scenario)
    with player.engine:
        for step in scenario["steps"]:
            player.step(step)
        assert player.activity() == scenario["activity"]
        assert {a.id: a.active for a in player.accounts.values()} == scenario["accounts"]
