"""A gateway and an executor under test, started by `sluice up` on free ports."""

import re
import select
import urllib.error
import urllib.request

import grpc

from .paths import BIN, SLOW
from .process import Process
from .stubs import Stub
from .wait import wait_until

READY = re.compile(r"^ready grpc=(\S+) http=(\S+)$")
MESSAGE_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Up(Process):
    """`sluice up` and all that it starts. Use as a context manager."""

    def __init__(self, models, folder, config=None, args=()):
        self.state = folder / "state"
        argv = [BIN / "sluice", "up", "--models", models, "--state", self.state]
        argv += ["--grpc-port", "0", "--http-port", "0", *args]
        if config is not None:
            path = folder / "up.yaml"
            path.write_text(config)
            argv += ["--config", path]
        super().__init__(argv, folder / "up.log", stdout=-1, text=True)
        try:
            self.grpc, self.http = self._wait_ready(30 * SLOW)
        except BaseException:
            self.stop()
            raise
        self._channels = []

    def _wait_ready(self, limit_s):
        seen = ""
        out = self.process.stdout
        while select.select([out], [], [], limit_s)[0]:
            line = out.readline()
            found = READY.match(line.rstrip("\n"))
            if found:
                return found.groups()
            if not line:
                break
            seen += line
        raise AssertionError(f"no ready line; output:\n{seen}\nlog:\n{self.log()[-4000:]}")

    def channel(self, **options):
        """A new grpcio channel of its own connection."""
        all_options = [*MESSAGE_LIMIT, ("grpc.use_local_subchannel_pool", 1), *options.items()]
        channel = grpc.insecure_channel(self.grpc, options=all_options)
        self._channels.append(channel)
        return channel

    def stub(self):
        return Stub(self.channel(), "inference.GRPCInferenceService")

    def admin_token(self):
        return (self.state / "admin.token").read_text().strip()

    def admin(self):
        return Stub(self.channel(), "sluice.v1.Admin", self.admin_token())

    def visitor(self, token=None):
        return Stub(self.channel(), "sluice.v1.Visitor", token)

    def get(self, path, method="GET"):
        """(status, headers, body) of one HTTP request."""
        request = urllib.request.Request(f"http://{self.http}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def one(self, program):
        """The psutil process that runs the program (exactly one, but for a child about to exec)."""
        all_of_them = self.family(program)
        pids = {p.pid for p in all_of_them}
        found = [p for p in all_of_them if p.ppid() not in pids]
        assert len(found) == 1, f"{program}: {found}"
        return found[0]

    def wait_for_workers(self, count):
        wait_until(
            lambda: len(self.family("sluice-worker")) == count, 30 * SLOW, f"{count} workers"
        )

    def stop(self, limit_s=15):
        for channel in getattr(self, "_channels", []):
            channel.close()
        super().stop(limit_s)
        if self.process.stdout:
            self.process.stdout.close()
