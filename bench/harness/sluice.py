"""Sluice as a server of a run: by `sluice up`; the two daemons with TLS or without a store."""

import re
import shutil
import urllib.error
import urllib.request

from . import cpu
from .errors import BenchError
from .process import START_LIMIT_S, Process, wait_until
from .server import Server

NO_TLS = 'certificate: ""'
STORE = r"(?m)^( *)path: .*sluice\.db.*$"


class Sluice(Server):
    """`sluice up` with the model `identity` alone, on ports that the system gives.

    place: where its state lies; None: in the folder."""

    def __init__(self, name, build, folder, config=None, tls=None, has_store=True, place=None):
        super().__init__(name, folder, tls)
        self._bin = build / "bin"
        self._state = (place or folder).absolute() / f"{folder.name}-{self.label}-state"
        self._has_store = has_store
        models = write_identity_model(folder / "models")
        words = [self._bin / "sluice", "up", "--models", models, "--state", self._state]
        words += ["--grpc-port", 0, "--http-port", 0]
        words += ["--config", config] if config else []
        self._up = Process(self.label, words, folder)
        self._daemons = []

    def start(self):
        program = self._bin / "sluice"
        if not program.exists():
            raise BenchError(f"{program} is not there: cmake --preset release builds it")
        self._start_up()
        if self.tls or not self._has_store:
            self._restart_as_daemons()

    def _start_up(self):
        self._up.start()
        line = self._up.read_line(START_LIMIT_S)
        found = re.fullmatch(r"ready grpc=\S+:(\d+) http=(\S+)", line)
        if not found:
            raise BenchError(f"sluice up said '{line}' instead of its ready line")
        self.port, self.http = int(found[1]), found[2]

    def _restart_as_daemons(self):
        """`sluice up` knows no TLS, and always has a store: the daemons run on the files it made,
        with a certificate or without a store."""
        self._up.stop()
        config = self._state / "gateway.yaml"
        text = config.read_text()
        text = with_certificate(text, self.tls) if self.tls else text
        config.write_text(text if self._has_store else without_store(text))
        self._start_daemon("gateway")
        self._start_daemon("executor")
        wait_until(self._is_ready, self._daemons[0], "readiness")

    def _start_daemon(self, role):
        words = [self._bin / f"sluice-{role}", "--config", self._state / f"{role}.yaml"]
        daemon = Process(f"{self.label}-{role}", words, self._folder)
        self._daemons.append(daemon)
        daemon.start()

    def _is_ready(self):
        try:
            urllib.request.urlopen(f"http://{self.http}/v2/health/ready", timeout=10).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def stop(self):
        self._up.stop()
        for daemon in reversed(self._daemons):
            daemon.stop()
        shutil.rmtree(self._state, ignore_errors=True)

    def answered(self):
        for process in self._running():
            process.expect_alive()
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        found = re.search(r'^sluice_calls_total\{reason="OK"\} (\d+)', text, re.MULTILINE)
        if not found:
            raise BenchError(f'{self.http}/metrics has no sluice_calls_total{{reason="OK"}}')
        return int(found[1])

    def processes(self):
        """gateway, executor and worker (all workers together); the rest is `up`."""
        roles = {}
        for process in self._running():
            for pid in cpu.descendants(process.pid):
                command = cpu.command_of(pid)
                role = command.removeprefix("sluice-") if command.startswith("sluice-") else "up"
                roles.setdefault(role, []).append(pid)
        return roles

    def _running(self):
        return self._daemons or [self._up]


def with_certificate(text, tls):
    """The gateway's file of `sluice up`, which sets an empty certificate, with one."""
    if text.count(NO_TLS) != 1:
        raise BenchError(f"the gateway's file of sluice up has not one '{NO_TLS}' to replace")
    indent = re.search(rf"( *){NO_TLS}", text)[1]
    return text.replace(NO_TLS, f"certificate: {tls.certificate}\n{indent}key: {tls.key}")


def without_store(text):
    found = re.findall(STORE, text)
    if len(found) != 1:
        raise BenchError(f"the gateway's file of sluice up names {len(found)} stores, not one")
    return re.sub(STORE, r'\1path: ""', text)


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
