"""A client on Debian's libgrpc++ (tests/e2e/cpp): the same wire, another implementation of it."""

import os
import shutil
import subprocess

import pytest
from support.pair import Pair
from support.paths import ROOT, SLOW
from support.tls import tls_yaml, use

SOURCES = ROOT / "tests/e2e/cpp"
OUT = ROOT / "build/cpp_client"
SCENARIOS = [
    ("datatypes",),
    ("empty_tensors",),
    ("compressed",),
    ("six_calls",),
    ("deadline",),
    ("metadata",),
    ("rich_error",),
    ("many_at_once", "500"),
    ("cancelled",),
    ("parameters",),
    ("large", "48"),
]


def has_package():
    asked = subprocess.run(["pkg-config", "--exists", "grpc++"], check=False)
    return asked.returncode == 0 and shutil.which("grpc_cpp_plugin") and shutil.which("protoc")


@pytest.fixture(scope="session")
def client():
    """The program, built where it is not; a build of the same sources takes no time."""
    if not has_package():
        pytest.skip("libgrpc++-dev is not there: scripts/deps.sh check installs it")
    configure = ["cmake", "-S", SOURCES, "-B", OUT, "-G", "Ninja"]
    for command in (configure, ["cmake", "--build", OUT]):
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    return OUT / "cpp_client"


def run(client, address, *words, **environment):
    done = subprocess.run(
        [client, address, *words],
        capture_output=True,
        text=True,
        timeout=120 * SLOW,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ok {words[0]}\n"


@pytest.mark.parametrize("words", SCENARIOS, ids=lambda words: words[0])
def test_scenario(client, server, words):
    run(client, server.grpc, *words)


def test_by_tls(client, certs, models, tmp_path, _stubs):
    use(certs, tmp_path, "server")
    with Pair(models, tmp_path, tls_yaml(tmp_path)) as pair:
        for words in (("datatypes",), ("large", "16"), ("rich_error",)):
            run(client, pair.grpc, *words, SLUICE_CA=str(certs / "ca.pem"))


def test_a_failed_expectation_is_told(client, server):
    """The scenarios can fail: a gateway without the model is not taken for one with it."""
    words = ["large", "65"]  # over limits.message
    done = subprocess.run(
        [client, server.grpc, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "status 8" in done.stderr
    assert str(64 << 20) in done.stderr
