"""Requests that break the rules of HTTP/2, gRPC or the protocol.

Each has its own answer, which names the thing and the numbers, and nothing else is disturbed. What
fits no model is in test_refusals.py.
"""

import base64
import struct
import zlib
from urllib.parse import unquote

import pytest
from google.rpc import error_details_pb2, status_pb2
from support.bare_h2 import frame, headers, send
from support.calls import identity_request, request
from support.stubs import pb

OK, INVALID, DEADLINE, NOT_FOUND, DENIED, EXHAUSTED = 0, 3, 4, 5, 7, 8
PRECONDITION, UNIMPLEMENTED, INTERNAL, UNAUTHENTICATED = 9, 12, 13, 16
FP32 = struct.pack("<4f", 1, 2, 3, 4)
GOOD = ("INPUT0", "FP32", [1, 4], FP32)


def good(**kwargs):
    return identity_request(**kwargs).SerializeToString()


def field(number, content):
    """A length-delimited field, by hand: protobuf's own classes refuse what is tested here."""
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def with_parameter(**kinds):
    """sluice_duration and so on of any kind: name={kind: value}."""
    message = identity_request()
    for name, choice in kinds.items():
        for kind, value in choice.items():
            setattr(message.parameters[name], kind, value)
    return message.SerializeToString()


def many_inputs(count):
    return request("identity", [(f"I{i}", "FP32", [1, 4], FP32) for i in range(count)])


def typed(model, datatype, contents):
    message = pb().ModelInferRequest(model_name=model)
    tensor = message.inputs.add(name="IN", datatype=datatype, shape=[1])
    for name, values in contents.items():
        getattr(tensor.contents, name).extend(values)
    return message.SerializeToString()


def raw(model, datatype, shape, content):
    return request(model, [("IN", datatype, shape, content)]).SerializeToString()


