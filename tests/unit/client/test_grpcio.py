"""libsluice, by the sluice command and the examples, against another gRPC implementation: grpcio.

    PYTHON -m pytest tests/unit/client/test_grpcio.py

PYTHON is that of the environment `e2e` (scripts/venv.sh e2e). SLUICE_BUILD
names the build (default build/release).
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release")) / "bin"
VALUE = "INPUT0=[1,2,3,4]"


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    """The address of grpcio_peer.py."""
    stubs = tmp_path_factory.mktemp("stubs")
    protos = ["inference/inference.proto", "sluice/v1/admin.proto"]
    out = [f"-I{ROOT / 'proto'}", f"--python_out={stubs}", f"--grpc_python_out={stubs}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *out, *protos], check=True)
    script = Path(__file__).with_name("grpcio_peer.py")
    with subprocess.Popen(
        [sys.executable, script, stubs], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield "127.0.0.1:" + process.stdout.readline().split()[1]
        process.stdin.close()


@pytest.fixture
def sluice(peer):
    def run(*args, **env):
        return subprocess.run(
            [BIN / "sluice", *args, "--address", peer],
            capture_output=True,
            text=True,
            timeout=30,
            env=os.environ | env,
        )

    return run


def outputs(result):
    assert result.returncode == 0, result.stderr
    return {o["name"]: o["data"] for o in json.loads(result.stdout)["outputs"]}


def counts(sluice):
    """Calls that the peer has seen, calls that were cancelled there."""
    return outputs(sluice("infer", "count", "--json", "-i", VALUE))["OUTPUT0"]


def test_the_smallest_program(peer):
    ran = subprocess.run([BIN / "ex01_hello", peer], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "OUTPUT0: 1 2.5 -3 1e+06\n"  # of GPU time it tells nothing


def test_deadline_and_cancel_reach_the_server(peer, sluice):
    before = counts(sluice)
    ran = subprocess.run(
        [BIN / "ex02_deadline", peer, "slow"], capture_output=True, text=True, timeout=30
    )
    assert "DEADLINE_EXCEEDED" in ran.stdout
    assert "CANCELLED" in ran.stdout
    until = time.monotonic() + 5
    while counts(sluice)[1] < before[1] + 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert counts(sluice)[1] == before[1] + 2


def test_ctrl_c_cancels_at_the_server(peer, sluice):
    before = counts(sluice)[1]
    with subprocess.Popen(
        [BIN / "sluice", "infer", "slow", "-i", VALUE, "--address", peer],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 1
        assert "CANCELLED" in process.stderr.read()
    until = time.monotonic() + 5
    while counts(sluice)[1] == before and time.monotonic() < until:
        time.sleep(0.05)
    assert counts(sluice)[1] == before + 1


def test_typed_contents_and_unaligned_outputs(sluice):
    assert outputs(sluice("infer", "typed", "--json", "-i", VALUE)) == {
        "i8": [-128, 127],
        "u16": [0, 65535],
        "f32": [1.5, -2.5],
        "b": [True, False],
        "s": ["ab", ""],
    }
    assert outputs(sluice("infer", "pair", "--json", "-i", VALUE)) == {
        "a": [97, 98, 99],
        "b": [1.25, -8.0],
    }


def test_a_rich_error(sluice):
    ran = sluice("infer", "fail", "-i", VALUE)
    assert ran.returncode == 1
    assert "the queue is full: 64 calls — try again (QUEUE_FULL)" in ran.stderr
    assert "sluice: try again in 1.5s\n" in ran.stderr
    told = json.loads(sluice("infer", "fail", "--json", "-i", VALUE).stdout)
    assert told["reason"] == "QUEUE_FULL"
    assert told["code"] == "RESOURCE_EXHAUSTED"


def test_a_reason_from_the_trailer(sluice):
    ran = sluice("infer", "absent", "-i", VALUE)
    assert ran.returncode == 1
    assert "MODEL_NOT_FOUND" in ran.stderr


def test_metadata_token_and_deadline_travel(sluice, tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    wanted = ["sluice-duration=5s", "sluice-size=xlarge", "sluice-max-wait=9s", "deadline=near"]
    options = ["--duration", "5s", "--size", "xlarge", "--max-wait", "9s", "--timeout", "20s"]
    seen = outputs(sluice("infer", "meta", "--json", "-i", "INPUT0=x", *options, SLUICE_TOKEN="T"))
    assert set(wanted) | {"authorization=Bearer T"} <= set(seen["OUTPUT0"])
    by_file = ["--token-file", str(tmp_path / "token")]
    seen = outputs(sluice("infer", "meta", "--json", "-i", "INPUT0=x", *by_file))
    assert "authorization=Bearer from-file" in seen["OUTPUT0"]


def test_numpy_files_there_and_back(sluice, tmp_path):
    values = np.random.default_rng(3).random((1 << 18, 4), dtype=np.float32)
    np.save(tmp_path / "in.npy", values)
    ran = sluice(
        "infer",
        "identity",
        "-i",
        f"INPUT0=@{tmp_path}/in.npy",
        "-o",
        f"OUTPUT0=@{tmp_path}/out.npy",
    )
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(np.load(tmp_path / "out.npy"), values)
    (tmp_path / "raw").write_bytes(values.tobytes())
    ran = sluice(
        "infer", "identity", "-i", f"INPUT0=@{tmp_path}/raw", "-o", f"OUTPUT0=@{tmp_path}/out"
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out").read_bytes() == values.tobytes()


@pytest.mark.parametrize(
    ("verb", "part"), [("models", "identity"), ("nodes", "cpu0"), ("status", "BAD_INPUT")]
)
def test_tables(sluice, verb, part):
    assert part in sluice(verb).stdout
    assert part in json.dumps(json.loads(sluice(verb, "--json").stdout))


def test_exit_codes(sluice):
    assert sluice("infer", "identity", "-i", VALUE).returncode == 0
    assert sluice("infer", "identity", "-i", "INPUT0=[1,2,3]").returncode == 2
    assert sluice("infer", "identity").returncode == 2
    nobody = [BIN / "sluice", "status", "--address", "127.0.0.1:1"]
    assert subprocess.run(nobody, capture_output=True).returncode == 3
