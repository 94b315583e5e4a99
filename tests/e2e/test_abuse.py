"""Hostile peers: each attack ends by a reason and a count, and others are served meanwhile."""

import socket
import struct
import threading
import time

import grpc
import psutil
import pytest
from support.calls import identity_request
from support.neighbours import Neighbours
from support.pair import Pair
from support.paths import SLOW, scaled
from support.raw_h2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    RawH2,
    frame,
    header_block,
    literal,
)
from support.server import Stub
from support.wait import wait_until

CONFIG = """\
limits: {handshake: 2s, stall: 1s, result_total: 1MiB}
"""
CALM = 11  # ENHANCE_YOUR_CALM
# How long a test looks for what must happen some time: no claim about speed.
SOME_TIME_S = 60 * SLOW


@pytest.fixture(scope="module")
def pair(models, tmp_path_factory, _stubs):
    made = Pair(models, tmp_path_factory.mktemp("abuse"), CONFIG)
    text = made.config.read_text()
    made.config.write_text(text.replace("link: {", "link: {result_max: 1MiB, "))
    with made as pair:
        yield pair


class Others:
    """Somebody who calls all the time; none of the calls may fail."""

    def __init__(self, pair):
        self.pair, self.slowest, self.count, self.error = pair, 0, 0, None
        self.limit_s = 5 * SLOW
        self.neighbours = Neighbours()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        with grpc.insecure_channel(self.pair.grpc) as channel:
            stub = Stub(channel, "inference.GRPCInferenceService")
            while not self._stop.is_set() and self.error is None:
                began = time.monotonic()
                try:
                    stub.ModelInfer(identity_request(), timeout=20 * SLOW)
                except grpc.RpcError as error:
                    self.error = error
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.count += 1
                time.sleep(0.005)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        assert self.error is None, self.error
        assert self.count > 0
        share = self.neighbours.share()  # what other programs had of the machine
        print(f"the slowest of {self.count} other calls took {self.slowest:.3f} s; {share=:.2f}")
        assert self.slowest * (1 - share) < self.limit_s


@pytest.fixture
def others(pair):
    with Others(pair) as others:
        yield others


def memory_mib(pair):
    return psutil.Process(pair.gateway.pid).memory_info().rss / 2**20


def attack(pair, payload, times=1):
    """Sends it so often, or until the gateway has had enough; returns its GOAWAY."""
    errors = pair.metric("sluice_http2_errors_total")
    with RawH2(pair.grpc, timeout=SOME_TIME_S) as peer:
        try:
            for at in range(times):
                peer.send(payload(at) if callable(payload) else payload)
        except ConnectionError:
            pass
        code, text = peer.goaway()
    counted = wait_until(
        lambda: pair.metric("sluice_http2_errors_total") - errors, SOME_TIME_S, "a count"
    )
    assert counted == 1
    return code, text


def stream(at):
    return 2 * at + 1


def open_request(at):
    return frame(HEADERS, END_HEADERS, stream(at), header_block())


def crumbs(_):
    """A cookie in the table, then a byte for each time that it is told again."""
    entry = b"\x40" + literal("cookie") + literal("c" * 3000)
    return frame(HEADERS, END_HEADERS, 1, header_block() + entry + b"\xbe" * 10_000)


BIG_UPDATE = struct.pack(">I", 2**31 - 1)
FLOODS = {
    "resets": (
        lambda at: open_request(at) + frame(RST_STREAM, 0, stream(at), b"\0\0\0\x08"),
        100_000,
    ),
    "made resets": (
        lambda at: open_request(at) + frame(WINDOW_UPDATE, 0, stream(at), BIG_UPDATE),
        100_000,
    ),
    "continuations": (
        lambda at: frame(CONTINUATION, 0, 1) if at else frame(HEADERS, 0, 1, header_block()),
        100_000,
    ),
    "pings": (frame(PING, 0, 0, b"12345678"), 100_000),
    "settings": (frame(SETTINGS, 0, 0), 100_000),
    "empty data": (lambda at: frame(DATA, 0, 1) if at else open_request(0), 100_000),
    "cookie crumbs": (crumbs, 20),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_ends_its_connection_alone(pair, others, kind):
    payload, times = FLOODS[kind]
    before = memory_mib(pair)
    code, text = attack(pair, payload, scaled(times, at_least=min(times, 5000)))
    assert code != 0
    print(f"{kind}: GOAWAY {code} {text}, memory {memory_mib(pair) - before:+.1f} MiB")
    assert memory_mib(pair) - before < 32 * SLOW


def test_pings_end_with_the_words_that_clients_know(pair):
    assert attack(pair, frame(PING, 0, 0, b"12345678"), 100) == (CALM, "too_many_pings")


def test_a_reader_that_reads_nothing(pair, others):
    """Results for a closed window stay within their room and end by the stall timer."""
    big = identity_request(rows=3000).SerializeToString()  # 48 KB each way
    # First come, first served: the 100 before it go by the stall timer (1 s), as many at a time as
    # fit into half of the room, which takes 10 turns.
    others.limit_s = 15 * SLOW
    with RawH2(pair.grpc, settings={4: 0}) as peer:
        for at in range(100):
            peer.call(stream(at), big)
        wait_until(lambda: pair.metric("sluice_result_bytes") > 0, SOME_TIME_S, "results wait")
        assert pair.metric("sluice_result_bytes") <= 2**20
        wait_until(
            lambda: pair.metric("sluice_http2_stalled_requests_total") >= 10, SOME_TIME_S, "resets"
        )
        wait_until(
            lambda: pair.metric('sluice_calls_in_state{state="queued"}') < 5, SOME_TIME_S, "an end"
        )
    wait_until(lambda: pair.metric("sluice_result_bytes") < 2**16, SOME_TIME_S, "room again")


def test_silent_connections(pair, others):
    count = scaled(10_000, at_least=200)
    host, port = pair.grpc.rsplit(":", 1)
    timeouts = 'sluice_connection_timeouts_total{kind="handshake"}'
    before = pair.metric(timeouts)
    silent = [socket.create_connection((host, int(port)), timeout=20) for _ in range(count)]
    wait_until(lambda: pair.metric(timeouts) - before >= count / 2, SOME_TIME_S, "timeouts")
    for connection in silent:
        connection.close()


def test_many_connections_with_a_call_on_each(pair, others):
    """2,000 at once; and what one that rests costs."""
    count = scaled(2000, at_least=200)
    before = memory_mib(pair)
    peers = [RawH2(pair.grpc, timeout=60) for _ in range(count)]
    try:
        wait_until(lambda: pair.metric("sluice_connections") >= count, SOME_TIME_S, "all open")
        at_rest = (memory_mib(pair) - before) * 1024 / count
        message = identity_request().SerializeToString()
        for peer in peers:
            peer.call(1, message)
        for peer in peers:
            assert len(peer.wait_for(DATA, 1)) > 5
        with_calls = (memory_mib(pair) - before) * 1024 / count
        print(f"{count} connections: {at_rest:.1f} KiB each at rest, {with_calls:.1f} after a call")
        assert at_rest < 64 * SLOW
    finally:
        for peer in peers:
            peer.socket.close()
