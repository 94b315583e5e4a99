#!/usr/bin/env python3
"""Compares the slot numbers in executor/engine/ex_ort_api.h with ONNX Runtime's own header.

    check_ort_slots.py PATH/onnxruntime_c_api.h [PATH/ex_ort_api.h]

OrtApi is a struct of function pointers that only ever grows at its end, so a function's place in it
is its number for good. This counts the places in the header and compares each number that we use.
"""

import pathlib
import re
import sys

OURS = pathlib.Path(__file__).resolve().parent.parent / "executor/engine/ex_ort_api.h"

# The ways in which the header declares one member of OrtApi.
MEMBER = re.compile(
    r"ORT_API2_STATUS\(\s*(?P<status>\w+)"
    r"|ORT_CLASS_RELEASE2?\(\s*(?P<release>\w+)\s*\)"
    r"|ORT_API_T\([^,]+,\s*(?P<typed>\w+)"
    r"|\(\s*ORT_API_CALL\s*\*\s*(?P<pointer>\w+)\s*\)\s*\("
)


def strip_comments(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    return re.sub(r"//[^\n]*", " ", text)


def struct_body(text, name):
    start = re.search(r"\bstruct\s+%s\s*\{" % name, text)
    if not start:
        sys.exit(f"no struct {name} in the header")
    depth, at = 1, start.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return text[start.end() : at - 1]


def members(header):
    body = struct_body(strip_comments(header), "OrtApi")
    names = []
    for statement in body.split(";"):
        found = MEMBER.search(statement)
        if found:
            release = found.group("release")
            plain = found.group("status") or found.group("typed") or found.group("pointer")
            names.append("Release" + release if release else plain)
        elif statement.strip() and not statement.strip().startswith("#"):
            sys.exit(f"cannot read this member of OrtApi: {' '.join(statement.split())}")
    return names


def ours(text):
    found = re.findall(r"^\s*X\((\w+),\s*(\d+)", strip_comments(text), flags=re.M)
    if not found:
        sys.exit("no slots in our header")
    return {name: int(slot) for name, slot in found}


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    names = members(pathlib.Path(sys.argv[1]).read_text())
    path = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else OURS
    slots = ours(path.read_text())
    wrong = 0
    for name, slot in sorted(slots.items(), key=lambda item: item[1]):
        there = names.index(name) if name in names else None
        if there != slot:
            wrong += 1
            print(f"{name}: ours is {slot}, the header has {there}")
    print(f"{len(slots)} slots compared with {len(names)} members: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
