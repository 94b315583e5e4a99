"""The sluice command (and so libsluice) over TLS: trust, names, client certificates, refusals."""

import json
import os
import socket
import ssl
import subprocess
import threading

import pytest
from support.models import write_identity_of
from support.pair import Pair
from support.paths import BIN
from support.tls import tls_yaml, use


def sluice(pair_or_address, *args, **env):
    address = getattr(pair_or_address, "grpc", pair_or_address)
    return subprocess.run(
        [BIN / "sluice", *args, "--address", address],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **env},
    )


def expect_refusal(done, *words, code=3):
    assert done.returncode == code, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr
    assert done.stdout == ""


CALL = ["infer", "echo_fp32", "--input", "IN=1.5", "--json"]


@pytest.mark.smoke
def test_a_call(secure, certs):
    done = sluice(secure, *CALL, "--tls", "--ca", certs / "ca.pem")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"][0]["data"] == [1.5]


def test_the_environment_says_the_same(secure, certs):
    done = sluice(secure, *CALL, SLUICE_TLS="1", SLUICE_CA=str(certs / "ca.pem"))
    assert done.returncode == 0, done.stderr
    off = sluice(secure, "models", SLUICE_TLS="0", SLUICE_CA=str(certs / "ca.pem"))
    assert off.returncode == 3


def test_large_tensors(secure, certs, tmp_path):
    values = bytes(range(256)) * (64 << 10)  # 16 MiB
    (tmp_path / "in").write_bytes(values)
    done = sluice(
        secure, "infer", "echo_fp32", "--input", f"IN=@{tmp_path}/in", "--json", "--ca",
        certs / "ca.pem", "--timeout", "30s",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    assert json.loads(done.stdout)["outputs"][0]["shape"] == [len(values) // 4]


def test_a_name_in_place_of_the_address(certs, models, tmp_path, _stubs):
    use(certs, tmp_path, "elsewhere")
    with Pair(models, tmp_path, tls_yaml(tmp_path)) as pair:
        ca = ["--ca", certs / "ca.pem"]
        expect_refusal(sluice(pair, "models", *ca), "TLS_FAILED", "IP address mismatch")
        wrong = sluice(pair, "models", *ca, "--server-name", "nowhere.example")
        expect_refusal(wrong, "hostname mismatch", "nowhere.example")
        right = sluice(pair, "models", *ca, "--server-name", "elsewhere.example")
        assert right.returncode == 0, right.stderr


def test_who_is_not_trusted(secure, certs):
    unknown = sluice(secure, "models", "--tls")
    expect_refusal(unknown, "TLS_FAILED", "unable to get local issuer certificate")
    other = sluice(secure, "models", "--ca", certs / "other-ca.pem")
    expect_refusal(other, "TLS_FAILED", "unable to get local issuer certificate")


def test_plaintext_at_either_end(secure, server, certs):
    expect_refusal(sluice(secure, "models"), "BAD_REPLY")
    plain = sluice(server, "models", "--ca", certs / "ca.pem")
    expect_refusal(plain, "TLS_FAILED", "the server does not speak TLS")


def test_client_certificates(mutual, certs):
    ca = ["--ca", certs / "ca.pem"]
    shown = ["--certificate", certs / "client.pem", "--key", certs / "client.key"]
    assert sluice(mutual, "models", *ca, *shown).returncode == 0
    expect_refusal(sluice(mutual, "models", *ca), "TLS_FAILED", "certificate required")
    other = ["--certificate", certs / "stranger.pem", "--key", certs / "stranger.key"]
    expect_refusal(sluice(mutual, "models", *ca, *other), "TLS_FAILED", "unknown ca")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ca", "none.pem"], ["ca_file none.pem", "No such file"]),
        (["--certificate", "client.pem"], ["both or none"]),
        (["--key", "client.key"], ["both or none"]),
        (["--certificate", "client.pem", "--key", "server.key"], ["key_file", "mismatch"]),
        (["--certificate", "server.pem", "--key", "encrypted.key"], ["key_file"]),
        (
            ["--certificate", "client.key", "--key", "client.key"],
            ["certificate_file", "start line"],
        ),
    ],
)
def test_files_that_are_of_no_use(certs, options, words):
    absolute = [word if word.startswith("--") else str(certs / word) for word in options]
    words = [word.replace("none.pem", str(certs / "none.pem")) for word in words]
    expect_refusal(sluice("127.0.0.1:1", "models", *absolute), *words, code=2)


def test_sluice_up_says_that_it_serves_no_tls(tmp_path):
    (tmp_path / "up.yaml").write_text("gateway: {tls: {certificate: a.pem, key: a.key}}\n")
    argv = [BIN / "sluice", "up", "--state", tmp_path / "s", "--config", tmp_path / "up.yaml"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    expect_refusal(done, "tls.certificate", code=2)


def serve_once(made):
    """A TLS server of Python's for one connection; returns its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener:
            plain, _ = listener.accept()
            try:
                with made.wrap_socket(plain, server_side=True) as tls:
                    tls.recv(100)
            except (ssl.SSLError, OSError):
                pass

    threading.Thread(target=serve, daemon=True).start()
    return "127.0.0.1:%d" % listener.getsockname()[1]


def test_a_server_that_knows_no_http2(certs):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certs / "server.pem", certs / "server.key")
    done = sluice(serve_once(made), "models", "--ca", certs / "ca.pem")
    expect_refusal(done, "TLS_FAILED", "does not choose h2")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_not_spoken(certs):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version = ssl.TLSVersion.TLSv1
    made.maximum_version = ssl.TLSVersion.TLSv1_1
    made.load_cert_chain(certs / "server.pem", certs / "server.key")
    done = sluice(serve_once(made), "models", "--ca", certs / "ca.pem")
    expect_refusal(done, "TLS_FAILED")


def test_a_server_that_says_nothing(certs):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "127.0.0.1:%d" % listener.getsockname()[1]
        done = sluice(address, "models", "--ca", certs / "ca.pem", "--timeout", "1s")
    expect_refusal(done, "DEADLINE_EXCEEDED", code=1)


def test_a_self_signed_certificate_is_trusted_by_name(tmp_path, _stubs):
    write_identity_of(tmp_path / "models", "FP32")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-noenc", "-subj", "/CN=me", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
         tmp_path / "live.key", "-out", tmp_path / "live.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    with Pair(tmp_path / "models", tmp_path, tls_yaml(tmp_path)) as pair:
        assert sluice(pair, *CALL, "--ca", tmp_path / "live.pem").returncode == 0
