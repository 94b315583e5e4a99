"""One run of h2load, and what it says: rate, times of single requests, bytes, failures."""

import os
import re
import subprocess
from dataclasses import dataclass

from . import cpu
from .errors import BenchError

TLS_CIPHER = "TLS_AES_128_GCM_SHA256"
TLS_FLAGS = (f"--tls13-ciphers={TLS_CIPHER}",)
FLAGS = ("-t1", "-w30", "-W30", "-H", "content-type: application/grpc", "-H", "te: trailers")


@dataclass(frozen=True)
class Load:
    requests: int  # asked for, and answered with 2xx
    seconds: float
    rate: float  # requests per second
    p50_us: int
    p99_us: int
    mean_us: float
    reply_bytes: int  # DATA of one reply, the same for all
    client_cpu_s: float
    machine_cpu_s: float  # used by anybody while h2load ran


def command(row, url, body, requests, log):
    """The command line; requests is a whole number for each connection."""
    return [
        "h2load",
        f"-n{requests}",
        f"-c{row.connections}",
        f"-m{row.streams}",
        *FLAGS,
        *(TLS_FLAGS if row.tls else ()),
        f"--log-file={log}",
        f"-d{body}",
        url,
    ]


def run(row, url, body, requests, log, limit_s):
    """Sends the requests and reads the report; BenchError when one of them was not answered 2xx."""
    words = command(row, url, body, requests, log)
    log.unlink(missing_ok=True)
    machine_cpu_s = cpu.machine_cpu_s()
    text, client_cpu_s = _output_and_cpu(words, limit_s)
    machine_cpu_s = cpu.machine_cpu_s() - machine_cpu_s
    if row.tls:
        _expect_tls(text)
    seconds, rate = _finished(text)
    _expect_all_good(text, requests)
    times_us = _times_us(log)
    if len(times_us) != requests:
        raise BenchError(f"h2load's log has {len(times_us)} of {requests} requests")
    return Load(
        requests=requests,
        seconds=seconds,
        rate=rate,
        p50_us=percentile(times_us, 50),
        p99_us=percentile(times_us, 99),
        mean_us=sum(times_us) / len(times_us),
        reply_bytes=_reply_bytes(text, requests),
        client_cpu_s=client_cpu_s,
        machine_cpu_s=machine_cpu_s,
    )


def percentile(ordered, percent):
    """The smallest value that at least so many percent of an ordered list do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _output_and_cpu(words, limit_s):
    before = os.times()
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"h2load did not end within {limit_s:.0f} s") from None
    after = os.times()
    if done.returncode != 0:
        raise BenchError(f"h2load ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    cpu_s = after.children_user + after.children_system
    return done.stdout, cpu_s - before.children_user - before.children_system


def _search(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise BenchError(f"h2load's report has no '{pattern}': {text[-300:]}")
    return found


def _finished(text):
    """ "finished in 802.11ms, 124.67 req/s, ..." as seconds and rate."""
    found = _search(r"finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req/s", text)
    unit_s = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[found[2]]
    return float(found[1]) * unit_s, float(found[3])


def _expect_all_good(text, requests):
    good = int(_search(r"status codes: (\d+) 2xx", text)[1])
    succeeded = int(_search(r"(\d+) succeeded", text)[1])
    if good != requests or succeeded != requests:
        said = _search(r"requests: .*\nstatus codes: .*", text)[0].replace("\n", "; ")
        raise BenchError(f"{requests} requests were sent, but h2load says {said}")


def _expect_tls(text):
    """All servers with the same version and cipher, or the row compares nothing."""
    version, cipher = _search(r"TLS Protocol: (\S+)\nCipher: (\S+)", text).groups()
    if (version, cipher) != ("TLSv1.3", TLS_CIPHER):
        raise BenchError(f"the server chose {version} with {cipher}, not TLSv1.3 with {TLS_CIPHER}")


def _reply_bytes(text, requests):
    data = int(_search(r"\((\d+)\) data", text)[1])
    if data % requests != 0:
        raise BenchError(f"{data} bytes came in {requests} replies: they are not of one length")
    return data // requests


def _times_us(log):
    """Third column of the log: microseconds from request to end of response, in order of size."""
    with log.open() as lines:
        return sorted(int(line.split("\t", 3)[2]) for line in lines)
