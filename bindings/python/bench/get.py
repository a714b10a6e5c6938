"""SCIM requests through Python, on the store in memory: get.py serial|host_driven|asyncio SECONDS.

Prints requests a second and what one costs the processor, in microseconds. bench/bindings.py compares it with C++.
"""

import asyncio
import resource
import sys
import time

import deprov

# The user that bench/capi_bench.cpp has.
USER = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "externalId": "00u1", "userName": "someone@example.com",
        "active": True, "name": {"givenName": "Some", "familyName": "One"},
        "emails": [{"value": "someone@example.com", "type": "work", "primary": True}]}
IN_FLIGHT = 64
CLOCK = 16  # so many requests, then a look at the clock; C++ looks once in 20,000


def world(**options):
    engine = deprov.Engine(memory=True, **options)
    acme = engine.create_workspace("acme")
    wiki = engine.create_integration(acme.local, "Wiki", idp="okta", connector="null", check=False)
    made = engine.scim(wiki, "POST", "/Users", USER)
    return engine, wiki.scim_base_path + "/Users/" + made.json()["id"], {"Authorization": "Bearer " + wiki.scim_token}


def check(got):
    if got.status != 200 or not got.body:
        raise SystemExit(f"answered {got.status}")


class Watch:
    def __init__(self, seconds):
        self.cpu = self._cpu()
        self.begun = time.perf_counter()
        self.until = self.begun + seconds

    @staticmethod
    def _cpu():
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def report(self, done):
        print(f"{done / (time.perf_counter() - self.begun):.0f} {(self._cpu() - self.cpu) / done * 1e6:.2f}")


def one_at_a_time(seconds, **options):
    engine, target, headers = world(**options)
    with engine:
        watch, done = Watch(seconds), 0
        while time.perf_counter() < watch.until:
            for _ in range(CLOCK):
                check(engine.call("GET", target, headers))
            done += CLOCK
        watch.report(done)


async def in_flight(seconds):
    engine, target, headers = world()
    done = 0

    async def ask(a, watch):
        nonlocal done
        while time.perf_counter() < watch.until:
            for _ in range(CLOCK):
                check(await a.call("GET", target, headers))
            done += CLOCK

    with engine:
        async with engine.aio() as a:
            watch = Watch(seconds)
            await asyncio.gather(*(ask(a, watch) for _ in range(IN_FLIGHT)))
            watch.report(done)


MODES = {
    "serial": one_at_a_time,
    "host_driven": lambda seconds: one_at_a_time(seconds, host_driven=True),
    "asyncio": lambda seconds: asyncio.run(in_flight(seconds)),
}

if __name__ == "__main__":
    MODES[sys.argv[1]](float(sys.argv[2]))
