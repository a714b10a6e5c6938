"""What the READMEs show is what runs here."""

import os
import pathlib
import runpy
import subprocess
import sys

from conftest import World

ROOT = pathlib.Path(os.environ.get("DEPROV_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[3])
HERE = pathlib.Path(__file__).resolve().parent
OWN = (HERE.parent / "README.md").read_text(encoding="utf-8")


def test_embedding(tmp_path):
    program = ROOT / "tests" / "consumer" / "embed.py"
    done = subprocess.run([sys.executable, "-W", "error", str(program), str(tmp_path / "data")], capture_output=True,
                          text=True, timeout=120)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.startswith("200 ") and "ListResponse" in done.stdout
    source = program.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 20
    for shown in (OWN, (ROOT / "README.md").read_text(encoding="utf-8")):
        assert f"```python\n{source}```" in shown


def test_a_connector():
    program = HERE / "example_connector.py"
    assert program.read_text(encoding="utf-8") in OWN
    example = runpy.run_path(str(program))
    engine = example["engine"]
    with engine:
        acme = engine.create_workspace("acme")
        world = World(engine, acme, engine.create_integration(acme.local, "Wiki", idp="okta", connector="wiki"))
        world.deactivate(world.add_user("ann@example.com"))
        world.wait_for("removal.verified")
        world.deactivate(world.add_user("bob@example.com"))
        world.wait_for("removal.no_account")
    assert example["people"]["7"].active is False
