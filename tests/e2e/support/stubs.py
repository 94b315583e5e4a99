"""Messages and stubs of our own proto folder, made anew for each run: what is published is spoken.

They live in a descriptor pool of their own, beside those that tritonclient brings under the same
names.
"""

import types
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

from .paths import ROOT

PROTOS = ["inference/inference.proto", "sluice/v1/admin.proto", "sluice/v1/visitor.proto"]

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
    files = [_pool.FindFileByName(name) for name in PROTOS]
    messages = [m for f in files if f.package == package for m in f.message_types_by_name.values()]
    return types.SimpleNamespace(**{m.name: message_factory.GetMessageClass(m) for m in messages})


class Stub:
    """The methods of a service as functions: Stub(channel, service).ServerLive(message); those that
    stream answer an iterator.

    token: sent with each call.
    """

    def __init__(self, channel, service, token=None):
        for method in _pool.FindServiceByName(service).methods:
            streams = method.server_streaming
            call = (channel.unary_stream if streams else channel.unary_unary)(
                f"/{service}/{method.name}",
                request_serializer=message_factory.GetMessageClass(
                    method.input_type
                ).SerializeToString,
                response_deserializer=message_factory.GetMessageClass(
                    method.output_type
                ).FromString,
            )
            setattr(self, method.name, _By(call, token) if token else call)


class _By:
    """A method that sends the token with each call."""

    def __init__(self, call, token):
        self._call, self._sent = call, [("authorization", f"Bearer {token}")]

    def __call__(self, message, metadata=(), **kwargs):
        return self._call(message, metadata=[*self._sent, *metadata], **kwargs)

    def with_call(self, message, metadata=(), **kwargs):
        return self._call.with_call(message, metadata=[*self._sent, *metadata], **kwargs)

    def future(self, message, metadata=(), **kwargs):
        return self._call.future(message, metadata=[*self._sent, *metadata], **kwargs)
