#!/usr/bin/env python3
"""Checks every #include against the ranks: who may depend on whom.

    scripts/layers.py [ROOT]

The tables below are the architecture in a form that can fail: which of our folders a folder may
include, which outside headers it may see, and which outside library belongs to which files. One
line per breach, naming file, line and the rule; exit 1 when there is one.
"""

import re
import sys
from pathlib import Path

# Our folders that each folder may include besides itself. Folders of a higher rank come later.
MAY_INCLUDE = {
    "common": [],
    "gateway/core": ["common"],
    "gateway/flow": ["common", "gateway/core"],
    "gateway/net": ["common", "gateway/core", "gateway/flow"],
    "gateway/http": ["common", "gateway/core", "gateway/flow"],
    "gateway/auth": ["common", "gateway/core", "gateway/flow"],
    "gateway/link": ["common", "gateway/core", "gateway/flow"],
    "gateway/wire": ["common", "gateway/core", "gateway/flow"],
    "gateway/store": ["common", "gateway/core", "gateway/flow"],
    "gateway/lua": ["common", "gateway/core", "gateway/flow"],
    "gateway": ["common", "gateway/*"],
    "sim": ["common", "gateway", "gateway/*"],
    "executor/core": ["common"],
    "executor/flow": ["common", "executor/core"],
    "executor/link": ["common", "executor/core", "executor/flow"],
    "executor/worker": ["common", "executor/core", "executor/flow"],
    "executor/slice": ["common", "executor/core", "executor/flow"],
    "executor/engine": ["common", "executor/core", "executor/flow"],
    "executor": ["common", "executor/*"],
    "client/include/sluice": [],
    "client/src": ["client/include/sluice", "common"],
    "client/cli": ["client/include/sluice", "common"],
    "examples": ["client/include/sluice"],
    "examples/magika": ["client/include/sluice"],
}

# Headers that are contracts between folders of one rank: they hold a table of functions, no code.
CONTRACTS = {"executor/engine/ex_engine.h"}

# Composition roots that live beside what they compose: the main of the worker program.
ROOTS = {"executor/worker/ex_worker_main.c": "executor"}

# What is plain C: no clock, thread, socket or file. <stdio.h> is for snprintf, <arpa/inet.h> for
# inet_pton and inet_ntop; nm_check.sh sees the rest.
PURE_C = {
    "arpa/inet.h", "assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h",
    "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
    "stdlib.h", "string.h", "strings.h", "uthash.h", "utlist.h",
}  # fmt: skip
PURE_FOLDERS = {"gateway/core", "gateway/flow", "executor/core", "executor/flow"}

# An outside library, by the start of its headers' names, and the files that alone may see it (as
# glob patterns from the root). A folder's libraries are one per job: sockets, HTTP/2 and TLS of
# gateway/net live in different files, so that gw_h2 and gw_tls hold no socket.
LIBRARIES = {
    "yaml.h": ["common/sl_conf*", "client/cli/up_conf*"],
    "uv.h": ["gateway/net/gw_conn*", "gateway/net/gw_listener*", "gateway/net/gw_front*",
             "gateway/*", "executor/*", "client/*", "bench/*"],
    "nghttp2/": ["gateway/net/gw_h2*", "client/src/*", "bench/*"],
    "openssl/": ["gateway/net/gw_tls*", "gateway/net/gw_verify*", "gateway/auth/*", "client/src/*"],
    "zlib.h": ["gateway/net/gw_zip*"],
    "microhttpd.h": ["gateway/http/*"],
    "curl/": ["gateway/auth/gw_jwks_fetch*"],
    "zmq.h": ["gateway/link/*", "executor/link/*"],
    "sqlite3.h": ["gateway/store/*"],
    "lua.h": ["gateway/lua/*"],
    "lauxlib.h": ["gateway/lua/*"],
    "lualib.h": ["gateway/lua/*"],
    "jansson.h": ["gateway/http/*", "gateway/auth/*", "client/*", "examples/*", "bench/*",
                  "sim/sim_report_json*", "sim/sim_replay*"],
    "protobuf-c/": ["client/cli/*"],
    "cuda.h": ["executor/slice/ex_cuda_assert.c"],
    "nvml.h": ["executor/slice/ex_nvml_assert.c"],
}  # fmt: skip

# Generated messages (*.pb-c.h) are seen by codecs and the client alone.
WIRE_FILES = ["gateway/*/*_wire*", "executor/*/*_wire*", "client/*"]

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def matches(path, patterns):
    """Like a shell glob, but * stops at a slash; a pattern for a folder's own files is FOLDER/*."""
    for pattern in patterns:
        regex = re.escape(pattern).replace(r"\*", "[^/]*")
        if pattern.startswith(("client", "bench", "examples")):
            regex = regex.replace("[^/]*", ".*")  # all below, too
        if re.fullmatch(regex, path):
            return True
    return False


def sources(root):
    for folder in sorted({f.split("/")[0] for f in MAY_INCLUDE}):
        for path in sorted((root / folder).rglob("*.[ch]")):
            yield path.relative_to(root).as_posix()


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1)


def may_include(folder, other):
    allowed = [folder] + MAY_INCLUDE.get(folder, [])
    return other in allowed or any(a.endswith("/*") and other.startswith(a[:-1]) for a in allowed)


def breach_of_ours(path, target):
    """Why `path` may not include our header `target`, or None."""
    folder = ROOTS.get(path, path.rsplit("/", 1)[0])
    other = target.rsplit("/", 1)[0]
    if folder not in MAY_INCLUDE:
        return f"folder {folder} has no rank: add it to MAY_INCLUDE in scripts/layers.py"
    if target in CONTRACTS and folder.split("/")[0] == other.split("/")[0]:
        return None
    if not may_include(folder, other):
        allowed = ", ".join(MAY_INCLUDE[folder]) or "nothing of ours"
        return f"{folder} may include {allowed}, not {other}"
    return None


def breach_of_outside(path, name):
    """Why `path` may not include the outside header `name`, or None."""
    folder = path.rsplit("/", 1)[0]
    for prefix, users in LIBRARIES.items():
        if name == prefix or (prefix.endswith("/") and name.startswith(prefix)):
            if matches(path, users):
                return None
            return f"{prefix} belongs to {', '.join(users) or 'generated code'} alone"
    if folder in PURE_FOLDERS and name not in PURE_C:
        return f"{folder} is pure: plain C headers, uthash and utlist only"
    return None


def breach(path, name, target):
    """Why `path` may not include `name`, whose file is `target` when it is ours; or None."""
    if name.endswith(".pb-c.h"):
        if matches(path, WIRE_FILES):
            return None
        return "generated messages are for *_wire files and the client"
    if target:
        return breach_of_ours(path, target)
    return breach_of_outside(path, name)


def check(root):
    """All breaches under root, as 'path:line: rule' lines."""
    files = list(sources(root))
    by_name, found = {}, []
    for path in files:
        if path.endswith(".h"):
            name = path.rsplit("/", 1)[1]
            if name in by_name:
                found.append(f"{path}:1: a second {name}; the first is {by_name[name]}")
            by_name.setdefault(name, path)
    for path in files:
        for number, name in includes(root / path):
            why = breach(path, name, by_name.get(name.rsplit("/", 1)[-1]))
            if why:
                found.append(f'{path}:{number}: includes "{name}": {why}')
    return found, len(files)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    found, count = check(root)
    for line in found:
        print(line)
    print(f"layers: {count} files, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
