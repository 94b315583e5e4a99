"""The rows of the table: a tensor's size, connections, streams on each, with TLS or without."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Row:
    tensor_bytes: int  # of INPUT0, UINT8 [N]
    connections: int
    streams: int  # of each connection
    tls: bool = False

    @property
    def name(self):
        tls = "TLS " if self.tls else ""
        return f"{tls}{size_text(self.tensor_bytes)} c{self.connections} m{self.streams}"

    @property
    def in_flight(self):
        return self.connections * self.streams


def size_text(size_bytes):
    """205 -> "0.2 KiB", 16777216 -> "16 MiB"."""
    unit, name = (MIB, "MiB") if size_bytes >= MIB else (KIB, "KiB")
    return f"{round(size_bytes / unit, 1):g} {name}"


SMALL = 205  # 0.2 KiB

ROWS = (
    Row(SMALL, 1, 1),
    Row(SMALL, 8, 32),
    Row(SMALL, 1000, 1),
    Row(4 * KIB, 8, 32),
    Row(1 * MIB, 1, 1),
    Row(16 * MIB, 1, 1),
    Row(16 * MIB, 4, 2),
    Row(SMALL, 1, 1, tls=True),
    Row(SMALL, 8, 32, tls=True),
    Row(SMALL, 1000, 1, tls=True),
)
