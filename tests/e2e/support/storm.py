"""Load of calls of all sizes on several connections that checks every answer and every error."""

import random
import threading
import time
from collections import Counter

import grpc
import numpy as np
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from .calls import request
from .paths import SLOW

# What a caller may be told when processes die under its call (docs/PROTOCOL.md).
REASONS = {"EXECUTOR_LOST", "DEVICE_FAULT", "MODEL_ERROR", "NO_CAPACITY", "DRAINING"}
CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)
# A call that has not ended by then was forgotten by somebody.
PATIENCE_S = 20 * SLOW


def error_info(error):
    """The ErrorInfo that the server sent; None when there is none (the connection was lost)."""
    status = rpc_status.from_call(error)
    for packed in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if packed.Unpack(info):
            return info
    return None


class Storm:
    """Threads with a connection each, within a `with` block.

    counts: how many calls ended how: "ok", or the reason, or the code of a lost connection.
    wrong: sentences about answers and errors that must not be.
    charged: {call id: what its trailer said}, in milliseconds, of those that were answered.
    """

    def __init__(self, cluster, seed, small=4, large=1):
        self.counts, self.wrong, self.charged = Counter(), [], {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = []
        for i in range(small + large):
            make = self._small if i < small else self._large
            args = (cluster.stub(), random.Random(seed * 1000 + i), make)
            self._threads.append(threading.Thread(target=self._run, args=args, daemon=True))
            self._threads[-1].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_S)
            if thread.is_alive():
                self.wrong.append("a call never ended")

    @staticmethod
    def _values(rng, count):
        return np.frombuffer(rng.randbytes(count * 4), dtype=np.uint8).view(np.float32)

    def _small(self, rng):
        """(message, values) of a call of some bytes up to 200 KB: inline, ring and bulk."""
        name, column = rng.choice([("scripted", "IN"), ("echo_fp32", "IN"), ("identity", "INPUT0")])
        rows = rng.choice([1, 16, 2_000, 12_000])
        values = self._values(rng, rows * 4)
        shape = [rows, 4] if name == "identity" else [rows * 4]
        params = {"fake_run": f"{rng.randrange(1, 30)}ms"} if name == "scripted" else None
        raw = values.tobytes()
        return request(name, [(column, "FP32", shape, raw)], params=params), raw

    def _large(self, rng):
        values = self._values(rng, rng.randrange(1, 5) << 18)
        raw = values.tobytes()
        return request("echo_fp32", [("IN", "FP32", [values.size], raw)]), raw

    def _run(self, stub, rng, make):
        while not self._stopping.is_set():
            message, raw = make(rng)
            try:
                reply, call = stub.ModelInfer.with_call(message, timeout=PATIENCE_S)
                told = dict(call.trailing_metadata())
                self.charged[told["sluice-call-id"]] = told["sluice-charged-ms"]
                same = reply.raw_output_contents[0] == raw
                self._note("ok", None if same else f"{message.model_name}: another call's bytes")
            except grpc.RpcError as error:
                self._note(*self._judge(error))
                time.sleep(0.02)

    @staticmethod
    def _judge(error):
        """(how it ended, why it must not end so)"""
        said = f"{error.code().name}: {error.details()}"
        info = error_info(error)
        if info is None:
            lost = error.code() is grpc.StatusCode.UNAVAILABLE
            return error.code().name, None if lost else f"an error without a reason: {said}"
        is_fine = info.reason in REASONS and error.code() in CODES and info.domain == "sluice"
        return info.reason, None if is_fine else f"{info.reason}: {said}"

    def _note(self, how, wrong):
        with self._lock:
            self.counts[how] += 1
            if wrong:
                self.wrong.append(wrong)
