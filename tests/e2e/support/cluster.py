"""A gateway and some executors that may die and come back, as under an operator's supervisor."""

import os
import time
import urllib.error
import urllib.request

import grpc
import psutil

from .paths import BIN, SLOW
from .ports import free_ports
from .process import Process
from .server import MESSAGE_LIMIT
from .stubs import Stub, pb
from .wait import wait_until

# grpcio waits a second and more before it connects again; a test wants to see our time, not that.
PROMPT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2000),  # which is how long it waits for a connection
    ("grpc.max_reconnect_backoff_ms", 200),
]
# A call that a draining gateway has not taken is sent again by grpcio itself, up to this size.
RESENT = [("grpc.per_rpc_retry_buffer_size", 64 << 20)]
MARK = "SLUICE_TEST_CLUSTER"


class Cluster:
    """Use as a context manager.

    gateway, executor: YAML beside what the cluster needs itself, with NODE for an executor's name;
    link, node_link: more keys of their link; environment: more of the gateway's.
    Daemons are named "gateway", "n1", "n2", ... Each is a Process whose log goes on over its lives.
    """

    def __init__(
        self,
        models,
        folder,
        *,
        executors=1,
        slices=2,
        gateway="",
        executor="",
        link="",
        node_link="",
        environment=None,
    ):
        self.folder, self.slices, self._models = folder, slices, len(os.listdir(models))
        self._environment = environment or {}
        self.nodes = [f"n{i + 1}" for i in range(executors)]
        grpc_port, http_port = free_ports(2)
        self.grpc, self.http = f"127.0.0.1:{grpc_port}", f"127.0.0.1:{http_port}"
        ends = f"control: 'ipc://{folder}/c', bulk: 'ipc://{folder}/b'"
        listen = f"listen: {{grpc: '{self.grpc}', http: '{self.http}'}}\n"
        listen += f"state: {folder}/gateway.state\n"
        self.write("gateway", f"{listen}link: {{{ends}{link and ', ' + link}}}\n{gateway}")
        for name in self.nodes:
            head = f"node: {name}\nmodels: {models}\nslices: {{cpu: {slices}}}\n"
            link_of_node = f"link: {{{ends}{node_link and ', ' + node_link}}}"
            self.write(name, f"{head}{link_of_node}\n{executor.replace('NODE', name)}")
        self.daemons, self._channels = {}, []

    def write(self, name, yaml):
        (self.folder / f"{name}.yaml").write_text(yaml)

    # ---- life

    def start(self, name):
        program = "sluice-gateway" if name == "gateway" else "sluice-executor"
        argv = [BIN / program, "--config", self.folder / f"{name}.yaml"]
        more = self._environment if name == "gateway" else {}
        env = {**os.environ, MARK: str(self.folder), **more}
        self.daemons[name] = Process(argv, self.folder / f"{name}.log", env=env)
        return self.daemons[name]

    def restart(self, name, limit_s=20 * SLOW):
        """What a supervisor does for a daemon that has ended or is about to; its exit status."""
        status = self.daemons[name].wait(limit_s)
        self.daemons[name].__exit__(None)
        self.start(name)
        return status

    def welcomes(self, name):
        """How often the gateway has welcomed the executor."""
        return self.daemons[name].log().count("welcomed by the gateway")

    def __enter__(self):
        try:
            for name in ["gateway", *self.nodes]:
                self.start(name)
            wait_until(self.is_whole, 30 * SLOW, "all executors and workers")
        except BaseException:
            self.__exit__(ValueError)
            raise
        return self

    def __exit__(self, error_type, *_):
        for channel in self._channels:
            channel.close()
        for daemon in self.daemons.values():
            daemon.__exit__(error_type)

    # ---- looking

    def processes(self, program=None):
        """All processes of this cluster, whoever their parent is, zombies among them."""
        return [p for p in psutil.process_iter() if self._is_ours(p, program)]

    def _is_ours(self, process, program):
        try:
            with open(f"/proc/{process.pid}/environ", "rb") as environ:
                if f"{MARK}={self.folder}\0".encode() not in environ.read():
                    return False
            # Not psutil's exe(), which would keep what a child was before its exec.
            exe = os.readlink(f"/proc/{process.pid}/exe")
            return program is None or os.path.basename(exe) == program
        except (OSError, psutil.Error):
            return False

    def workers(self):
        return self.processes("sluice-worker")

    def worker_count(self):
        """When each executor has one for each model and slice."""
        return len(self.nodes) * self.slices * self._models

    def status(self):
        stub = self.admin(self._status_channel())
        return stub.GetStatus(pb("sluice.v1").GetStatusRequest(), timeout=2 * SLOW)

    def _status_channel(self):
        if not hasattr(self, "_own_channel"):
            self._own_channel = self.channel()
        return self._own_channel

    def is_whole(self):
        """Every executor is connected with all its slices, and none is on its way out."""
        try:
            now = self.status()
        except (grpc.RpcError, OSError):  # it does not serve yet, or has no token yet
            return False
        return now.nodes == len(self.nodes) and now.slices == self.slices * len(self.nodes)

    def calls(self):
        now = self.status()
        return now.calls_receiving + now.calls_queued + now.calls_dispatched + now.calls_running

    def metrics(self):
        """{name with its labels: value}"""
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=10) as reply:
            lines = [line for line in reply.read().decode().splitlines() if line[0] != "#"]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    # ---- calling

    def channel(self, *options, target=None):
        """A new channel of its own connection."""
        base = [*MESSAGE_LIMIT, *PROMPT, *RESENT, ("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.insecure_channel(target or self.grpc, options=[*base, *options])
        self._channels.append(channel)
        return channel

    def stub(self, channel=None, token=None):
        return Stub(channel or self.channel(), "inference.GRPCInferenceService", token)

    def admin(self, channel=None, token=None):
        token = token or (self.folder / "gateway.state/admin.token").read_text().strip()
        return Stub(channel or self.channel(), "sluice.v1.Admin", token)

    def visitor(self, channel=None, token=None):
        return Stub(channel or self.channel(), "sluice.v1.Visitor", token)

    def close_channels(self):
        while self._channels:
            self._channels.pop().close()
        self.__dict__.pop("_own_channel", None)

    def time_to_serve(self, make_requests, since, limit_s=20 * SLOW):
        """Seconds from `since` until each request has been answered by a call made after it."""
        stub = self.stub()
        for make in make_requests:
            wait_until(lambda make=make: _answer(stub, make()), limit_s, "service")
        return time.monotonic() - since


def _answer(stub, message):
    try:
        return stub.ModelInfer(message, timeout=5 * SLOW)
    except grpc.RpcError:
        return None
