"""Signed tokens at the whole gateway: each rule; outside one sentence, in the log the reason."""

import base64
import hashlib
import hmac
import json
import os
import time

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.calls import identity_request, refusal
from support.issuer import Key
from support.pair import Pair
from support.paths import SLOW
from support.wait import wait_until

ISSUER, SECRETS = "https://login.test/", "https://secrets.test/"
SECRET = os.urandom(32)
LEEWAY_S = 30
KEYS = {name: Key(name, name) for name in ("RS256", "PS256", "ES256", "EdDSA")}
STRANGER = Key("RS256", "RS256")  # another key by a name that is known
CONFIG = """
log: {level: debug}
anonymous: {allow: false, sign_in_url: 'https://in.test/'}
issuers:
  corp:
    issuer: https://login.test/
    audience: [sluice, sluice-test]
    jwks_file: 'FOLDER/keys.json'
    algorithms: [RS256, ES256, EdDSA, HS256]
    claims: {organisation: org, tier: plan}
    tiers: {gold: pro}
    organisations: {Example Ltd.: team, school: free, union: enterprise}
  lab:
    issuer: https://secrets.test/
    audience: [sluice]
    jwks_file: 'FOLDER/secret.json'
    algorithms: [HS256]
"""


def now(more_s=0):
    return int(time.time()) + more_s


def encode(part):
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**more):
    made = {"iss": ISSUER, "aud": "sluice", "sub": "eve", "exp": now(60), **more}
    return {name: value for name, value in made.items() if value is not None}


def by_hand(header, body, secret=SECRET):
    """Any header and any claims, with a MAC by secret."""
    text = f"{encode(header)}.{encode(body)}"
    return f"{text}.{encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def signed(algorithm="RS256", key=None, header=None, **more):
    key = key or KEYS[algorithm]
    headers = {"kid": key.kid, **(header or {})}
    headers = {name: value for name, value in headers.items() if value is not None}
    return jwt.encode(claims(**more), key.private, algorithm=algorithm, headers=headers)


def shared(**more):
    body = claims(iss=SECRETS, **more)
    return jwt.encode(body, SECRET, algorithm="HS256", headers={"kid": "HS256"})


def confused():
    """The public key as the secret of a MAC, by the kid of the key."""
    public = KEYS["RS256"].private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return by_hand({"alg": "HS256", "kid": "RS256"}, claims(), pem)


