"""Light load: threads that call one after the other and keep every outcome."""

import threading
import time

import grpc


class Load:
    """Threads, each with its own connection, within a `with` block.

    outcomes: (ended_at, code, text), where code is None for an answer.
    """

    def __init__(self, server, make_request, callers=4, timeout_s=20):
        self.outcomes = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._make, self._timeout = make_request, timeout_s
        self._threads = [
            threading.Thread(target=self._call, args=(server.stub(),), daemon=True)
            for _ in range(callers)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _call(self, stub):
        while not self._stopping.is_set():
            code, text = None, ""
            try:
                stub.ModelInfer(self._make(), timeout=self._timeout)
            except grpc.RpcError as error:
                trailers = dict(error.trailing_metadata() or ())
                code, text = error.code(), f"{trailers.get('sluice-reason', '')}: {error.details()}"
                time.sleep(0.01)
            with self._lock:
                self.outcomes.append((time.monotonic(), code, text))

    def stop(self):
        """Ends the load; each call must have ended by then."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(self._timeout + 10)
            assert not thread.is_alive(), "a call never ended"
        return self.outcomes

    def answers_after(self, instant):
        with self._lock:
            return [at for at, code, _ in self.outcomes if code is None and at > instant]

    def failures(self):
        with self._lock:
            return [(code, text) for _, code, text in self.outcomes if code is not None]
