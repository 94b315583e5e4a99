"""An unmodified kserve client against the gateway."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import SLOW

TALK = Path(__file__).parent / "support/kserve_talk.py"


@pytest.fixture(scope="module")
def told(server):
    done = subprocess.run(
        [sys.executable, TALK, server.grpc],
        capture_output=True,
        text=True,
        timeout=60 * SLOW,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_health(told):
    assert told["live"] is told["ready"] is told["model"] is True


def test_every_datatype_is_bit_equal(told):
    tensors = {name: good for name, good in told.items() if name.startswith(("raw ", "typed "))}
    assert len(tensors) == 23
    assert all(tensors.values()), tensors


def test_a_requested_output_and_parameters(told):
    assert told["output"] == [["B_OUT"], ["one", "zwölf"]]


def test_a_refusal_has_its_code_and_sentence(told):
    code, text = told["refusal"]
    assert code == "NOT_FOUND"
    assert "nosuch" in text
