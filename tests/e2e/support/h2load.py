"""h2load: more calls than Python could make; what it cannot see is asked of the metrics."""

import re
import resource
import subprocess

from .calls import identity_request
from .paths import SLOW

CALL = "/inference.GRPCInferenceService/ModelInfer"


def framed(message):
    """A gRPC message as it lies in DATA frames."""
    raw = message.SerializeToString()
    return b"\0" + len(raw).to_bytes(4, "big") + raw


def raise_descriptors(count):
    """Lets this process and its children open so many files; False when the machine does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return hard >= count


def h2load(cluster, calls, connections, streams, limit_s=600):
    """Sends the calls; all must be answered with 200, and the gateway must count them as OK."""
    body = cluster.folder / "body.yaml"  # the name keeps it out of the census
    body.write_bytes(framed(identity_request(rows=12)))
    argv = ["h2load", f"-n{calls}", f"-c{connections}", f"-m{streams}", "-t1", f"-d{body}"]
    argv += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    before = cluster.metrics()
    done = subprocess.run(
        [*argv, f"http://{cluster.grpc}{CALL}"],
        capture_output=True,
        text=True,
        timeout=limit_s * SLOW,
    )
    said = done.stdout[-600:] + done.stderr[-300:]
    assert done.returncode == 0, said
    assert f"{calls} succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, said
    good = 'sluice_calls_total{reason="OK"}'
    after = cluster.metrics()
    failed = {
        name: value - before[name]
        for name, value in after.items()
        if name.startswith("sluice_calls_total") and value != before[name] and name != good
    }
    assert failed == {}
    assert after[good] - before[good] == calls
    return float(re.search(r"finished in .*?, ([\d.]+) req/s", done.stdout)[1])
