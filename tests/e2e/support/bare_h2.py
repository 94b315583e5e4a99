"""HTTP/2 requests that no gRPC library would send: any headers, any bytes, one connection each."""

import contextlib
import socket
import struct

import h2.config
import h2.connection
import h2.events

from .paths import SLOW

FRAME_MAX = 16384  # before SETTINGS say otherwise
INFER = "/inference.GRPCInferenceService/ModelInfer"


def frame(message, flag=0, length=None):
    """A gRPC message with its prefix; flag and length may lie."""
    return struct.pack(">BI", flag, len(message) if length is None else length) + message


def headers(path=INFER, *, leave_out=(), **more):
    """Those of a gRPC call; more: name_with_underscores=value, a list for several of one name."""
    made = {
        ":method": "POST",
        ":scheme": "http",
        ":authority": "test",
        ":path": path,
        "te": "trailers",
        "content-type": "application/grpc",
    }
    made |= {name.replace("_", "-"): value for name, value in more.items()}
    pairs = []
    for name, value in made.items():
        if name not in leave_out:
            pairs += [(name, v) for v in (value if isinstance(value, list) else [value])]
    return pairs


class Answer:
    """What came back: HTTP status, all headers and trailers as one dict, the body."""

    def __init__(self):
        self.fields = {}
        self.body = b""
        self.reset = None  # the error code of a RST_STREAM that was no NO_ERROR
        self.is_over = False

    @property
    def code(self):
        return int(self.fields["grpc-status"])

    @property
    def text(self):
        return self.fields.get("grpc-message", "")

    def take(self, event):
        if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
            self.fields |= {k.decode(): v.decode() for k, v in event.headers}
        elif isinstance(event, h2.events.DataReceived):
            self.body += event.data
        elif isinstance(event, h2.events.StreamReset):
            self.reset = event.error_code or None
            self.is_over = True
        elif isinstance(event, (h2.events.StreamEnded, h2.events.ConnectionTerminated)):
            self.is_over = True


def _connection():
    # Nothing is normalized or checked: the server is what is tested.
    config = h2.config.H2Configuration(
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=True,
    )
    return h2.connection.H2Connection(config)


def send(address, pairs, chunks=(), *, end=True, before=(), tls=None):
    """One request, its DATA as the chunks given (or pieces of them); returns the Answer.

    before: what is sent first, piece by piece; tls: the context to speak it with after that.
    """
    chunks = [chunk[i : i + FRAME_MAX] for chunk in chunks for i in range(0, len(chunk), FRAME_MAX)]
    host, port = address.rsplit(":", 1)
    answer = Answer()
    with contextlib.ExitStack() as open_ones:
        peer = open_ones.enter_context(socket.create_connection((host, int(port)), 20 * SLOW))
        for piece in before:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(piece)
        if tls is not None:
            peer = open_ones.enter_context(tls.wrap_socket(peer, server_hostname="localhost"))
        connection = _connection()
        connection.initiate_connection()
        connection.send_headers(1, pairs, end_stream=end and not chunks)
        for i, chunk in enumerate(chunks):
            connection.send_data(1, chunk, end_stream=end and i + 1 == len(chunks))
        peer.sendall(connection.data_to_send())
        while not answer.is_over:
            received = peer.recv(65536)
            if not received:
                break
            for event in connection.receive_data(received):
                answer.take(event)
            peer.sendall(connection.data_to_send())
    return answer
