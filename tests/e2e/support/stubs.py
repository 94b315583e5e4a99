"""Python stubs of our own proto folder, made anew for each run: what is published is spoken."""

import importlib
import sys

from grpc_tools import protoc

from .paths import ROOT

PROTOS = ["inference/inference.proto", "sluice/v1/admin.proto"]


def generate(folder):
    """Writes *_pb2 and *_pb2_grpc of PROTOS into folder and puts it on the import path."""
    status = protoc.main(
        [
            "protoc",
            f"-I{ROOT / 'proto'}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            *[str(ROOT / "proto" / name) for name in PROTOS],
        ]
    )
    if status != 0:
        raise RuntimeError(f"protoc failed with {status}")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def pb(name="inference.inference"):
    """The message module of a proto, for example pb().ModelInferRequest."""
    return importlib.import_module(f"{name}_pb2")


def rpc(name="inference.inference"):
    return importlib.import_module(f"{name}_pb2_grpc")
