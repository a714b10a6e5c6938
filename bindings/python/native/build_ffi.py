"""Makes the extension module deprov._native of deprov.h: what the header declares is what Python sees, and the C
compiler checks it. Python's own part of it is room.h and glue.h."""

import os
import pathlib
import re

import cffi

HERE = pathlib.Path(__file__).resolve().parent


def header() -> pathlib.Path:
    """deprov.h of the build that is linked to, or of the checkout this stands in."""
    prefix = os.environ.get("DEPROV_PREFIX")
    if prefix:
        return pathlib.Path(prefix) / "include" / "deprov.h"
    root = pathlib.Path(os.environ.get("DEPROV_SOURCE_DIR") or HERE.parents[2])
    return root / "capi" / "include" / "deprov.h"


def declarations(text: str) -> str:
    """What cffi understands of a header in the style of deprov.h: no comments, no conditions, macros as numbers."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    out = []
    for line in text.splitlines():
        macro = re.match(r"#define (DEPROV_\w+) -?\d+\s*$", line)
        if macro:
            out.append(f"#define {macro.group(1)} ...")
        elif not line.startswith("#") and 'extern "C"' not in line and line.strip() != "}":
            out.append(line.replace("DEPROV_API ", ""))
    return "\n".join(out)


CALLBACKS = """
extern "Python" {
  deprov_status deprovpy_open(void* user, deprov_str config, void** instance, deprov_error** error);
  void deprovpy_close(void* user, void* instance);
  void deprovpy_start(void* user, void* instance, deprov_call* call);
  void deprovpy_cancel(void* user, void* instance, deprov_call* call);
  deprov_status deprovpy_key(void* user, uint8_t* key);
  int64_t deprovpy_clock(void* user);
  void deprovpy_log(void* user, int32_t level, deprov_str message);
  void deprovpy_record(void* user, deprov_str exchange);
  void deprovpy_user_free(void* user);
  void deprovpy_found(void* user, deprov_status status, deprov_str value);
  void deprovpy_kept(void* user, deprov_status status);
}
"""

ROOM, GLUE = ((HERE / name).read_text(encoding="utf-8") for name in ("room.h", "glue.h"))

ffi = cffi.FFI()
ffi.cdef(declarations(header().read_text(encoding="utf-8")))
ffi.cdef(CALLBACKS)
for ours in (ROOM, GLUE):
    ffi.cdef(declarations(ours.split("/* --- bodies --- */", maxsplit=1)[0]))
ffi.set_source("deprov._native", "#include <deprov.h>\n#include <stdlib.h>\n#include <string.h>\n" + ROOM + GLUE)
