#!/usr/bin/env python3
"""The gates of the C interface: what the header says, what symbols.txt lists, and what the library exports.

Usage: check_abi.py --library LIB [--cc CC --cxx CXX --nm NM]    exit code 1 and one line per difference
       check_abi.py --self-test   [--cc CC --cxx CXX --nm NM]    proves that each gate finds a planted break
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE / "include" / "deprov.h"
SDK = HERE / "include" / "deprov_connector.h"
WRAPPER = HERE / "include" / "deprov_c.hpp"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
STRICT_C = STRICT + ["-Wstrict-prototypes", "-Wmissing-prototypes"]


def declared(header):
    """Functions that the header exports, without its comments."""
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    return set(re.findall(r"^DEPROV_API\b[^;(]*?\b(deprov_[a-z0-9_]+)\s*\(", code, re.M))


def listed(text):
    found = {}
    for line in text.splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            found[words[0]] = words[1]
    return found


def exported(nm):
    """Name -> version of what `nm -D --defined-only --with-symbol-versions` shows."""
    found = {}
    for line in nm.splitlines():
        words = line.split()
        if len(words) < 3 or words[1] == "A":  # the names of the versions themselves
            continue
        name, _, version = words[2].partition("@")
        found[name] = version.lstrip("@").replace("DEPROV_", "")
    return found


def differences(header, symbols, nm):
    says, lists, has = declared(header), listed(symbols), exported(nm)
    bad = []
    for name in sorted(says - set(lists)):
        bad.append(f"{name}: declared in deprov.h and not listed in symbols.txt")
    for name in sorted(set(lists) - says):
        bad.append(f"{name}: listed in symbols.txt and not declared in deprov.h")
    for name in sorted(set(lists) - set(has)):
        bad.append(f"{name}: listed in symbols.txt and not exported")
    for name in sorted(set(has) - set(lists)):
        bad.append(f"{name}: exported and not listed in symbols.txt")
    for name in sorted(set(lists) & set(has)):
        if has[name] != lists[name]:
            bad.append(f"{name}: exported by version {has[name] or 'none'}, listed for {lists[name]}")
    if not says:
        bad.append("deprov.h declares nothing that can be recognised")
    return bad


def compiles(args, header, include):
    """The header alone and twice, in every language that it promises."""
    bad = []
    ways = [("C99", args.cc, "-std=c99", "c", STRICT_C, [header]), ("C17", args.cc, "-std=c17", "c", STRICT_C, [header]),
            ("C++11", args.cxx, "-std=c++11", "c++", STRICT, [header]), ("C++20", args.cxx, "-std=c++20", "c++", STRICT, [header])]
    if WRAPPER.exists():
        ways.append(("C++17", args.cxx, "-std=c++17", "c++", STRICT, ["deprov_c.hpp"]))
        ways.append(("C++20", args.cxx, "-std=c++20", "c++", STRICT, ["deprov_c.hpp"]))
    if header == HEADER.name:
        for name, compiler, standard, language, flags in (("C99", args.cc, "-std=c99", "c", STRICT_C),
                                                          ("C17", args.cc, "-std=c17", "c", STRICT_C),
                                                          ("C++11", args.cxx, "-std=c++11", "c++", STRICT),
                                                          ("C++20", args.cxx, "-std=c++20", "c++", STRICT)):
            ways.append((name, compiler, standard, language, flags, [SDK.name]))
            ways.append((name, compiler, standard, language, flags, [SDK.name, header]))
            ways.append((name, compiler, standard, language, flags, [header, SDK.name]))
        ways.append(("C++17", args.cxx, "-std=c++17", "c++", STRICT, ["deprov_connector.hpp"]))
        ways.append(("C++20", args.cxx, "-std=c++20", "c++", STRICT, ["deprov_connector.hpp", "deprov_c.hpp"]))
    for name, compiler, standard, language, flags, names in ways:
        source = "".join(f"#include <{n}>\n" * 2 for n in names) + "typedef int not_empty;\n"
        run = subprocess.run([compiler, standard, *flags, "-fsyntax-only", "-I", str(include), "-I", str(HEADER.parent), "-x", language, "-"],
                             input=source, capture_output=True, text=True)
        if run.returncode != 0:
            first = next((line for line in run.stderr.splitlines() if "error" in line), run.stderr.strip())
            bad.append(f"{names[0]} does not compile alone as {name}: {first}")
    return bad


def soname(header, dynamic):
    """The library is named by the major version alone, so that every minor one takes its place."""
    major = re.search(r"^#define DEPROV_ABI_MAJOR (\d+)", header, re.M)
    name = re.search(r"\(SONAME\).*\[(.*)\]", dynamic)
    wanted = f"libdeprov_c.so.{major.group(1) if major else '?'}"
    if name is None or name.group(1) != wanted:
        return [f"the SONAME is {name.group(1) if name else 'missing'}, and should be {wanted}"]
    return []


def dynamic_of(args):
    return subprocess.run([args.readelf, "-d", args.shared], check=True, capture_output=True, text=True).stdout


def symbols_of(args, library):
    return subprocess.run([args.nm, "-D", "--defined-only", "--with-symbol-versions", library], check=True,
                          capture_output=True, text=True).stdout


def self_test(args):
    wrong = []
    header = "DEPROV_API int deprov_a(void);\n/* DEPROV_API int deprov_not(void); */\nDEPROV_API deprov_str\ndeprov_b(int x);\n"
    symbols = "# comment\ndeprov_a 0.1\ndeprov_b 0.2\n"
    nm = "1 A DEPROV_0.1\n0000 T deprov_a@@DEPROV_0.1\n0000 T deprov_b@@DEPROV_0.2\n"
    cases = {
        "nothing": (header, symbols, nm, None),
        "a function that is gone": (header, symbols, nm.replace("deprov_b", "deprov_c"), "deprov_b: listed in symbols.txt and not exported"),
        "a leak": (header, symbols, nm + "0000 W _ZN6deprov5ErrorD1Ev\n", "_ZN6deprov5ErrorD1Ev: exported"),
        "a function without a version": (header, symbols, nm.replace("@@DEPROV_0.2", ""), "by version none"),
        "another version": (header, symbols, nm.replace("@@DEPROV_0.2", "@@DEPROV_0.1"), "by version 0.1"),
        "not listed": (header + "DEPROV_API void deprov_d(void);\n", symbols, nm, "deprov_d: declared"),
        "not declared": ("DEPROV_API int deprov_a(void);\n", symbols, nm, "deprov_b: listed in symbols.txt and not declared"),
        "an empty header": ("", symbols, nm, "declares nothing"),
    }
    for name, (h, s, n, expected) in cases.items():
        found = differences(h, s, n)
        if expected is None and found or expected is not None and not any(expected in line for line in found):
            wrong.append(f"{name}: expected {expected}, found {found}")

    named = " 0x0e (SONAME)  Library soname: [libdeprov_c.so.{}]\n"
    major = "#define DEPROV_ABI_MAJOR 3 /**< x */\n"
    for dynamic, expected in ((named.format(3), False), (named.format("3.1"), True), (named.format(2), True), ("", True)):
        if bool(soname(major, dynamic)) != expected:
            wrong.append(f"SONAME {dynamic!r}: {soname(major, dynamic)}")

    good = HEADER.read_text(encoding="utf-8")
    planted = {
        "no guard": (good.replace("#ifndef DEPROV_H", "#if 1"), "C99"),
        "a C++ word": (good.replace("typedef int32_t deprov_status;", "typedef int32_t deprov_status;\nint32_t deprov_x(int32_t class);"), "C++11"),
        "C++ alone": (good.replace("typedef int32_t deprov_status;", "using deprov_status = int32_t;"), "C99"),
        "a missing include": (good.replace("#include <stdint.h>", ""), "C99"),
        "no prototype": (good.replace("deprov_build_get_version(void)", "deprov_build_get_version()"), "C99"),
    }
    for name, (text, expected) in planted.items():
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "planted.h").write_text(text, encoding="utf-8")
            found = compiles(args, "planted.h", folder)
            if not any(f"planted.h does not compile alone as {expected}" in line for line in found):
                wrong.append(f"{name}: expected {expected} to fail, found {found}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", dest="shared", metavar="LIB")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--readelf", default="readelf")
    args = parser.parse_args()
    if args.self_test:
        found = self_test(args)
    else:
        found = compiles(args, HEADER.name, HEADER.parent)
        found += differences(HEADER.read_text(encoding="utf-8"), (HERE / "symbols.txt").read_text(encoding="utf-8"),
                             symbols_of(args, args.shared))
        found += soname(HEADER.read_text(encoding="utf-8"), dynamic_of(args))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
