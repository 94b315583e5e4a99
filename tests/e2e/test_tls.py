"""TLS on the gRPC port: grpcio with and without certificates, refusals, changes under load."""

import signal
import socket
import ssl
import subprocess
import threading
import time

import grpc
import numpy as np
import pytest
from support.calls import identity_request, refusal, request
from support.load import Load
from support.pair import Pair
from support.paths import BIN, SLOW, scaled
from support.stubs import pb
from support.tls import context, credentials, der, tls_yaml, use
from support.wait import wait_until


def dial(pair, made):
    host, port = pair.grpc.rsplit(":", 1)
    plain = socket.create_connection((host, int(port)), timeout=10)
    return made.wrap_socket(plain, server_hostname="localhost")


def expect_counted(pair, kind):
    name = f'sluice_tls_errors_total{{kind="{kind}"}}'
    wait_until(lambda: pair.metric(name) >= 1, 5, f"a count of {name}")


@pytest.mark.smoke
def test_calls_over_tls(secure, certs):
    stub = secure.stub(secure.secure_channel(credentials(certs)))
    assert stub.ServerReady(pb().ServerReadyRequest(), timeout=10).ready
    assert stub.ModelInfer(identity_request(rows=2), timeout=10).outputs[0].shape == [2, 4]
    wait_until(
        lambda: secure.metric('sluice_tls_handshakes_total{session="new"}') == 1, 5, "one handshake"
    )
    assert secure.metric("sluice_tls_certificate_expires_timestamp_seconds") > time.time()


def test_large_tensors_both_ways(secure, certs):
    stub = secure.stub(secure.secure_channel(credentials(certs)))
    values = np.random.default_rng(1).random(4 << 20, dtype=np.float32)
    message = request("echo_fp32", [("IN", "FP32", [values.size], values.tobytes())])
    calls = [stub.ModelInfer.future(message, timeout=60) for _ in range(3)]
    for call in calls:
        assert call.result().raw_output_contents[0] == values.tobytes()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_offer_h2_and_say_goodbye(secure, certs, version):
    with dial(secure, context(certs, version=version)) as tls:
        assert tls.selected_alpn_protocol() == "h2"
        settings = tls.recv(65536)
        assert settings[3] == 4  # SETTINGS come first
        tls.unwrap()  # raises unless the other end says its last word too


@pytest.mark.parametrize("alpn", [(), ("http/1.1",)])
def test_without_h2_the_handshake_fails(secure, certs, alpn):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        dial(secure, context(certs, alpn=alpn))
    expect_counted(secure, "alpn")


def test_plain_http2_is_refused_and_counted(secure):
    channel = grpc.insecure_channel(secure.grpc)
    stub = secure.stub(channel)
    failed = refusal(stub.ServerLive, pb().ServerLiveRequest(), timeout=5)
    assert failed.code == grpc.StatusCode.UNAVAILABLE
    channel.close()
    expect_counted(secure, "not_tls")


def test_an_authority_that_the_client_does_not_know(secure, certs):
    other = grpc.ssl_channel_credentials((certs / "other-ca.pem").read_bytes())
    stub = secure.stub(secure.secure_channel(other))
    failed = refusal(stub.ServerLive, pb().ServerLiveRequest(), timeout=5)
    assert failed.code == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(ssl.SSLCertVerificationError):
        dial(secure, context(certs, authority="other-ca"))
    expect_counted(secure, "alert_from_peer")


def test_mutual_tls(mutual, certs):
    stub = mutual.stub(mutual.secure_channel(credentials(certs, client="client")))
    assert stub.ModelInfer(identity_request(), timeout=10).outputs


@pytest.mark.parametrize("client", [None, "stranger"])
def test_mutual_tls_refuses(mutual, certs, client):
    stub = mutual.stub(mutual.secure_channel(credentials(certs, client=client)))
    failed = refusal(stub.ServerLive, pb().ServerLiveRequest(), timeout=5)
    assert failed.code == grpc.StatusCode.UNAVAILABLE
    expect_counted(mutual, "client_certificate")


def served(pair, certs):
    """The certificate that a new connection is shown."""
    with dial(pair, context(certs)) as tls:
        return tls.getpeercert(binary_form=True)


class Secured:
    """What Load wants of a server."""

    def __init__(self, pair, made):
        self._pair, self._made = pair, made

    def stub(self):
        return self._pair.stub(self._pair.secure_channel(self._made))


class Newcomers(threading.Thread):
    """Opens one connection after the other, with one call on each."""

    def __init__(self, pair, made):
        super().__init__(daemon=True)
        self._pair, self._made = pair, made
        self.ended = threading.Event()
        self.answers, self.failures = 0, []
        self.start()

    def run(self):
        while not self.ended.is_set():
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.secure_channel(self._pair.grpc, self._made, options=options) as channel:
                try:
                    self._pair.stub(channel).ModelInfer(identity_request(), timeout=20)
                    self.answers += 1
                except grpc.RpcError as error:
                    self.failures.append(error)

    def stop(self):
        self.ended.set()
        self.join(30)
        assert not self.is_alive()


