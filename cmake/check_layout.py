#!/usr/bin/env python3
"""Checks that the tree keeps to its layout: which room may include which, and what stays in which room.

Usage: check_layout.py [ROOT]       exit code 1 and one line per violation
       check_layout.py --self-test  proves that each rule catches what it is there for
"""

import pathlib
import re
import sys

CORE = ("scim", "idp", "connector", "policy")
ADAPTERS = ("runtime", "store", "http", "crypto", "connectors", "plugin")

# Arrows point down only. `base` is what lies directly in include/deprov; src/core compiles the core.
_PURE = {"base", "scim", "connector", "idp", "policy"}
_PORTS = _PURE | {"port"}
MAY_INCLUDE = {
    "base": set(),
    "scim": {"base"},
    "connector": {"base", "scim"},
    "idp": {"base", "scim"},
    "policy": {"base", "scim", "connector", "idp"},
    "core": _PURE,
    "port": _PURE,
    # Checking an export needs records and digests, and nothing else: no store, no engine.
    "evidence": _PORTS,
    "jobs": _PORTS,
    "engine": _PORTS | {"jobs"},
    "service": _PORTS | {"jobs", "engine", "evidence"},
    "runtime": _PORTS,
    "crypto": _PORTS,
    "store": _PORTS | {"runtime"},
    "http": _PORTS | {"runtime"},
    "connectors": _PORTS,
    "plugin": _PORTS | {"runtime"},
    # The program that a plugin runs in, away from the host.
    "worker": _PORTS | {"runtime", "plugin"},
    "server": _PORTS | {"jobs", "engine", "service", "runtime"},
    # The composition root: it alone names the adapters, for the program and for whoever embeds.
    "instance": _PORTS | {"engine", "service"} | set(ADAPTERS),
    "cli": _PORTS | {"jobs", "engine", "evidence", "service", "server", "instance"} | set(ADAPTERS),
    "capi": _PORTS | {"jobs", "engine", "evidence", "service", "instance"} | set(ADAPTERS),
    # Connectors as vendors write them: deprov_connector.hpp, and nothing else of deprov.
    "vendor": set(),
}
SDK = re.compile(r"^deprov_connector\.(h|hpp)$")

# Single headers that a room may include beyond its row, and why.
EXTRA_HEADERS = {
    ("engine", "deprov/http/retry_after.hpp"): "reads a header's text; nothing of the transport",
    ("connectors", "deprov/http/retry_after.hpp"): "a pure function on a response",
    ("engine", "deprov/http/authorities.hpp"): "looks at a text; nothing of the transport",
    ("connectors", "deprov/http/authorities.hpp"): "looks at a text; nothing of the transport",
    ("plugin", "deprov/http/retry_after.hpp"): "reads a header's text; nothing of the transport",
    ("base", "deprov/port/connector.hpp"): "deprov/connectors/connectors.hpp names the connectors that come with deprov",
    ("connector", "deprov/port/task.hpp"): "a function type without any effect, which calls carry",
    ("connectors", "deprov/http/retry_after.hpp"): "reads a header's text; nothing of the transport",
}

# Where a token or a foreign header may stand. A reason is part of each exception.
THREADS_AND_CLOCKS = re.compile(
    r"\bstd::(?:this_thread|thread|jthread|async|condition_variable|condition_variable_any)\b"
    r"|\b(?:system_clock|steady_clock|high_resolution_clock)\b"
    r"|\b(?:pthread_create|clock_gettime|gettimeofday|nanosleep|usleep)\b"
)
THREADS_ALLOWED = {
    # (path, token): why it cannot come from src/runtime
    ("src/server/connection.hpp", "steady_clock"): "Asio's timers are set and compared in its own clock",
    # A connector of a vendor's has threads of its own, since libraries that wait need them, and no executor.
    ("capi/connectors/common/threads.hpp", "std::thread"): "the SDK has no executor",
    ("capi/connectors/common/threads.hpp", "std::condition_variable"): "the SDK has no executor",
    ("capi/connectors/common/threads.hpp", "steady_clock"): "the SDK has no executor",
    ("capi/include/deprov_c.hpp", "system_clock"): "in place of a host's clock that throws; nothing of the library is in it",
}

