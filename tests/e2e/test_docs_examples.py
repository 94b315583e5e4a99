"""What pages of the documentation show of the sluice command is what it does."""

import os
import re
import subprocess
import textwrap

import pytest
from support.paths import BIN, ROOT, SLOW
from support.server import Up
from support.wait import wait_until

PAGES = ["README.md", "docs/ACCOUNTS.md"]
BLOCK = re.compile(r"^( *)```console\n(.*?)^\1```$", re.M | re.S)
# What differs from run to run, the more special first.
VARIES = [
    (r"\bsl_[0-9A-Za-z]{33}\b", "TOKEN"),
    (r"\bsl_[0-9A-Za-z]{6}\b", "PREFIX"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
    (r"\b\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?", "TIME"),
    (r"\b\d+\.\d{3} (ms|s)\b", "SPAN"),
    (r'"user:alice",1,\d+,\d+', '"user:alice",1,N,N'),
    (r" +", " "),
]


def plain(text):
    for pattern, name in VARIES:
        text = re.sub(pattern, name, text)
    return text


def examples(page):
    """(command, what it shows) in the page's order."""
    found = []
    for _, block in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        for line in textwrap.dedent(block).splitlines(keepends=True):
            if line.startswith("$ "):
                found.append([line[2:].strip(), ""])
            else:
                found[-1][1] += line
    return found


@pytest.mark.parametrize("page", PAGES)
def test_examples(page, few_models, tmp_path, _stubs):
    with Up(few_models, tmp_path) as up:
        (tmp_path / "sluice").symlink_to(up.state)
        env = {**os.environ, "SLUICE_ADDRESS": up.grpc, "XDG_STATE_HOME": str(tmp_path)}
        env["PATH"] = f"{BIN}:{env['PATH']}"

        def run(command):
            ran = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=30 * SLOW,
            )
            return plain(ran.stdout)

        def shows(command, wanted):
            shown = run(command)
            if shown != wanted and is_listing(command):
                wait_until(lambda: run(command) == wanted, 20 * SLOW, f"{command}: {wanted}{shown}")
            else:
                assert shown == wanted, command

        found = examples(page)
        assert found, f"{page} has no examples"
        for command, shown in found:
            shows(command, plain(shown))


def is_listing(command):
    """Lists of what was are some moments behind."""
    return re.match(r"sluice (receipts|usage|grant list)\b", command)
