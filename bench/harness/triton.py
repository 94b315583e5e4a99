"""Triton Inference Server from PyPI's nvidia-pytriton, with bench/compare/triton_identity.c as its
model: the wheel brings the server, and no back end that answers without Python."""

import json
import shutil
import urllib.error
import urllib.request

from .errors import BenchError
from .process import Process, free_port, wait_until
from .server import Server

MODEL = """\
name: "identity"
backend: "identity"
max_batch_size: 0
input [ {{ name: "INPUT0" data_type: TYPE_UINT8 dims: [ -1 ] }} ]
output [ {{ name: "OUTPUT0" data_type: TYPE_UINT8 dims: [ -1 ] }} ]
instance_group [ {{ kind: KIND_CPU count: {instances} }} ]
"""

INSTANCES = 2


class Triton(Server):
    """tritonserver without Python; it counts by its statistics."""

    def __init__(self, name, program, backend, folder, tls=None):
        super().__init__(name, folder, tls)
        self.port, self._http = free_port(), f"127.0.0.1:{free_port()}"
        words = [program, *repository_options(folder, backend), "--log-info", "false"]
        words += ["--allow-metrics", "false", "--http-thread-count", 1, "--exit-timeout-secs", 2]
        words += ["--grpc-address", "127.0.0.1", "--grpc-port", self.port]
        words += ["--http-address", "127.0.0.1", "--http-port", self._http.split(":")[1]]
        words += tls_options(tls) if tls else []
        self._process = Process(self.label, words, folder)

    def start(self):
        self._process.start()
        wait_until(self._is_ready, self._process, "readiness")

    def stop(self):
        self._process.stop()

    def answered(self):
        self._process.expect_alive()
        stats = json.loads(self._get("/v2/models/identity/stats"))["model_stats"][0]
        failed = stats["inference_stats"]["fail"]["count"]
        if failed:
            raise BenchError(f"{failed} calls to {self.name} failed")
        return stats["inference_stats"]["success"]["count"]

    def processes(self):
        return {"triton": [self._process.pid]}

    def _is_ready(self):
        try:
            self._get("/v2/health/ready")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def _get(self, path):
        with urllib.request.urlopen(f"http://{self._http}{path}", timeout=10) as reply:
            return reply.read()


def repository_options(folder, backend):
    """Triton looks for backends/NAME/libtriton_NAME.so."""
    model, backends = folder / "triton" / "identity", folder / "triton-backends"
    (model / "1").mkdir(parents=True, exist_ok=True)
    (model / "config.pbtxt").write_text(MODEL.format(instances=INSTANCES))
    (backends / "identity").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(backend, backends / "identity" / "libtriton_identity.so")
    return ["--model-repository", model.parent, "--backend-directory", backends]


def tls_options(tls):
    words = ["--grpc-use-ssl", "true", "--grpc-server-cert", tls.certificate]
    return [*words, "--grpc-server-key", tls.key]
