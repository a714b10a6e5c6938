"""Connectors in files of their own, in this process and in the worker that came with the package."""

import hashlib
import os
import pathlib
import queue
import shutil
import socket
import stat

import pytest
from conftest import make_world

import deprov
from deprov._options import own_worker

BUILD = os.environ.get("DEPROV_BUILD_DIR")
GOOD = pathlib.Path(BUILD or "/nonexistent") / "tests" / "plugin" / "zoo" / "good.so"
CONFIG = {"token": "hunter2-hunter2"}

needs_plugin = pytest.mark.skipif(not GOOD.is_file(), reason="no build tree with the connectors of the tests")


@pytest.fixture
def plugins(tmp_path):
    root = pathlib.Path(os.environ.get("DEPROV_SOURCE_DIR") or pathlib.Path(__file__).parents[3])
    shutil.copy(GOOD, tmp_path / "zoo.so")
    shutil.copy(root / "tests" / "plugin" / "zoo" / "zoo.json", tmp_path / "zoo.json")
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    tmp_path.chmod(0o755)
    return tmp_path


def asked_about_ann(world):
    """The connection of the jobs stays open; that of a check does not."""
    world.add_user("ann@example.com")
    world.wait_for("account.bound")


def outcome(world):
    return world.engine.admin(world.by, "POST", f"/integrations/{world.wiki.id}/check")["outcome"]


def world_with(plugins, **more):
    world = make_world(plugins=plugins)
    made = world.engine.create_integration(world.by, "Zoo", idp="okta", connector="zoo", config=CONFIG, **more)
    world.wiki = made
    return world


def workers():
    """Processes that this one has started and that have not ended."""
    found = []
    for stat_file in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat_file.read_text()
        except OSError:  # it has ended meanwhile
            continue
        name, _, rest = text.partition(" (")[2].rpartition(") ")
        if int(rest.split()[1]) == os.getpid():
            found.append(name)
    return found


def test_the_package_has_its_worker_beside_it():
    worker = own_worker()
    assert worker is not None and worker.parent == pathlib.Path(deprov.__file__).parent
    assert stat.S_IMODE(worker.stat().st_mode) == 0o755


@needs_plugin
def test_a_plugin_in_this_process(plugins):
    world = world_with(deprov.Plugins(directories=[plugins]))
    with world.engine:
        assert outcome(world) == "OK"
        asked_about_ann(world)
        assert workers() == []


@needs_plugin
def test_a_plugin_by_its_hash_in_a_worker(plugins):
    sha256 = hashlib.sha256((plugins / "zoo.so").read_bytes()).hexdigest()
    limits = deprov.WorkerLimits(memory_bytes=1 << 30, cpu_seconds=30, files=64, calls=2)
    world = world_with(deprov.Plugins(files={plugins / "zoo.so": sha256}, placement="worker", limits=limits))
    with world.engine:
        assert outcome(world) == "OK"
        asked_about_ann(world)
        assert len(workers()) == 1
    assert workers() == []


@needs_plugin
def test_where_an_integration_says_so(plugins):
    world = world_with(deprov.Plugins(directories=[str(plugins)]), settings={"placement": "worker"})
    with world.engine:
        asked_about_ann(world)
        assert len(workers()) == 1


@needs_plugin
def test_bounds_reach_the_worker(plugins):
    tight = deprov.Plugins(directories=[plugins], placement="worker", limits=deprov.WorkerLimits(memory_bytes=1))
    world = world_with(tight, check=False)
    with world.engine:
        assert outcome(world) != "OK"


@needs_plugin
def test_what_plugins_exchange_over_http_is_told(plugins):
    root = pathlib.Path(os.environ.get("DEPROV_SOURCE_DIR") or pathlib.Path(__file__).parents[3])
    shutil.copy(GOOD.parent / "keeper.so", plugins / "zoo.so")
    shutil.copy(root / "tests" / "plugin" / "zoo" / "keeper.json", plugins / "zoo.json")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    exchanges = queue.Queue()
    world = make_world(plugins=deprov.Plugins(directories=[plugins], record=exchanges.put))
    with world.engine as engine:
        world.wiki = engine.create_integration(world.by, "Keeper", idp="okta", connector="keeper", check=False,
                                               config={**CONFIG, "base_url": url})
        world.add_user("ann@example.com")
        exchange = exchanges.get(timeout=60)
    assert exchange["connector"] == "keeper" and exchange["operation"] == "find"
    assert exchange["failure"]["kind"] == "connect"
    assert CONFIG["token"] not in repr(exchange)


@needs_plugin
def test_what_is_refused(plugins, tmp_path):
    with pytest.raises(ValueError, match="placement"):
        deprov.Engine(memory=True, plugins=deprov.Plugins(placement="elsewhere"))
    with pytest.raises(deprov.ForbiddenError):
        deprov.Engine(memory=True, plugins=deprov.Plugins(files={plugins / "zoo.so": "0" * 64}))
    with pytest.raises(deprov.Error):
        deprov.Engine(memory=True, plugins=deprov.Plugins(directories=[plugins], placement="worker",
                                                           worker=tmp_path / "nothing"))
