"""The receipts in a gateway's store, read as docs and gw_receipt_code.h describe them."""

import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass

RECEIPT = 1  # a kind in the log
ORPHAN = 1  # a cause


@dataclass
class Receipt:
    call_id: str
    is_orphan: bool
    ended_at: int
    declared_us: int
    held_us: int
    used_us: int
    charged_us: int
    queue_us: int
    journal: int
    record: int
    accounts: list  # of (name, window_opened_at)
    tier: str
    app: str
    model: str
    size: str
    node: str
    key: str
    reason: str
    organisation: str


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        assert self.at <= len(self.data)
        return self.data[self.at - count : self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def signed(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def text(self):
        return self.take(self.varint()).decode()


def read(data):
    r = _Reader(data)
    version = r.take(1)[0]
    assert version in (1, 2), "the form's version"
    head = [str(uuid.UUID(bytes=bytes(r.take(16)))), r.take(1)[0] == ORPHAN]
    numbers = [r.signed() for _ in range(6)]
    lease = [r.varint(), r.varint()]
    accounts = [(r.text(), r.signed()) for _ in range(r.take(1)[0])]
    texts = [r.text() for _ in range(7)]
    texts.append(r.text() if version == 2 else "")
    assert r.at == len(data)
    return Receipt(*head, *numbers, *lease, accounts, *texts)


def receipts_of(path):
    """All of them, in the order of the log; the gateway may run meanwhile."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT data FROM log WHERE kind = ? ORDER BY n", (RECEIPT,))
        return [read(row[0]) for row in rows]
