#!/usr/bin/env python3
"""clang-tidy over sources that are compiled alike, several at once.

Nearly all of its time goes into the headers that each source includes, so it is given files that include some sources
each. Sources that do not compile together (they use a name twice) are halved until they do; each is looked at once.

    tidy.py BUILD_DIR JOBS SOURCE...
"""

import concurrent.futures
import json
import pathlib
import shlex
import subprocess
import sys

TIDY = "clang-tidy-14"
TOGETHER = 12
# What is included is looked at as what includes it would be.
LOOKED_AT = "(include/deprov|src|connectors)/"


def flags_by_source(build: pathlib.Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The compiler and its options for each source, without what names the source and the object."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        compiler, *words = shlex.split(entry["command"])
        options, skip = [], False
        for word in words:
            if skip:
                skip = False
            elif word in ("-o", "-c"):
                skip = True
            else:
                options.append(word)
        # What tests compile again comes later.
        found.setdefault(str(pathlib.Path(entry["file"]).resolve()), (compiler, tuple(options)))
    return found


class Tidy:
    def __init__(self, build: pathlib.Path) -> None:
        self.build = build
        self.bundles = build / "tidy"
        self.bundles.mkdir(exist_ok=True)

    def look(self, name: str, flags: tuple[str, tuple[str, ...]], sources: list[str]) -> list[str]:
        """What clang-tidy minds in `sources`, as its own text; nothing where all is well.

        Not that a source hides a name of another one: the compiler, which sees one at a time, tells of those.
        """
        compiler, options = flags
        bundle = self.bundles / f"{name}.cpp"
        bundle.write_text("".join(f'#include "{source}"\n' for source in sources))
        if len(sources) > 1:
            compiles = subprocess.run(
                [compiler, *options, "-w", "-fsyntax-only", "-ferror-limit=1", str(bundle)],
                cwd=self.build, capture_output=True, check=False)
            if compiles.returncode != 0:
                middle = len(sources) // 2
                return (self.look(name + "a", flags, sources[:middle]) + self.look(name + "b", flags, sources[middle:]))
        ran = subprocess.run(
            [TIDY, "--quiet", "--checks=-bugprone-suspicious-include", "--warnings-as-errors=*",
             f"--header-filter={LOOKED_AT}", str(bundle), "--", *options, "-Wno-shadow"],
            cwd=self.build, capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            return []
        return [ran.stdout.strip() or ran.stderr.strip() or f"{TIDY} ended with {ran.returncode}: {' '.join(sources)}"]


def main(arguments: list[str]) -> int:
    if len(arguments) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    build, jobs = pathlib.Path(arguments[0]).resolve(), int(arguments[1])
    known = flags_by_source(build)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for source in sorted(str(pathlib.Path(argument).resolve()) for argument in arguments[2:]):
        if source not in known:
            print(f"{source}: nothing in {build} compiles it", file=sys.stderr)
            return 1
        alike.setdefault(known[source], []).append(source)

    tidy = Tidy(build)
    minded = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = []
        for flags, sources in alike.items():
            count = -(-len(sources) // TOGETHER)
            # Sources of one folder use the same names for their helpers more often than those of different ones.
            for index in range(count):
                waiting.append(pool.submit(tidy.look, f"{len(waiting)}", flags, sources[index::count]))
        for future in concurrent.futures.as_completed(waiting):
            for text in future.result():
                print(text, flush=True)
                minded.append(text)
    return 1 if minded else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
