"""Gateway and executor as an operator runs them: two daemons, two files, the link over TCP."""

import signal
import time

import grpc
import numpy as np
import pytest
from support.calls import identity_request, request
from support.link import LinkPair
from support.paths import SLOW
from support.stubs import pb
from support.wait import wait_until


@pytest.fixture
def pair(models, tmp_path, _stubs):
    with LinkPair(models, tmp_path) as pair:
        yield pair


def test_either_may_start_first(pair):
    pair.start("executor")
    pair.start("gateway")
    stub = pair.wait_ready()
    assert stub.ModelInfer(identity_request(), timeout=10).outputs


def test_without_an_executor_it_lives_and_is_not_ready(pair):
    pair.start("gateway").wait_for_log("listening", 10 * SLOW)
    stub = pair.stub()
    assert stub.ServerLive(pb().ServerLiveRequest(), timeout=10, wait_for_ready=True).live
    assert not stub.ServerReady(pb().ServerReadyRequest(), timeout=10).ready
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(identity_request(), timeout=10)
    assert caught.value.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE)


@pytest.mark.parametrize("megabytes", [0, 1, 60])
def test_tensors_over_tcp_are_bit_equal(pair, megabytes):
    pair.start("gateway")
    pair.start("executor")
    stub = pair.wait_ready()
    count = megabytes * 2**20 // 8 + 3
    values = np.random.default_rng(9).integers(0, 2**63, count, dtype=np.int64)
    for _ in range(3):
        message = request("echo_int64", [("IN", "INT64", [count], values.tobytes())])
        reply = stub.ModelInfer(message, timeout=60 * SLOW)
        assert reply.raw_output_contents[0] == values.tobytes()


@pytest.mark.parametrize("name", ["gateway", "executor"])
def test_after_the_kill_of_one_the_other_waits_for_it(pair, name):
    pair.start("gateway")
    pair.start("executor")
    pair.wait_ready()
    for _ in range(2):
        pair.processes[name].kill()
        pair.processes[name].stop()
        pair.start(name)
        stub = pair.wait_ready()
        reply = wait_until(lambda stub=stub: answer(stub), 10 * SLOW, "an answer")
        assert reply.outputs


def answer(stub):
    try:
        return stub.ModelInfer(identity_request(), timeout=5)
    except grpc.RpcError:
        return None


def test_the_second_node_of_a_name_is_refused(pair):
    """An operator's mistake: the first one goes on undisturbed, the second says why it does not."""
    gateway = pair.start("gateway")
    pair.start("executor")
    stub = pair.wait_ready()
    pair.write_executor("twin", "n1", "")
    twin = pair.start("twin")
    twin.wait_for_log("a node named 'n1' is connected already", 20 * SLOW)
    for _ in range(20):
        assert stub.ModelInfer(identity_request(), timeout=10 * SLOW).outputs
    assert pair.metric('sluice_nodes_refused_total{why="name"}') >= 1
    assert pair.metric("sluice_nodes_lost_total") == 0
    assert gateway.log().count("node connected") == 1

    pair.processes["executor"].kill()  # now the name is free, and somebody waits for it
    started = time.monotonic()
    assert wait_until(lambda: answer(stub), 10 * SLOW, "an answer")
    print(f"the twin served after {time.monotonic() - started:.3f} s")
    twin.wait_for_log("welcomed by the gateway")


@pytest.mark.parametrize("name", ["gateway", "executor"])
def test_sighup_reads_the_file_again(pair, name):
    """What can change does, what cannot is said, and a bad file changes nothing."""
    daemon = pair.start(name)
    pair.start({"gateway": "executor", "executor": "gateway"}[name])
    stub = pair.wait_ready()
    path = pair.folder / f"{name}.yaml"
    good = path.read_text()

    path.write_text(good + "log: {level: debug}\ndrain: {timeout: 7s}\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_log("log.level")
    daemon.wait_for_log("drain.timeout")

    path.write_text(good + "nonsense: 1\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_log("nonsense")
    assert daemon.is_alive()
    assert stub.ModelInfer(identity_request(), timeout=10 * SLOW).outputs
