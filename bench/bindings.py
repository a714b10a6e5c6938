#!/usr/bin/env python3
"""What a GET costs through the C interface, in Go and in Python, beside C++: `GET /Users/{id}`, the store in memory.

    bench/bindings.py [BUILD] [--rounds N] [--seconds S] [--json]     (default: build/release, 5 rounds of 2 s)

BUILD is a build tree with the target bench_capi and the library deprov_capi; the module of Go and the package of
Python are made with that library. Everybody takes turns: what else the machine does hits all of them. What a request costs
the processor counts every thread of the process. The ratio is of each round's own C++; its median and best are shown. C and
C++ are so near to each other that what a processor's speed does from one second to the next would hide the difference: their
ratio is that of slices of 200 requests which take turns in one process.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
Figure = collections.namedtuple("Figure", "per_second cpu_us of_cpp", defaults=[None])
Row = collections.namedtuple("Row", "name yardstick")
ROWS = {
    "c++ serial": Row("C++, one after the other", None),
    "c serial": Row("C, one after the other", "c++ serial"),
    "go serial": Row("Go, one after the other", "c++ serial"),
    "python serial": Row("Python, one after the other", "c++ serial"),
    "c++ many": Row("C++, 64 in flight", None),
    "c many": Row("C, 64 in flight", "c++ many"),
    "go many": Row("Go, 64 goroutines", "c++ many"),
    "python many": Row("Python, 64 tasks of asyncio", "c++ many"),
}


def output(command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(str(c) for c in command)}\n{done.stdout}{done.stderr}")
    return done.stdout


class Native:
    """bench_capi has C++ and C."""

    names = {"c++ serial": "native_one", "c serial": "c_one", "c++ many": "native_many", "c many": "c_many"}
    pairs = {"c serial": "compare_one", "c many": "compare_many"}

    def __init__(self, build, _folder):
        self.program = build / "bench" / "bench_capi"
        if not self.program.is_file():
            raise SystemExit(f"{self.program} is not there; cmake --build {build} --target bench_capi")

    def run(self, name, seconds):
        text = output([self.program, f"--benchmark_filter=^{name}/", "--benchmark_format=json",
                       f"--benchmark_min_time={seconds}"])
        run = json.loads(text)["benchmarks"][0]
        if run.get("error_occurred"):
            raise SystemExit(f"{run['name']}: {run['error_message']}")
        return run

    def measure(self, what, seconds):
        run = self.run(self.names[what], seconds)
        seconds_each = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3}[run["time_unit"]]
        per_second = run["items_per_second"]
        requests = per_second * run["real_time"] * seconds_each  # of one iteration
        of_cpp = self.run(self.pairs[what], seconds)["of_cpp"] if what in self.pairs else None
        return Figure(per_second, run["cpu_time"] * seconds_each / requests * 1e6, of_cpp)


class Go:
    names = {"go serial": "One", "go many": "Many"}

    def __init__(self, build, folder):
        go = os.environ.get("GO") or shutil.which("go") or "/usr/local/go/bin/go"
        config = build / "bindings" / "go" / "pkgconfig"
        # Go's cache does not look at what pkg-config says.
        mark = zlib.crc32(b"".join(sorted(p.read_bytes() for p in config.glob("*.pc"))))
        self.program = folder / "bench.test"
        environment = dict(os.environ, PKG_CONFIG_PATH=str(config), CGO_CFLAGS=f"-O2 -DDEPROV_GO_{mark}",
                           GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false")
        output([go, "test", "-c", "-o", self.program, "."], cwd=ROOT / "bindings" / "go", env=environment)

    def measure(self, what, seconds):
        text = output([self.program, "-test.run", "^$", "-test.bench", f"^BenchmarkGet{self.names[what]}$",
                       "-test.benchtime", f"{seconds}s"], cwd=ROOT / "bindings" / "go")
        return Figure(*(float(re.search(rf"([\d.e+]+) {unit}", text).group(1))
                        for unit in ("requests/s", "cpu-us/request")))


class Python:
    names = {"python serial": "serial", "python many": "asyncio"}

    def __init__(self, build, folder):
        # build/python-tools has what cmake/python.sh installs.
        self.python = os.environ.get("DEPROV_PYTHON") or ROOT / "build" / "python-tools" / "bin" / "python"
        if not pathlib.Path(self.python).exists():
            raise SystemExit("the tools of Python are not there; run: bash cmake/python.sh")
        package = folder / "package"
        shutil.copytree(ROOT / "bindings" / "python", package,
                        ignore=lambda _, names: [n for n in names if n == "build" or n.endswith(".egg-info")])
        environment = dict(os.environ, DEPROV_SOURCE_DIR=str(ROOT), DEPROV_BUILD_DIR=str(build))
        output([self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
                "--no-build-isolation", "--target", folder / "site", "."], cwd=package, env=environment)
        self.environment = dict(os.environ, PYTHONPATH=str(folder / "site"))

    def measure(self, what, seconds):
        text = output([self.python, ROOT / "bindings" / "python" / "bench" / "get.py", self.names[what], seconds],
                      env=self.environment)
        return Figure(*(float(word) for word in text.split()))


def measured(build, rounds, seconds):
    figures = {name: [] for name in ROWS}
    with tempfile.TemporaryDirectory() as folder:
        programs = [made(build, pathlib.Path(folder)) for made in (Native, Go, Python)]
        for _ in range(rounds):
            for name in ROWS:
                program = next(p for p in programs if name in p.names)
                figures[name].append(program.measure(name, seconds))
    return figures


def ratios(figures, name):
    """Requests a second of C++, and CPU of C++ in ours, of each round: what is greater is better."""
    pairs = list(zip(figures[name], figures[ROWS[name].yardstick]))
    return [a.of_cpp or a.per_second / b.per_second for a, b in pairs], [b.cpu_us / a.cpu_us for a, b in pairs]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", default=ROOT / "build" / "release", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measured(options.build.resolve(), options.rounds, options.seconds)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{'GET /Users/{id}':28} {'requests/s':>19} {'of C++':>12} {'CPU us':>14} {'of C++':>12}")
    print(f"{'':28} {'best':>9} {'median':>9} {'best':>6} {'med.':>5} {'best':>7} {'med.':>6} {'best':>6} {'med.':>5}")
    for name, row in ROWS.items():
        speed = [f.per_second for f in figures[name]]
        cpu = [f.cpu_us for f in figures[name]]
        line = f"{row.name:28} {max(speed):9,.0f} {statistics.median(speed):9,.0f} "
        of_speed, of_cpu = ratios(figures, name) if row.yardstick else (None, None)
        line += f"{max(of_speed):6.2f} {statistics.median(of_speed):5.2f} " if of_speed else " " * 13
        line += f"{min(cpu):7.2f} {statistics.median(cpu):6.2f} "
        line += f"{max(of_cpu):6.2f} {statistics.median(of_cpu):5.2f}" if of_cpu else ""
        print(line.rstrip())


if __name__ == "__main__":
    sys.exit(main())
