#!/usr/bin/env python3
"""What a reconciliation keeps in memory: the peak of a server while it compares an app of so many accounts.

    bench/reconcile.py [PROGRAM] [--accounts N...] [--json]
                                        (default: build/release/bin/deprov, 10,000 and 100,000 accounts)

The app is a SCIM server in this process, which makes its pages up; every tenth of its accounts is active and nobody's, so
that it is a finding. Each size gets a server of its own, which reconciles twice. The yardstick is what the same server kept
before its first run; what it has over that at its peak must not follow the app by more than the 8 bytes an account that are
kept, and what the page caches of the store may fill.
"""
import argparse
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from idle import free_port
from soak import run, wait_until_ready

EVERY = 10  # one in so many is a finding


class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    accounts = 0

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if not url.path.endswith("/Users"):
            return self.reply(404, {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404"})
        start = int(query.get("startIndex", ["1"])[0])
        count = min(int(query.get("count", ["100"])[0]), 1000)
        users = [] if "filter" in query else [self.user(i) for i in range(start, min(start + count, self.accounts + 1))]
        total = 0 if "filter" in query else self.accounts
        return self.reply(200, {"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total,
                                "startIndex": start, "itemsPerPage": len(users), "Resources": users})

    @staticmethod
    def user(i):
        return {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": f"account-{i}",
                "externalId": f"ext-{i}", "userName": f"user{i}@example.com", "displayName": f"User number {i}",
                "active": i % EVERY == 0, "emails": [{"value": f"user{i}@example.com", "primary": True}]}

    def reply(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/scim+json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


def memory_kb(pid):
    """Resident now, and the most since the last `forget_peak`."""
    lines = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]), int(lines["VmHWM"].split()[0])


def forget_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def measure(program, accounts, directory):
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Sized", (App,), {"accounts": accounts}))
    threading.Thread(target=app.serve_forever, daemon=True).start()
    data = f"{directory}/data"
    made = json.loads(run(program, "init", "--data", data, "--json"))
    config = pathlib.Path(directory, "config.json")
    config.write_text(json.dumps({"base_url": f"http://127.0.0.1:{app.server_address[1]}/scim/v2", "allow_http": True}))
    run(program, "integration", "create", "--data", data, "--name", "app", "--idp", "okta", "--connector", "scim",
        "--config", str(config), "--no-check")
    port = free_port()
    server = subprocess.Popen([program, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(server, port)
        before = memory_kb(server.pid)[0]
        runs = []
        for _ in range(2):
            forget_peak(server.pid)
            begin = time.monotonic()
            report = json.loads(run(program, "reconcile", "app", "--server", f"http://127.0.0.1:{port}", "--token",
                                    made["owner_token"], "--limit", "1", "--json"))["report"]
            if report["accounts"] != accounts or report["findings"]["orphan"] != accounts // EVERY:
                raise RuntimeError(f"the report is not about {accounts} accounts: {report}")
            runs.append({"seconds": round(time.monotonic() - begin, 1),
                         "peak_growth_mb": round((memory_kb(server.pid)[1] - before) / 1024, 1)})
        return {"accounts": accounts, "before_mb": round(before / 1024, 1), "runs": runs}
    finally:
        server.terminate()
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()
        app.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?", default="build/release/bin/deprov")
    parser.add_argument("--accounts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if any(not EVERY <= n <= 5_000_000 for n in options.accounts):
        parser.error("--accounts: 10 to 5,000,000")
    results = []
    try:
        for accounts in options.accounts:
            with tempfile.TemporaryDirectory() as directory:
                results.append(measure(options.program, accounts, directory))
            if not options.json:
                print(json.dumps(results[-1]), flush=True)
    except subprocess.CalledProcessError as e:
        print(f"could not be run: {e}: {e.stderr}", file=sys.stderr)
        return 2
    except (RuntimeError, OSError, KeyError) as e:
        print(f"could not be run: {e}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"results": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
