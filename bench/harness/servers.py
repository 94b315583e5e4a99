"""The servers of a run: started, asked how many calls they answered with OK, stopped.

Each has: name, is_real (its answers come from a call, not from a file), port, start(), stop(),
answered() (None: it does not count), processes() (role -> pids), url(row)."""

import contextlib
import re
import select
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

from . import cpu
from .errors import BenchError
from .paths import METHOD

START_LIMIT_S = 30
STOP_LIMIT_S = 10


class Process:
    """A server's process: its first line is awaited, the rest of its output goes to a log."""

    def __init__(self, name, words, folder):
        self.name = name
        self._words = [str(word) for word in words]
        self._log = folder / f"{name}.log"
        self._child = None

    @property
    def pid(self):
        return self._child.pid

    def start(self):
        with self._log.open("w") as log:
            self._child = subprocess.Popen(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )

    def read_line(self, limit_s):
        if not select.select([self._child.stdout], [], [], limit_s)[0]:
            raise self._failure(f"said nothing within {limit_s} s")
        line = self._child.stdout.readline()
        if not line:
            raise self._failure(f"ended with {self._child.wait(STOP_LIMIT_S)}")
        return line.strip()

    def signal(self, number):
        self._child.send_signal(number)

    def expect_alive(self):
        if self._child.poll() is not None:
            raise self._failure(f"ended with {self._child.returncode}")

    def stop(self):
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_LIMIT_S)
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()

    def _failure(self, what):
        end = self._log.read_text()[-500:].strip()
        return BenchError(f"{self.name} {what}: {end or 'its log is empty'}")


class Sluice:
    """`sluice up` with the model `identity` alone, on ports that the system gives."""

    is_real = True

    def __init__(self, name, build, folder, config=None):
        self.name = name
        self._program = build / "bin" / "sluice"
        models = write_identity_model(folder / "models")
        words = [self._program, "up", "--models", models, "--state", folder / f"{name}-state"]
        words += ["--grpc-port", 0, "--http-port", 0]
        words += ["--config", config] if config else []
        self._process = Process(name, words, folder)

    def start(self):
        if not self._program.exists():
            raise BenchError(f"{self._program} is not there: cmake --preset release builds it")
        self._process.start()
        line = self._process.read_line(START_LIMIT_S)
        found = re.fullmatch(r"ready grpc=\S+:(\d+) http=(\S+)", line)
        if not found:
            raise BenchError(f"sluice up said '{line}' instead of its ready line")
        self.port, self._http = int(found[1]), found[2]

    def stop(self):
        self._process.stop()

    def url(self, _row):
        return f"http://127.0.0.1:{self.port}{METHOD}"

    def answered(self):
        self._process.expect_alive()
        with urllib.request.urlopen(f"http://{self._http}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        found = re.search(r'^sluice_calls_total\{reason="OK"\} (\d+)', text, re.MULTILINE)
        if not found:
            raise BenchError(f'{self._http}/metrics has no sluice_calls_total{{reason="OK"}}')
        return int(found[1])

    def processes(self):
        """gateway, executor and worker (all workers together); the rest is `up`."""
        roles = {}
        for pid in cpu.descendants(self._process.pid):
            command = cpu.command_of(pid)
            role = command.removeprefix("sluice-") if command.startswith("sluice-") else "up"
            roles.setdefault(role, []).append(pid)
        return roles


class Echo:
    """bench/compare/grpc_echo."""

    is_real = True

    def __init__(self, name, program, folder, threads):
        self.name = name
        self._process = Process(name, [program, "--threads", threads], folder)

    def start(self):
        self._process.start()
        self.port = int(self._process.read_line(START_LIMIT_S).removeprefix("ready "))

    def stop(self):
        self._process.stop()

    def url(self, _row):
        return f"http://127.0.0.1:{self.port}{METHOD}"

    def answered(self):
        self._process.expect_alive()
        self._process.signal(signal.SIGUSR1)
        return int(self._process.read_line(START_LIMIT_S).removeprefix("calls "))

    def processes(self):
        return {"echo": [self._process.pid]}


class Nghttpd:
    """The floor: the echo's reply as a static file, with a grpc-status trailer."""

    is_real = False

    def __init__(self, name, folder):
        self.name = name
        self._files = folder / "htdocs"
        self._files.mkdir(exist_ok=True)
        self._words = ["--no-tls", "-a", "127.0.0.1", "-d", self._files, "-w30", "-W30", "-m256"]
        self._words += ["--trailer", "grpc-status: 0"]
        self._folder = folder
        self._process = None

    def start(self):
        program = find_program("nghttpd")
        self.port = free_port()
        self._process = Process(self.name, [program, *self._words, self.port], self._folder)
        self._process.start()
        wait_for_port(self.port, self._process)

    def stop(self):
        if self._process:
            self._process.stop()

    def take_reply(self, row, reply):
        """reply: path of the framed message to serve for this row."""
        shutil.copyfile(reply, self._files / str(row.tensor_bytes))

    def url(self, row):
        return f"http://127.0.0.1:{self.port}/{row.tensor_bytes}"

    def answered(self):
        self._process.expect_alive()

    def processes(self):
        return {"nghttpd": [self._process.pid]}


def write_identity_model(repository):
    model = repository / "identity"
    model.mkdir(parents=True, exist_ok=True)
    (model / "model.yaml").write_text(
        "engine: identity\n"
        "duration: 5s\n"
        "inputs:  [{name: INPUT0, datatype: UINT8, shape: [-1]}]\n"
        "outputs: [{name: OUTPUT0, datatype: UINT8, shape: [-1]}]\n"
    )
    return repository


def find_program(name):
    """Debian keeps nghttpd in /usr/sbin, which users do not search."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise BenchError(f"there is no {name} here; scripts/deps.sh build bench installs it")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    end = time.monotonic() + START_LIMIT_S
    while True:
        process.expect_alive()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise BenchError(f"nothing listens at port {port} of {process.name}") from None
            time.sleep(0.02)
