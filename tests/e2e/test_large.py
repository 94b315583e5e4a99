"""One very large tensor both ways: bit-equal, and the gateway holds it less than 2.5 times.

256 MiB in full, the largest that can be configured (a tensor of 1 GiB) in a soak.
"""

import subprocess

import numpy as np
import pytest
import tritonclient.grpc as triton
from support.cpp import run
from support.models import write_identity_of
from support.pair import Pair
from support.paths import BIN, SCALE, SLOW

MIB = 1024 if SCALE >= 1 else 256
ROOM = ["message: 1025MiB", "body_total: 1100MiB", "body_connection: 1100MiB", "result_total: 3GiB"]
LIMITS = f"limits: {{{', '.join(ROOM)}}}\n"
HELD_MAX = 2.5

pytestmark = pytest.mark.timeout(600)  # a busy machine copies slowly


@pytest.fixture
def roomy(tmp_path, _stubs):
    """A gateway and an executor with room for it, and one model."""
    models = tmp_path / "models"
    write_identity_of(models, "INT64", duration="120s")  # copying counts
    with Pair(models, tmp_path, LIMITS) as pair:
        yield pair


def peak_bytes(process):
    """VmHWM: the most memory that it ever had, shared memory included."""
    with open(f"/proc/{process.pid}/status") as lines:
        [kib] = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return kib * 1024


def report(pair, who):
    """Prints what the processes held; the gateway must have held less than HELD_MAX messages."""
    times = {
        name: peak_bytes(process) / (MIB << 20)
        for name, process in (("gateway", pair.gateway), ("executor", pair.executor))
    }
    print(f"count: {MIB} of 1024 MiB by {who}; peaks, as multiples of the tensor: {times}")
    if SLOW == 1:  # sanitizers keep memory of their own
        assert times["gateway"] < HELD_MAX


def test_tritonclient(roomy):
    values = np.arange(MIB << 17, dtype=np.int64)
    given = triton.InferInput("IN", [len(values)], "INT64")
    given.set_data_from_numpy(values)
    with triton.InferenceServerClient(roomy.grpc) as client:
        result = client.infer("echo_int64", [given], client_timeout=120 * SLOW)
    assert np.array_equal(result.as_numpy("OUT"), values)
    report(roomy, "tritonclient")


def test_cpp(roomy, cpp_client):
    run(cpp_client, roomy.grpc, "large", str(MIB))
    run(cpp_client, roomy.grpc, "large", str(MIB))  # what the first left does not add up
    report(roomy, "gRPC C++")


def test_sluice_infer(roomy, tmp_path):
    """By the C library: the array from one file into another."""
    values = np.arange(MIB << 17, dtype=np.int64)
    np.save(tmp_path / "in.npy", values)
    words = ["--input", f"IN=@{tmp_path}/in.npy", "--output", f"OUT=@{tmp_path}/out.npy"]
    command = [BIN / "sluice", "infer", "echo_int64", "--address", roomy.grpc, *words]
    subprocess.run(command, check=True, capture_output=True, timeout=120 * SLOW)
    assert np.array_equal(np.load(tmp_path / "out.npy"), values)
    report(roomy, "sluice infer")
