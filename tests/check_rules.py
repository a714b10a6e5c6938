#!/usr/bin/env python3
"""RULES.md names every rule and tests that exist and carry its tag, and no test carries a rule that is not in it.

usage: check_rules.py SOURCE_DIR
       check_rules.py --self-test
"""
import pathlib
import re
import sys
import tempfile

RULES = [f"R{n}" for n in range(1, 23)]
NOT_YET = set()  # exactly these may be without a test, and have to say so
MARK = "**not yet**"
TEST_CASE = re.compile(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)(?:,\s*((?:"[^"]*"\s*)+))?\)')


def tests_in(path):
    """{title: set of tags}"""
    found = {}
    for title, tags in TEST_CASE.findall(path.read_text()):
        joined = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', title)).replace('\\"', '"')
        found[joined] = set(re.findall(r"\[([^\]]+)\]", tags or ""))
    return found


def check(root, not_yet=NOT_YET):
    problems, seen = [], set()
    tests = {p.relative_to(root / "tests").as_posix(): tests_in(p) for p in (root / "tests").rglob("*_test.cpp")}
    for number, line in enumerate((root / "tests/RULES.md").read_text().splitlines(), 1):
        if not re.match(r"\| R\d+ \|", line):
            continue
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        where = f"RULES.md:{number}"
        rule = cells[0]
        if len(cells) != 4 or not all(cells):
            problems.append(f"{where}: a row has four cells, and none is empty")
            continue
        if rule in seen:
            problems.append(f"{where}: {rule} stands twice")
        seen.add(rule)
        named = re.findall(r"`([^`]+)`", cells[2])
        if rule in not_yet:
            if MARK not in cells[2]:
                problems.append(f"{where}: {rule} has no test yet, and has to say so: {MARK}")
        elif MARK in cells[2]:
            problems.append(f"{where}: {rule} has to be shown by tests; only {', '.join(sorted(not_yet)) or 'none'} may wait")
        elif not named:
            problems.append(f"{where}: {rule} names no test")
        for name in named:
            file, _, title = name.partition(": ")
            if file not in tests:
                problems.append(f"{where}: there is no tests/{file}")
            elif title not in tests[file]:
                problems.append(f'{where}: tests/{file} has no test "{title}"')
            elif rule not in tests[file][title]:
                problems.append(f'{where}: "{title}" in tests/{file} has no tag [{rule}]')
    for rule in RULES:
        if rule not in seen:
            problems.append(f"RULES.md has no row for {rule}")
    for file, cases in sorted(tests.items()):
        for title, tags in cases.items():
            for tag in sorted(t for t in tags if re.fullmatch(r"R\d+", t)):
                if tag not in seen:
                    problems.append(f'tests/{file}: "{title}" has the tag [{tag}], which RULES.md does not know')
                if tag in not_yet:
                    problems.append(f'tests/{file}: "{title}" shows {tag}: name it in RULES.md, and let it wait no more')
    return problems


def self_test():
    def problems_of(table, source):
        with tempfile.TemporaryDirectory() as d:
            tests = pathlib.Path(d) / "tests"
            (tests / "engine").mkdir(parents=True)
            (tests / "RULES.md").write_text(table)
            (tests / "engine" / "a_test.cpp").write_text(source)
            return check(pathlib.Path(d), {"R16"})

    names = "".join(f"[{r}]" for r in RULES if r != "R16")
    source = f'TEST_CASE("all of it", "{names}") {{}}\nTEST_CASE("in "\n "two", "[engine]") {{}}\n'
    row = {r: f"| {r} | what | `engine/a_test.cpp: all of it` | oracle |\n" for r in RULES}
    row["R16"] = f"| R16 | what | {MARK}: later | later |\n"
    table = "".join(row.values())
    good = problems_of(table, source)
    cases = {
        "a test that is gone": (table.replace("all of it", "none of it", 1), source),
        "a file that is gone": (table.replace("a_test", "b_test", 1), source),
        "a rule without a row": (table.replace(row["R5"], ""), source),
        "a rule without a test": (table.replace(row["R5"], "| R5 | what | | oracle |\n"), source),
        "a rule that waits and may not": (table.replace(row["R5"], f"| R5 | w | {MARK} | o |\n"), source),
        "a rule that may wait and does not say so": (table.replace(MARK, "later"), source),
        "a test without the tag": (table, source.replace("[R5]", "")),
        "a tag that nobody knows": (table, source.replace("[engine]", "[R99]")),
        "a rule twice": (table + row["R5"], source),
    }
    failed = [f"the good table has problems: {good}"] if good else []
    failed += [f"not found: {what}" for what, (t, s) in cases.items() if not problems_of(t, s)]
    for f in failed:
        print(f)
    return 1 if failed else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    problems = check(pathlib.Path(sys.argv[1]))
    for p in problems:
        print(p)
    print(f"{len(RULES)} rules, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
