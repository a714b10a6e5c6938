"""SCIM requests a second through Python, beside the same through C++ in the same run: get.py [SECONDS] [ROUNDS].

The yardstick, get.cpp, is compiled here, and linked to the library that the installed package has inside.
"""

import asyncio
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import deprov

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = pathlib.Path(deprov.__file__).parent
USER = "urn:ietf:params:scim:schemas:core:2.0:User"


def yardstick(folder):
    program = pathlib.Path(folder) / "get"
    library = next(PACKAGE.glob("libdeprov_c.so.*"))
    root = pathlib.Path(os.environ.get("DEPROV_SOURCE_DIR") or HERE.parents[2])
    subprocess.run(["c++", "-std=c++17", "-O2", f"-I{root / 'capi' / 'include'}", str(HERE / "get.cpp"), str(library),
                    f"-Wl,-rpath,{PACKAGE}", "-o", str(program)], check=True)
    return program


def world(**options):
    engine = deprov.Engine(memory=True, **options)
    acme = engine.create_workspace("acme")
    wiki = engine.create_integration(acme.local, "Wiki", idp="okta", connector="null")
    made = engine.scim(wiki, "POST", "/Users", {"schemas": [USER], "userName": "ann@example.com", "active": True})
    return engine, wiki.scim_base_path + "/Users/" + made.json()["id"], {"Authorization": "Bearer " + wiki.scim_token}


def one_at_a_time(seconds, **options):
    engine, target, headers = world(**options)
    with engine:
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            got = engine.call("GET", target, headers)
            if got.status != 200 or not got.body:
                raise SystemExit(f"answered {got.status}")
            done += 1
        return done / (time.perf_counter() - begun)


async def in_flight(seconds):
    engine, target, headers = world()
    done, begun = 0, time.perf_counter()

    async def ask(a):
        nonlocal done
        while time.perf_counter() - begun < seconds:
            got = await a.call("GET", target, headers)
            if got.status != 200 or not got.body:
                raise SystemExit(f"answered {got.status}")
            done += 1

    with engine:
        async with engine.aio() as a:
            await asyncio.gather(*(ask(a) for _ in range(64)))
            return done / (time.perf_counter() - begun)


MODES = {
    "serial": ("one at a time, engine with threads", lambda s: one_at_a_time(s)),
    "host_driven": ("one at a time, host-driven", lambda s: one_at_a_time(s, host_driven=True)),
    "in_flight": ("64 in flight (asyncio)", lambda s: asyncio.run(in_flight(s))),
}


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        program = yardstick(folder)
        print(f"{'GET /Users/{id}':38} {'C++/s':>9} {'Python/s':>9} {'ratio':>6}")
        for mode, (name, measure) in MODES.items():
            pairs = []
            for _ in range(rounds):  # in turns: what else the machine does hits both
                done = subprocess.run([str(program), mode, str(seconds)], check=True, capture_output=True, text=True)
                pairs.append((float(done.stdout), measure(seconds)))
            cpp, python = (statistics.median(p[i] for p in pairs) for i in (0, 1))
            ratio = statistics.median(p[1] / p[0] for p in pairs)
            print(f"{name:38} {cpp:9.0f} {python:9.0f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
