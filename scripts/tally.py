#!/usr/bin/env python3
"""Counts the single tests in a JUnit file of ctest or pytest.

    scripts/tally.py build/check/GROUP "COMMAND %s"

Reads GROUP.xml; writes GROUP.counts ("PASSED FAILED SKIPPED"), for each failure the command with
its name to GROUP.rerun, and what pytest's tests printed (their counts and measures) to GROUP.said.
A ctest entry that is a cmocka program counts as the tests in it.
"""

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

LINE_MAX = 200
HEADING = re.compile(r"^-+ Captured ")
CMOCKA = re.compile(r"^\[\s+(PASSED|FAILED|SKIPPED)\s+\] (\d+) test\(s\)", re.M)


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "FAILED"
    if case.find("skipped") is not None or case.get("status") in ("disabled", "notrun"):
        return "SKIPPED"
    return "FAILED" if case.get("status") == "fail" else "PASSED"


def counts_of(case):
    """{'PASSED': n, ...} of one entry; a cmocka program's own closing lines win."""
    word = outcome(case)
    output = case.findtext("system-out") or ""
    inner = {name: int(number) for name, number in CMOCKA.findall(output)}
    if inner and (word != "FAILED" or inner.get("FAILED")):
        return inner
    return {word: 1}


def rerun_name(case):
    """tests.e2e.test_x + test_y of pytest become tests/e2e/test_x.py::test_y."""
    parts = (case.get("classname") or "").split(".")
    if parts[0] != "tests":
        return case.get("name")
    files = [i for i, part in enumerate(parts) if part.startswith("test_")]
    if not files:
        return "/".join(parts)
    head, classes = parts[: files[0] + 1], parts[files[0] + 1 :]
    return "::".join(["/".join(head) + ".py", *classes, case.get("name")])


def said(case):
    """What a test of pytest printed, under its name; "" when that is nothing."""
    name = rerun_name(case)
    lines = (case.findtext("system-out") or "").splitlines()
    lines = [f"  {line[:LINE_MAX]}\n" for line in lines if line.strip() and not HEADING.match(line)]
    return f"{name}\n{''.join(lines)}" if lines and "::" in name else ""


def main():
    base, command = Path(sys.argv[1]), sys.argv[2]
    xml = base.with_suffix(".xml")
    if not xml.exists():
        return
    total, reruns, words = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}, [], ""
    for case in ET.parse(xml).getroot().iter("testcase"):
        for word, number in counts_of(case).items():
            total[word] += number
        words += said(case)
        if outcome(case) == "FAILED":
            reruns.append(command.replace("%s", rerun_name(case)))
    base.with_suffix(".counts").write_text(" ".join(str(n) for n in total.values()) + "\n")
    base.with_suffix(".said").write_text(words)
    base.with_suffix(".rerun").write_text("".join(line + "\n" for line in reruns))


if __name__ == "__main__":
    main()
