"""Each kind of wrong request has its own status and a sentence that names what was wrong."""

import grpc
import numpy as np
import pytest
from support.calls import bytes_elements, identity_request, refusal, request
from support.stubs import pb

FP32 = np.zeros(4, dtype=np.float32).tobytes()
GOOD = ("INPUT0", "FP32", [1, 4], FP32)

BAD = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


def typed(name, shape, field, values, datatype="FP32"):
    message = pb().ModelInferRequest(model_name="identity")
    tensor = message.inputs.add(name=name, datatype=datatype, shape=shape)
    getattr(tensor.contents, field).extend(values)
    return message


def both_raw_and_typed():
    message = typed("INPUT0", [1, 4], "fp32_contents", [1, 2, 3, 4])
    message.raw_input_contents.append(FP32)
    return message


def fewer_raw_than_inputs():
    message = request("pair", [("A", "INT32", [1, 2], b"\0" * 8)])
    message.inputs.add(name="B", datatype="BYTES", shape=[0])
    return message


def text_input(raw, count=1):
    return request("pair", [("A", "INT32", [1, 2], b"\0" * 8), ("B", "BYTES", [count], raw)])


CASES = {
    "no model": (lambda: request("", [GOOD]), NOT_FOUND, ["model"]),
    "wrong model": (lambda: request("identitty", [GOOD]), NOT_FOUND, ["identitty"]),
    "wrong version": (
        lambda: request("identity", [GOOD], version="7"),
        NOT_FOUND,
        ["identity", "7"],
    ),
    "wrong input name": (
        lambda: request("identity", [("INPUT", "FP32", [1, 4], FP32)]),
        BAD,
        ["'INPUT'", "identity"],
    ),
    "wrong datatype": (
        lambda: request("identity", [("INPUT0", "INT32", [1, 4], FP32)]),
        BAD,
        ["INPUT0", "INT32", "FP32"],
    ),
    "no such datatype": (
        lambda: request("identity", [("INPUT0", "FLOAT", [1, 4], FP32)]),
        BAD,
        ["INPUT0", "FLOAT", "FP32"],
    ),
    "wrong shape": (
        lambda: request("identity", [("INPUT0", "FP32", [4, 1], FP32)]),
        BAD,
        ["INPUT0", "[4,1]", "[-1,4]"],
    ),
    "wrong rank": (
        lambda: request("identity", [("INPUT0", "FP32", [4], FP32)]),
        BAD,
        ["INPUT0", "[4]", "[-1,4]"],
    ),
    "negative dimension": (
        lambda: request("identity", [("INPUT0", "FP32", [-1, 4], FP32)]),
        BAD,
        ["INPUT0", "[-1,4]"],
    ),
    "shape beyond counting": (
        lambda: request("identity", [("INPUT0", "FP32", [2**62, 4], FP32)]),
        BAD,
        ["INPUT0", str(2**62)],
    ),
    "too few bytes": (
        lambda: request("identity", [("INPUT0", "FP32", [2, 4], FP32)]),
        BAD,
        ["INPUT0", "32", "16"],
    ),
    "too many bytes": (
        lambda: request("identity", [("INPUT0", "FP32", [1, 4], FP32 + b"\0")]),
        BAD,
        ["INPUT0", "16", "17"],
    ),
    "missing input": (
        lambda: request("pair", [("A", "INT32", [1, 2], b"\0" * 8)]),
        BAD,
        ["pair", "'B'", "missing"],
    ),
    "no input": (lambda: request("identity", []), BAD, ["INPUT0", "missing"]),
    "input twice": (lambda: request("identity", [GOOD, GOOD]), BAD, ["INPUT0", "twice"]),
    "wrong output": (
        lambda: request("identity", [GOOD], outputs=["OUT"]),
        BAD,
        ["'OUT'", "identity"],
    ),
    "output twice": (
        lambda: request("identity", [GOOD], outputs=["OUTPUT0", "OUTPUT0"]),
        BAD,
        ["OUTPUT0", "twice"],
    ),
    "raw and typed": (lambda: both_raw_and_typed(), BAD, ["INPUT0", "raw_input_contents"]),
    "fewer raw than inputs": (
        lambda: fewer_raw_than_inputs(),
        BAD,
        ["2 inputs", "1 raw_input_contents"],
    ),
    "too few elements": (
        lambda: typed("INPUT0", [1, 4], "fp32_contents", [1, 2, 3]),
        BAD,
        ["INPUT0", "4", "3"],
    ),
    "elements of another field": (
        lambda: typed("INPUT0", [1, 4], "int_contents", [1, 2, 3, 4]),
        BAD,
        ["INPUT0", "fp32_contents", "int_contents"],
    ),
    "element lengths that lie": (
        lambda: text_input(b"\xff\xff\xff\x7fhi"),
        BAD,
        ["'B'", "BYTES"],
    ),
    "more elements than said": (
        lambda: text_input(bytes_elements([b"a", b"b"])),
        BAD,
        ["'B'", "BYTES"],
    ),
    "name with a NUL": (
        lambda: request("identity", [("INPUT0\0X", "FP32", [1, 4], FP32)]),
        BAD,
        ["NUL"],
    ),
    "name beyond its limit": (
        lambda: request("identity" * 100, [GOOD]),
        BAD,
        ["model_name", "800"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_request(stub, case):
    make, code, parts = CASES[case]
    outcome = refusal(stub.ModelInfer, make())
    assert outcome.code == code, outcome.text
    for part in parts:
        assert part in outcome.text
    wanted = "MODEL_NOT_FOUND" if code == NOT_FOUND else "BAD_INPUT"
    assert outcome.trailers["sluice-reason"] == wanted


def test_values_that_do_not_fit(stub):
    for model, field, values, value in [
        ("echo_int8", "int_contents", [1, 128], "128"),
        ("echo_uint16", "uint_contents", [65536], "65536"),
        ("echo_int16", "int_contents", [-32769], "-32769"),
    ]:
        message = typed("IN", [len(values)], field, values, model[5:].upper())
        message.model_name = model
        outcome = refusal(stub.ModelInfer, message)
        assert outcome.code == BAD
        assert value in outcome.text


def test_garbage_is_not_a_message(server):
    call = server.channel().unary_unary("/inference.GRPCInferenceService/ModelInfer")
    for garbage in [b"\xff" * 10, b"\x0a\xff\xff\xff\xff\x0f", b"\x3a\x05ab"]:
        outcome = refusal(call, garbage)
        assert outcome.code == BAD
        assert "ModelInferRequest" in outcome.text


def test_after_refusals_the_connection_serves(stub):
    for _ in range(50):
        refusal(stub.ModelInfer, request("identity", []))
    assert stub.ModelInfer(identity_request(rows=2), timeout=10).outputs
