"""Messages and stubs of our own proto folder, made anew for each run: what is published is spoken.

They live in a descriptor pool of their own, beside those that tritonclient brings under the same
names.
"""

import types
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

from .paths import ROOT

PROTOS = ["inference/inference.proto", "sluice/v1/admin.proto"]

_pool = descriptor_pool.DescriptorPool()


def generate(folder):
    """Compiles PROTOS; folder takes the compiler's output."""
    out = Path(folder) / "set.pb"
    names = [str(ROOT / "proto" / name) for name in PROTOS]
    status = protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"--descriptor_set_out={out}", *names])
    if status != 0:
        raise RuntimeError(f"protoc failed with {status}")
    for file in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file:
        _pool.Add(file)


def pb(package="inference"):
    """The message classes of a package, for example pb().ModelInferRequest."""
    [path] = [name for name in PROTOS if _pool.FindFileByName(name).package == package]
    messages = _pool.FindFileByName(path).message_types_by_name
    classes = {name: message_factory.GetMessageClass(d) for name, d in messages.items()}
    return types.SimpleNamespace(**classes)


class Stub:
    """The methods of a service as functions: Stub(channel, service).ServerLive(message)."""

    def __init__(self, channel, service):
        for method in _pool.FindServiceByName(service).methods:
            call = channel.unary_unary(
                f"/{service}/{method.name}",
                request_serializer=message_factory.GetMessageClass(
                    method.input_type
                ).SerializeToString,
                response_deserializer=message_factory.GetMessageClass(
                    method.output_type
                ).FromString,
            )
            setattr(self, method.name, call)
