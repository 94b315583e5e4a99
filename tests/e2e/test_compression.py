"""Compressed messages: gzip and deflate of grpcio both ways, bombs, what is no such stream."""

import gzip
import time

import grpc
import numpy as np
import pytest
from support.calls import identity_request, refusal, request
from support.server import Up
from support.stubs import pb

INFER = "/inference.GRPCInferenceService/ModelInfer"
BOTH = [grpc.Compression.Gzip, grpc.Compression.Deflate]
MiB = 1 << 20


def tensor(rows):
    values = np.tile(np.arange(64, dtype=np.float32), rows // 16)
    return request("identity", [("INPUT0", "FP32", [rows, 4], values.tobytes())])


def bytes_of(server):
    """Bytes received and sent so far, as the gateway counts them, once they stand still."""
    seen = None
    while True:
        text = server.get("/metrics")[2].decode()
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        now = [int(lines[f"sluice_{which}_bytes_total"]) for which in ("received", "sent")]
        if now == seen:
            return now
        seen = now
        time.sleep(0.05)


def traffic(server, function, message, **kwargs):
    """(reply, bytes received, bytes sent) of one call on a quiet server."""
    before = bytes_of(server)
    reply = function(message, timeout=30, **kwargs)
    received, sent = (b - a for a, b in zip(before, bytes_of(server), strict=True))
    return reply, received, sent


@pytest.mark.smoke
@pytest.mark.parametrize("how", BOTH)
@pytest.mark.parametrize("rows", [16, 4000, 160_000])
def test_both_ways(server, stub, how, rows):
    message = tensor(rows)
    reply, received, sent = traffic(server, stub.ModelInfer, message, compression=how)
    assert reply.raw_output_contents[0] == message.raw_input_contents[0]
    plain = message.ByteSize()
    if rows > 16:
        assert received < plain / 10
        assert sent < plain / 10


def test_small_methods_take_it_too(stub):
    reply = stub.ModelMetadata(
        pb().ModelMetadataRequest(name="pair"), timeout=10, compression=grpc.Compression.Gzip
    )
    assert reply.name == "pair"


def test_a_large_reply_goes_plain(server, stub):
    """Over 4 MiB a reply would hold up the connection's thread."""
    message = tensor(400_000)
    gzip_call = {"compression": grpc.Compression.Gzip}
    reply, received, sent = traffic(server, stub.ModelInfer, message, **gzip_call)
    assert reply.raw_output_contents[0] == message.raw_input_contents[0]
    assert received < message.ByteSize() / 10
    assert sent > 6 * MiB


def raw_call(server):
    return server.channel().unary_unary(INFER)


def test_refusals_in_compressed_calls_are_whole(stub):
    outcome = refusal(stub.ModelInfer, request("absent", []), compression=grpc.Compression.Gzip)
    assert outcome.code == grpc.StatusCode.NOT_FOUND
    assert "absent" in outcome.text


def test_a_bomb_is_refused_at_the_limit(server):
    bomb = b"\0" * (65 * MiB)
    assert len(gzip.compress(bomb)) < MiB
    outcome = refusal(raw_call(server), bomb, compression=grpc.Compression.Gzip, timeout=60)
    assert outcome.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert outcome.trailers["sluice-reason"] == "TOO_LARGE"
    assert str(64 * MiB) in outcome.text


def test_never_means_never(models, tmp_path, _stubs):
    config = "gateway: {compression: {responses: never}}\n"
    with Up(models, tmp_path, config=config) as up:
        message = tensor(4000)
        infer = up.stub().ModelInfer
        reply, received, sent = traffic(up, infer, message, compression=grpc.Compression.Gzip)
        assert reply.raw_output_contents[0] == message.raw_input_contents[0]
        assert received < message.ByteSize() / 10
        assert sent > message.ByteSize()


def test_many_at_once(stub):
    message = tensor(20_000)
    calls = [stub.ModelInfer.future(message, timeout=60, compression=how) for how in BOTH * 20]
    for call in calls:
        assert call.result().raw_output_contents[0] == message.raw_input_contents[0]
    assert stub.ModelInfer(identity_request(), timeout=10).outputs
