"""Every datatype goes through bit by bit, in typed and in raw contents."""

import struct

import numpy as np
import pytest
from support.calls import bytes_elements, request
from support.models import RAW_ONLY, TYPED_FIELD
from support.stubs import pb

NUMPY = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP32": np.float32,
    "FP64": np.float64,
}
TEXTS = [b"", b"a", b"\x00\xff" * 100, "größer".encode()]


def extremes(datatype):
    """Values at the edges of a datatype, as a numpy array."""
    kind = NUMPY[datatype]
    if datatype == "BOOL":
        return np.array([True, False, True], dtype=kind)
    if datatype.startswith("FP"):
        limits = np.finfo(kind)
        return np.array([0.0, -0.0, 1 / 3, limits.max, limits.tiny, np.inf, -np.inf, np.nan], kind)
    limits = np.iinfo(kind)
    return np.array([limits.min, limits.max, 0, 1, limits.max // 3], dtype=kind)


def typed_request(datatype, values, count):
    message = pb().ModelInferRequest(model_name=f"echo_{datatype.lower()}")
    tensor = message.inputs.add(name="IN", datatype=datatype, shape=[count])
    getattr(tensor.contents, TYPED_FIELD[datatype]).extend(values)
    return message


@pytest.mark.parametrize("datatype", NUMPY)
def test_typed_contents_are_bit_equal(stub, datatype):
    values = extremes(datatype)
    reply = stub.ModelInfer(typed_request(datatype, values.tolist(), len(values)), timeout=10)
    assert reply.outputs[0].datatype == datatype
    assert reply.raw_output_contents[0] == values.tobytes()


def test_typed_texts_are_bit_equal(stub):
    reply = stub.ModelInfer(typed_request("BYTES", TEXTS, len(TEXTS)), timeout=10)
    assert reply.raw_output_contents[0] == bytes_elements(TEXTS)


@pytest.mark.parametrize("datatype", [*NUMPY, *RAW_ONLY])
def test_raw_contents_are_bit_equal(stub, datatype):
    size = NUMPY[datatype]().itemsize if datatype in NUMPY else 2
    raw = bytes(np.random.default_rng(7).integers(0, 2, size * 33, dtype=np.uint8))
    message = request(f"echo_{datatype.lower()}", [("IN", datatype, [33], raw)])
    assert stub.ModelInfer(message, timeout=10).raw_output_contents[0] == raw


def test_raw_texts_are_bit_equal(stub):
    raw = bytes_elements(TEXTS)
    reply = stub.ModelInfer(request("echo_bytes", [("IN", "BYTES", [4], raw)]), timeout=10)
    assert reply.raw_output_contents[0] == raw


@pytest.mark.parametrize("megabytes", [1, 16, 48])
def test_large_tensors(stub, megabytes):
    count = megabytes * 2**20 // 8
    values = np.random.default_rng(3).integers(0, 2**63, count, dtype=np.int64)
    message = request("echo_int64", [("IN", "INT64", [count], values.tobytes())])
    reply = stub.ModelInfer(message, timeout=60)
    assert reply.raw_output_contents[0] == values.tobytes()


def test_unpacked_repeated_fields_are_read_too(server):
    """Old encoders send repeated numbers one by one; the wire format allows it."""
    contents = b"".join(b"\x35" + struct.pack("<f", v) for v in (1.5, -2.0))
    tensor = b"\x0a\x02IN\x12\x04FP32\x18\x02" + b"\x2a" + bytes([len(contents)]) + contents
    message = b"\x0a\x09echo_fp32" + b"\x2a" + bytes([len(tensor)]) + tensor
    call = server.channel().unary_unary("/inference.GRPCInferenceService/ModelInfer")
    reply = pb().ModelInferResponse.FromString(call(message, timeout=10))
    assert reply.raw_output_contents[0] == struct.pack("<ff", 1.5, -2.0)
