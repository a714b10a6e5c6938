#!/usr/bin/env python3
"""Steady churn on a server for a long time: does memory stay flat, do answers stay as fast, is the queue worked off?

    bench/soak.py [PROGRAM] [--minutes N] [--users N] [--rate N] [--json]
                                        (default: build/release/bin/deprov, 30 minutes, 2,000 users, 40 requests/s)

An IdP deactivates and reactivates people, moves them between groups, renames and looks them up, at a fixed rate over
four connections; an app in a file disables and enables the accounts. Each window (a minute, or a 30th of the time where
that is shorter) shows the latency from when a request was due, so that a server that stalls cannot hide it. Ends with 0
where all of it held, 1 where not, 2 where it could not be run. The yardstick is the beginning of the same run.
"""
import argparse
import http.client
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from idle import free_port, resident_kb

CONNECTIONS = 4
DRAIN_S = 120
CACHES_MB = 104  # 32 MiB of the writer and of each of two readers, and what an allocator keeps
UNFINISHED = ("held", "awaiting_approval", "ready", "running", "waiting_async", "retrying")


class Client:
    def __init__(self, port, base, token):
        self.port, self.base, self.token = port, base, token
        self.connection = None

    def send(self, method, path, body=None, base=None):
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/scim+json"
        for again in (False, True):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                self.connection.request(method, (self.base if base is None else base) + path,
                                        json.dumps(body) if body is not None else None, headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if again:
                    raise


def operation(op, path, value):
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": op, "path": path, "value": value}]}


class Churn:
    """What one connection asks for: people of its own, so that the outcome is known."""

    def __init__(self, client, number, users, groups, seed):
        self.client, self.number, self.users, self.groups = client, number, users, groups
        self.random = random.Random(seed)
        self.active = dict.fromkeys(users, True)
        self.member = dict.fromkeys(users, 0)
        self.latencies, self.failures, self.late = [], [], 0
        self.lock = threading.Lock()

    def one(self):
        who = self.random.choice(self.users)
        kind = self.random.random()
        if kind < 0.4:
            self.active[who] = not self.active[who]
            return self.client.send("PATCH", f"/Users/{who}", operation("replace", "active", self.active[who]))
        if kind < 0.6:
            old = self.member[who]
            self.member[who] = 1 - old
            status, text = self.client.send("PATCH", f"/Groups/{self.groups[old]}",
                                            operation("remove", f'members[value eq "{who}"]', None))
            if status >= 300:
                return status, text
            return self.client.send("PATCH", f"/Groups/{self.groups[1 - old]}",
                                    operation("add", "members", [{"value": who}]))
        if kind < 0.7:
            title = f"title {self.random.randrange(1000)}"
            return self.client.send("PATCH", f"/Users/{who}", operation("replace", "title", title))
        if kind < 0.9:
            return self.client.send("GET", f"/Users/{who}")
        return self.client.send("GET", "/Users?startIndex=1&count=20")

    def run(self, begin, end, interval):
        due = begin + interval * self.number / CONNECTIONS
        while due < end and time.monotonic() < end:
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            try:
                status, text = self.one()
                failure = f"{status} {text[:200]!r}" if status >= 300 else None
            except (http.client.HTTPException, OSError) as e:
                failure = repr(e)
            with self.lock:
                self.latencies.append((time.monotonic() - due) * 1000)
                if failure:
                    self.failures.append(failure)
            due += interval

    def take(self):
        with self.lock:
            latencies, self.latencies = self.latencies, []
            return latencies


def metrics(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"/metrics answers {answer.status}")
    unfinished = sum(float(value) for state, value in
                     re.findall(r'^deprov_jobs\{[^}]*state="(\w+)"[^}]*\} (\S+)$', text, re.M) if state in UNFINISHED)
    depth = re.search(r"^deprov_store_queue_depth (\S+)$", text, re.M)
    return int(unfinished), int(float(depth[1])) if depth else 0


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


def set_up(program, directory, users):
    data = f"{directory}/data"
    run(program, "init", "--data", data)
    app = pathlib.Path(directory, "app.jsonl")
    app.write_text("".join(json.dumps({"id": str(i), "userName": f"user{i}@example.com"}) + "\n" for i in range(users)))
    pathlib.Path(directory, "sandbox.json").write_text(json.dumps({"file": str(app)}))
    # The guard would hold what is steady churn here; the lane works as hard as it may.
    pathlib.Path(directory, "policy.json").write_text(json.dumps(
        {"guard": {"enabled": False}, "settle_ms": 1000, "lane": {"start_concurrency": 16, "max_concurrency": 16},
         "entitling_groups": [{"display_name": "one"}, {"display_name": "two"}]}))
    made = json.loads(run(program, "integration", "create", "--data", data, "--name", "app", "--idp", "okta",
                          "--connector", "sandbox", "--config", f"{directory}/sandbox.json", "--policy",
                          f"{directory}/policy.json", "--json"))
    return data, made["scim_base_path"], made["scim_token"]


def wait_until_ready(server, port):
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        time.sleep(0.1)
    raise RuntimeError("no answer within a minute")


def provision(client, users):
    ids = []
    for i in range(users):
        status, text = client.send("POST", "/Users", {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": f"user{i}@example.com",
            "externalId": f"ext-{i}", "active": True})
        if status != 201:
            raise RuntimeError(f"POST /Users answers {status}: {text[:200]!r}")
        ids.append(json.loads(text)["id"])
    groups = []
    for name, members in (("one", ids), ("two", [])):
        status, text = client.send("POST", "/Groups", {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name,
            "members": [{"value": m} for m in members]})
        if status != 201:
            raise RuntimeError(f"POST /Groups answers {status}: {text[:200]!r}")
        groups.append(json.loads(text)["id"])
    return ids, groups


def drained(port, seconds):
    end = time.monotonic() + seconds
    while True:
        unfinished, depth = metrics(port)
        if unfinished == 0 and depth == 0:
            return 0
        if time.monotonic() > end:
            return unfinished + depth
        time.sleep(0.5)


def judge(windows, failures, left):
    """The last quarter against the one before the middle: at first caches fill."""
    n = len(windows)
    second, last = windows[n // 4:n // 2], windows[n - n // 4:]
    problems = []
    for name, factor, grace in (("p50_ms", 1.5, 2), ("p99_ms", 2, 50)):
        before = statistics.median(w[name] for w in second)
        after = statistics.median(w[name] for w in last)
        if after > before * factor + grace:
            problems.append(f"{name} rose from {before:.1f} to {after:.1f}")
    third = statistics.median(w["resident_mb"] for w in windows[n // 2:n - n // 4])
    resident = statistics.median(w["resident_mb"] for w in last)
    # Until the page caches of the store are full, memory may grow.
    if resident > windows[0]["resident_mb"] + CACHES_MB and resident > third * 1.03 + 1:
        problems.append(f"resident_mb rose from {third:.1f} to {resident:.1f}")
    busy = statistics.median(w["unfinished"] for w in last)
    if busy > statistics.median(w["unfinished"] for w in second) * 1.5 + 50:
        problems.append(f"the queue grew to {busy:.0f} unfinished jobs")
    if failures:
        problems.append(f"{len(failures)} requests failed, first: {failures[0]}")
    if left:
        problems.append(f"{left} jobs were not done {DRAIN_S} s after the last request")
    return problems


def soak(options, directory):
    data, base, token = set_up(options.program, directory, options.users)
    port = free_port()
    server = subprocess.Popen([options.program, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(server, port)
        ids, groups = provision(Client(port, base, token), options.users)
        if drained(port, 600):
            raise RuntimeError("the accounts were not looked up within ten minutes")
        seconds = options.minutes * 60
        window = min(60.0, seconds / 30)
        begin = time.monotonic()
        churns = [Churn(Client(port, base, token), i, ids[i::CONNECTIONS], groups, options.seed + i)
                  for i in range(CONNECTIONS)]
        threads = [threading.Thread(target=c.run, args=(begin, begin + seconds, CONNECTIONS / options.rate))
                   for c in churns]
        for t in threads:
            t.start()
        windows = []
        while any(t.is_alive() for t in threads):
            due = begin + window * (len(windows) + 1)
            while time.monotonic() < due and any(t.is_alive() for t in threads):
                time.sleep(max(0.0, min(0.2, due - time.monotonic())))
            latencies = [ms for c in churns for ms in c.take()]
            if not latencies:
                continue
            unfinished, depth = metrics(port)
            w = {"minute": round((time.monotonic() - begin) / 60, 1), "requests": len(latencies),
                 "p50_ms": round(percentile(latencies, 0.5), 2), "p99_ms": round(percentile(latencies, 0.99), 1),
                 "resident_mb": round(resident_kb(server.pid) / 1024, 1), "unfinished": unfinished,
                 "store_queue": depth}
            windows.append(w)
            if not options.json:
                print("  ".join(f"{name} {value}" for name, value in w.items()), flush=True)
        for t in threads:
            t.join()
        left = drained(port, DRAIN_S)
        return windows, [f for c in churns for f in c.failures], left
    finally:
        server.terminate()
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?", default="build/release/bin/deprov")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=40, help="requests a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not 0.2 <= options.minutes <= 24 * 60:
        parser.error("--minutes: 0.2 to 1440")
    if not CONNECTIONS <= options.users <= 100_000 or not 1 <= options.rate <= 10_000:
        parser.error("--users: 4 to 100,000; --rate: 1 to 10,000")
    try:
        with tempfile.TemporaryDirectory() as directory:
            windows, failures, left = soak(options, directory)
    except (RuntimeError, OSError, subprocess.CalledProcessError, http.client.HTTPException) as e:
        print(f"could not be run: {e}", file=sys.stderr)
        return 2
    problems = judge(windows, failures, left)
    if options.json:
        print(json.dumps({"seed": options.seed, "windows": windows, "problems": problems}))
    else:
        print(f"seed {options.seed}")
        for p in problems:
            print(f"NOT FLAT: {p}")
        if not problems:
            print("flat memory, flat latency, queue drained")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
