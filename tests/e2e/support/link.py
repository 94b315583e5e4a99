"""The two daemons with the link over TCP, keys for it, and what /metrics says of it."""

import subprocess
import urllib.request

import grpc

from .paths import BIN, SLOW
from .ports import free_ports
from .process import Process
from .stubs import Stub, pb
from .wait import wait_until

NO_LIMIT = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


def keygen(folder, name):
    """A pair of keys; returns the public one. The files are folder/name.public and .secret."""
    argv = [BIN / "sluice-gateway", "keygen", "--out", folder / name]
    subprocess.run(argv, check=True, capture_output=True)
    return (folder / f"{name}.public").read_text().strip()


class LinkPair:
    """The two daemons; each may be killed and started anew.

    gateway, executor: YAML for the inside of the section `link`; more: further sections of each.
    """

    def __init__(self, models, folder, gateway="", executor="", more=("", "")):
        self.folder, self.models, self.more = folder, models, more
        grpc_port, http_port, self.control, self.bulk = free_ports(4)
        self.address, self.http = f"127.0.0.1:{grpc_port}", f"127.0.0.1:{http_port}"
        self.write_gateway(gateway)
        self.write_executor("executor", "n1", executor)
        self.processes = {}
        self.channels = []

    def _link(self, inside):
        ends = f"control: 'tcp://127.0.0.1:{self.control}', bulk: 'tcp://127.0.0.1:{self.bulk}'"
        return f"link: {{{ends}{', ' if inside else ''}{inside}}}\n"

    def write_gateway(self, inside):
        head = f"listen: {{grpc: '{self.address}', http: '{self.http}'}}\n"
        (self.folder / "gateway.yaml").write_text(head + self._link(inside) + self.more[0])

    def write_executor(self, name, node, inside):
        head = f"node: {node}\nmodels: {self.models}\n"
        (self.folder / f"{name}.yaml").write_text(head + self._link(inside) + self.more[1])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for channel in self.channels:
            channel.close()
        for process in self.processes.values():
            process.__exit__(*error)

    def start(self, name, log=None):
        """name: gateway, or that of an executor's file."""
        program = "sluice-gateway" if name == "gateway" else "sluice-executor"
        argv = [BIN / program, "--config", self.folder / f"{name}.yaml"]
        self.processes[name] = Process(argv, self.folder / f"{log or name}.log")
        return self.processes[name]

    def stub(self):
        self.channels.append(grpc.insecure_channel(self.address, options=NO_LIMIT))
        return Stub(self.channels[-1], "inference.GRPCInferenceService")

    def is_ready(self, stub):
        try:
            return stub.ServerReady(pb().ServerReadyRequest(), timeout=1).ready
        except grpc.RpcError:
            return False

    def wait_ready(self, limit_s=20 * SLOW):
        stub = self.stub()
        wait_until(lambda: self.is_ready(stub), limit_s, "ready")
        return stub

    def metric(self, name):
        """The value of a line of /metrics, its labels included in name."""
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=10) as reply:
            for line in reply.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")


def with_keys(folder, bulk=""):
    """Keys for a gateway and node n1, and the YAML for both ends of the link."""
    gateway_key, node_key = keygen(folder, "gateway"), keygen(folder, "n1")
    both = f"security: curve{', bulk_security: ' + bulk if bulk else ''}"
    allow = f"allow: {{n1: '{node_key}'}}"
    secret = f"secret_key: {folder}/gateway.secret"
    own = f"secret_key: {folder}/n1.secret, gateway_public_key: '{gateway_key}'"
    return f"{both}, {secret}, {allow}", f"{both}, {own}"