def spoil(pair, folder):
    """A renewal that went wrong: half a file."""
    said = pair.gateway.log().count("the one before stays in use")
    whole = (folder / "live.pem").read_bytes()
    (folder / "live.pem").write_bytes(whole[: len(whole) // 2])
    pair.gateway.signal(signal.SIGHUP)
    wait_until(
        lambda: pair.gateway.log().count("the one before stays in use") > said, 5, "a complaint"
    )


@pytest.mark.parametrize("net_threads", [0, 2])
def test_certificate_change_under_load_fails_no_call(certs, models, tmp_path, _stubs, net_threads):
    use(certs, tmp_path, "server")
    made = credentials(certs)
    changes = scaled(200, at_least=10)
    yaml = tls_yaml(tmp_path) + f"net_threads: {net_threads}\n"
    with Pair(models, tmp_path, yaml) as pair:
        newcomers = Newcomers(pair, made)
        with Load(Secured(pair, made), identity_request, callers=3) as load:
            for i in range(changes):
                name = "server2" if i % 2 == 0 else "server"
                use(certs, tmp_path, name)
                pair.gateway.signal(signal.SIGHUP)
                wanted = der(certs / f"{name}.pem")
                wait_until(lambda w=wanted: served(pair, certs) == w, 5, f"certificate {name}")
                if i % 5 == 4:
                    spoil(pair, tmp_path)
                    assert served(pair, certs) == wanted
            wait_until(lambda: len(load.outcomes) >= changes, 10 * SLOW, "calls during the changes")
        wait_until(lambda: newcomers.answers >= changes / 2, 10 * SLOW, "calls by newcomers")
        newcomers.stop()
    assert load.failures() == []
    assert newcomers.failures == []


def test_a_broken_certificate_keeps_the_old_one(secure, certs, tmp_path):
    (tmp_path / "live.pem").write_text("no certificate\n")
    secure.gateway.signal(signal.SIGHUP)
    secure.gateway.wait_for_log("the one before stays in use")
    assert "live.pem" in secure.gateway.log()
    assert served(secure, certs) == der(certs / "server.pem")
    use(certs, tmp_path, "server2")
    secure.gateway.signal(signal.SIGHUP)
    wait_until(lambda: served(secure, certs) == der(certs / "server2.pem"), 5, "the new one")
    log = secure.gateway.log()
    assert "PRIVATE KEY" not in log


def test_client_certificates_are_asked_for_after_a_reload(secure, certs, tmp_path):
    old = secure.stub(secure.secure_channel(credentials(certs)))
    assert old.ServerLive(pb().ServerLiveRequest(), timeout=10).live
    more = {"client_ca": certs / "ca.pem", "client_auth": "required"}
    secure.write_config(tls_yaml(tmp_path, **more))
    secure.gateway.signal(signal.SIGHUP)
    secure.gateway.wait_for_log("key=tls.client_auth")

    def refused():
        with grpc.secure_channel(secure.grpc, credentials(certs)) as channel:
            try:
                secure.stub(channel).ServerLive(pb().ServerLiveRequest(), timeout=5)
            except grpc.RpcError:
                return True
            return False

    wait_until(refused, 10, "a refusal of new connections")
    assert old.ServerLive(pb().ServerLiveRequest(), timeout=10).live
    known = secure.stub(secure.secure_channel(credentials(certs, client="client")))
    assert known.ServerLive(pb().ServerLiveRequest(), timeout=10).live


def test_a_handshake_that_stands_still_is_ended(certs, models, tmp_path, _stubs):
    use(certs, tmp_path, "server")
    with Pair(models, tmp_path, tls_yaml(tmp_path) + "limits: {handshake: 1s}\n") as pair:
        host, port = pair.grpc.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as plain:
            plain.sendall(b"\x16\x03\x01\x02")
            assert plain.recv(100) == b""
        assert pair.metric('sluice_connection_timeouts_total{kind="handshake"}') == 1
        expect_counted(pair, "unfinished")


@pytest.mark.parametrize(
    ("yaml", "sentence"),
    [
        ("tls: {certificate: a.pem}", "give both or none"),
        ("tls: {key: a.key}", "give both or none"),
        ("tls: {certificate: none.pem, key: none.key}", "No such file or directory"),
        ("tls: {client_auth: required}", "needs tls.client_ca"),
        ("tls: {client_ca: a.pem}", "say optional or required"),
    ],
)
def test_check_config_finds_it(tmp_path, yaml, sentence):
    (tmp_path / "bad.yaml").write_text(yaml + "\n")
    argv = [BIN / "sluice-gateway", "--config", tmp_path / "bad.yaml", "--check-config"]
    checked = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    assert checked.returncode == 2
    assert sentence in checked.stderr
