"""A server's process, and what all servers need: programs, ports, the wait until one is open."""

import contextlib
import random
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from .errors import BenchError

START_LIMIT_S = 30
STOP_LIMIT_S = 10
PORT_MIN = 15000


class Process:
    """Its first line is awaited where it has one, the rest of its output goes to a log."""

    def __init__(self, name, words, folder):
        self.name = name
        self._words = [str(word) for word in words]
        self._log = folder / f"{name}.log"
        self._child = None

    @property
    def pid(self):
        return self._child.pid

    def start(self, **more):
        """more: further arguments of Popen."""
        with self._log.open("w") as log:
            self._child = subprocess.Popen(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
                **more,
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
        """SIGTERM, once more for those that drain, then SIGKILL."""
        if self._child is None:
            return
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            self._child.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_LIMIT_S)
                break
        self._child.stdout.close()
        self._child = None

    def _failure(self, what):
        end = self._log.read_text()[-500:].strip()
        return BenchError(f"{self.name} {what}: {end or 'its log is empty'}")


def find_program(name):
    """Debian keeps servers in /usr/sbin, which users do not search."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise BenchError(f"there is no {name} here; scripts/deps.sh build bench installs it")
    return found


def free_port():
    """For a server that cannot choose one. Below the range from which the system serves those who
    ask for any port: none of them can take it before our server does."""
    while True:
        port = random.randrange(PORT_MIN, ephemeral_port_min())
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def ephemeral_port_min():
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    return max(int(text.split()[0]), PORT_MIN + 1000)


def wait_until(is_true, process, what):
    """Asks until it is so, as long as the process lives and the limit allows."""
    end = time.monotonic() + START_LIMIT_S
    while not is_true():
        process.expect_alive()
        if time.monotonic() > end:
            raise BenchError(f"{process.name}: no {what} within {START_LIMIT_S} s")
        time.sleep(0.02)


def wait_for_port(port, process):
    wait_until(lambda: is_open(port), process, f"listener at port {port}")
    process.expect_alive()  # or somebody else listens there


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
