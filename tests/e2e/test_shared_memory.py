"""Large tensors between gateway and executor of one host: shared, whole, used again, given back."""

import concurrent.futures
import re
import signal

import grpc
import numpy as np
import psutil
import pytest
from support.calls import request
from support.process import open_files
from support.server import Up
from support.stubs import pb
from support.wait import wait_until

ROWS = 1 << 18  # of 16 bytes
BYTES = ROWS * 16
PROGRAMS = ("sluice-gateway", "sluice-executor", "sluice-worker")
OURS = re.compile("sluice-(request|result|input|output)")


def large_request(seed, rows=ROWS):
    values = np.random.default_rng(seed).random((rows, 4), dtype=np.float32)
    return values, request("identity", [("INPUT0", "FP32", [rows, 4], values.tobytes())])


def call(stub, seed, rows=ROWS):
    values, message = large_request(seed, rows)
    reply = stub.ModelInfer(message, timeout=60)
    assert reply.raw_output_contents[0] == values.tobytes()


def metric(server, name):
    text = server.get("/metrics")[2].decode()
    return int(re.search(rf"^{name} (\d+)", text, re.MULTILINE)[1])


def moved(server):
    """Bytes by shared memory, down and up, and by bulk."""
    kinds = ("shared_sent", "shared_received", "bulk_sent", "bulk_received")
    return [metric(server, f"sluice_node_{kind}_bytes_total") for kind in kinds]


def segments(server):
    """Maps and descriptors of tensors' memory, of all processes."""
    found = []
    for program in PROGRAMS:
        for process in server.family(program):
            try:
                found += [f for f in open_files(process) if OURS.search(f)]
                maps = process.memory_maps(grouped=False)
            except (psutil.Error, OSError):
                continue  # about to exec, or gone
            found += [m.path for m in maps if OURS.search(m.path)]
    return found


def test_large_tensors_go_by_shared_memory_and_nothing_else(fresh):
    before = moved(fresh)
    stub = fresh.stub()
    for seed in range(5):
        call(stub, seed)
    assert [b - a for a, b in zip(before, moved(fresh), strict=True)] == [
        5 * BYTES,
        5 * BYTES,
        0,
        0,
    ]
    assert metric(fresh, "sluice_node_segments_bad_total") == 0


def test_memory_is_used_again_and_given_back_when_nobody_needs_it(fresh):
    stub = fresh.stub()
    call(stub, 1)
    first = len(segments(fresh))
    assert first > 0
    for seed in range(20):
        call(stub, seed, ROWS - seed)
    assert len(segments(fresh)) <= 3 * first  # both slices' workers have theirs by now
    wait_until(lambda: not segments(fresh), 60, "no memory of tensors")
    call(stub, 2)


def test_many_at_once_in_both_directions(fresh):
    stubs = [fresh.stub() for _ in range(4)]
    sizes = [ROWS, ROWS // 3, ROWS + 7, 20_000, 10, ROWS // 2]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        runs = [threads.submit(call, stubs[i % 4], i, sizes[i % 6]) for i in range(60)]
        for run in runs:
            run.result()
    assert metric(fresh, "sluice_node_segments_bad_total") == 0


def test_typed_contents_go_there_too(fresh):
    values = np.random.default_rng(3).random((ROWS // 4, 4), dtype=np.float32)
    message = pb().ModelInferRequest(model_name="identity")
    tensor = message.inputs.add(name="INPUT0", datatype="FP32", shape=[ROWS // 4, 4])
    tensor.contents.fp32_contents.extend(values.ravel().tolist())
    reply = fresh.stub().ModelInfer(message, timeout=60)
    assert reply.raw_output_contents[0] == values.tobytes()
    assert moved(fresh)[0] == BYTES // 4


@pytest.mark.parametrize("side", ["gateway", "executor"])
def test_without_it_on_one_side_payloads_go_by_bulk(models, tmp_path, _stubs, side):
    config = f"{side}: {{link: {{shared_memory: 0B}}}}\n"
    with Up(models, tmp_path, config=config) as up:
        call(up.stub(), 1)
        down, result, bulk_down, bulk_up = moved(up)
        assert result == 0
        assert bulk_up == BYTES
        assert (down, bulk_down) in [(0, BYTES), (BYTES, 0)]
        assert (down == 0) or side == "executor"


def test_what_has_no_room_goes_by_bulk(models, tmp_path, _stubs):
    config = "".join(
        f"{side}: {{link: {{shared_memory: 1MiB}}}}\n" for side in ("gateway", "executor")
    )
    with Up(models, tmp_path, config=config) as up:
        call(up.stub(), 1)
        assert moved(up) == [0, 0, BYTES, BYTES]


def test_after_a_killed_executor_the_next_one_shares_again(fresh):
    stub = fresh.stub()
    call(stub, 1)
    fresh.one("sluice-executor").send_signal(signal.SIGKILL)

    def serves():
        try:
            call(stub, 2)
        except grpc.RpcError:  # it is coming back
            return False
        return True

    wait_until(serves, 30, "calls again")
    before = moved(fresh)
    call(stub, 3)
    after = moved(fresh)
    assert after[0] - before[0] == BYTES
    assert after[1] - before[1] == BYTES


def test_callers_that_leave_do_no_harm(fresh):
    stub = fresh.stub()
    for seed in range(6):
        _, message = large_request(seed)
        pending = stub.ModelInfer.future(message, timeout=60)
        if seed % 2:
            pending.cancel()
        else:
            pending.result()
    call(stub, 9)
    call(stub, 10)
    assert metric(fresh, "sluice_node_segments_bad_total") == 0
