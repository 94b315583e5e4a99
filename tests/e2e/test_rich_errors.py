"""Errors for programs: grpc-status-details-bin as grpcio-status reads it, and the trailers."""

import re

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from grpc_tools import protoc
from support.calls import identity_request, request, scripted_request
from support.paths import ROOT, SLOW
from support.stubs import pb
from support.wait import wait_until
from test_refusals import CASES, FP32

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DETAILS = {
    "google.rpc.ErrorInfo": error_details_pb2.ErrorInfo,
    "google.rpc.BadRequest": error_details_pb2.BadRequest,
    "google.rpc.RetryInfo": error_details_pb2.RetryInfo,
}


class Rich:
    """A call's error: its status, its details by name, its trailers."""

    def __init__(self, function, message, **kwargs):
        with pytest.raises(grpc.RpcError) as caught:
            function(message, timeout=20 * SLOW, **kwargs)
        self.error = caught.value
        self.trailers = dict(self.error.trailing_metadata())
        self.status = rpc_status.from_call(self.error)  # compares code and message itself
        self.details = {}
        for packed in self.status.details:
            name = packed.type_url.removeprefix("type.googleapis.com/")
            self.details[name] = DETAILS[name].FromString(packed.value)
        self.info = self.details["google.rpc.ErrorInfo"]

    def field(self):
        bad = self.details.get("google.rpc.BadRequest")
        return bad.field_violations[0].field if bad else None

    def retry_s(self):
        retry = self.details.get("google.rpc.RetryInfo")
        return retry.retry_delay.ToTimedelta().total_seconds() if retry else None


@pytest.mark.smoke
@pytest.mark.parametrize("case", CASES)
def test_every_refusal_is_rich(stub, case):
    rich = Rich(stub.ModelInfer, CASES[case][0]())
    assert rich.info.domain == "sluice"
    assert rich.info.reason == rich.trailers["sluice-reason"]
    assert rich.info.metadata["call_id"] == rich.trailers["sluice-call-id"]
    assert UUID.fullmatch(rich.trailers["sluice-call-id"])
    assert rich.retry_s() is None
    assert len(rich.trailers["grpc-status-details-bin"]) < 1536


FIELDS = [
    ("inputs.INPUT", lambda: request("identity", [("INPUT", "FP32", [1, 4], FP32)]), ()),
    ("inputs.INPUT0", lambda: request("identity", [("INPUT0", "FP32", [2, 4], FP32)]), ()),
    ("inputs.B", lambda: request("pair", [("A", "INT32", [1, 2], b"\0" * 8)]), ()),
    ("outputs.OUT", lambda: identity_request(outputs=["OUT"]), ()),
    ("parameters.sluice_size", lambda: identity_request(params={"sluice_size": "huge"}), ()),
    ("sluice-duration", identity_request, (("sluice-duration", "x"),)),
    ("sluice-size", identity_request, (("sluice-size", "huge"),)),
    ("sluice-max-wait", identity_request, (("sluice-max-wait", "0"),)),
    ("sluice-call-id", identity_request, (("sluice-call-id", "me"),)),
    ("sluice-on-disconnect", identity_request, (("sluice-on-disconnect", "perhaps"),)),
    (None, lambda: request("identity" * 100, []), ()),
]


@pytest.mark.parametrize(("field", "make", "metadata"), FIELDS, ids=[str(row[0]) for row in FIELDS])
def test_the_field_at_fault_is_named(stub, field, make, metadata):
    rich = Rich(stub.ModelInfer, make(), metadata=metadata)
    assert rich.error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert rich.field() == field
    if field:
        [violation] = rich.details["google.rpc.BadRequest"].field_violations
        assert violation.description == rich.error.details()


def test_not_now_says_when(server, stub):
    busy = stub.ModelInfer.future(scripted_request(run="2s"), timeout=20 * SLOW)
    ask = pb("sluice.v1").GetStatusRequest
    wait_until(lambda: server.admin().GetStatus(ask()).calls_running > 0, 10, "the call runs")
    try:
        metadata = (("sluice-max-wait", "50ms"),)
        rich = Rich(stub.ModelInfer, scripted_request(), metadata=metadata)
    finally:
        busy.result()
    assert rich.info.reason == "ALLOCATION_TIMEOUT"
    assert rich.error.code() == grpc.StatusCode.UNAVAILABLE
    assert 0.1 <= rich.retry_s() <= 60  # by what such calls take
    assert rich.trailers["grpc-retry-pushback-ms"] == "-1"


def test_time_used_up_is_not_to_be_retried(stub):
    metadata = (("sluice-duration", "100ms"),)
    rich = Rich(stub.ModelInfer, scripted_request(run="5s"), metadata=metadata)
    assert rich.info.reason == "DURATION_EXCEEDED"
    assert rich.info.metadata["node"] == rich.trailers["sluice-node"]
    assert rich.trailers["grpc-retry-pushback-ms"] == "-1"
    assert rich.retry_s() is None


def test_what_never_becomes_a_call_is_rich_too(server):
    call = server.channel().unary_unary("/inference.GRPCInferenceService/NoSuchThing")
    rich = Rich(call, b"")
    assert rich.info.reason == "UNIMPLEMENTED"
    infer = server.channel().unary_unary("/inference.GRPCInferenceService/ModelInfer")
    name = "0123abcd-0123-4123-8123-0123456789ab"
    rich = Rich(infer, b"\0" * (65 << 20), metadata=(("sluice-call-id", name),))
    assert rich.info.reason == "TOO_LARGE"
    assert rich.trailers["sluice-call-id"] == name


def test_binary_metadata_is_taken(stub):
    """grpcio writes base64 for it; several values of one name, empty ones, all bytes."""
    metadata = [("trace-bin", bytes(range(n))) for n in (0, 1, 2, 3, 255)]
    assert stub.ModelInfer(identity_request(), timeout=20, metadata=metadata).outputs


def test_the_published_messages_are_googles(tmp_path):
    """Each field of proto/google/rpc has the name, number and type of the original."""
    out = tmp_path / "set.pb"
    names = ["google/rpc/status.proto", "google/rpc/error_details.proto"]
    well_known = f"-I{protoc.__file__.rsplit('/', 1)[0]}/_proto"
    sources = [str(ROOT / "proto" / name) for name in names]
    assert protoc.main(["", f"-I{ROOT / 'proto'}", well_known, f"-o{out}", *sources]) == 0
    ours = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file:
        for message in file.message_type:
            ours[message.name] = message
    assert set(ours) == {"Status", "ErrorInfo", "RetryInfo", "BadRequest", "QuotaFailure"}
    for name, message in ours.items():
        theirs = descriptor_pb2.DescriptorProto()
        module = status_pb2 if name == "Status" else error_details_pb2
        getattr(module, name).DESCRIPTOR.CopyToProto(theirs)
        compare(message, theirs)


def compare(ours, theirs):
    known = {field.name: (field.number, field.type, field.label) for field in theirs.field}
    for field in ours.field:
        assert known[field.name] == (field.number, field.type, field.label), field.name
    nested = {message.name: message for message in theirs.nested_type}
    for message in ours.nested_type:
        compare(message, nested[message.name])