# What is wrong: (the message, gRPC code, reason, what the text has).
MESSAGES = {
    "a model's name that is no UTF-8": (
        lambda: field(1, b"\xff\xfe"),
        INVALID,
        "BAD_INPUT",
        ["model_name"],
    ),
    "a model's name with a NUL": (
        lambda: field(1, b"a\0b"),
        INVALID,
        "BAD_INPUT",
        ["model_name", "NUL"],
    ),
    "a name of 300 bytes": (lambda: field(1, b"m" * 300), INVALID, "BAD_INPUT", ["300", "255"]),
    "an id of 5000 bytes": (
        lambda: field(3, b"i" * 5000),
        INVALID,
        "BAD_INPUT",
        ["id", "5000", "4096"],
    ),
    "a version that is no UTF-8": (
        lambda: field(2, b"\xc3"),
        INVALID,
        "BAD_INPUT",
        ["model_version"],
    ),
    "a field that ends after the message": (lambda: b"\x0a\x7fab", INVALID, "BAD_INPUT", ["end"]),
    "a varint without an end": (lambda: b"\xff" * 11, INVALID, "BAD_INPUT", ["ModelInferRequest"]),
    "a group": (lambda: b"\x0b\x0c", INVALID, "BAD_INPUT", ["ModelInferRequest"]),
    "field number 0": (lambda: b"\x02\x00", INVALID, "BAD_INPUT", ["ModelInferRequest"]),
    "inputs of a wrong wire type": (lambda: b"\x28\x01", INVALID, "BAD_INPUT", ["inputs"]),
    "an empty message": (lambda: b"", NOT_FOUND, "MODEL_NOT_FOUND", ["model"]),
    "65 inputs": (
        lambda: many_inputs(65).SerializeToString(),
        INVALID,
        "BAD_INPUT",
        ["64", "inputs"],
    ),
    "65 outputs": (
        lambda: good(outputs=[f"O{i}" for i in range(65)]),
        INVALID,
        "BAD_INPUT",
        ["64", "outputs"],
    ),
    "65 parameters": (
        lambda: good(params={f"p{i}": 1 for i in range(65)}),
        INVALID,
        "BAD_INPUT",
        ["64", "parameters"],
    ),
    "17 dimensions": (
        lambda: raw("echo_fp32", "FP32", [1] * 17, FP32[:4]),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "16"],
    ),
    "a scalar for a vector": (
        lambda: raw("echo_fp32", "FP32", [], FP32[:4]),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "[]", "[-1]"],
    ),
    "bytes for 0 elements": (
        lambda: raw("echo_fp32", "FP32", [0], FP32),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "0 bytes", "16"],
    ),
    "dimensions that overflow": (
        lambda: raw("echo_fp64", "FP64", [2**61], FP32),
        INVALID,
        "BAD_INPUT",
        ["'IN'", str(2**61), "16"],
    ),
    "the smallest dimension": (
        lambda: raw("echo_fp64", "FP64", [-(2**63)], FP32),
        INVALID,
        "BAD_INPUT",
        ["'IN'", str(-(2**63))],
    ),
    "a BOOL of 2": (
        lambda: raw("echo_bool", "BOOL", [3], b"\1\0\2"),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "BOOL", "element 2 is 2"],
    ),
    "typed FP16": (
        lambda: typed("echo_fp16", "FP16", {"fp32_contents": [1.0]}),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "FP16", "raw_input_contents"],
    ),
    "typed BF16": (
        lambda: typed("echo_bf16", "BF16", {"fp32_contents": [1.0]}),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "BF16", "raw_input_contents"],
    ),
    "a value out of range": (
        lambda: typed("echo_int8", "INT8", {"int_contents": [-129]}),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "-129", "INT8"],
    ),
    "two fields of typed contents": (
        lambda: typed("echo_int32", "INT32", {"int_contents": [1], "fp32_contents": [1.0]}),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "int_contents", "fp32_contents"],
    ),
    "a BYTES element that is cut": (
        lambda: raw("echo_bytes", "BYTES", [1], b"\x05\0\0\0hell"),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "BYTES", "8 raw bytes"],
    ),
    "a BYTES length that is cut": (
        lambda: raw("echo_bytes", "BYTES", [1], b"\x05\0"),
        INVALID,
        "BAD_INPUT",
        ["'IN'", "2 raw bytes"],
    ),
    "a duration that is a bool": (
        lambda: with_parameter(sluice_duration={"bool_param": True}),
        INVALID,
        "BAD_INPUT",
        ["sluice-duration", "true"],
    ),
    "a duration below 0": (
        lambda: with_parameter(sluice_duration={"int64_param": -5}),
        INVALID,
        "BAD_INPUT",
        ["sluice-duration", "-5"],
    ),
    "a duration that is no number": (
        lambda: with_parameter(sluice_duration={"double_param": float("nan")}),
        INVALID,
        "BAD_INPUT",
        ["sluice-duration", "nan"],
    ),
    "a duration beyond the model's": (
        lambda: with_parameter(sluice_duration={"uint64_param": 400}),
        INVALID,
        "DURATION_TOO_LONG",
        ["400s", "5m", "identity"],
    ),
    "a size that is a number": (
        lambda: with_parameter(sluice_size={"int64_param": 2}),
        INVALID,
        "BAD_INPUT",
        ["sluice-size", "2"],
    ),
    "a size that nobody has": (
        lambda: with_parameter(sluice_size={"string_param": "huge"}),
        INVALID,
        "BAD_INPUT",
        ["huge", "large, xlarge"],
    ),
    "a wait beyond the limit": (
        lambda: with_parameter(sluice_max_wait={"string_param": "601s"}),
        INVALID,
        "BAD_INPUT",
        ["sluice-max-wait", "601s", "10m"],
    ),
    "a reserved parameter that does not exist": (
        lambda: with_parameter(sluice_colour={"string_param": "red"}),
        INVALID,
        "BAD_INPUT",
        ["sluice_colour", "sluice_duration"],
    ),
    "a parameter's text of 5000 bytes": (
        lambda: good(params={"prompt": "p" * 5000}),
        INVALID,
        "BAD_INPUT",
        ["prompt", "5000", "4096"],
    ),
    "a parameter without a name": (
        lambda: good(params={"": 1}),
        INVALID,
        "BAD_INPUT",
        ["parameter", "no name"],
    ),
    "parameters of 40 KiB": (
        lambda: good(params={f"p{i}": "v" * 4000 for i in range(10)}),
        INVALID,
        "BAD_INPUT",
        ["parameters", "32768"],
    ),
    "a parameter's name with a NUL": (
        lambda: good() + field(4, field(1, b"a\0") + field(2, b"\x08\x01")),
        INVALID,
        "BAD_INPUT",
        ["parameter", "NUL"],
    ),
    "an output's name that is no UTF-8": (
        lambda: good() + field(6, field(1, b"\xff")),
        INVALID,
        "BAD_INPUT",
        ["output"],
    ),
    "a region of shared memory": (
        lambda: (
            good() + field(6, field(1, b"OUTPUT0") + field(2, field(1, b"shared_memory_region")))
        ),
        INVALID,
        "BAD_INPUT",
        ["OUTPUT0", "shared memory"],
    ),
}