@pytest.fixture(scope="module")
def pair(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("rules")
    (folder / "keys.json").write_text(json.dumps({"keys": [key.jwk() for key in KEYS.values()]}))
    secret = {"kty": "oct", "kid": "HS256", "k": encode(SECRET)}
    with open(os.open(folder / "secret.json", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        json.dump({"keys": [secret]}, file)
    with Pair(few_models, folder, CONFIG.replace("FOLDER", str(folder))) as pair:
        pair.infer = pair.plain_stub().ModelInfer
        yield pair


def asks(token):
    return [("authorization", f"Bearer {token}")]


# ---- good ones


@pytest.mark.parametrize(
    ("make", "account"),
    [
        (lambda: signed("RS256"), "user:corp#eve"),
        (lambda: signed("ES256"), "user:corp#eve"),
        (lambda: signed("EdDSA"), "user:corp#eve"),
        (shared, "user:lab#eve"),
        (lambda: signed(aud=["x", "sluice-test"]), "user:corp#eve"),
        (lambda: signed(header={"typ": "at+jwt"}), "user:corp#eve"),
        (lambda: signed(sub=4711), "user:corp#4711"),
        (lambda: signed(exp=now(20 - LEEWAY_S)), "user:corp#eve"),
        (lambda: signed(nbf=now(LEEWAY_S - 20)), "user:corp#eve"),
        (lambda: signed("EdDSA", header={"kid": None}), "user:corp#eve"),
    ],
    ids=["RS256", "ES256", "EdDSA", "HS256", "audiences", "typ", "number", "exp", "nbf", "nokid"],
)
def test_a_good_token_says_who_pays(pair, make, account):
    _, call = pair.infer.with_call(identity_request(), timeout=20, metadata=asks(make()))
    assert dict(call.trailing_metadata())["sluice-visitor"] == f"{account}; tier=free"


@pytest.mark.parametrize(
    ("claims", "tier"),
    [
        ({"org": "Example Ltd."}, "team"),
        ({"org": "Example Ltd.", "plan": "gold"}, "team"),
        ({"org": "union", "plan": ["gold", "x"]}, "enterprise"),
        ({"org": "school", "plan": "gold"}, "pro"),
        ({"org": "school"}, "free"),
        ({"org": "example ltd."}, "free"),
        ({"org": "unheard of"}, "free"),
        ({"org": "unheard of", "plan": "gold"}, "pro"),
        ({"org": ["school", "Example Ltd.", "x"]}, "team"),
        ({"org": ["school", "x"], "plan": "gold"}, "pro"),
        ({"org": ["union", "Example Ltd."], "plan": "gold"}, "enterprise"),
        ({"org": ["x"]}, "free"),
    ],
)
def test_a_member_has_the_higher_of_his_tier_and_his_organisation_s(pair, claims, tier):
    metadata = asks(signed("EdDSA", **claims))
    _, call = pair.infer.with_call(identity_request(), timeout=20, metadata=metadata)
    assert dict(call.trailing_metadata())["sluice-visitor"] == f"user:corp#eve; tier={tier}"


# ---- others


def tampered():
    head, _, signature = signed().split(".")
    return f"{head}.{encode(claims(sub='admin'))}.{signature}"


OTHER_KEY = "corp: the token's signature is not by its issuer's key"
NO_ISSUER = "a token of no issuer that is known here"
BAD = [
    ("none", lambda: jwt.encode(claims(), "", algorithm="none"), "alg is none: it is not signed"),
    ("confused", confused, "corp: the issuer has no HS256 key of the token's kid"),
    ("alg", lambda: signed("PS256"), "corp: the token's alg PS256 is not one of its issuer's"),
    ("kid", lambda: signed(header={"kid": "b"}), "corp: the issuer has no RS256 key of the"),
    ("no kid", lambda: signed(header={"kid": None}), "has no kid, and the issuer not exactly one"),
    ("bytes", lambda: by_hand({"alg": "RS256", "kid": "a\nb"}, claims()), "is not printable ASCII"),
    ("stranger", lambda: signed(key=STRANGER), OTHER_KEY),
    ("jwk", lambda: signed(key=STRANGER, header={"jwk": STRANGER.jwk()}), OTHER_KEY),
    ("tampered", tampered, OTHER_KEY),
    ("guessed", lambda: by_hand({"alg": "HS256"}, claims(iss=SECRETS), b"guess"), "lab: the token"),
    ("cut", lambda: signed()[:-4], "the token's signature is no base64url"),
    ("expired", lambda: signed(exp=now(-LEEWAY_S - 200)), "corp: the token has expired 3 min ago"),
    ("no exp", lambda: signed(exp=None), "corp: the token has no exp"),
    ("nbf", lambda: signed(nbf=now(LEEWAY_S + 60)), "corp: the token's nbf is"),
    ("iat", lambda: signed(iat=now(LEEWAY_S + 60)), "corp: the token's iat is"),
    ("aud", lambda: signed(aud="another"), "corp: the token's aud names none of the issuer's"),
    ("no aud", lambda: signed(aud=None), "corp: the token has no aud"),
    ("iss", lambda: signed(iss="https://evil.test/"), NO_ISSUER),
    ("no iss", lambda: signed(iss=None), NO_ISSUER),
    ("no sub", lambda: signed(sub=None), "corp: the token's user claim is not there"),
    ("sub", lambda: signed(sub="a\nb"), "corp: the token's user claim"),
    (
        "typ",
        lambda: signed(header={"typ": "dpop+jwt"}),
        "corp: the token's typ is not JWT or at+jwt",
    ),
    ("crit", lambda: signed(header={"crit": ["exp"]}), "header has crit"),
    ("large", lambda: signed(more="x" * 6500), "a token of more than 8192 bytes"),
    ("dots", lambda: "a.b.c", "the token's signature is no base64url"),
    ("word", lambda: "garbage", NO_ISSUER),
    ("json", lambda: f"{encode(b'[]')}.{encode(b'{}')}.c2ln", "header is no JSON object"),
    ("twice", lambda: by_hand({"alg": "HS256"}, b'{"iss":"a","iss":"b"}'), "has a key twice"),
]


@pytest.mark.parametrize(("make", "why"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_not_good_is_told_to_the_log_alone(pair, make, why):
    token = make()
    seen = len(pair.gateway.log())

    def is_logged():  # at most so many lines a second
        outcome = refusal(pair.infer, identity_request(), metadata=asks(token))
        assert outcome.code == grpc.StatusCode.UNAUTHENTICATED
        assert outcome.text == "the token is not valid; sign in at https://in.test/"
        assert outcome.trailers["sluice-reason"] == "UNAUTHENTICATED"
        assert "sluice-visitor" not in outcome.trailers
        return why in pair.gateway.log()[seen:]  # lines come behind the answers

    wait_until(is_logged, 5 * SLOW, "a line of the log")
    log = pair.gateway.log()[seen:]
    assert "caller refused" in log
    assert not [part for part in token.split(".") if len(part) > 8 and part in log]
