#!/usr/bin/env python3
"""RFC.md names checks and tests that exist, and every check of the runner stands in it.

usage: check_rfc.py SCIM_CONFORMANCE SOURCE_DIR
"""
import pathlib
import re
import subprocess
import sys


def main() -> int:
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    checks = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    families = {c for c in checks if c.endswith("-*")}
    named, problems, rows = set(), [], 0
    for number, line in enumerate((root / "tests/conformance/RFC.md").read_text().splitlines(), 1):
        cells = [c.strip() for c in line.strip("|").split("|")]
        if not line.startswith("|") or cells[0] in ("section", "---"):
            continue
        rows += 1
        where = f"RFC.md:{number}"
        if len(cells) != 4 or not cells[3]:
            problems.append(f"{where}: a row has four cells, and the last one says what shows it")
            continue
        shown = re.findall(r"`([^`]+)`", cells[3])
        if not shown and not re.match(r"(not |see |never )", cells[3]):
            problems.append(f"{where}: neither a check, nor a test, nor a reason: {cells[3]}")
        for name in shown:
            path = re.match(r"(tests/[\w/]+\.cpp)(?:: (.+))?$", name)
            if path:
                file, title = root / path[1], path[2]
                if not file.exists():
                    problems.append(f"{where}: there is no {path[1]}")
                elif title and f'TEST_CASE("{title}"' not in file.read_text():
                    problems.append(f"{where}: {path[1]} has no test \"{title}\"")
            elif name in checks:
                named.add(name)
            elif re.match(r"[a-z]+-[a-z0-9*-]+$", name):
                problems.append(f"{where}: there is no check {name}")
    for name in families - named:
        problems.append(f"RFC.md does not name {name}")
    for p in problems:
        print(p)
    print(f"{rows} requirements, {len(named)} of {len(checks)} checks named, {len(problems)} problems")
    return 1 if problems or rows < 200 else 0


if __name__ == "__main__":
    sys.exit(main())
