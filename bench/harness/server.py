"""What a run asks of a server, whichever it is."""

from dataclasses import dataclass
from pathlib import Path

from .paths import METHOD


@dataclass(frozen=True)
class Tls:
    """One certificate for all servers of a run, and who signed it."""

    certificate: Path
    key: Path
    authority: Path


class Server:
    """start() and stop() frame its life, answered() counts the calls it answered with OK (None: it
    does not count), processes() tells role -> pids. Plain HTTP/2 where tls is None."""

    is_real = True  # its answers come from a call, not from a file
    port = 0  # of gRPC, known once started

    def __init__(self, name, folder, tls):
        self.name, self._folder, self.tls = name, folder, tls

    @property
    def label(self):
        """Names this one among all: the same server may run twice, with and without TLS."""
        return f"{self.name}-tls" if self.tls else self.name

    def url(self, _row):
        return f"{self.scheme}://127.0.0.1:{self.port}{METHOD}"

    @property
    def scheme(self):
        return "https" if self.tls else "http"