FOREIGN = (
    # (what, header pattern, folders, at most so many files)
    ("Beast", re.compile(r"^boost/beast"), ("src/server/",), 1),
    ("Asio", re.compile(r"^boost/asio"), ("src/server/",), None),
    ("SQLite", re.compile(r"^sqlite3"), ("src/store/",), None),
    ("libcurl", re.compile(r"^curl/"), ("src/http/",), None),
    ("OpenSSL", re.compile(r"^openssl/"), ("src/crypto/", "src/http/", "src/server/"), None),
    ("libldap", re.compile(r"^(ldap|lber)\.h$"), ("capi/connectors/ldap/",), None),
    ("libpq", re.compile(r"^libpq-fe\.h$"), ("capi/connectors/sql/", "src/store/"), None),
    ("CLI11", re.compile(r"^CLI/"), ("src/cli/",), None),
    ("Catch2", re.compile(r"^catch2/"), ("tests/catch.hpp", "tests/main.cpp"), None),
)

IMPURE_HEADERS = {
    "atomic", "barrier", "condition_variable", "fcntl.h", "filesystem", "fstream", "future", "iostream", "latch",
    "mutex", "random", "semaphore", "shared_mutex", "stop_token", "thread", "unistd.h",
}
IMPURE_TOKENS = re.compile(
    r"\b(?:fopen|getenv|random_device|mt19937(?:_64)?|localtime|gmtime)\b|\bstd::(?:time|rand|mutex)\b|::now\(\)"
)

