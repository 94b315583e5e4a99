"""Tokens of issuers over a real network: keys fetched once and kept, an issuer that is slow, down,
huge or wrong, a provider of OpenID Connect, the gateway's own tokens. The verifiers are a process
of their own (tests/support/jwt_check.c), whose clock a test can move.
"""

import json
import re
import signal
import subprocess
import threading
import time

import grpc
import httpx
import jwt
import pytest
from support.calls import identity_request
from support.issuer import MAKERS, Checker, JwksServer, Key
from support.pair import Pair
from support.paths import BIN, ROOT, SLOW
from support.process import Process
from support.wait import wait_until

ISSUER = "https://login.example.org"
GOOD = "good user:corp#alice||free|"
SECRET_SET = '{"keys": [{"kty": "oct", "kid": "a", "k": "%s"}]}' % ("A" * 43)


def yaml_of(url, more="", issuer=ISSUER, **keys):
    """One issuer, `corp`; `more` are lines at the top."""
    keys = {"algorithms": f"[{', '.join(MAKERS)}]", **keys}
    lines = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    place = f"    issuer: {issuer}\n    audience: [sluice]\n    jwks_url: {url}\n"
    return f"{more}issuers:\n  corp:\n{place}{lines}"


@pytest.fixture
def keys():
    return JwksServerWithKey()


class JwksServerWithKey(JwksServer):
    def __init__(self, certs=None):
        super().__init__(certs)
        self.keys = [Key("ES256", "first")]

    def token(self, **claims):
        return self.keys[0].token(ISSUER, **claims)


def checker(tmp_path, server, **yaml):
    made = Checker(tmp_path, yaml_of(server.url, **yaml))
    assert made.greeting == "ok"
    return made


@pytest.mark.smoke
@pytest.mark.parametrize("algorithm", MAKERS)
def test_tokens_of_another_library_are_verified(tmp_path, keys, algorithm):
    keys.keys = [Key(algorithm, "k"), Key(algorithm, "another")]
    with keys, checker(tmp_path, keys) as gateway:
        assert gateway.verify(keys.token()) == GOOD
        stranger = Key(algorithm, "k").token(ISSUER)
        assert gateway.verify(stranger).startswith("refused")
        assert keys.count == 1


def test_one_fetch_serves_all(tmp_path, keys):
    with keys, checker(tmp_path, keys) as gateway:
        for n in range(200):
            assert gateway.verify(keys.token(sub=f"user{n}")).startswith("good")
        assert keys.count == 1


def test_random_kids_cause_one_fetch_an_interval(tmp_path, keys):
    with keys, checker(tmp_path, keys) as gateway:
        assert gateway.verify(keys.token()) == GOOD
        for round_ in range(1, 4):
            gateway.ask("pass 31")
            for n in range(50):
                token = Key("ES256", f"{round_}/{n}").token(ISSUER)
                assert gateway.verify(token).startswith("refused")
            assert keys.count == 1 + round_
        assert gateway.verify(keys.token(exp=time.time() + 300)) == GOOD


def test_a_new_key_is_found_and_an_old_one_forgotten(tmp_path, keys):
    with keys, checker(tmp_path, keys) as gateway:
        assert gateway.verify(keys.token()) == GOOD
        old, new = keys.keys[0], Key("EdDSA", "second")
        keys.keys = [new]
        assert gateway.verify(new.token(ISSUER)).startswith("refused")  # asked a moment ago
        gateway.ask("pass 31")
        assert gateway.verify(new.token(ISSUER, exp=time.time() + 300)) == GOOD
        assert gateway.verify(old.token(ISSUER)).startswith("refused")


def test_cache_control_is_kept_to(tmp_path, keys):
    keys.headers = {"Cache-Control": "public, max-age=120"}
    with keys, checker(tmp_path, keys) as gateway:
        assert gateway.verify(keys.token()) == GOOD
        gateway.ask("pass 115")
        gateway.verify(keys.token(exp=time.time() + 900))
        assert keys.count == 1
        gateway.ask("pass 10")
        gateway.verify(keys.token(exp=time.time() + 900))
        wait_until(lambda: keys.count == 2, what="the keys being fetched anew")


