"""Gateway and executor as an operator runs them: two daemons, two files, the link over TCP."""

import signal

import grpc
import numpy as np
import pytest
from support.calls import identity_request, request
from support.paths import BIN, SLOW
from support.ports import free_ports
from support.process import Process
from support.stubs import Stub, pb
from support.wait import wait_until


class Pair:
    """The two daemons; each may be killed and started anew."""

    def __init__(self, models, folder):
        self.folder = folder
        grpc_port, http_port, control, bulk = free_ports(4)
        self.address = f"127.0.0.1:{grpc_port}"
        link = f"link: {{control: 'tcp://127.0.0.1:{control}', bulk: 'tcp://127.0.0.1:{bulk}'}}\n"
        (folder / "gateway.yaml").write_text(
            f"listen: {{grpc: '{self.address}', http: '127.0.0.1:{http_port}'}}\n{link}"
        )
        (folder / "executor.yaml").write_text(f"node: n1\nmodels: {models}\n{link}")
        self.processes = {}
        self.channel = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.channel:
            self.channel.close()
        for process in self.processes.values():
            process.__exit__(*error)

    def start(self, name):
        argv = [BIN / f"sluice-{name}", "--config", self.folder / f"{name}.yaml"]
        self.processes[name] = Process(argv, self.folder / f"{name}.log")
        return self.processes[name]

    def stub(self):
        if self.channel:
            self.channel.close()
        self.channel = grpc.insecure_channel(
            self.address,
            options=[
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
            ],
        )
        return Stub(self.channel, "inference.GRPCInferenceService")

    def wait_ready(self, limit_s=20 * SLOW):
        stub = self.stub()

        def ready():
            try:
                return stub.ServerReady(pb().ServerReadyRequest(), timeout=1).ready
            except grpc.RpcError:
                return False

        wait_until(ready, limit_s, "ready")
        return stub


@pytest.fixture
def pair(models, tmp_path, _stubs):
    with Pair(models, tmp_path) as pair:
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


def test_two_nodes_of_one_name_do_not_stop_the_service(pair):
    """An operator's mistake: the later one takes the name, the log says so, calls are served."""
    gateway = pair.start("gateway")
    pair.start("executor")
    pair.wait_ready()
    twin = [BIN / "sluice-executor", "--config", pair.folder / "executor.yaml"]
    with Process(twin, pair.folder / "twin.log"):
        gateway.wait_for_log("node lost node=n1", 30 * SLOW)
        stub = pair.stub()
        for _ in range(20):
            assert wait_until(lambda: answer(stub), 10 * SLOW, "an answer")


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
