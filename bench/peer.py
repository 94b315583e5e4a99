"""A real gRPC client, run by bench/run in the environment `bench`.

Makes the request of each size, sends it to each server, checks the answer, and leaves request and
reply as h2load and nghttpd want them.

    peer.py JOB      a JSON file:
                     {"proto": DIR, "out": DIR, "sizes": [N],
                      "servers": {NAME: {"address": HOST:PORT, "authority": PEM file or null}}}

Writes OUT/request-N and OUT/reply-N (gRPC frame: 5-byte head and message). Ends with 1 and a
sentence when an answer is wrong or when two servers' answers differ in any byte."""

import json
import random
import sys
import tempfile
from pathlib import Path

import grpc
from grpc_tools import protoc

METHOD = "/inference.GRPCInferenceService/ModelInfer"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def import_messages(proto_folder):
    """The generated inference_pb2 of our own proto file."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-stubs-") as folder:
        words = ["protoc", f"-I{proto_folder}", f"--python_out={folder}", "inference.proto"]
        if protoc.main(words) != 0:
            sys.exit("protoc cannot read inference.proto")
        sys.path.insert(0, folder)
        import inference_pb2

        return inference_pb2


def make_request(pb, size):
    tensor = pb.ModelInferRequest.InferInputTensor(name="INPUT0", datatype="UINT8", shape=[size])
    contents = random.Random(size).randbytes(size)
    return pb.ModelInferRequest(
        model_name="identity", inputs=[tensor], raw_input_contents=[contents]
    )


def dial(address, authority):
    if authority is None:
        return grpc.insecure_channel(address, options=OPTIONS)
    trusted = grpc.ssl_channel_credentials(Path(authority).read_bytes())
    return grpc.secure_channel(address, trusted, options=OPTIONS)


def answer_of(name, server, message):
    """The reply's bytes; a status other than OK ends the program."""
    with dial(**server) as channel:
        try:
            return channel.unary_unary(METHOD)(message, timeout=60, wait_for_ready=True)
        except grpc.RpcError as error:
            what = f"{error.code().name}: {error.details()}"
            sys.exit(f"{name} does not answer {len(message)} bytes: {what}")


def find_fault(pb, request, reply_bytes):
    """None, or what is wrong with the reply."""
    reply = pb.ModelInferResponse.FromString(reply_bytes)
    output = reply.outputs[0] if len(reply.outputs) == 1 else None
    if output is None or (output.name, output.datatype) != ("OUTPUT0", "UINT8"):
        return f"its outputs are {[o.name for o in reply.outputs]}, not OUTPUT0 of UINT8"
    if list(output.shape) != list(request.inputs[0].shape):
        return f"OUTPUT0 has shape {list(output.shape)}, not {list(request.inputs[0].shape)}"
    if list(reply.raw_output_contents) != list(request.raw_input_contents):
        return "OUTPUT0 is not what INPUT0 was"
    return None


def frame(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def check_size(pb, size, servers, out):
    request = make_request(pb, size)
    message = request.SerializeToString()
    first_name = first_reply = None
    for name, server in servers.items():
        reply = answer_of(name, server, message)
        fault = find_fault(pb, request, reply)
        if fault:
            sys.exit(f"{name} answers {size} bytes wrongly: {fault}")
        if first_reply not in (None, reply):
            sys.exit(
                f"{size} bytes: the {len(reply)} bytes from {name} differ from the"
                f" {len(first_reply)} bytes from {first_name}"
            )
        first_name, first_reply = name, reply
    (out / f"request-{size}").write_bytes(frame(message))
    (out / f"reply-{size}").write_bytes(frame(first_reply))


def main():
    job = json.loads(Path(sys.argv[1]).read_text())
    pb = import_messages(job["proto"])
    for size in job["sizes"]:
        check_size(pb, size, job["servers"], Path(job["out"]))


main()
