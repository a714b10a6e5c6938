#!/usr/bin/env python3
"""What an idle server costs: memory, and the time from its start to its first answer.

    bench/idle.py [PROGRAM] [--runs N] [--json]      (default: build/release/bin/deprov, 9 runs)

The yardstick is the same program printing its version: what starting a process of this size costs at all.
"""
import argparse
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS in /proc: this runs on Linux only")


def one_run(program, data):
    port = free_port()
    begin = time.monotonic()
    server = subprocess.Popen([program, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        break
            except (urllib.error.URLError, ConnectionError):
                if server.poll() is not None:
                    raise RuntimeError(f"the server ended with {server.returncode}") from None
                if time.monotonic() - begin > 30:
                    raise RuntimeError("no answer within 30 s") from None
                time.sleep(0.001)
        first_ms = (time.monotonic() - begin) * 1000
        return first_ms, resident_kb(server.pid) / 1024
    finally:
        server.terminate()
        server.wait(timeout=30)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?", default="build/release/bin/deprov")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs: at least 1")
    with tempfile.TemporaryDirectory() as directory:
        data = f"{directory}/data"
        subprocess.run([options.program, "init", "--data", data], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        first, resident, version = [], [], []
        for _ in range(options.runs):
            ms, mb = one_run(options.program, data)
            first.append(ms)
            resident.append(mb)
            begin = time.monotonic()
            subprocess.run([options.program, "version"], check=True, stdout=subprocess.DEVNULL)
            version.append((time.monotonic() - begin) * 1000)
    result = {
        "first_answer_ms": round(statistics.median(first), 1),
        "first_answer_max_ms": round(max(first), 1),
        "version_ms": round(statistics.median(version), 1),
        "resident_mb": round(statistics.median(resident), 1),
        "runs": options.runs,
    }
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:20} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
