"""A program: large echo calls at ADDRESS until a line comes in; prints how many were answered.

python -m support.flood ADDRESS CALLERS TENSOR_BYTES
"""

import sys
import tempfile
import threading

import grpc
import numpy as np

from . import stubs
from .calls import request
from .link import NO_LIMIT
from .stubs import Stub


def call_until(ended, address, message, raw, counts):
    with grpc.insecure_channel(address, options=NO_LIMIT) as channel:
        stub = Stub(channel, "inference.GRPCInferenceService")
        while not ended.is_set():
            reply = stub.ModelInfer(message, timeout=300)
            counts.append(reply.raw_output_contents[0] == raw)


def main(address, callers, tensor_bytes):
    with tempfile.TemporaryDirectory() as folder:
        stubs.generate(folder)
    values = np.arange(int(tensor_bytes) // 8, dtype=np.int64)
    raw = values.tobytes()
    message = request("echo_int64", [("IN", "INT64", [len(values)], raw)])
    ended, counts, failures = threading.Event(), [], []
    threading.excepthook = failures.append
    threads = [
        threading.Thread(target=call_until, args=(ended, address, message, raw, counts))
        for _ in range(int(callers))
    ]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    ended.set()
    for thread in threads:
        thread.join()
    print(failures[0].exc_value if failures else "", len(counts))
    return 0 if counts and all(counts) and not failures else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
