import dataclasses

import deprov

people = {"7": deprov.Account("7", active=True, user_name="ann@example.com")}


@deprov.connector("wiki", name="Wiki")
class Wiki:
    def __init__(self, config):  # what the integration says; raise to refuse it
        self.config = config

    def check(self, call):  # reachable, the credential good? any one account shows that it can see them
        return list(people.values())[:1]

    def find(self, call):
        return [p for p in people.values() if p.user_name == call.user_name]

    def read(self, call):
        return people.get(call.account)

    @deprov.operation(reversible=True, idempotency="naturally", verification="read")
    def disable(self, call):
        if call.account == "1":
            raise deprov.Failed(deprov.Outcome.PROTECTED, "nobody could open the wiki any more")
        people[call.account] = dataclasses.replace(people[call.account], active=False)


engine = deprov.Engine(memory=True, connectors=[Wiki])
