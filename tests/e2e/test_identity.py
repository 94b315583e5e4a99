"""Who calls: PROXY headers, proxies, networks, tokens; on real processes."""

import re
import signal
import socket
import stat
import struct

import pytest
from support.bare_h2 import frame, headers, send
from support.calls import identity_request, refusal
from support.pair import Pair
from support.paths import SLOW
from support.tls import context, tls_yaml, use
from support.wait import wait_until

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
UNAUTHENTICATED, DENIED = 16, 7
KNOWN = re.compile(r"caller known from=(\S+) account=(\S+) tier=(\S+)")
BASE = """
log: {level: debug}
proxy_protocol: [127.0.0.1/32]
trusted_proxies: [10.0.0.0/8]
networks: {198.51.100.0/24: pro, 127.0.0.0/8: enterprise}
"""


def proxied(source, *, command=0x21, more=b""):
    """The header of a TCP connection from source."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    address = socket.inet_pton(family, source)
    body = address + bytes(len(address)) + struct.pack(">HH", 4711, 8001) + more
    kind = 0x21 if family == socket.AF_INET6 else 0x11
    return SIGNATURE + struct.pack(">BBH", command, kind, len(body)) + body


LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


@pytest.fixture(scope="module")
def pair(few_models, tmp_path_factory, _stubs):
    """Whoever connects is a proxy; its state directory is new."""
    folder = tmp_path_factory.mktemp("identity")
    with Pair(few_models, folder, f"state: {folder}/state{BASE}") as pair:
        yield pair


def reload(pair, more=""):
    before = len(pair.gateway.log())
    pair.write_config(f"state: {pair.folder}/state{BASE}{more}")
    pair.gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "configuration read again" in pair.gateway.log()[before:], 10 * SLOW, "it")


def call(pair, *before, tls=None, **metadata):
    """The answer, and who it was of: (address, account, tier), or None."""
    seen = len(pair.gateway.log())
    message = frame(identity_request().SerializeToString())
    answer = send(pair.grpc, headers(**metadata), [message], before=before, tls=tls)
    known = KNOWN.findall(pair.gateway.log()[seen:])
    assert len(known) < 2
    return answer, known[0] if known else None


def token_of(pair):
    return (pair.folder / "state/admin.token").read_text().strip()


# ---- from where


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (proxied("203.0.113.7"), ("203.0.113.7", "ip:203.0.113.7", "anonymous")),
        (proxied("203.0.113.7", more=b"\xee" * 99), ("203.0.113.7", "ip:203.0.113.7", "anonymous")),
        (proxied("198.51.100.3"), ("198.51.100.3", "ip:198.51.100.3", "pro")),
        (proxied("::ffff:198.51.100.3"), ("198.51.100.3", "ip:198.51.100.3", "pro")),
        (proxied("2001:db8:1:2::3"), ("2001:db8:1:2::3", "ip:2001:db8:1:2::/64", "anonymous")),
        (LOCAL, ("127.0.0.1", "ip:127.0.0.1", "enterprise")),
        (proxied("9.9.9.9", command=0x20), ("127.0.0.1", "ip:127.0.0.1", "enterprise")),
    ],
    ids=["ipv4", "more after it", "a network", "mapped", "ipv6", "health check", "local"],
)
def test_a_proxy_says_for_whom(pair, header, known):
    for pieces in [[header], [header[:13], header[13:]], [header[i : i + 1] for i in range(28)]]:
        rest = header[sum(map(len, pieces)) :]
        answer, who = call(pair, *pieces, *([rest] if rest else []))
        assert (answer.code, who) == (0, known), answer.text


@pytest.mark.parametrize(
    "beginning",
    [b"", b"PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\n", proxied("1.2.3.4", command=0x22), SIGNATURE[:-1]],
    ids=["no header", "version 1", "no such command", "cut"],
)
def test_who_does_not_say_so_is_not_served(pair, beginning):
    name = 'sluice_proxy_headers_total{kind="refused"}'
    before = pair.metric(name)
    try:
        answer, who = call(pair, beginning) if beginning else call(pair)
        assert not answer.fields
        assert who is None
    except OSError:
        pass  # it was closed while we were still sending
    wait_until(lambda: pair.metric(name) == before + 1, 5 * SLOW, "a count")


def test_a_header_comes_before_tls(few_models, certs, tmp_path, _stubs):
    use(certs, tmp_path, "server")
    with Pair(few_models, tmp_path, tls_yaml(tmp_path) + BASE) as pair:
        answer, who = call(pair, proxied("203.0.113.7"), tls=context(certs))
        assert (answer.code, who[1]) == (0, "ip:203.0.113.7")
        # A token over TLS is looked at, wherever it comes from.
        answer, _ = call(
            pair, proxied("203.0.113.7"), tls=context(certs), authorization="Bearer sl_x"
        )
        assert (answer.code, answer.text) == (UNAUTHENTICATED, "the token is not valid")


def test_who_is_a_proxy_can_change(few_models, tmp_path, _stubs):
    with Pair(few_models, tmp_path, "log: {level: debug}\n") as pair:
        assert call(pair)[1][1] == "ip:127.0.0.1"
        pair.write_config("log: {level: debug}\nproxy_protocol: [127.0.0.0/8]\n")
        pair.gateway.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: call(pair, proxied("203.0.113.7"))[1] is not None, 10 * SLOW, "the new rule"
        )
        with pytest.raises((OSError, KeyError)):
            assert call(pair)[0].code


@pytest.mark.parametrize(
    ("peer", "lines", "account"),
    [
        ("203.0.113.7", "198.51.100.1", "ip:203.0.113.7"),  # not of a proxy
        ("10.0.0.1", "198.51.100.1", "ip:198.51.100.1"),
        ("10.0.0.1", ["9.9.9.9", "198.51.100.1, 10.0.0.2"], "ip:198.51.100.1"),
        ("10.0.0.1", "nobody", "ip:10.0.0.1"),
    ],
)
def test_forwarded_for_is_read_from_the_right(pair, peer, lines, account):
    answer, who = call(pair, proxied(peer), x_forwarded_for=lines)
    assert (answer.code, who[1]) == (0, account)


def test_what_proxies_say_has_a_limit(pair):
    for lines, code in [("a" * 1024, 0), ("a" * 1025, 3), (["9.9.9.9"] * 200, 3)]:
        answer, _ = call(pair, proxied("10.0.0.1"), x_forwarded_for=lines)
        assert answer.code == code
        assert code == 0 or "x-forwarded-for has more than 1024 bytes" in answer.text


@pytest.mark.parametrize("name", ["authorization", "x_ip_token"])
def test_who_says_two_things_says_nothing(pair, name):
    answer, who = call(pair, LOCAL, **{name: ["Bearer a", "Bearer b"]})
    assert (answer.code, who) == (3, None)
    assert "stands there twice" in answer.text


# ---- tokens


def test_the_administrators_token(pair):
    file = pair.folder / "state/admin.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    token = token_of(pair)
    answer, who = call(pair, LOCAL, authorization=f"Bearer {token}")
    assert (answer.code, who[1:]) == (0, ("user:admin", "enterprise"))
    other = token[:-1] + ("a" if token[-1] != "a" else "b")
    answer, who = call(pair, LOCAL, authorization=f"Bearer {other}")
    assert (answer.code, answer.text, who) == (UNAUTHENTICATED, "the token is not valid", None)
    assert answer.fields["sluice-reason"] == "UNAUTHENTICATED"


def test_tokens_and_plaintext(pair):
    bearer = f"Bearer {token_of(pair)}"
    answer, _ = call(pair, proxied("203.0.113.7"), authorization=bearer)
    assert answer.code == UNAUTHENTICATED
    assert "connect by TLS" in answer.text
    reload(pair, "auth: {allow_plaintext_tokens: true}\n")
    answer, who = call(pair, proxied("203.0.113.7"), authorization=bearer)
    assert (answer.code, who[1]) == (0, "user:admin")
    reload(pair)
    answer, _ = call(pair, proxied("203.0.113.7"), authorization=bearer)
    assert answer.code == UNAUTHENTICATED


def test_only_apps_bring_visitors(pair):
    bearer = f"Bearer {token_of(pair)}"
    for own in [{}, {"authorization": bearer}]:
        answer, _ = call(pair, LOCAL, x_ip_token="x", **own)
        assert answer.code == DENIED
        assert answer.fields["sluice-reason"] == "NOT_TRUSTED"


def test_without_anonymous_callers(pair):
    reload(pair, "anonymous: {allow: false, sign_in_url: 'https://in.test/'}\n")
    answer, who = call(pair, LOCAL)
    assert (answer.code, who) == (UNAUTHENTICATED, None)
    assert "sign in at https://in.test/" in answer.text
    answer, _ = call(pair, LOCAL, authorization=f"Bearer {token_of(pair)}")
    assert answer.code == 0
    reload(pair)
    assert call(pair, LOCAL)[0].code == 0


def test_a_taken_back_token_ends_on_open_connections(few_models, tmp_path, _stubs):
    state = tmp_path / "state"
    with Pair(few_models, tmp_path, f"state: {state}\n") as pair:
        stub = pair.plain_stub()
        old = (state / "admin.token").read_text().strip()
        metadata = [("authorization", f"Bearer {old}")]
        stub.ModelInfer(identity_request(), timeout=10, metadata=metadata)
        (state / "admin.token").unlink()
        pair.gateway.process.send_signal(signal.SIGHUP)
        pair.gateway.wait_for_log("configuration read again")
        outcome = refusal(stub.ModelInfer, identity_request(), timeout=10, metadata=metadata)
        assert outcome.trailers["sluice-reason"] == "UNAUTHENTICATED"
        new = (state / "admin.token").read_text().strip()
        assert new != old
        metadata = [("authorization", f"Bearer {new}")]
        stub.ModelInfer(identity_request(), timeout=10, metadata=metadata)


def test_nothing_secret_is_in_the_log(pair):
    token = token_of(pair)
    call(pair, LOCAL, authorization=f"Bearer {token}")
    call(pair, LOCAL, authorization=f"Bearer {token}x")
    call(pair, LOCAL, authorization=token)
    call(pair, LOCAL, authorization=f"Bearer {token}", x_ip_token="secret-of-a-visitor")
    log = pair.gateway.log()
    assert token[9:] not in log
    assert "secret-of-a-visitor" not in log
    assert "caller refused" in log
