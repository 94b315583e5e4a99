"""A gateway and an executor started each by itself, for what `sluice up` does not offer."""

import os
import select
import urllib.request

import grpc

from .paths import BIN, SLOW
from .process import Process
from .server import MESSAGE_LIMIT
from .stubs import Stub
from .wait import wait_until


class Pair:
    """A context. gateway: YAML of the gateway, beside its addresses; link: of both links."""

    def __init__(self, models, folder, gateway="", link=""):
        self.folder = folder
        self.config = folder / "gateway.yaml"
        ends = f"control: 'ipc://{folder}/c', bulk: 'ipc://{folder}/b'"
        link = f"link: {{{ends}{', ' if link else ''}{link}}}\n"
        self._head = "listen: {grpc: '127.0.0.1:0', http: '127.0.0.1:0'}\n" + link
        self.write_config(gateway)
        (folder / "executor.yaml").write_text(f"models: {models}\n{link}")
        self._channels = []

    def write_config(self, gateway):
        """What the gateway reads at its start, and on SIGHUP."""
        self.config.write_text(self._head + gateway)

    def __enter__(self):
        read_fd, write_fd = os.pipe()
        self.gateway = Process(
            [BIN / "sluice-gateway", "--config", self.config, "--announce-fd", str(write_fd)],
            self.folder / "gateway.log",
            pass_fds=[write_fd],
        )
        os.close(write_fd)
        self.executor = Process(
            [BIN / "sluice-executor", "--config", self.folder / "executor.yaml"],
            self.folder / "executor.log",
        )
        try:
            with os.fdopen(read_fd) as announced:
                assert select.select([announced], [], [], 10 * SLOW)[0], self.gateway.log()
                words = dict(word.split("=") for word in announced.readline().split()[1:])
            self.grpc, self.http = words["grpc"], words["http"]
            wait_until(self.is_ready, 30 * SLOW, "readiness")
        except BaseException:
            self._stop(ValueError)
            raise
        return self

    def __exit__(self, error_type, *_):
        for channel in self._channels:
            channel.close()
        self._stop(error_type)

    def _stop(self, error_type):
        self.gateway.__exit__(error_type)
        self.executor.__exit__(error_type)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=10) as reply:
            return reply.read().decode()

    def is_ready(self):
        try:
            return self.get("/v2/health/ready") is not None
        except OSError:
            return False

    def metric(self, name):
        """The value of a line of /metrics, its labels included in name."""
        for line in self.get("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")

    def secure_channel(self, credentials, **options):
        all_options = [*MESSAGE_LIMIT, ("grpc.use_local_subchannel_pool", 1), *options.items()]
        channel = grpc.secure_channel(self.grpc, credentials, options=all_options)
        self._channels.append(channel)
        return channel

    def plain_stub(self):
        options = [*MESSAGE_LIMIT, ("grpc.use_local_subchannel_pool", 1)]
        self._channels.append(grpc.insecure_channel(self.grpc, options=options))
        return self.stub(self._channels[-1])

    def stub(self, channel):
        return Stub(channel, "inference.GRPCInferenceService")
