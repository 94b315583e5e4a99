"""Checks by a real gRPC client, before anything is measured, that all servers answer alike."""

import json
import subprocess

from . import build
from .errors import BenchError
from .paths import PROTOS, ROOT

LIMIT_S = 300


def verify(servers, sizes, folder):
    """Leaves request-N and reply-N for h2load and nghttpd in folder."""
    job = {
        "proto": str(PROTOS),
        "out": str(folder),
        "sizes": sizes,
        "servers": {s.label: address_of(s) for s in servers if s.is_real},
    }
    (folder / "peer.json").write_text(json.dumps(job))
    python = build.environment("bench") / "bin" / "python"
    words = [python, ROOT / "bench" / "peer.py", folder / "peer.json"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"the check of the answers did not end within {LIMIT_S} s") from None
    if done.returncode != 0:
        raise BenchError(f"the answers are not alike: {done.stderr.strip()[-600:]}")


def address_of(server):
    return {
        "address": f"127.0.0.1:{server.port}",
        "authority": str(server.tls.authority) if server.tls else None,
    }