def test_an_outage_is_lived_through_for_a_day(tmp_path, keys):
    late = {"exp": time.time() + 3 * 86400}
    with keys, checker(tmp_path, keys) as gateway:
        assert gateway.verify(keys.token(**late)) == GOOD
        keys.answer_status(503)
        for _ in range(23):
            gateway.ask("pass 3600")
            assert gateway.verify(keys.token(**late)) == GOOD
        # An answer is taken when the next token is looked at.
        wait_until(
            lambda: (
                gateway.verify(keys.token(**late)) == GOOD and "the old ones serve" in gateway.log()
            ),
            what="a fetch in vain",
        )
        gateway.ask("pass 3700")
        answer = gateway.verify(keys.token(**late))
        assert answer.startswith("unavailable")
        assert "HTTP status 503" in answer
        keys.answer = keys.answer_keys
        # An answer of before may still be under way, so maybe not at the first time.
        wait_until(
            lambda: gateway.ask("pass 31") and gateway.verify(keys.token(**late)) == GOOD,
            what="its recovery",
        )
    log = gateway.log()
    assert "issuer's keys not fetched" in log
    assert "the old ones serve" in log


WRONG = {
    "status": (lambda s: s.answer_status(404), "HTTP status 404"),
    "html": (lambda s: s.answer_body(b"<html>please log in</html>"), "no key set"),
    "empty": (lambda s: s.answer_body(b""), "no key set"),
    "no_keys": (lambda s: s.answer_body(b'{"keys":[]}'), "no key that can be used"),
    "huge": (lambda s: s.answer_body(b" " * 300_000), "longer than 262144 bytes"),
    "endless": (lambda s: s.answer_without_end(), "longer than 262144 bytes"),
    "silent": (lambda s: s.answer_never(), "timed out"),
    "to_http": (
        lambda s: s.answer_status(302, Location="http://example.org/keys"),
        "rotocol",  # libcurl: Protocol "http" disabled
    ),
    "to_file": (lambda s: s.answer_status(302, Location="file:///etc/passwd"), "rotocol"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_an_issuer_answers_wrongly(tmp_path, keys, fault):
    """The visitor is told to try again, the log why; then the issuer mends itself."""
    make, why = WRONG[fault]
    make(keys)
    more = f"auth: {{jwks: {{timeout: {400 * SLOW}ms}}}}\n"
    with keys, checker(tmp_path, keys, more=more) as gateway:
        answer = gateway.verify(keys.token())
        assert answer.startswith("unavailable")
        assert why in answer
        assert answer.endswith("|cannot be checked now; try again")
        assert gateway.verify(keys.token()).startswith("unavailable")
        assert keys.count == 1
        keys.answer = keys.answer_keys
        gateway.ask("pass 31")
        assert gateway.verify(keys.token(exp=time.time() + 90)) == GOOD


def test_a_shared_secret_at_a_url_is_not_taken(tmp_path, keys):
    secret = {"kty": "oct", "k": "A" * 43}
    with keys, checker(tmp_path, keys) as gateway:
        assert gateway.verify(keys.token()) == GOOD
        keys.answer_body(json.dumps({"keys": [secret]}).encode())
        gateway.ask("pass 3700")
        assert gateway.verify(keys.token(exp=time.time() + 7200)) == GOOD  # the old keys
        assert "AAAA" not in gateway.log()


def test_nobody_else_waits_for_a_slow_issuer(tmp_path, keys):
    with keys, checker(tmp_path, keys) as gateway:
        assert gateway.verify(keys.token()) == GOOD
        keys.answer_never()
        gateway.ask("pass 31")
        stranger = Key("ES256", "new").token(ISSUER)
        assert gateway.ask(f"once {stranger}") == "later"
        for _ in range(100):
            assert gateway.ask(f"once {keys.token(exp=time.time() + 90)}") == GOOD


def test_keys_by_tls_from_whom_the_authority_knows(tmp_path, certs):
    with JwksServerWithKey(certs) as server:
        with checker(tmp_path / "a", server, ca=certs / "ca.pem") as gateway:
            assert gateway.verify(server.token()) == GOOD
        with checker(tmp_path / "b", server) as gateway:
            assert "certificate" in gateway.verify(server.token())


def test_keys_from_a_file_are_read_again(tmp_path, keys):
    path = tmp_path / "keys.json"
    path.write_bytes(keys.key_set())
    yaml = yaml_of("''", jwks_file=path)
    with Checker(tmp_path, yaml) as gateway:
        assert gateway.verify(keys.token()) == GOOD
        old, keys.keys = keys.keys, [Key("RS256", "second")]
        path.write_bytes(keys.key_set())
        assert gateway.verify(keys.token()).startswith("refused")
        assert gateway.ask("reload") == "ok"
        assert gateway.verify(keys.token()) == GOOD
        assert gateway.verify(old[0].token(ISSUER)).startswith("refused")
        path.write_text("{")
        assert "issuers.corp.jwks_file" in gateway.ask("reload")
        assert gateway.verify(keys.token()) == GOOD  # all as before


@pytest.mark.parametrize(
    ("keys_yaml", "text", "mode", "sentence"),
    [
        ("jwks_file", None, 0o600, "issuers.corp.jwks_file: 'FILE' cannot be used: No such file"),
        ("jwks_file", '{"keys": []}', 0o600, "the key set has no key that can be used"),
        ("jwks_file", SECRET_SET, 0o644, "its group or others may read it; chmod 600"),
        ("ca", None, 0o600, "issuers.corp.ca: 'FILE' cannot be read: No such file"),
    ],
)
def test_files_that_cannot_be_used_are_found_before_they_are(
    tmp_path, keys_yaml, text, mode, sentence
):
    file, config = tmp_path / "file", tmp_path / "gateway.yaml"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    url = "https://login.example.org/keys" if keys_yaml == "ca" else "''"
    config.write_text(yaml_of(url, **{keys_yaml: file}))
    argv = [BIN / "sluice-gateway", "--config", config]
    for more, code in ([], 1), (["--check-config"], 2):
        ended = subprocess.run([*argv, *more], capture_output=True, text=True, timeout=20)
        assert ended.returncode == code
        assert sentence.replace("FILE", str(file)) in ended.stderr


def test_claims_become_tier_and_organisation(tmp_path, keys):
    more = {"claims": "{user: email, organisation: org, tier: /plan/names}", "tiers": "{gold: pro}"}
    with keys, checker(tmp_path, keys, **more) as gateway:
        token = keys.token(email="a@example.org", org="Example", plan={"names": ["x", "gold"]})
        assert gateway.verify(token) == "good user:corp#a@example.org|Example|pro|"


def test_nothing_of_a_token_is_in_the_log_or_the_refusal(tmp_path, keys):
    """Each is refused in another way; the subject and each part of the token stay secret."""
    secret = "very-secret-subject"
    with keys, checker(tmp_path, keys) as gateway:
        assert gateway.verify(keys.token()) == GOOD
        good = keys.token(sub=secret)
        tokens = [
            keys.token(sub=secret, exp=1),
            keys.token(sub=secret, aud=secret),
            keys.token(sub=secret, nbf=time.time() + 600),
            keys.token(sub=secret + "\n"),
            Key("ES256", secret).token(ISSUER, sub=secret),
            Key("ES256", "first").token(ISSUER, sub=secret),
            jwt.encode({"iss": ISSUER, "sub": secret}, "x" * 32, algorithm="HS256"),
            good[:-4],
            good + "AA",
            good.replace(".", ".."),
        ]
        answers = [gateway.verify(token) for token in tokens]
        assert all(answer.startswith(("refused", "unknown")) for answer in answers), answers
        said = "".join(answers) + gateway.log()
        assert secret not in said
        for part in {part for token in tokens for part in token.split(".") if len(part) > 8}:
            assert part not in said


# ---- a provider of OpenID Connect


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    """oidc-provider-mock in an environment of its own: its address."""
    made = subprocess.run([ROOT / "scripts/venv.sh", "oidc"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    program = f"{made.stdout.strip()}/bin/oidc-provider-mock"
    log = tmp_path_factory.mktemp("oidc") / "log"
    with Process([program, "--port", "0"], log, stdout=subprocess.DEVNULL) as process:
        running = re.compile(r"running on (http://127\.0\.0\.1:\d+)")
        yield wait_until(lambda: running.search(process.log()), 30, "the provider's start")[1]


def sign_in(provider, user):
    """The authorization code flow as a browser and an app do it; the ID token."""
    back = "http://127.0.0.1/back"
    query = {"client_id": "sluice", "redirect_uri": back, "response_type": "code"}
    query |= {"scope": "openid", "state": "s"}
    answer = httpx.post(f"{provider}/oauth2/authorize", params=query, data={"sub": user})
    code = httpx.URL(answer.headers["location"]).params["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    answer = httpx.post(f"{provider}/oauth2/token", data=form, auth=("sluice", "secret"))
    return answer.json()["id_token"]


def test_who_signed_in_at_a_provider_is_known(tmp_path, provider):
    found = httpx.get(f"{provider}/.well-known/openid-configuration").json()
    with Checker(tmp_path, yaml_of(found["jwks_uri"], issuer=found["issuer"])) as gateway:
        assert gateway.greeting == "ok"
        assert gateway.verify(sign_in(provider, "alice@example.org")) == (
            "good user:corp#alice@example.org||free|"
        )
        assert gateway.verify(sign_in(provider, "bob")) == "good user:corp#bob||free|"
        gateway.ask("pass 90000")
        assert "expired" in gateway.verify(sign_in(provider, "bob"))


# ---- the gateway's own tokens


def test_issued_tokens_outlive_a_restart_and_are_checked_by_another_library(tmp_path):
    yaml = f"state: {tmp_path}\n"
    with Checker(tmp_path, yaml) as gateway:
        token = gateway.ask("issue app:demo/eve demo pro")
        assert gateway.verify(token) == "good app:demo/eve||pro|demo"
        keys = jwt.PyJWKSet.from_json(gateway.ask("jwks"))
        claims = jwt.decode(
            token, keys[jwt.get_unverified_header(token)["kid"]], ["ES256"], audience="sluice"
        )
        assert claims["sub"] == "app:demo/eve"
        assert claims["exp"] - claims["iat"] == 300
        assert '"d"' not in gateway.ask("jwks")
    assert (tmp_path / "issued-keys.json").stat().st_mode & 0o777 == 0o600
    with Checker(tmp_path, yaml) as gateway:
        assert gateway.verify(token) == "good app:demo/eve||pro|demo"
        gateway.ask("pass 480")
        assert gateway.verify(token).endswith("|expired 3 min ago")
        gateway.ask("pass 86400")
        gateway.verify(token)
        assert gateway.ask("issue app:demo/eve demo pro") != token
        assert len(json.loads(gateway.ask("jwks"))["keys"]) == 2


# ---- the whole gateway

UNAUTHENTICATED, UNAVAILABLE = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE


@pytest.fixture
def gateway(few_models, tmp_path, keys, _stubs):
    """A gateway that knows the issuer behind `keys`, and nobody without a token."""
    more = f"anonymous: {{allow: false}}\nstate: {tmp_path}/state\nlog: {{level: debug}}\n"
    with keys, Pair(few_models, tmp_path, yaml_of(keys.url, more)) as pair:
        pair.issuer = keys
        yield pair


def call_with(stub, token, **kwargs):
    metadata = [("authorization", f"Bearer {token}")]
    return stub.ModelInfer(identity_request(), timeout=20 * SLOW, metadata=metadata, **kwargs)


def refusal_of(stub, token):
    with pytest.raises(grpc.RpcError) as error:
        call_with(stub, token)
    return error.value.code(), error.value.details()


@pytest.mark.smoke
def test_a_call_with_a_token_of_an_issuer(gateway):
    stub = gateway.plain_stub()
    for n in range(20):
        call_with(stub, gateway.issuer.token(sub=f"user{n}"))
    assert "account=user:corp#user7 tier=free" in gateway.gateway.log()
    assert gateway.issuer.count == 1
    wrong = [
        gateway.issuer.token(exp=1),
        gateway.issuer.token(aud="another"),
        Key("ES256", "first").token(ISSUER),
        jwt.encode({"iss": ISSUER}, "", algorithm="none"),
        gateway.issuer.token()[:-8],
    ]
    for token in wrong:
        assert refusal_of(stub, token) == (UNAUTHENTICATED, "the token is not valid")
    assert "expired" in gateway.gateway.log()


def test_a_call_waits_for_keys_and_others_do_not(gateway):
    stub, issuer = gateway.plain_stub(), gateway.issuer
    call_with(stub, issuer.token())
    new = Key("EdDSA", "new")
    known = issuer.keys[0]
    issuer.keys = [known, new]
    slow = threading.Event()

    def answer_late(handler):
        slow.wait(10)
        issuer.answer_keys(handler)

    issuer.answer = answer_late
    gateway.write_config(yaml_of(issuer.url + "?new", f"state: {gateway.folder}/state\n"))
    gateway.gateway.signal(signal.SIGHUP)
    wait_until(lambda: issuer.count == 2, what="a fetch after the reload")
    metadata = [("authorization", f"Bearer {new.token(ISSUER)}")]
    waiting = stub.ModelInfer.future(identity_request(), timeout=20, metadata=metadata)
    for _ in range(20):
        stub.ModelInfer(identity_request(), timeout=20)  # who needs no keys
    assert not waiting.done()
    slow.set()
    assert waiting.result().model_name == "identity"


def test_an_issuer_that_is_down_is_not_the_visitors_fault(few_models, tmp_path, keys, _stubs):
    keys.answer_status(500)
    with keys, Pair(few_models, tmp_path, yaml_of(keys.url)) as pair:
        stub = pair.plain_stub()
        code, text = refusal_of(stub, keys.token())
        assert code == UNAVAILABLE, text
        stub.ModelInfer(identity_request(), timeout=20)  # without a token


def test_keys_of_issued_tokens_are_at_their_path(gateway):
    (key,) = json.loads(gateway.get("/.well-known/jwks.json"))["keys"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    path = gateway.folder / "state/issued-keys.json"
    assert json.loads(path.read_text())["keys"][0]["kid"] == key["kid"]
