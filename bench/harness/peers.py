"""The two ends of the scale: a bare gRPC server, and HTTP/2 alone."""

import shutil
import signal

from .process import START_LIMIT_S, Process, free_port, wait_for_port
from .server import Server


class Echo(Server):
    """bench/compare/grpc_echo."""

    def __init__(self, name, program, folder, threads, tls=None):
        super().__init__(name, folder, tls)
        words = [program, "--threads", threads]
        words += ["--certificate", tls.certificate, "--key", tls.key] if tls else []
        self._process = Process(self.label, words, folder)

    def start(self):
        self._process.start()
        self.port = int(self._process.read_line(START_LIMIT_S).removeprefix("ready "))

    def stop(self):
        self._process.stop()

    def answered(self):
        self._process.expect_alive()
        self._process.signal(signal.SIGUSR1)
        return int(self._process.read_line(START_LIMIT_S).removeprefix("calls "))

    def processes(self):
        return {"echo": [self._process.pid]}


class Nghttpd(Server):
    """The floor: the echo's reply as a static file, with a grpc-status trailer."""

    is_real = False

    def __init__(self, name, program, folder, tls=None):
        super().__init__(name, folder, tls)
        self._files = folder / "htdocs"
        self._files.mkdir(exist_ok=True)
        self.port = free_port()
        words = [program, "-a", "127.0.0.1", "-d", self._files, "-w30", "-W30", "-m256"]
        words += ["--trailer", "grpc-status: 0"]
        words += [self.port, tls.key, tls.certificate] if tls else ["--no-tls", self.port]
        self._process = Process(self.label, words, folder)

    def start(self):
        self._process.start()
        wait_for_port(self.port, self._process)

    def stop(self):
        self._process.stop()

    def take_reply(self, size_bytes, reply):
        """reply: path of the framed message to serve for tensors of this size."""
        shutil.copyfile(reply, self._files / str(size_bytes))

    def url(self, row):
        return f"{self.scheme}://127.0.0.1:{self.port}/{row.tensor_bytes}"

    def answered(self):
        self._process.expect_alive()

    def processes(self):
        return {"nghttpd": [self._process.pid]}
