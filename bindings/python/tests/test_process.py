"""Signals, forks and the end of the interpreter: each in a process of its own."""

import subprocess
import sys
import textwrap

import pytest


def run(program, **options):
    return subprocess.run([sys.executable, "-W", "error", "-X", "faulthandler", "-c", textwrap.dedent(program)],
                          capture_output=True, text=True, timeout=120, **options)


SETUP = """
import os, signal, sys, threading, time, traceback
import deprov

there = threading.Event()
again = threading.Event()

@deprov.connector("stuck")
class Stuck:
    def __init__(self, config): pass
    def check(self, call):
        there.set()
        again.wait(100)
    def find(self, call): return [deprov.Account("1", True)]
    def read(self, call): return deprov.Account("1", True)
    @deprov.operation(idempotency="naturally")
    def disable(self, call): return self.check(call)
"""


@pytest.mark.parametrize("host_driven", [False, True])
def test_a_keyboard_interrupt_is_heard_while_waiting(host_driven):
    done = run(SETUP + f"""
def interrupt():
    there.wait(60)
    os.kill(os.getpid(), signal.SIGINT)

with deprov.Engine(memory=True, connectors=[Stuck], host_driven={host_driven}) as engine:
    by = engine.create_workspace("acme").local
    threading.Thread(target=interrupt).start()
    begun = time.monotonic()
    try:
        engine.create_integration(by, "W", idp="okta", connector="stuck")
    except KeyboardInterrupt:
        print("interrupted", time.monotonic() - begun < 30)
    again.set()
    assert engine.admin(by, "GET", "/workspace")["name"] == "acme"  # and goes on
""")
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted True\n", "", 0)


def test_a_keyboard_interrupt_is_heard_while_closing():
    done = run(SETUP + """
engine = deprov.Engine(memory=True, connectors=[Stuck])
by = engine.create_workspace("acme").local
wiki = engine.create_integration(by, "W", idp="okta", connector="stuck", check=False)
user = engine.scim(wiki, "POST", "/Users", {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                                            "userName": "ann", "active": True})
engine.scim(wiki, "PATCH", "/Users/" + user.json()["id"],
            {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
             "Operations": [{"op": "replace", "value": {"active": False}}]})
there.wait(60)
main = threading.get_ident()
def interrupt():  # once the engine is being closed, and waits for the call if it gets there in time
    while not any(f.f_code.co_name == "close" for f, _ in traceback.walk_stack(sys._current_frames()[main])):
        time.sleep(0.001)
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
begun = time.monotonic()
try:
    engine.close(deadline=60)
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - begun < 30)
again.set()
engine.close()
""")
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted True\n", "", 0)


def test_a_fork_is_refused_clearly():
    done = run("""
import os
import deprov
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of fork() beside threads, which is the point
engine = deprov.Engine(memory=True)
acme = engine.create_workspace("acme")
rows = engine.activity(acme.local)
pid = os.fork()
if pid == 0:
    for attempt in (lambda: engine.admin(acme.local, "GET", "/workspace"), lambda: next(rows),
                    lambda: deprov.Engine(memory=True), engine.pump):
        try:
            attempt()
        except deprov.ForkedError as e:
            assert "after the fork" in str(e)
        else:
            os._exit(1)
    engine.close()
    del engine, rows
    os._exit(42)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
assert engine.admin(acme.local, "GET", "/workspace")["name"] == "acme"
engine.close()
print("the parent goes on")
""")
    assert (done.stdout, done.stderr, done.returncode) == ("the parent goes on\n", "", 0)


def test_a_fork_before_any_engine_is_nobodys_concern():
    done = run("""
import os
import deprov
pid = os.fork()
if pid == 0:
    deprov.Engine(memory=True).close()
    os._exit(42)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
""")
    assert (done.stderr, done.returncode) == ("", 0)


def test_the_interpreter_ends_with_engines_open():
    done = run("""
import os
import deprov
lines = []
engine = deprov.Engine(memory=True, clock=__import__("time").time, log=lambda level, text: print(text))
engine.create_workspace("acme")
""")
    assert (done.stdout, done.returncode) == ("the engine was opened\nthe engine was closed\n", 0)
    assert done.stderr == ""




@pytest.mark.parametrize("first", ["", "import deprov"])
def test_a_subinterpreter_is_refused_and_the_main_one_goes_on(first):
    pytest.importorskip("_xxsubinterpreters")
    done = run(f"""
import _xxsubinterpreters as interpreters
{first}
one = interpreters.create()
try:
    interpreters.run_string(one, "import deprov")
except interpreters.RunFailedError as e:
    print(e)
interpreters.destroy(one)
import deprov
with deprov.Engine(memory=True) as engine:
    print(engine.call("GET", "/healthz").status)
""")
    assert "ImportError" in done.stdout and "main interpreter" in done.stdout, done
    assert done.stdout.endswith("200\n") and done.returncode == 0, done
