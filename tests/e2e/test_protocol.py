"""The six calls of the Open Inference Protocol by a plain grpcio client on our own stubs."""

import uuid

import grpc
import numpy as np
import pytest
from support.calls import identity_request, refusal, request, scripted_request
from support.stubs import pb

pytestmark = pytest.mark.smoke


def test_live_and_ready(stub):
    assert stub.ServerLive(pb().ServerLiveRequest(), timeout=10).live
    assert stub.ServerReady(pb().ServerReadyRequest(), timeout=10).ready
    assert stub.ModelReady(pb().ModelReadyRequest(name="identity"), timeout=10).ready
    assert stub.ModelReady(pb().ModelReadyRequest(name="identity", version="1"), timeout=10).ready


def test_server_metadata(stub):
    reply = stub.ServerMetadata(pb().ServerMetadataRequest(), timeout=10)
    assert reply.name == "sluice"
    assert reply.version


def test_model_metadata(stub):
    reply = stub.ModelMetadata(pb().ModelMetadataRequest(name="pair"), timeout=10)
    assert (reply.name, list(reply.versions), reply.platform) == ("pair", ["1"], "identity")
    told = [(t.name, t.datatype, list(t.shape)) for t in [*reply.inputs, *reply.outputs]]
    assert told == [
        ("A", "INT32", [-1, 2]),
        ("B", "BYTES", [-1]),
        ("A_OUT", "INT32", [-1, 2]),
        ("B_OUT", "BYTES", [-1]),
    ]


def test_infer_identity(stub):
    message = identity_request(rows=3, call_id="seven")
    reply = stub.ModelInfer(message, timeout=10)
    assert (reply.model_name, reply.model_version, reply.id) == ("identity", "1", "seven")
    [output] = reply.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("OUTPUT0", "FP32", [3, 4])
    assert reply.raw_output_contents[0] == message.raw_input_contents[0]


def test_inputs_in_any_order_and_outputs_by_name(stub):
    numbers = np.array([[1, 2]], dtype=np.int32).tobytes()
    texts = b"\x02\x00\x00\x00hi"
    message = request(
        "pair", [("B", "BYTES", [1], texts), ("A", "INT32", [1, 2], numbers)], outputs=["B_OUT"]
    )
    reply = stub.ModelInfer(message, timeout=10)
    assert [o.name for o in reply.outputs] == ["B_OUT"]
    assert list(reply.raw_output_contents) == [texts]


def test_an_empty_tensor(stub):
    reply = stub.ModelInfer(identity_request(rows=0), timeout=10)
    assert list(reply.outputs[0].shape) == [0, 4]
    assert list(reply.raw_output_contents) == [b""]


def test_trailers_of_an_answer(stub):
    _, call = stub.ModelInfer.with_call(scripted_request(run="30ms"), timeout=10)
    told = dict(call.trailing_metadata())
    assert uuid.UUID(told["sluice-call-id"])
    assert 0 <= float(told["sluice-queue-ms"]) < 10_000
    assert 30 <= float(told["sluice-exec-ms"]) < 10_000
    assert told["sluice-node"]


def test_trailers_of_a_refusal(stub):
    outcome = refusal(stub.ModelInfer, identity_request(version="9"))
    assert uuid.UUID(outcome.trailers["sluice-call-id"])
    assert outcome.trailers["sluice-reason"] == "MODEL_NOT_FOUND"


def test_every_method_names_its_request(server, stub):
    _, live = stub.ServerLive.with_call(pb().ServerLiveRequest(), timeout=10)
    no_method = refusal(server.channel().unary_unary("/a.B/C"), b"")
    no_model = refusal(stub.ModelReady, pb().ModelReadyRequest(name="nosuch"))
    names = [dict(live.trailing_metadata()), no_method.trailers, no_model.trailers]
    assert len({uuid.UUID(trailers["sluice-call-id"]) for trailers in names}) == 3


def test_the_callers_call_id_is_kept(stub):
    mine = str(uuid.uuid4())
    _, call = stub.ModelInfer.with_call(
        identity_request(), timeout=10, metadata=[("sluice-call-id", mine)]
    )
    assert dict(call.trailing_metadata())["sluice-call-id"] == mine


def test_unknown_models_are_not_found(stub):
    for call, message in [
        (stub.ModelReady, pb().ModelReadyRequest(name="nosuch")),
        (stub.ModelMetadata, pb().ModelMetadataRequest(name="nosuch")),
        (stub.ModelInfer, request("nosuch", [])),
    ]:
        outcome = refusal(call, message)
        assert outcome.code == grpc.StatusCode.NOT_FOUND
        assert "nosuch" in outcome.text


def test_unknown_methods_are_unimplemented(server):
    channel = server.channel()
    for path in [
        "/inference.GRPCInferenceService/NoSuchCall",
        "/no.such.Service/Call",
        "/inference.GRPCInferenceService/ModelStreamInfer",
    ]:
        call = channel.unary_unary(path)
        outcome = refusal(call, b"")
        assert outcome.code == grpc.StatusCode.UNIMPLEMENTED
        assert outcome.text


def test_many_calls_on_one_connection_at_once(stub):
    waiting = [
        stub.ModelInfer.future(identity_request(rows=i % 7, call_id=str(i)), timeout=30)
        for i in range(200)
    ]
    assert [w.result().id for w in waiting] == [str(i) for i in range(200)]
