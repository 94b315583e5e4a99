#!/usr/bin/env python3
"""A real gRPC server (grpcio) of the Open Inference Protocol and sluice.v1.Admin, for testing
libsluice and the sluice command without a gateway.

    grpcio_peer.py STUBS_DIR [MAGIKA.ONNX]

Prints "listening PORT" and serves until its standard input closes.

STUBS_DIR holds what grpc_tools.protoc makes of proto/. The model's name says what happens:
identity, slow (answers after 5 s, or when cancelled), typed (answers typed contents), pair (two
outputs, the second not aligned in the message), fail (a rich error), count (calls seen and calls
cancelled, INT64[2]), meta (its request metadata as BYTES), magika (the network, by onnxruntime).
"""

import struct
import sys
import threading
import time
from concurrent import futures

import grpc

sys.path.insert(0, sys.argv[1])
from inference import inference_pb2 as pb  # noqa: E402
from inference import inference_pb2_grpc as pb_grpc  # noqa: E402
from sluice.v1 import admin_pb2 as admin  # noqa: E402
from sluice.v1 import admin_pb2_grpc as admin_grpc  # noqa: E402

TRAILERS = (
    ("sluice-call-id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("sluice-queue-ms", "0.125"),
    ("sluice-exec-ms", "1.5"),
    ("sluice-node", "peer"),
)


def any_of(type_name, payload):
    """google.protobuf.Any in wire form."""
    url = ("type.googleapis.com/" + type_name).encode()
    return field(1, url) + field(2, payload)


def field(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def rich_error():
    """google.rpc.Status: ErrorInfo{QUEUE_FULL, domain sluice, limit=64} and RetryInfo{1.5 s}."""
    info = (
        field(1, b"QUEUE_FULL")
        + field(2, b"sluice")
        + field(3, field(1, b"limit") + field(2, b"64"))
    )
    retry = field(1, b"\x08\x01\x10" + varint(500_000_000))
    details = (any_of("google.rpc.ErrorInfo", info), any_of("google.rpc.RetryInfo", retry))
    return b"\x08\x08" + b"".join(field(3, d) for d in details)


class Inference(pb_grpc.GRPCInferenceServiceServicer):
    def __init__(self):
        self.seen = 0
        self.cancelled = 0

    def ServerLive(self, request, context):
        return pb.ServerLiveResponse(live=True)

    def ServerReady(self, request, context):
        return pb.ServerReadyResponse(ready=True)

    def ModelReady(self, request, context):
        if request.name == "absent":
            context.abort(grpc.StatusCode.NOT_FOUND, "no model absent; models here: identity")
        return pb.ModelReadyResponse(ready=request.name != "fail")

    def ModelMetadata(self, request, context):
        if request.name == "absent":
            context.set_trailing_metadata((("sluice-reason", "MODEL_NOT_FOUND"),))
            context.abort(grpc.StatusCode.NOT_FOUND, "no model absent; models here: identity")
        out = pb.ModelMetadataResponse(name=request.name, versions=["1", "2"], platform="peer")
        kind = "BYTES" if request.name == "meta" else "FP32"
        shape = [-1] if request.name == "meta" else [-1, 4]
        out.inputs.add(name="INPUT0", datatype=kind, shape=shape)
        out.outputs.add(name="OUTPUT0", datatype=kind, shape=shape)
        return out

    def ModelInfer(self, request, context):
        self.seen += 1
        context.set_trailing_metadata(TRAILERS)
        answer = pb.ModelInferResponse(
            model_name=request.model_name, model_version="2", id=request.id
        )
        for name, value in request.parameters.items():
            answer.parameters[name].CopyFrom(value)
        return getattr(self, request.model_name)(request, answer, context)

    def identity(self, request, answer, context):
        for i, tensor in enumerate(request.inputs):
            answer.outputs.add(name=f"OUTPUT{i}", datatype=tensor.datatype, shape=tensor.shape)
        answer.raw_output_contents.extend(request.raw_input_contents)
        return answer

    def slow(self, request, answer, context):
        gone = threading.Event()
        context.add_callback(gone.set)
        if gone.wait(5):
            self.cancelled += 1
        return self.identity(request, answer, context)

    def typed(self, request, answer, context):
        for name, kind, fill in (
            ("i8", "INT8", {"int_contents": [-128, 127]}),
            ("u16", "UINT16", {"uint_contents": [0, 65535]}),
            ("f32", "FP32", {"fp32_contents": [1.5, -2.5]}),
            ("b", "BOOL", {"bool_contents": [True, False]}),
            ("s", "BYTES", {"bytes_contents": [b"ab", b""]}),
        ):
            out = answer.outputs.add(name=name, datatype=kind, shape=[2])
            for key, values in fill.items():
                getattr(out.contents, key).extend(values)
        return answer

    def pair(self, request, answer, context):
        answer.outputs.add(name="a", datatype="UINT8", shape=[3])
        answer.outputs.add(name="b", datatype="FP64", shape=[2])
        answer.raw_output_contents.extend([b"abc", struct.pack("<2d", 1.25, -8.0)])
        return answer

    def fail(self, request, answer, context):
        context.set_trailing_metadata(TRAILERS + (("grpc-status-details-bin", rich_error()),))
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full: 64 calls — try again")

    def count(self, request, answer, context):
        answer.outputs.add(name="OUTPUT0", datatype="INT64", shape=[2])
        answer.raw_output_contents.append(struct.pack("<2q", self.seen, self.cancelled))
        return answer

    def meta(self, request, answer, context):
        pairs = [f"{k}={v}".encode() for k, v in context.invocation_metadata()]
        if context.time_remaining() is not None:
            pairs.append(b"deadline=" + (b"near" if context.time_remaining() < 60 else b"far"))
        answer.outputs.add(name="OUTPUT0", datatype="BYTES", shape=[len(pairs)])
        answer.raw_output_contents.append(b"".join(struct.pack("<I", len(p)) + p for p in pairs))
        return answer

    def magika(self, request, answer, context):
        import numpy
        import onnxruntime

        tensor = request.inputs[0]
        data = numpy.frombuffer(request.raw_input_contents[0], numpy.int32).reshape(tensor.shape)
        scores = onnxruntime.InferenceSession(sys.argv[2]).run(["target_label"], {"bytes": data})[0]
        answer.outputs.add(name="target_label", datatype="FP32", shape=scores.shape)
        answer.raw_output_contents.append(scores.tobytes())
        return answer


class Admin(admin_grpc.AdminServicer):
    def __init__(self):
        self.born = time.monotonic()

    def GetStatus(self, request, context):
        up = int((time.monotonic() - self.born) * 1000)
        return admin.GetStatusResponse(
            version="0.1.0",
            uptime_ms=up,
            ready=True,
            nodes=1,
            slices=2,
            slices_busy=1,
            models=2,
            connections=1,
            calls_running=1,
            outcomes=[{"reason": "OK", "calls": 12}, {"reason": "BAD_INPUT", "calls": 3}],
        )

    def ListNodes(self, request, context):
        return admin.ListNodesResponse(
            nodes=[
                {
                    "name": "peer",
                    "connected": True,
                    "silent_for_ms": 12,
                    "connected_for_ms": 65_000,
                    "slices": [
                        {
                            "id": 0,
                            "device": "cpu0",
                            "kind": "cpu",
                            "memory_bytes": 1 << 30,
                            "share_thousandths": 500,
                            "busy": True,
                        }
                    ],
                    "models": ["identity", "slow"],
                    "problems": ["broken: no such engine: nope"],
                    "version": "0.1.0",
                }
            ]
        )

    def ListModels(self, request, context):
        return admin.ListModelsResponse(
            models=[
                {
                    "name": "identity",
                    "version": "1",
                    "engine": "identity",
                    "ready": True,
                    "nodes": ["peer"],
                    "duration_ms": 5000,
                    "max_duration_ms": 60000,
                    "inputs": ["INPUT0 FP32 [-1,4]"],
                    "outputs": ["OUTPUT0 FP32 [-1,4]"],
                    "calls": 15,
                    "mean_exec_us": 1500,
                }
            ]
        )


def main():
    sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=sizes)
    pb_grpc.add_GRPCInferenceServiceServicer_to_server(Inference(), server)
    admin_grpc.add_AdminServicer_to_server(Admin(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening {port}", flush=True)
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
