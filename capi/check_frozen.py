#!/usr/bin/env python3
"""Compares the headers of today with those that programs and connectors were built from (abi/).

Usage: check_frozen.py [--cc CC]             exit code 1 and one line per difference that would break one of them
       check_frozen.py --abidiff [--cc CC]   the same asked of libabigail's abidiff; 77 where it is not installed
       check_frozen.py --self-test [...]     proves that planted breaks are found, and additions are none

What each header declares is compiled into a library of its own for abidiff, since libdeprov_c of a usual build says
nothing of its types.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PAIRS = [(path, HERE / "include" / path.name) for path in sorted(HERE.glob("abi/*/*.h"))]


class Header:
    """What a header in the style of ours declares."""

    def __init__(self, text):
        code = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        self.macros = dict(re.findall(r"^#define (DEPROV_\w+) (-?\d+)\s*$", code, re.M))
        code = re.sub(r"^#.*$", "", code, flags=re.M)
        self.structs = {}
        for name, body in re.findall(r"typedef struct (\w+) \{(.*?)^\} \1;", code, re.S | re.M):
            self.structs[name] = {self.member(d): " ".join(d.split()) for d in body.split(";") if d.strip()}
        self.functions = {}
        for text_of in re.findall(r"^DEPROV_(?:API|CONNECTOR_EXPORT)\s+([^;{]+);", code, re.M):
            text_of = " ".join(text_of.split())
            self.functions[re.search(r"\b(deprov_\w+)\s*\(", text_of).group(1)] = text_of

    @staticmethod
    def member(declaration):
        pointer = re.search(r"\(\*(\w+)\)", declaration)
        if pointer:
            return pointer.group(1)
        return re.search(r"(\w+)\s*(?:\[\w*\])?\s*$", declaration).group(1)


def parameters(declaration):
    """The names of all parameters in there, in their order, those of callbacks among them as well."""
    return re.findall(r"(\w+)\s*(?=[,)])", declaration.partition("(")[2])


def changed_places(old, new):
    """What has the same type as before and means something else: parameters of one type that changed places."""
    found = []
    pairs = [(name, text, new.functions.get(name)) for name, text in old.functions.items()]
    pairs += [(f"{struct}.{m}", text, new.structs.get(struct, {}).get(m))
              for struct, members in old.structs.items() for m, text in members.items() if "(" in text]
    for name, was, now in pairs:
        before, after = parameters(was), parameters(now or was)
        if before != after and sorted(before) == sorted(after):
            found.append(f"{name}: its parameters changed places, from {', '.join(before)} to {', '.join(after)}")
    return found


def run(command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True)


def layout(args, path, header):
    """"S" -> (0, size) and "S.member" -> (offset, size), as this compiler lays them out."""
    lines = [f'#include "{path}"', "#include <stdio.h>", "int main(void) {"]
    for struct, members in header.structs.items():
        lines.append(f'printf("{struct} 0 %zu\\n", sizeof({struct}));')
        for m in members:
            lines.append(f'printf("{struct}.{m} %zu %zu\\n", offsetof({struct}, {m}), sizeof((({struct}*)0)->{m}));')
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "layout"
        made = run([args.cc, "-std=c99", "-DDEPROV_CAPI_STATIC", "-x", "c", "-", "-o", str(program)], "\n".join([*lines, "}\n"]))
        if made.returncode != 0:
            return {"": made.stderr}
        words = (line.split() for line in run([str(program)]).stdout.splitlines())
        return {name: (int(offset), int(size)) for name, offset, size in words}


def type_changes(args, old, new, path):
    """Each function and each member of `old`, declared again beside the header of today."""
    lines, what = [f'#include "{path}"'], [""]
    for name, prototype in old.functions.items():
        if name in new.functions:
            lines.append(f"{prototype};")
            what.append(name)
    for struct, members in old.structs.items():
        for m, declaration in members.items():
            if m not in new.structs.get(struct, {}):
                continue
            probe = f"probe_{struct}_{m}"
            again = re.sub(rf"\b{m}\b(?=\s*(?:\)\s*\(|\[|$))", probe, declaration, count=1)
            lines.append(f"extern {again}; static inline void of_{probe}({struct}* s) {{ "
                         f"__typeof__(&{probe}) same = &s->{m}; (void)same; }}")
            what.append(f"{struct}.{m}")
    made = run([args.cc, "-std=gnu99", "-Wall", "-Werror", "-Wno-unused-function", "-fsyntax-only", "-x", "c", "-"],
               "\n".join(lines) + "\n")
    found = []
    for line, kind in re.findall(r"^<stdin>:(\d+):\d+: error: (.*)$", made.stderr, re.M):
        name = what[int(line) - 1] or kind
        if f"{name}: has another type" not in found:
            found.append(f"{name}: has another type")
    if made.returncode != 0 and not found:
        found.append(f"does not compile beside what was: {made.stderr.strip()}")
    return found


def differences(args, old_path, new_path):
    old, new = Header(old_path.read_text(encoding="utf-8")), Header(new_path.read_text(encoding="utf-8"))
    bad = []
    if not old.structs or not old.functions or not old.macros:
        bad.append("declares nothing that can be recognised")
    for name, value in old.macros.items():
        if name.endswith(("_ABI_MINOR", "_ABI_MAJOR")):
            continue
        if name not in new.macros:
            bad.append(f"{name}: is gone")
        elif new.macros[name] != value:
            bad.append(f"{name}: was {value} and is {new.macros[name]}")
    bad += [f"{name}: is gone" for name in old.functions if name not in new.functions]
    was, now = layout(args, old_path, old), layout(args, new_path, new)
    for whole in (was, now):
        if "" in whole:
            return bad + [f"does not compile: {whole['']}"]
    for name, (offset, size) in was.items():
        struct, _, member = name.partition(".")
        if name not in now:
            bad.append(f"{name}: is gone")
        elif member and now[name] != (offset, size):
            bad.append(f"{name}: was at {offset} with {size} bytes, is at {now[name][0]} with {now[name][1]}")
        elif not member and now[name][1] < size:
            bad.append(f"{name}: had {size} bytes, has {now[name][1]}")
        elif not member and now[name][1] != size and next(iter(old.structs[struct])) != "struct_size":
            bad.append(f"{name}: had {size} bytes, has {now[name][1]}, and nobody could tell by its struct_size")
    for name, (offset, _) in now.items():
        struct, _, member = name.partition(".")
        if member and name not in was and struct in was and offset < was[struct][1]:
            bad.append(f"{name}: is new, and stands at {offset}, where older programs have something else or leave a gap")
    return bad + changed_places(old, new) + type_changes(args, old, new, new_path)


def typed_library(args, path, folder):
    """A library with types, made of a header."""
    header = Header(path.read_text(encoding="utf-8"))
    lines = [f'#include "{path}"']
    for prototype in header.functions.values():
        answers = prototype.split("deprov_", 1)[0].strip() != "void"
        kind = prototype[:prototype.index("(")].rsplit(None, 1)[0]
        if "*" in prototype[:prototype.index("(")]:
            lines.append(f"{prototype} {{ return 0; }}")
        else:
            lines.append(f"{prototype} {{ {f'{kind} none = {{0}}; return none;' if answers else ''} }}")
    library = pathlib.Path(folder) / f"lib{path.stem}.so"
    made = run([args.cc, "-std=gnu99", "-g", "-w", "-shared", "-fPIC", "-nostdlib", "-x", "c", "-", "-o", str(library)],
               "\n".join(lines) + "\n")
    if made.returncode != 0:
        raise SystemExit(f"{path}: {made.stderr}")
    return library


def abidiff(args, old_path, new_path):
    """Members that came to the end of a struct with a struct_size are none; abidiff 2.2 cannot be told so itself."""
    old = Header(old_path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "old").mkdir()
        (place / "new").mkdir()
        was, now = typed_library(args, old_path, place / "old"), typed_library(args, new_path, place / "new")
        told = run(["abidiff", "--leaf-changes-only", "--harmless", "--no-added-syms", str(was), str(now)])
    if told.returncode == 0:
        return []
    if told.returncode & 3 or "Leaf changes summary" not in told.stdout:
        return [f"abidiff failed: {told.stdout} {told.stderr}"]
    bad = []
    for part in re.split(r"^(?=\S)", told.stdout, flags=re.M):
        grown = re.match(r"'struct (\w+) at [^']*' changed:\n", part)
        if grown:
            growth = re.fullmatch(r"  type size changed from \d+ to \d+ \(in bits\)\n"
                                  r"  (?:there are data member insertions:\n|\d+ data member insertions?:\n)"
                                  r"(?:    .*\n)+(?:  \d+ impacted interfaces?.*\n(?:    .*\n)*)?\s*", part[grown.end():])
            if growth and next(iter(old.structs[grown.group(1)])) == "struct_size":
                continue
            bad.append(" ".join(part.split()))
        elif re.match(r"Removed/Changed/Added \w+ summary: (?!0 Removed, 0 Changed)", part) or " changed:\n" in part:
            bad.append(" ".join(part.split()))
    return bad


C_BREAKS = {
    "a member in the middle": ("  int32_t must_exist;", "  int64_t first;\n  int32_t must_exist;"),
    "another type of the same size": ("  uint32_t page; ", "  int32_t page; "),
    "a parameter more": ("deprov_engine_pump(deprov_engine* engine, ", "deprov_engine_pump(deprov_engine* engine, int32_t how, "),
    "a function that is gone": ("DEPROV_API void deprov_rows_free(deprov_rows* rows);", ""),
    "a callback with another parameter": ("int64_t (*clock)(void* user);", "int64_t (*clock)(const char* user);"),
    "a frozen struct that grows": ("  deprov_str value;\n} deprov_header;", "  deprov_str value;\n  size_t more;\n} deprov_header;"),
}
SDK_BREAKS = {
    "slots that changed places": ("  void (*text_free)(deprov_connector_text* text);\n",
                                  "  void (*text_wipe)(deprov_connector_text* text);\n  void (*text_free)(deprov_connector_text* text);\n"),
    "a slot of another type": ("  void (*close)(void* instance);", "  int32_t (*close)(void* instance);"),
    "another type of a member": ("  int32_t delete_account;", "  uint32_t delete_account;"),
}
# What abidiff cannot see.
UNSEEN_BREAKS = {
    "parameters of one type that changed places": ("deprov_str name, deprov_str owner", "deprov_str owner, deprov_str name"),
    "another value": ("#define DEPROV_ERR_BUSY 60", "#define DEPROV_ERR_BUSY 61"),
    "a value that is gone": ("#define DEPROV_STORE_MEMORY 1", "#define DEPROV_STORE_MEMORIES 1"),
}
ADDED = {
    "deprov.h": [("  size_t plugin_file_count;\n", "  size_t plugin_file_count;\n  deprov_str added;\n"),
                 ("DEPROV_API void deprov_rows_free(deprov_rows* rows);", "DEPROV_API void deprov_rows_free(deprov_rows* rows);\n"
                  "#define DEPROV_ADDED 1\nDEPROV_API int32_t deprov_added_get(const deprov_rows* rows);")],
    "deprov_connector.h": [("} deprov_connector_host_v1;", "  void (*added)(void);\n} deprov_connector_host_v1;")],
}


GAP = """#include <stddef.h>
#include <stdint.h>
#define DEPROV_API
#define DEPROV_A 1
typedef struct deprov_a {
  size_t struct_size;
  int32_t first;
} deprov_a;
DEPROV_API void deprov_a_get(deprov_a* a);
"""


def self_test(args, compare):
    wrong = []

    def plant(name, header, changes, expect):
        text = header.read_text(encoding="utf-8")
        for before, after in changes:
            if before not in text:
                wrong.append(f"{name}: {header.name} has no \"{before.strip()}\" any more")
                return
            text = text.replace(before, after, 1)
        with tempfile.TemporaryDirectory() as folder:
            planted = pathlib.Path(folder) / header.name
            planted.write_text(text, encoding="utf-8")
            found = compare(args, header, planted)
        if bool(found) != expect:
            wrong.append(f"{name}: expected {'a difference' if expect else 'none'}, found {found}")

    for frozen, _ in PAIRS:
        breaks = dict(C_BREAKS if frozen.name == "deprov.h" else SDK_BREAKS)
        if compare is differences and frozen.name == "deprov.h":
            breaks.update(UNSEEN_BREAKS)
        for name, change in breaks.items():
            plant(name, frozen, [change], True)
        plant("nothing", frozen, [], False)
        plant("additions at the ends", frozen, ADDED[frozen.name], False)
    if compare is differences:
        with tempfile.TemporaryDirectory() as folder:
            gap = pathlib.Path(folder) / "gap.h"
            gap.write_text(GAP, encoding="utf-8")
            plant("a member in a gap", gap, [("  int32_t first;\n", "  int32_t first;\n  int32_t second;\n")], True)
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--abidiff", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--cc", default="cc")
    args = parser.parse_args()
    if args.abidiff and shutil.which("abidiff") is None:
        print("skipped: abidiff is not installed; `bash cmake/deps.sh --ci` installs it (abigail-tools)")
        return 77
    compare = abidiff if args.abidiff else differences
    if args.self_test:
        found = self_test(args, compare)
    else:
        found = [] if PAIRS else [f"{HERE / 'abi'}: there is nothing to compare with"]
        for old, new in PAIRS:
            found += [f"{new.name}: {line}" for line in compare(args, old, new)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
