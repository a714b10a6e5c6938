"""Builds the extension and the library it stands on; the rest is in pyproject.toml.

DEPROV_BUILD_DIR   a build tree of deprov whose libdeprov_c is taken as it is
DEPROV_PREFIX      where deprov was installed; its libdeprov_c is taken as it is
DEPROV_SOURCE_DIR  the checkout, where this folder was copied out of it
Without the first two, CMake builds libdeprov_c from the checkout, with CMAKE_ARGS, into its build/python-wheel.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).resolve().parent
ROOT = pathlib.Path(os.environ.get("DEPROV_SOURCE_DIR") or HERE.parents[1])


def environment_path(name: str) -> "pathlib.Path | None":
    value = os.environ.get(name)
    return pathlib.Path(value).resolve() if value else None


def version() -> str:
    """It is written down once, in the C++ header."""
    for place in (ROOT, environment_path("DEPROV_PREFIX") or ROOT):
        path = place / "include" / "deprov" / "config.hpp"
        if path.is_file():
            found = re.search(r'#define DEPROV_VERSION "([^"]+)"', path.read_text(encoding="utf-8"))
            if found:
                return found.group(1)
    raise SystemExit(f"deprov: {ROOT} is no checkout of deprov; install from one, or set DEPROV_SOURCE_DIR")


def made_in(place: pathlib.Path, folder: str) -> pathlib.Path:
    """Where a build tree has what it has built; tests install older copies elsewhere in it."""
    return place / folder if (place / "CMakeCache.txt").is_file() else place


def shared_library(place: pathlib.Path) -> pathlib.Path:
    place = made_in(place, "capi")
    found = sorted(p for p in place.rglob("libdeprov_c.so.*") if not p.is_symlink() and p.is_file())
    if not found:
        raise SystemExit(f"deprov: there is no libdeprov_c.so below {place}; build the target deprov_capi there")
    return found[-1]


def worker_program(place: pathlib.Path) -> "pathlib.Path | None":
    """What connectors of plugins run in. A build tree may not have built it."""
    place = made_in(place, "bin")
    found = sorted(p for p in place.rglob("deprov-connector-worker") if p.is_file() and os.access(p, os.X_OK))
    return found[0] if found else None


def built_tree(jobs: int) -> pathlib.Path:
    if not (ROOT / "CMakeLists.txt").is_file():
        raise SystemExit(f"deprov: {ROOT} is no checkout of deprov; install from one, or set DEPROV_PREFIX")
    tree = ROOT / "build" / "python-wheel"
    # The flags of the preset "release": objects that are cached of one are of use to the other.
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG", "-DDEPROV_BUILD_TESTS=OFF",
               "-DDEPROV_BUILD_BENCH=OFF", "-DDEPROV_BUILD_CLI=OFF", "-DDEPROV_BUILD_WORKER=ON",
               "-DDEPROV_BUILD_CAPI=ON", "-DDEPROV_UNITY=ON", "-DDEPROV_WERROR=OFF"]
    if shutil.which("ninja"):
        options += ["-G", "Ninja"]
    options += shlex.split(os.environ.get("CMAKE_ARGS", ""))
    subprocess.run(["cmake", "-S", str(ROOT), "-B", str(tree), *options], check=True)
    subprocess.run(["cmake", "--build", str(tree), "-j", str(jobs), "--target", "deprov_capi", "deprov_connector_worker"],
                   check=True)
    return tree


class BuildExtension(build_ext):
    """The library and the worker stand beside the extension, and are found there."""

    def run(self) -> None:
        prefix = environment_path("DEPROV_PREFIX")
        tree = environment_path("DEPROV_BUILD_DIR")
        place = prefix or tree or built_tree(self.parallel or os.cpu_count() or 1)
        library = shared_library(place)
        worker = worker_program(place)
        soname = re.sub(r"^(libdeprov_c\.so\.\d+).*$", r"\1", library.name)
        for extension in self.extensions:
            extension.include_dirs.append(str(prefix / "include" if prefix else ROOT / "capi" / "include"))
            extension.extra_objects.append(str(library))
            extension.extra_link_args.append("-Wl,-rpath,$ORIGIN")
            extension.depends.append(str(library))
        super().run()
        package = pathlib.Path(self.get_ext_fullpath("deprov._native")).parent
        package.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(library, package / soname)
        if worker is not None:
            shutil.copyfile(worker, package / worker.name)
            (package / worker.name).chmod(0o755)


setup(
    version=version(),
    cffi_modules=["native/build_ffi.py:ffi"],
    ext_modules=[Extension("deprov._ask", ["native/ask.c"], depends=["native/room.h"], py_limited_api=True)],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
)