# What is wrong: (headers, DATA, HTTP status, gRPC code, reason, what the text has).
TENSOR = field(1, b"INPUT0") + field(2, b"FP32") + field(3, b"\x01\x04")
MESSAGE = field(1, b"identity") + field(5, TENSOR) + field(7, FP32)
WHOLE = frame(MESSAGE)
FRAMES = {
    "GET": (headers(**{":method": "GET"}), [], 405, INVALID, "BAD_INPUT", ["POST"]),
    "another content type": (
        headers(content_type="application/json"),
        [b"{}"],
        415,
        INVALID,
        "BAD_INPUT",
        ["application/grpc"],
    ),
    "gRPC-Web": (
        headers(content_type="application/grpc-web"),
        [WHOLE],
        415,
        INVALID,
        "BAD_INPUT",
        ["application/grpc"],
    ),
    "no content type": (
        headers(leave_out=["content-type"]),
        [WHOLE],
        415,
        INVALID,
        "BAD_INPUT",
        ["application/grpc"],
    ),
    "no such method": (headers("/a.B/C"), [WHOLE], 200, UNIMPLEMENTED, "UNIMPLEMENTED", ["/a.B/C"]),
    "a path without a service": (
        headers("/"),
        [WHOLE],
        200,
        UNIMPLEMENTED,
        "UNIMPLEMENTED",
        ['"/"'],
    ),
    "a long path": (
        headers("/" + "x" * 3000),
        [WHOLE],
        200,
        UNIMPLEMENTED,
        "UNIMPLEMENTED",
        ["xxxx"],
    ),
    "a streaming method": (
        headers("/inference.GRPCInferenceService/ModelStreamInfer"),
        [WHOLE],
        200,
        UNIMPLEMENTED,
        "UNIMPLEMENTED",
        ["Use ModelInfer"],
    ),
    "a timeout without a unit": (
        headers(grpc_timeout="100"),
        [WHOLE],
        200,
        INVALID,
        "BAD_INPUT",
        ["grpc-timeout", '"100"', "8 digits"],
    ),
    "a timeout of 9 digits": (
        headers(grpc_timeout="123456789m"),
        [WHOLE],
        200,
        INVALID,
        "BAD_INPUT",
        ["123456789m"],
    ),
    "a timeout twice": (
        headers(grpc_timeout=["1S", "2S"]),
        [WHOLE],
        200,
        INVALID,
        "BAD_INPUT",
        ["grpc-timeout", "twice"],
    ),
    "a timeout that is over": (
        headers(grpc_timeout="1n"),
        [WHOLE],
        200,
        DEADLINE,
        "DEADLINE_EXCEEDED",
        ["deadline"],
    ),
    "a -bin header that is no base64": (
        headers(trace_bin="=not base64="),
        [WHOLE],
        200,
        INVALID,
        "BAD_INPUT",
        ["trace-bin", "base64"],
    ),
    "headers of 20 KiB": (
        headers(x_long="v" * 20_000),
        [WHOLE],
        200,
        EXHAUSTED,
        "TOO_LARGE",
        ["headers", "16384"],
    ),
    "a call id that is no UUID": (
        headers(sluice_call_id="seven"),
        [WHOLE],
        200,
        INVALID,
        "BAD_INPUT",
        ["sluice-call-id", "'seven'"],
    ),
    "a token": (
        headers(authorization="Bearer x"),
        [WHOLE],
        200,
        UNAUTHENTICATED,
        "UNAUTHENTICATED",
        ["the token is not valid"],
    ),
    "a visitor of an app": (
        headers(x_ip_token="x"),
        [WHOLE],
        200,
        DENIED,
        "NOT_TRUSTED",
        ["x-ip-token"],
    ),
    "an unknown encoding": (
        headers(grpc_encoding="snappy"),
        [WHOLE],
        200,
        UNIMPLEMENTED,
        "UNIMPLEMENTED",
        ["snappy", "gzip"],
    ),
    "compressed without an encoding": (
        headers(),
        [frame(zlib.compress(MESSAGE), 1)],
        200,
        INTERNAL,
        "INTERNAL",
        ["grpc-encoding"],
    ),
    "compressed in another form": (
        headers(grpc_encoding="gzip"),
        [frame(zlib.compress(MESSAGE), 1)],
        200,
        INTERNAL,
        "INTERNAL",
        ["gzip"],
    ),
    "a compressed message that is cut": (
        headers(grpc_encoding="deflate"),
        [frame(zlib.compress(MESSAGE)[:-8], 1)],
        200,
        INTERNAL,
        "INTERNAL",
        ["deflate"],
    ),
    "a flag that does not exist": (
        headers(),
        [frame(MESSAGE, 7)],
        200,
        INVALID,
        "BAD_INPUT",
        ["byte 7"],
    ),
    "a message over the limit": (
        headers(),
        [frame(b"", length=(64 << 20) + 1)],
        200,
        EXHAUSTED,
        "TOO_LARGE",
        [str((64 << 20) + 1), str(64 << 20)],
    ),
    "a small method's message over its limit": (
        headers("/inference.GRPCInferenceService/ServerLive"),
        [frame(b"", length=40_000)],
        200,
        EXHAUSTED,
        "TOO_LARGE",
        ["40000", "32768"],
    ),
    "the longest length": (
        headers(),
        [frame(b"", length=2**32 - 1)],
        200,
        EXHAUSTED,
        "TOO_LARGE",
        [str(2**32 - 1)],
    ),
    "a message that ends early": (
        headers(),
        [frame(MESSAGE[:10], length=len(MESSAGE))],
        200,
        INVALID,
        "BAD_INPUT",
        ["10", str(len(MESSAGE))],
    ),
    "a prefix that ends early": (headers(), [b"\0\0"], 200, INVALID, "BAD_INPUT", ["2 of the 5"]),
    "no message": (headers(), [], 200, UNIMPLEMENTED, "UNIMPLEMENTED", ["no message"]),
    "two messages": (
        headers(),
        [WHOLE, WHOLE],
        200,
        UNIMPLEMENTED,
        "UNIMPLEMENTED",
        ["exactly one message", str(len(MESSAGE))],
    ),
    "bytes after the message": (
        headers(),
        [WHOLE + b"\0"],
        200,
        UNIMPLEMENTED,
        "UNIMPLEMENTED",
        ["exactly one message"],
    ),
}


