"""An app hands on whose call it is (x-ip-token): who pays, what the receipt names, and that a token
that is not good is an error that says so, never a visitor without a name.
"""

import base64
import json
import signal
import time

import grpc
import pytest
from support.calls import identity_request, refusal
from support.cluster import Cluster
from support.issuer import Key
from support.paths import SLOW
from support.receipts import receipts_of
from support.stubs import Stub, pb
from support.wait import wait_until

ISSUER = "https://login.test/"
KEY = Key("ES256", "k")
CONFIG = """
log: {{level: debug}}
store: {{path: '{folder}/sluice.db'}}
auth: {{issued: {{lifetime: 3s}}}}
apps: {{visitor_tier: free}}
issuers:
  corp:
    issuer: https://login.test/
    audience: [sluice]
    jwks_file: '{folder}/keys.json'
    algorithms: [ES256]
    claims: {{tier: plan, organisation: org}}
    tiers: {{gold: pro}}
    organisations: {{lab: team}}
"""


@pytest.fixture(scope="module")
def cluster(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("apps")
    (folder / "keys.json").write_text(json.dumps({"keys": [KEY.jwk()]}))
    with Cluster(few_models, folder, gateway=CONFIG.format(folder=folder)) as cluster:
        yield cluster


class App:
    """Registered, with a token of its own."""

    def __init__(self, cluster, name, owner):
        root = (cluster.folder / "gateway.state/admin.token").read_text().strip()
        admin = Stub(cluster.channel(), "sluice.v1.Admin", root)
        messages = pb("sluice.v1")
        row = messages.RegisterAppRequest(name=name, owner=owner, owner_tier="pro")
        admin.RegisterApp(row, timeout=20)
        made = admin.CreateToken(messages.CreateTokenRequest(app=name, tier="pro"), timeout=20)
        self.secret, self.owner = made.secret, owner
        self._infer = cluster.stub().ModelInfer
        self._visitor = Stub(cluster.channel(), "sluice.v1.Visitor", made.secret)

    def issue(self, visitor):
        ask = pb("sluice.v1").IssueVisitorTokenRequest(visitor=visitor)
        return self._visitor.IssueVisitorToken(ask, timeout=20).token

    def _sent(self, token):
        own = [("authorization", f"Bearer {self.secret}")]
        return own if token is None else [*own, ("x-ip-token", token)]

    def call(self, token=None):
        """Trailers of a call for that visitor."""
        message = identity_request()
        _, done = self._infer.with_call(message, timeout=20, metadata=self._sent(token))
        return dict(done.trailing_metadata())

    def refused(self, token):
        return refusal(self._infer, identity_request(), metadata=self._sent(token))


@pytest.fixture(scope="module")
def demo(cluster):
    return App(cluster, "demo", "user:host")


@pytest.fixture(scope="module")
def other(cluster):
    return App(cluster, "other", "user:corp#owner 1")


def receipt_of(cluster, trailers):
    rows = receipts_of(cluster.folder / "sluice.db")
    (row,) = [row for row in rows if row.call_id == trailers["sluice-call-id"]]
    return row


# ---- who pays


def test_the_app_itself_is_its_owners(cluster, demo, other):
    for app, owner in [(demo, "user:host"), (other, "user:corp#owner 1")]:
        receipt = receipt_of(cluster, app.call())
        assert (receipt.accounts[0][0], receipt.tier, receipt.app) == (
            owner,
            "pro",
            "demo" if app is demo else "other",
        )


def test_a_visitor_whom_the_app_knows_pays(cluster, demo):
    trailers = demo.call(demo.issue("zoe"))
    assert trailers["sluice-visitor"] == "app:demo/zoe; tier=free"
    receipt = receipt_of(cluster, trailers)
    assert (receipt.accounts[0][0], receipt.tier, receipt.app) == ("app:demo/zoe", "free", "demo")


def test_a_visitor_whom_an_issuer_knows_pays_by_his_own_tier(cluster, demo):
    trailers = demo.call(KEY.token(ISSUER, sub="zoe", plan="gold"))
    assert trailers["sluice-visitor"] == "user:corp#zoe; tier=pro"
    receipt = receipt_of(cluster, trailers)
    assert (receipt.accounts[0][0], receipt.tier, receipt.app) == ("user:corp#zoe", "pro", "demo")


def test_a_visitor_of_an_organisation_pays_by_its_tier(cluster, demo):
    token = KEY.token(ISSUER, sub="yan", plan="gold", org="lab")
    trailers = demo.call(token)
    assert trailers["sluice-visitor"] == "user:corp#yan; tier=team"
    receipt = receipt_of(cluster, trailers)
    assert (receipt.tier, receipt.organisation, receipt.app) == ("team", "lab", "demo")
    line = f"call={receipt.call_id} visitor=user:corp#yan tier=team organisation=lab app=demo "
    cluster.daemons["gateway"].wait_for_log(line, 20 * SLOW)
    quota = Stub(cluster.channel(), "sluice.v1.Visitor", token).GetQuota(
        pb("sluice.v1").GetQuotaRequest(), timeout=20
    )
    assert (quota.visitor, quota.tier, quota.organisation) == ("user:corp#yan", "team", "lab")
    limit_us = 1500 * 10**6
    assert quota.purses[0].limit_us == limit_us
    assert 0 < quota.purses[0].spent_us == limit_us - quota.left_us


# ---- what is not good


def told(outcome, code, reason, text):
    assert (outcome.code, outcome.trailers["sluice-reason"]) == (code, reason)
    assert outcome.text == text


def not_valid(outcome, text="x-ip-token: not valid"):
    told(outcome, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", text)


def test_an_expired_one_says_since_when(demo):
    token = demo.issue("zoe")
    assert demo.call(token)
    # 3 s of its own, and 5 s by which the gateway's clock may have been set back.
    wait_until(lambda: is_refused(demo, token), 15 * SLOW, "the token's end")
    outcome = demo.refused(token)
    assert outcome.text.startswith("x-ip-token: expired ")
    not_valid(outcome, outcome.text)
    past = int(time.time()) - 3630
    not_valid(demo.refused(KEY.token(ISSUER, exp=past)), "x-ip-token: expired 1 h ago")


def is_refused(app, token):
    try:
        app.call(token)
    except grpc.RpcError:
        return True
    return False


def changed(token):
    """Another visitor's name in it."""
    head, claims, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(claims + "=="))
    claims["sub"] = "app:demo/rich"
    raw = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{raw}.{signature}"


@pytest.mark.parametrize(
    "make",
    [
        lambda demo, _: changed(demo.issue("zoe")),
        lambda demo, _: demo.issue("zoe")[:-4],
        lambda _, other: other.issue("zoe"),
        lambda demo, _: demo.secret,
        lambda *_: KEY.token(ISSUER, aud="another"),
        lambda *_: KEY.token("https://evil.test/"),
        lambda *_: "a.b.c",
        lambda *_: "x" * 8193,
        lambda *_: "",
    ],
    ids=["changed", "cut", "other", "api", "audience", "issuer", "garbage", "large", "empty"],
)
def test_one_that_is_not_good_is_never_passed_over(cluster, demo, other, make):
    log = cluster.daemons["gateway"].log
    seen = len(log())
    before = len(receipts_of(cluster.folder / "sluice.db"))
    not_valid(demo.refused(make(demo, other)))
    assert len(receipts_of(cluster.folder / "sluice.db")) == before
    if "caller refused" in log()[seen:]:  # at most so many lines a second
        assert "token=- app=demo" in log()[seen:]


def test_who_is_no_app_brings_no_visitor(cluster, demo):
    token = demo.issue("zoe")
    infer = cluster.stub().ModelInfer
    own = [("authorization", f"Bearer {KEY.token(ISSUER)}")]
    for caller in [[], own]:
        metadata = [*caller, ("x-ip-token", token)]
        outcome = refusal(infer, identity_request(), metadata=metadata)
        assert outcome.trailers["sluice-reason"] == "NOT_TRUSTED"
        assert outcome.text.startswith("x-ip-token is for registered apps alone")
    # Nor is the visitor's token his own: it says what its app may ask for.
    outcome = refusal(infer, identity_request(), metadata=[("authorization", f"Bearer {token}")])
    told(outcome, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", "the token is not valid")


def test_all_of_it_outlives_the_gateway(cluster, demo):
    token = KEY.token(ISSUER, sub="zoe")
    issued = demo.issue("zoe")
    cluster.daemons["gateway"].signal(signal.SIGKILL)
    cluster.restart("gateway")
    wait_until(cluster.is_whole, 20 * SLOW, "all nodes")
    assert demo.call(token)["sluice-visitor"] == "user:corp#zoe; tier=free"
    if is_refused(demo, issued):  # on a slow machine it is over by now, and still known
        assert demo.refused(issued).text.startswith("x-ip-token: expired ")
