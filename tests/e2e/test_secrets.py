"""Tokens, cookies and what they say about people stay between caller and gateway: sent in every
form, then looked for in logs, replies, metrics, command lines and the store.
"""

import base64
import hashlib
import hmac
import http.cookies
import json
import os
import secrets
import stat
import subprocess
import time
import urllib.request

import grpc
import jwt
import pytest
from support.calls import scripted_request
from support.cluster import Cluster
from support.issuer import Key
from support.paths import BIN
from support.stubs import Stub, pb
from support.wait import wait_until

ISSUER = "https://login.example.org"
ORGANISATION = "Visible-4711 Ltd."
# What a claim says beside the names of account and organisation, or in a token that is refused; no
# part of it may be seen.
CLAIMS = {
    "email": "private-mail-4711@example.org",
    "name": "Private Name 4711",
    "nonce": "private-nonce-4711",
    "jti": "private-jti-4711",
    "org": "private-organisation-4711",
}
CONFIG = """
log: {level: debug}
trusted_proxies: [127.0.0.0/8]
issuers:
  corp:
    issuer: %s
    audience: [sluice]
    jwks_file: %s
    algorithms: [RS256, ES256, EdDSA, HS256]
    claims: {organisation: org}
"""


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    def __init__(self, folder):
        self.keys = {name: Key(name, name) for name in ["RS256", "ES256", "EdDSA"]}
        self.secret = secrets.token_bytes(48)
        shared = {"kty": "oct", "kid": "HS256", "k": b64(self.secret), "alg": "HS256"}
        self.file = folder / "keys.json"
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps({"keys": [*(k.jwk() for k in self.keys.values()), shared]}))

    def token(self, algorithm, kid=None, **claims):
        payload = {
            "iss": ISSUER,
            "aud": "sluice",
            "sub": "alice",
            "exp": int(time.time()) + 60,
        }
        payload.update(CLAIMS, **claims)
        key = self.secret if algorithm == "HS256" else self.keys[algorithm].private
        return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": kid or algorithm})

    def all_tokens(self):
        """(is it good, token)"""
        now = int(time.time())
        yield from ((True, self.token(name, org=ORGANISATION)) for name in [*self.keys, "HS256"])
        yield False, self.token("ES256", exp=now - 3600)
        yield False, self.token("ES256", nbf=now + 3600)
        yield False, self.token("ES256", aud="another")
        yield False, self.token("ES256", org=CLAIMS["org"] + "\n")
        yield False, self.token("ES256", iss="https://evil.example.org")
        yield False, self.token("ES256", kid="nobody's")
        yield False, self.token("ES256", padding="x" * 10_000)
        good = self.token("RS256")
        yield False, good[:-6] + "AAAAAA"
        yield False, good[: len(good) // 2]
        yield False, jwt.encode({"sub": "alice", **CLAIMS}, None, algorithm="none")
        stranger = Key("ES256", "ES256")
        yield False, stranger.token(ISSUER, **CLAIMS)


class Cookies:
    """As the gateway makes them for browsers, with a key that it has."""

    def __init__(self, state):
        self.key = secrets.token_bytes(32)
        state.mkdir(mode=0o700)
        file = state / "cookie.keys"
        file.touch(mode=0o600)
        file.write_text(f"1 {int(time.time())} {self.key.hex()}\n")

    def make(self, *, good=True):
        """(its ID, which is the account's name; the cookie)"""
        number = secrets.token_hex(16)
        signed = f"{number}.{int(time.time())}.1"
        mac = hmac.new(self.key, signed.encode(), hashlib.sha256).hexdigest()
        return number, f"{signed}.{mac if good else secrets.token_hex(32)}"


@pytest.fixture
def cluster(few_models, tmp_path, _stubs):
    issuer, cookies = Issuer(tmp_path), Cookies(tmp_path / "gateway.state")
    gateway = CONFIG % (ISSUER, issuer.file)
    gateway += f"store: {{path: '{tmp_path}/sluice.db'}}\n"
    executor = f"state: {tmp_path}/NODE.state\nlog: {{level: debug}}\n"
    with Cluster(few_models, tmp_path, slices=1, gateway=gateway, executor=executor) as cluster:
        cluster.issuer, cluster.cookies = issuer, cookies
        yield cluster


class Seen:
    """All that came back to callers, and the pieces that must not be anywhere."""

    def __init__(self, stub):
        self.stub, self.texts, self.pieces = stub, [], set()

    def call(self, *metadata):
        """(was it answered, who was charged)"""
        for _, value in metadata:
            self.add(value)
        try:
            _, call = self.stub.ModelInfer.with_call(
                scripted_request(), timeout=30, metadata=list(metadata)
            )
            code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            call, code = error, error.code()
            self.texts.append(error.details() or "")
        trailers = dict(call.trailing_metadata() or ())
        self.texts += [v if isinstance(v, str) else v.decode("latin-1") for v in trailers.values()]
        return code, trailers.get("sluice-visitor", "")

    def add(self, secret):
        """Its parts, without the first characters, by which they may be named, and the last."""
        secret = secret.removeprefix("Bearer ").removeprefix("Basic ")
        for part in [secret, *secret.replace("=", ".").split(".")]:
            if len(part) >= 24:
                self.pieces.add(part[12:-2])

    def assert_absent(self, where, text):
        for piece in self.pieces:
            assert piece not in text, f"{where} has {piece[:6]}..."


def bearer(token):
    return ("authorization", f"Bearer {token}")


def send_all(cluster, seen):
    """Each kind of secret, good and bad, each where it may stand."""
    admin = (cluster.folder / "gateway.state/admin.token").read_text().strip()
    ok, refused = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED
    assert seen.call(bearer(admin)) == (ok, "user:admin; tier=enterprise")
    assert seen.call(bearer(admin[:-1] + ("a" if admin[-1] != "a" else "b")))[0] is refused
    assert seen.call(bearer("sl_" + secrets.token_hex(40)))[0] is refused
    assert seen.call(("authorization", admin))[0] is refused
    basic = base64.b64encode(b"alice:private-password-4711").decode()
    assert seen.call(("authorization", f"Basic {basic}"))[0] is refused
    for is_good, token in cluster.issuer.all_tokens():
        code, visitor = seen.call(bearer(token))
        assert (code is ok) == is_good, code
        assert not is_good or visitor.startswith("user:corp#alice")
        assert seen.call(bearer(admin), ("x-ip-token", token))[0] in (
            refused,
            grpc.StatusCode.PERMISSION_DENIED,
        )
    assert seen.call(bearer("." * 300 + secrets.token_hex(40)))[0] is refused
    assert seen.call(bearer(secrets.token_hex(6000)))[0] is not ok


class Office:
    """What the gateway gives out itself: tokens of people and apps, and of apps' visitors."""

    def __init__(self, cluster, seen):
        token = (cluster.folder / "gateway.state/admin.token").read_text().strip()
        self.seen, self.admin = seen, Stub(cluster.channel(), "sluice.v1.Admin", token)
        self.cluster, self.pb = cluster, pb("sluice.v1")

    def token(self, **kwargs):
        made = self.admin.CreateToken(self.pb.CreateTokenRequest(**kwargs), timeout=10)
        self.seen.add(made.secret)
        return made

    def app(self):
        """The token of a registered app, and one that it has for a visitor."""
        self.admin.RegisterApp(
            self.pb.RegisterAppRequest(name="demo", owner="user:bob", owner_tier="team"),
            timeout=10,
        )
        own = self.token(app="demo", tier="team").secret
        desk = Stub(self.cluster.channel(), "sluice.v1.Visitor", own)
        visitor = self.pb.IssueVisitorTokenRequest(visitor="visitor-7")
        issued = desk.IssueVisitorToken(visitor, timeout=10).token
        self.seen.add(issued)
        return own, issued

    def ask_all(self):
        """Whatever else the services tell."""
        asks = [
            "ListTokens",
            "ListApps",
            "ListAccounts",
            "ListTiers",
            "ListNodes",
            "ListModels",
        ]
        for name in asks:
            message = getattr(self.pb, f"{name}Request")()
            self.seen.texts.append(str(getattr(self.admin, name)(message, timeout=10)))


def send_what_is_given_out(cluster, seen):
    ok, refused = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED
    office = Office(cluster, seen)
    alice = office.token(user="alice", tier="pro")
    assert seen.call(bearer(alice.secret)) == (ok, "user:alice; tier=pro")
    brief = office.token(user="brief", tier="free", lifetime_s=1).secret
    app, visitor = office.app()
    answer = seen.call(bearer(app), ("x-ip-token", visitor))
    assert answer == (ok, "app:demo/visitor-7; tier=anonymous")
    assert seen.call(bearer(app), ("x-ip-token", visitor[:-8] + "AAAAAAAA"))[0] is refused
    assert seen.call(bearer(app), ("x-ip-token", app))[0] is refused
    assert seen.call(bearer(alice.secret), ("x-ip-token", visitor))[0] is not ok
    revoke = office.pb.RevokeTokenRequest(prefix=alice.token.prefix)
    office.admin.RevokeToken(revoke, timeout=10)
    assert seen.call(bearer(alice.secret))[0] is refused
    wait_until(lambda: seen.call(bearer(brief))[0] is refused, 10, "the token's end")
    office.ask_all()


def visit(cluster, seen, **headers):
    """The cookie that the gateway hands out; None: it keeps what was brought."""
    request = urllib.request.Request(f"http://{cluster.http}/visitor", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as reply:
        seen.texts.append(reply.read().decode())
        cookie = http.cookies.SimpleCookie(reply.headers["set-cookie"] or "").get("sluice-visitor")
    if cookie is None:
        return None
    seen.add(cookie.value)
    return cookie.value


def send_cookies(cluster, seen):
    ok, address = grpc.StatusCode.OK, ("x-forwarded-for", "203.0.113.9")
    for good in [True, False]:
        number, value = cluster.cookies.make(good=good)
        account = f"cookie:{number}" if good else "ip:203.0.113.9"
        answer = seen.call(address, ("cookie", f"sluice-visitor={value}"))
        assert answer == (ok, f"{account}; tier=anonymous")
        seen.pieces.remove(number[12:-2])  # it names the account
    given = visit(cluster, seen)
    number = given.split(".")[0]
    answer = seen.call(address, ("cookie", f"sluice-visitor={given}"))
    assert answer == (ok, f"cookie:{number}; tier=anonymous")
    seen.pieces.remove(number[12:-2])
    assert visit(cluster, seen, cookie=f"sluice-visitor={given}") is None
    assert visit(cluster, seen, cookie=f"sluice-visitor={value}") is not None
    garbage = f"sluice-visitor={secrets.token_hex(60)}; session={secrets.token_hex(20)}"
    assert seen.call(address, ("cookie", garbage))[0] is ok


def command_lines(cluster):
    for process in cluster.processes():
        yield f"command line of {process.pid}", " ".join(process.cmdline())


def places(cluster, seen):
    """(where, all that stands there)"""
    yield from command_lines(cluster)
    for name, daemon in cluster.daemons.items():
        yield f"log of {name}", daemon.log()
    yield "metrics", "\n".join(cluster.metrics())
    yield "status", str(cluster.status())
    yield "replies", "\n".join(seen.texts)
    for file in cluster.folder.glob("sluice.db*"):
        yield file.name, file.read_bytes().decode("latin-1")


def test_secrets_are_nowhere(cluster):
    seen = Seen(cluster.stub())
    send_all(cluster, seen)
    send_what_is_given_out(cluster, seen)
    send_cookies(cluster, seen)
    seen.pieces.update(CLAIMS.values())
    seen.pieces.update(["private-password", b64(cluster.issuer.secret)])
    log = cluster.daemons["gateway"].log
    wait_until(lambda: "caller refused" in log(), 5, "refusals in the log")
    # It is the right log, and says who.
    assert f'visitor=user:corp#alice tier=free organisation="{ORGANISATION}"' in log()
    found = dict(places(cluster, seen))
    assert len([where for where in found if where.startswith("command line")]) >= 5
    for where, text in found.items():
        assert text, where
        seen.assert_absent(where, text)


class CommandLine:
    """`sluice` with a token that it is told by a file or its environment."""

    def __init__(self, cluster, seen):
        self.cluster, self.seen = cluster, seen
        self.admin = cluster.folder / "gateway.state/admin.token"

    def start(self, *words, token_file=None, token=None):
        argv = [BIN / "sluice", *words, "--address", self.cluster.grpc]
        argv += ["--token-file", token_file] if token_file else []
        env = {**os.environ, "SLUICE_TOKEN": token} if token else None
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, env=env)

    def run(self, *words, **kwargs):
        """Its status; what it says is seen."""
        with self.start(*words, **kwargs) as process:
            self.seen.texts += process.communicate(timeout=30)
        return process.returncode

    def watch(self, **kwargs):
        """The command line of a call while it runs."""
        words = ["scripted", "--input", "IN=[1,2]", "--param", "fake_run=20s"]
        with self.start("infer", *words, **kwargs) as process:
            wait_until(lambda: self.cluster.status().calls_running == 1, 20, "the call")
            with open(f"/proc/{process.pid}/cmdline") as file:
                shown = file.read()
            process.terminate()
            self.seen.texts += process.communicate(timeout=30)
        wait_until(lambda: self.cluster.calls() == 0, 20, "its end")
        return shown


def test_the_command_line_tells_nothing(cluster):
    seen = Seen(cluster.stub())
    tool, file = CommandLine(cluster, seen), cluster.folder / "alice.token"
    seen.add(tool.admin.read_text().strip())
    asks = ["token", "create", "--user", "alice", "--tier", "pro", "--out", file]
    assert tool.run(*asks, token_file=tool.admin) == 0
    token = file.read_text().strip()
    seen.add(token)
    shown = [tool.watch(token_file=file), tool.watch(token=token)]
    for words in (["quota"], ["receipts"], ["token", "list"], ["quota", "--json"]):
        assert tool.run(*words, token_file=tool.admin) == 0
    assert tool.run("quota", token=token[:-1] + "!") != 0
    assert tool.run("quota", token=f"{token}\nx") != 0
    assert any("alice" in text for text in seen.texts)
    for where, text in [*enumerate(shown), *places(cluster, seen)]:
        assert text
        seen.assert_absent(where, text)


def test_what_holds_secrets_is_for_its_owner_alone(cluster):
    state = cluster.folder / "gateway.state"
    for file in [state, *state.rglob("*"), *cluster.folder.glob("sluice.db*")]:
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file.name