def details_of(answer):
    """The google.rpc.Status behind it, and its ErrorInfo."""
    text = answer.fields["grpc-status-details-bin"]
    rich = status_pb2.Status.FromString(base64.b64decode(text + "=" * (-len(text) % 4)))
    info = error_details_pb2.ErrorInfo()
    assert rich.details[0].Unpack(info)
    return rich, info


def assert_refused(answer, code, reason, parts):
    text = unquote(answer.text)
    assert (answer.code, answer.fields["sluice-reason"]) == (code, reason), text
    for part in parts:
        assert part in text, text
    rich, info = details_of(answer)
    assert (rich.code, rich.message) == (code, text)
    assert (info.reason, info.domain) == (reason, "sluice")


@pytest.mark.parametrize("case", MESSAGES)
def test_a_bad_message(server, case):
    make, code, reason, parts = MESSAGES[case]
    answer = send(server.grpc, headers(), [frame(make())])
    assert_refused(answer, code, reason, parts)


@pytest.mark.parametrize("case", FRAMES)
def test_a_bad_frame(server, case):
    pairs, chunks, http, code, reason, parts = FRAMES[case]
    answer = send(server.grpc, pairs, chunks)
    assert answer.fields[":status"] == str(http)
    assert_refused(answer, code, reason, parts)


@pytest.mark.parametrize(
    "extra",
    [
        field(15, b"from a later protocol"),
        b"\x98\x06\x01",  # field 99, a number
    ],
)
def test_unknown_fields_are_passed_over(server, extra):
    answer = send(server.grpc, headers(x_unknown="?"), [frame(extra + MESSAGE + extra)])
    assert answer.code == OK


def test_unknown_fields_inside_are_passed_over(server):
    tensor = TENSOR + field(9, b"?")
    output = field(1, b"OUTPUT0") + field(9, b"?")
    entry = field(1, b"name") + field(2, b"\x08\x01" + field(9, b"?")) + field(9, b"?")
    message = field(1, b"identity") + field(5, tensor) + field(6, output) + field(4, entry)
    answer = send(server.grpc, headers(), [frame(message + field(7, FP32))])
    assert answer.code == OK, answer.text


@pytest.mark.parametrize("cut", [1, 5, 6, 40])
def test_a_good_request_in_any_pieces(server, cut):
    chunks = [WHOLE[i : i + cut] for i in range(0, len(WHOLE), cut)]
    answer = send(server.grpc, headers(), chunks)
    assert answer.code == OK
    assert pb().ModelInferResponse.FromString(answer.body[5:]).raw_output_contents == [FP32]


def test_after_all_this_the_server_serves(server, stub):
    assert stub.ModelInfer(identity_request(rows=2), timeout=10).outputs
