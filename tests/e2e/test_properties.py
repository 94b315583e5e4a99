"""Properties of the wire over invented requests.

Valid ones come back bit-equal, garbled ones get an answer that blames the request, and whatever
came, the same processes serve the next call.
"""

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.calls import bytes_elements, identity_request, request, set_params
from support.models import RAW_ONLY, TYPED_FIELD
from support.paths import SCALE, SLOW, scaled
from support.stubs import pb
from test_datatypes import NUMPY

INFER = "/inference.GRPCInferenceService/ModelInfer"
BLAMES_THE_REQUEST = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
}

examples = settings(
    max_examples=scaled(4000),
    deadline=None,
    derandomize=SCALE < 1,
    database=None,
    suppress_health_check=list(HealthCheck),
)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
parameters = st.dictionaries(
    texts.filter(lambda name: name and not name.startswith("sluice_")),
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), texts),
    max_size=6,
)
elements = st.lists(st.binary(max_size=50), max_size=20)


@st.composite
def numbers(draw):
    """(datatype, values as a numpy array of any bits)."""
    datatype = draw(st.sampled_from(list(NUMPY)))
    kind = np.dtype(NUMPY[datatype])
    bits = draw(st.binary(max_size=300))
    bits = bits[: len(bits) // kind.itemsize * kind.itemsize]
    if datatype == "BOOL":
        bits = bytes(b & 1 for b in bits)
    return datatype, np.frombuffer(bits, kind)


def echo(datatype, count, params):
    message = pb().ModelInferRequest(model_name=f"echo_{datatype.lower()}", id="é")
    message.inputs.add(name="IN", datatype=datatype, shape=[count])
    set_params(message, params)
    return message


def expect_echo(stub, message, raw):
    reply = stub.ModelInfer(message, timeout=20 * SLOW)
    assert reply.id == message.id
    [output] = reply.outputs
    assert (output.datatype, output.shape) == (message.inputs[0].datatype, message.inputs[0].shape)
    assert list(reply.raw_output_contents) == [raw]


@examples
@given(numbers(), st.booleans(), parameters)
def test_numbers_come_back(stub, tensor, is_typed, params):
    datatype, values = tensor
    message = echo(datatype, len(values), params)
    if is_typed:
        contents = getattr(message.inputs[0].contents, TYPED_FIELD[datatype])
        contents.extend(values.tolist())
        # What protobuf's own classes did to a NaN on its way in is theirs.
        values = np.array(list(contents), values.dtype)
    else:
        message.raw_input_contents.append(values.tobytes())
    if datatype.startswith("FP") and is_typed:
        reply = stub.ModelInfer(message, timeout=20 * SLOW)
        got = np.frombuffer(reply.raw_output_contents[0], values.dtype)
        assert np.array_equal(got, values, equal_nan=True)
    else:
        expect_echo(stub, message, values.tobytes())


@examples
@given(st.sampled_from(RAW_ONLY), st.binary(max_size=300), parameters)
def test_halves_come_back(stub, datatype, bits, params):
    raw = bits[: len(bits) // 2 * 2]
    message = echo(datatype, len(raw) // 2, params)
    message.raw_input_contents.append(raw)
    expect_echo(stub, message, raw)


@examples
@given(elements, st.booleans(), parameters)
def test_texts_come_back(stub, values, is_typed, params):
    message = echo("BYTES", len(values), params)
    if is_typed:
        message.inputs[0].contents.bytes_contents.extend(values)
    else:
        message.raw_input_contents.append(bytes_elements(values))
    expect_echo(stub, message, bytes_elements(values))


@examples
@given(
    st.integers(0, 9),
    elements,
    st.permutations(["A", "B"]),
    st.sampled_from([[], ["A_OUT"], ["B_OUT"], ["A_OUT", "B_OUT"], ["B_OUT", "A_OUT"]]),
)
def test_outputs_are_those_asked_for_in_their_order(stub, rows, values, order, outputs):
    tensors = {
        "A": ("A", "INT32", [rows, 2], np.arange(2 * rows, dtype=np.int32).tobytes()),
        "B": ("B", "BYTES", [len(values)], bytes_elements(values)),
    }
    message = request("pair", [tensors[name] for name in order], outputs=outputs)
    reply = stub.ModelInfer(message, timeout=20 * SLOW)
    wanted = outputs or ["A_OUT", "B_OUT"]
    assert [o.name for o in reply.outputs] == wanted
    assert list(reply.raw_output_contents) == [tensors[name[0]][3] for name in wanted]


@st.composite
def mutations(draw):
    """What is done to a message: [(what, where in thousandths, bytes)]."""
    step = st.tuples(
        st.sampled_from(["flip", "insert", "cut", "repeat", "overwrite"]),
        st.integers(0, 1000),
        st.binary(min_size=1, max_size=12),
    )
    return draw(st.lists(step, min_size=1, max_size=6))


def mutate(message, steps):
    made = bytearray(message)
    for what, where, content in steps:
        at = where * len(made) // 1001
        if what == "flip" and made:
            made[at] ^= content[0]
        elif what == "insert":
            made[at:at] = content
        elif what == "cut":
            del made[at : at + len(content)]
        elif what == "repeat":
            made[at:at] = made[at : at + 10 * len(content)]
        elif what == "overwrite":
            made[at : at + len(content)] = content
    return bytes(made)


SEEDS = {
    "identity": lambda: identity_request(rows=3, call_id="x", outputs=["OUTPUT0"]),
    "pair": lambda: request(
        "pair",
        [("A", "INT32", [1, 2], b"\0" * 8), ("B", "BYTES", [2], bytes_elements([b"ab", b""]))],
        params={"one": 1, "two": "zwei", "sluice_duration": "2s"},
    ),
    "typed": lambda: pb().ModelInferRequest(
        model_name="echo_int16",
        inputs=[
            {
                "name": "IN",
                "datatype": "INT16",
                "shape": [3],
                "contents": {"int_contents": [-5, 0, 9]},
            }
        ],
    ),
}


@pytest.fixture(scope="module")
def raw_call(server):
    return server.channel().unary_unary(INFER)


@pytest.mark.parametrize("seed", SEEDS)
def test_garbled_requests_are_answered(server, raw_call, seed):
    processes = {p.pid for p in server.family()}
    codes = {}

    @examples
    @example([("cut", 0, b"x" * 12)])
    @given(mutations())
    def check(steps):
        try:
            raw_call(mutate(SEEDS[seed]().SerializeToString(), steps), timeout=20 * SLOW)
            code, text = grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            code, text = error.code(), error.details()
        codes[code.name] = codes.get(code.name, 0) + 1
        assert code in BLAMES_THE_REQUEST, text
        assert text or code == grpc.StatusCode.OK

    check()
    print(f"{seed}: {codes}")
    assert codes.keys() - {"OK"}, "not one of them was refused"
    assert {p.pid for p in server.family()} == processes
    assert server.stub().ModelInfer(identity_request(), timeout=10).outputs
