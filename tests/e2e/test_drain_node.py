"""An operator drains a node, on real processes: nothing new goes there, no call is lost."""

import json
import os
import signal
import subprocess
import time

import grpc
import pytest
from support.calls import scripted_request
from support.cluster import Cluster
from support.load import Load
from support.paths import BIN, SLOW
from support.stubs import Stub, pb
from support.wait import wait_until


@pytest.fixture(scope="module")
def cluster(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("drain_node")
    with Cluster(few_models, folder, executors=2, slices=2) as cluster:
        for _ in range(
            8
        ):  # so that it is known how short they are, and nobody seems to wait in vain
            begin(cluster, "5ms").result()
        yield cluster


@pytest.fixture
def run(cluster):
    """The command with the administrator's token: exit code, what it printed, and its errors."""

    def run(*args):
        env = {**os.environ, "SLUICE_ADDRESS": cluster.grpc}
        token = cluster.folder / "gateway.state/admin.token"
        command = [BIN / "sluice", *args, "--token-file", token]
        ran = subprocess.run(
            command,
            check=False,
            env=env,
            capture_output=True,
            text=True,
            timeout=60 * SLOW,
        )
        return ran.returncode, ran.stdout, ran.stderr

    yield run
    for name in cluster.nodes:
        run("drain", "--undo", name)


def node(run, name):
    code, out, _ = run("nodes", "--json")
    assert code == 0
    (found,) = [n for n in json.loads(out)["nodes"] if n["name"] == name]
    return found


def node_of(call):
    return dict(call.trailing_metadata())["sluice-node"]


def begin(cluster, how_long):
    return cluster.stub().ModelInfer.future(scripted_request(run=how_long), timeout=60 * SLOW)


def test_under_load_no_call_is_lost_and_nothing_new_goes_there(cluster, run):
    with Load(
        cluster, lambda: scripted_request(run="20ms"), callers=8, timeout_s=60 * SLOW
    ) as load:
        wait_until(lambda: node(run, "n1")["calls"] > 0, 20 * SLOW, "n1 has calls")
        code, out, err = run("drain", "n1", "--wait", "--timeout", "30s")
        assert (code, out, err) == (0, "drained n1\n", "")
        since = time.monotonic()
        for _ in range(5):
            assert node(run, "n1")["calls"] == 0
        wait_until(lambda: len(load.answers_after(since)) > 20, 30 * SLOW, "n2 serves them")
        assert {node_of(call) for call in finished(cluster, 6)} == {"n2"}
        assert run("drain", "n1", "--undo")[:2] == (0, "n1 may have calls again\n")
        wait_until(lambda: node(run, "n1")["calls"] > 0, 20 * SLOW, "n1 has calls again")
    assert load.failures() == []


def finished(cluster, count):
    calls = [begin(cluster, "5ms") for _ in range(count)]
    for call in calls:
        call.result()
    return calls


def test_what_runs_ends_there_and_what_waits_waits(cluster, run):
    runs = begin(cluster, "1500ms")
    wait_until(lambda: cluster.status().calls_running == 1, 10 * SLOW, "it runs")
    for name in cluster.nodes:
        run("drain", name)
    state = [node(run, name) for name in cluster.nodes]
    assert [n["drained"] for n in state] == [True, True]
    assert {n["drained_by"] for n in state} == {"user:admin"}
    assert sum(n["calls"] for n in state) == 1
    assert "draining, 1 call" in run("nodes")[1]
    waits = begin(cluster, "5ms")
    wait_until(lambda: cluster.status().calls_queued == 1, 10 * SLOW, "it waits")
    assert runs.result().outputs
    assert cluster.status().calls_queued == 1
    assert cluster.metrics()["sluice_nodes_drained"] == 2
    run("drain", "--undo", "n2")
    assert waits.result().outputs
    assert node_of(waits) == "n2"
    assert cluster.metrics()["sluice_drains_total"] >= 2


def test_a_node_that_comes_back_is_still_drained(cluster, run):
    assert run("drain", "n1")[:2] == (0, "drained n1\n")
    cluster.daemons["n1"].signal(signal.SIGTERM)
    cluster.daemons["n1"].wait(20 * SLOW)
    wait_until(lambda: not node(run, "n1")["connected"], 10 * SLOW, "it is gone")
    assert run("drain", "n1")[1] == "drained n1; it is not connected\n"
    cluster.restart("n1")
    wait_until(lambda: node(run, "n1")["connected"], 20 * SLOW, "it is back")
    assert {node_of(call) for call in finished(cluster, 6)} == {"n2"}
    log = cluster.daemons["gateway"].log()
    assert "node drained node=n1 calls=0 called_back=0 by=user:admin" in log
    assert "the node is drained: nothing is placed there node=n1" in log


def test_who_may_and_what_there_is(cluster, run):
    code, _, err = run("drain", "n9")
    assert code == 1
    assert "no node is named 'n9'; there are n" in err
    code, _, err = run("drain", "n1", "--undo", "--wait")
    assert code == 2
    assert "exclude each other" in err
    stranger = Stub(cluster.channel(), "sluice.v1.Admin")
    with pytest.raises(grpc.RpcError) as caught:
        stranger.DrainNode(pb("sluice.v1").DrainNodeRequest(node="n1"), timeout=10 * SLOW)
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert not node(run, "n1")["drained"]
