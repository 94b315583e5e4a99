"""HTTP/2 frames by hand, for what no client library would send."""

import socket
import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, _, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(
    10
)
END_STREAM = ACK = 1
END_HEADERS = 4
INFER = "/inference.GRPCInferenceService/ModelInfer"
CANCEL = struct.pack(">I", 8)


def literal(text):
    """A string of HPACK, not Huffman-coded."""
    raw = text if isinstance(text, bytes) else text.encode()
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    rest, tail = len(raw) - 127, []
    while rest >= 128:
        tail.append(rest % 128 | 128)
        rest //= 128
    return bytes([127, *tail, rest]) + raw


def header_block(path=INFER, metadata=()):
    """Literals without indexing."""
    fields = [(":method", "POST"), (":scheme", "http"), (":authority", "t"), (":path", path)]
    fields += [("content-type", "application/grpc"), ("te", "trailers"), *metadata]
    return b"".join(b"\0" + literal(name) + literal(value) for name, value in fields)


def frame(kind, flags, stream, payload=b""):
    head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
    return head + payload


class RawH2:
    """One connection. Use as a context manager; settings: {id: value}."""

    def __init__(self, address, settings=None, timeout=10):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        pairs = b"".join(struct.pack(">HI", *pair) for pair in (settings or {}).items())
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, pairs))
        self._in = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def frame(self, *args):
        self.send(frame(*args))

    def call(self, stream, message, path=INFER, metadata=()):
        """Headers and a whole message; it must fit into the first window."""
        body = b"\0" + struct.pack(">I", len(message)) + message
        chunks = [body[at : at + 16384] for at in range(0, len(body), 16384)]
        out = frame(HEADERS, END_HEADERS, stream, header_block(path, metadata))
        for chunk in chunks[:-1]:
            out += frame(DATA, 0, stream, chunk)
        self.send(out + frame(DATA, END_STREAM, stream, chunks[-1]))

    def frames(self):
        """Frames as they come, until the peer closes: (kind, flags, stream, payload)."""
        while True:
            while len(self._in) < 9 or len(self._in) < 9 + self._length():
                try:
                    more = self.socket.recv(1 << 16)
                except ConnectionError:
                    return
                if not more:
                    return
                self._in += more
            end = 9 + self._length()
            kind, flags = self._in[3], self._in[4]
            stream = int.from_bytes(self._in[5:9], "big")
            payload, self._in = self._in[9:end], self._in[end:]
            yield kind, flags, stream, payload

    def _length(self):
        return int.from_bytes(self._in[:3], "big")

    def wait_for(self, kind, stream=None):
        """The payload of the next frame of this kind."""
        for got, _, on, payload in self.frames():
            if got == kind and stream in (None, on):
                return payload
        raise AssertionError(f"the connection ended without a frame of type {kind}")

    def goaway(self):
        """(code, text) of the GOAWAY that ends the connection."""
        payload = self.wait_for(GOAWAY)
        return int.from_bytes(payload[4:8], "big"), payload[8:].decode()
