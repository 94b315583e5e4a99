"""A client on Debian's libgrpc++ (tests/e2e/cpp): the same wire, another implementation of it."""

import subprocess

import pytest
from support.cpp import run
from support.pair import Pair
from support.tls import tls_yaml, use

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


@pytest.mark.parametrize("words", SCENARIOS, ids=lambda words: words[0])
def test_scenario(cpp_client, server, words):
    run(cpp_client, server.grpc, *words)


def test_by_tls(cpp_client, certs, models, tmp_path, _stubs):
    use(certs, tmp_path, "server")
    with Pair(models, tmp_path, tls_yaml(tmp_path)) as pair:
        for words in (("datatypes",), ("large", "16"), ("rich_error",)):
            run(cpp_client, pair.grpc, *words, SLUICE_CA=str(certs / "ca.pem"))


def test_a_failed_expectation_is_told(cpp_client, server):
    """The scenarios can fail: a gateway without the model is not taken for one with it."""
    words = ["large", "65"]  # over limits.message
    done = subprocess.run(
        [cpp_client, server.grpc, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "status 8" in done.stderr
    assert str(64 << 20) in done.stderr