MAX_LINES = 600
LONG_FILES = {
    "capi/include/deprov.h": "C programs include one header, which is the manual; what it declares cannot move",
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def strip(text):
    """The code without comments and literals; line breaks stay."""
    pattern = re.compile(
        r'R"(?P<d>[^(\s]{0,16})\((?:.|\n)*?\)(?P=d)"|//[^\n]*|/\*(?:.|\n)*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'')
    # A digit separator is no literal: 1'000'000.
    text = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", text)
    return pattern.sub(lambda m: "\n" * m.group(0).count("\n") if m.group(0)[0] != '"' else '""', text)


def room_of(path):
    parts = pathlib.PurePosixPath(path).parts
    if parts[:2] == ("include", "deprov"):
        return "base" if len(parts) == 3 or parts[2] == "impl" else parts[2]
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("capi", "connectors"):
        return "vendor"
    if parts[0] == "capi":
        return "capi"
    return None


def room_of_include(name, quoted):
    parts = pathlib.PurePosixPath(name).parts
    if parts[0] == "deprov":
        return "base" if len(parts) == 2 or parts[1] == "impl" else parts[1]
    if quoted and len(parts) > 1 and parts[0] in MAY_INCLUDE:
        return parts[0]
    return None


def is_core(path):
    return path.startswith("src/core/") or (path.startswith("include/") and room_of(path) in ("base",) + CORE)


def check(files):
    """`files`: path from the root -> text. Answers with the violations, each one line."""
    bad = []
    foreign_users = {what: [] for what, *_ in FOREIGN}
    ipp_users = {}

    for path, text in sorted(files.items()):
        room = room_of(path)
        product = path.startswith(("include/", "src/", "capi/"))
        if product and room is not None and room not in MAY_INCLUDE:
            bad.append(f"{path}: the room \"{room}\" is not known; give it a row in MAY_INCLUDE of cmake/check_layout.py")
            continue
        code = strip(text)
        includes = [(m.group(1) == '"', m.group(2), text.count("\n", 0, m.start()) + 1)
                    for m in INCLUDE.finditer(text)]

        for quoted, name, line in includes:
            target = room_of_include(name, quoted)
            if product and room and target and target != room and target not in MAY_INCLUDE[room]:
                if (room, name) not in EXTRA_HEADERS:
                    bad.append(f"{path}:{line}: {room} must not include {target} ({name}): arrows point down only")
            if room == "vendor" and name.startswith("deprov") and target is None and not SDK.match(name):
                bad.append(f"{path}:{line}: a connector has deprov_connector.hpp, and no {name}")
            if path.startswith("include/") and quoted:
                bad.append(f"{path}:{line}: a public header includes <{name}> with angle brackets")
            if name.endswith(".ipp"):
                ipp_users.setdefault(name, []).append(path)
            for what, pattern, folders, _ in FOREIGN:
                if pattern.search(name) and not path.startswith(("bench/", "tests/consumer/")):
                    if path.startswith("tests/") and what != "Catch2":
                        continue
                    foreign_users[what].append(path)
                    if not path.startswith(folders):
                        bad.append(f"{path}:{line}: {what} ({name}) belongs in {', '.join(folders)}")
            if is_core(path) and name in IMPURE_HEADERS:
                bad.append(f"{path}:{line}: the core is pure and does not include <{name}>")

        if product and not path.startswith("src/runtime/"):
            for m in THREADS_AND_CLOCKS.finditer(code):
                if (path, m.group(0)) in THREADS_ALLOWED:
                    continue
                line = code.count("\n", 0, m.start()) + 1
                bad.append(f"{path}:{line}: {m.group(0)}: threads, condition variables and real clocks live in src/runtime")
        if is_core(path):
            for m in IMPURE_TOKENS.finditer(code):
                line = code.count("\n", 0, m.start()) + 1
                bad.append(f"{path}:{line}: {m.group(0)}: the core does no I/O and reads no clock and no random source")
        if path.endswith((".hpp", ".ipp")) and "#pragma once" not in text:
            bad.append(f"{path}: has no #pragma once")
        lines = text.count("\n")
        if lines > MAX_LINES and path not in LONG_FILES:
            bad.append(f"{path}: {lines} lines, more than {MAX_LINES}: split it by idea")

    for what, _, folders, limit in FOREIGN:
        users = sorted(set(foreign_users[what]))
        if limit is not None and len(users) > limit:
            bad.append(f"{what} is included by {len(users)} files, at most {limit} may: {', '.join(users)}")

    # Every body is taken in by a header (or by another body), and by exactly one .cpp of the compiled core.
    def compiled_by(name, seen):
        found = set()
        for user in ipp_users.get(name, []):
            if user.startswith("src/core/"):
                found.add(user)
            elif user.endswith(".ipp") and user not in seen:
                found |= compiled_by(user[len("include/"):], seen | {user})
        return found

    for path in sorted(files):
        if not (path.startswith("include/") and path.endswith(".ipp")):
            continue
        name = path[len("include/"):]
        if not any(user.startswith("include/") for user in ipp_users.get(name, [])):
            bad.append(f"{path}: no header includes it")
        compiled = compiled_by(name, {path})
        if len(compiled) != 1:
            bad.append(f"{path}: compiled by {len(compiled)} files of src/core ({', '.join(sorted(compiled))}), "
                       "exactly one must")
    return bad


def read_tree(root):
    files = {}
    for top in ("include", "src", "capi", "tests", "bench"):
        for path in (root / top).rglob("*"):
            if path.suffix in (".hpp", ".ipp", ".cpp", ".h") and path.is_file():
                files[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    return files


GOOD = {
    "include/deprov/a.hpp": "#pragma once\n#include <string>\n#include <deprov/impl/a.ipp>\n",
    "include/deprov/impl/a.ipp": "#pragma once\n#include <deprov/a.hpp>\n",
    "src/core/base.cpp": "#include <deprov/impl/a.ipp>\n// std::thread, system_clock\nconst char* s = \"std::thread\";\n",
    "src/runtime/r.cpp": "#include <deprov/port/executor.hpp>\nstd::thread t; auto n = std::chrono::steady_clock::now();\n",
    "src/store/s.cpp": "#include <sqlite3.h>\n#include \"runtime/threads.hpp\"\n",
    "src/server/b.cpp": "#include <boost/beast/http.hpp>\nint million = 1'000'000; char c = 'x';\n",
    "capi/connectors/y/y.cpp": "#include <deprov_connector.hpp>\n#include \"y/z.hpp\"\n",
    "tests/core/a_test.cpp": "#include \"catch.hpp\"\n",
}
BAD = {
    "arrow up": ("include/deprov/scim/x.hpp", "#pragma once\n#include <deprov/policy/y.hpp>\n", "must not include policy"),
    "core to port": ("include/deprov/policy/x.hpp", "#pragma once\n#include <deprov/port/clock.hpp>\n", "must not include port"),
    "adapter named": ("src/engine/e.cpp", "#include \"store/sqlite_store.hpp\"\n", "must not include store"),
    "thread": ("src/jobs/j.cpp", "std::thread t;\n", "std::thread"),
    "clock": ("src/engine/e.cpp", "auto t = std::chrono::system_clock::now();\n", "system_clock"),
    "after literals": ("src/jobs/j.cpp", "auto a = '\"'; auto b = R\"(x\")\"; std::jthread t;\n", "std::jthread"),
    "second Beast": ("src/server/c.cpp", "#include <boost/beast/core.hpp>\n", "at most 1"),
    "Beast elsewhere": ("src/cli/c.cpp", "#include <boost/beast/core.hpp>\n", "belongs in src/server/"),
    "sqlite elsewhere": ("src/cli/c.cpp", "#include <sqlite3.h>\n", "belongs in src/store/"),
    "curl elsewhere": ("src/connectors/c.cpp", "#include <curl/curl.h>\n", "belongs in src/http/"),
    "Catch2 elsewhere": ("tests/scim/x_test.cpp", "#include <catch2/catch.hpp>\n", "belongs in tests/catch.hpp"),
    "core with a file": ("include/deprov/scim/x.hpp", "#pragma once\n#include <fstream>\n", "the core is pure"),
    "core with a clock": ("src/core/scim.cpp", "auto t = Clock::now();\n", "::now()"),
    "no guard": ("include/deprov/scim/x.hpp", "int x;\n", "no #pragma once"),
    "orphaned body": ("include/deprov/scim/impl/x.ipp", "#pragma once\n", "no header includes it"),
    "uncompiled body": ("include/deprov/scim/impl/x.ipp", "#pragma once\n", "compiled by 0 files"),
    "long file": ("src/jobs/j.cpp", "\n" * (MAX_LINES + 1), "split it"),
    "unknown room": ("src/misc/x.cpp", "\n", "is not known"),
    "vendor with more": ("capi/connectors/x/x.cpp", "#include <deprov/error.hpp>\n", "vendor must not include base"),
    "vendor with capi": ("capi/connectors/x/x.cpp", "#include <deprov.h>\n", "a connector has deprov_connector.hpp"),
    "vendor's thread": ("capi/connectors/x/x.cpp", "std::thread t;\n", "live in src/runtime"),
    "libldap elsewhere": ("src/http/l.cpp", "#include <ldap.h>\n", "belongs in capi/connectors/ldap/"),
    "quoted in public": ("include/deprov/scim/x.hpp", "#pragma once\n#include \"y.hpp\"\n", "angle brackets"),
}


def self_test():
    wrong = [f"the good tree: {line}" for line in check(GOOD)]
    for name, (path, text, expected) in BAD.items():
        found = check({**GOOD, path: text})
        if not any(expected in line for line in found):
            wrong.append(f"{name}: expected \"{expected}\", found {found}")
    return wrong


def main(argv):
    if argv[1:] == ["--self-test"]:
        found = self_test()
    else:
        root = pathlib.Path(argv[1]) if len(argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
        files = read_tree(root)
        if not files:
            found = [f"{root}: no sources found"]
        else:
            found = check(files)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
