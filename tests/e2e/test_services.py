"""sluice.v1: who may ask what, what is answered, what holds at once and after a restart."""

import base64
import csv
import io
import json
import time

import grpc
import psutil
import pytest
from support.calls import identity_request, refusal
from support.cluster import Cluster
from support.paths import SLOW
from support.receipts import receipts_of
from support.stubs import Stub, pb
from support.wait import wait_until

HOUR_US = 3600 * 10**6
CONFIG = """
trusted_proxies: [127.0.0.0/8]
tiers: {free: {daily: 210s}, pro: {daily: 1500s, apps: 2}, none: {daily: 1h, apps: 0}}
networks: {127.0.0.0/8: owner, 10.0.0.0/8: free}
anonymous: {sign_in_url: 'https://sign.in/'}
apps: {visitor_tier: free}
limits: {nodes: 4}
"""


def messages():
    return pb("sluice.v1")


@pytest.fixture(scope="module")
def cluster(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("services")
    gateway = f"{CONFIG}store: {{path: '{folder}/sluice.db'}}\n"
    with Cluster(few_models, folder, slices=1, gateway=gateway) as cluster:
        yield cluster


@pytest.fixture
def admin(cluster):
    return cluster.admin()


def ask(stub, method, **fields):
    return getattr(stub, method)(request(method, **fields), timeout=20 * SLOW)


def request(method, **fields):
    return getattr(messages(), f"{method}Request")(**fields)


def refused(stub, method, **fields):
    metadata = fields.pop("metadata", ())
    return refusal(getattr(stub, method), request(method, **fields), metadata=metadata)


def told(outcome, reason, *parts):
    """The refusal's reason and the parts of its sentence."""
    assert outcome.trailers["sluice-reason"] == reason, outcome.text
    for part in parts:
        assert part in outcome.text
    return outcome


def new_token(maker, user, tier="pro", **fields):
    return ask(maker, "CreateToken", user=user, tier=tier, **fields)


def call(stub, **metadata):
    """Trailers of one good call."""
    sent = [(name.replace("_", "-"), value) for name, value in metadata.items()]
    _, done = stub.ModelInfer.with_call(identity_request(), timeout=20 * SLOW, metadata=sent)
    return dict(done.trailing_metadata())


# ---- who may ask what


ADMIN_METHODS = [
    "GetStatus",
    "GetTop",
    "ListNodes",
    "DrainNode",
    "UndrainNode",
    "CreateToken",
    "ListTokens",
    "RevokeToken",
    "ListTiers",
    "GetAccount",
    "ListAccounts",
    "RegisterApp",
    "ListApps",
    "RemoveApp",
    "PauseApp",
    "ResumeApp",
    "ExportUsage",
    "GrantTime",
    "ListGrants",
    "BlockVisitor",
    "UnblockVisitor",
    "ListBlocks",
]


@pytest.mark.smoke
@pytest.mark.parametrize("method", ADMIN_METHODS)
def test_admin_is_for_administrators(cluster, admin, method):
    user = new_token(admin, "not.admin").secret
    for token, who in [(None, "ip:127.0.0.1"), (user, "user:not.admin")]:
        stub = Stub(cluster.channel(), "sluice.v1.Admin", token)
        outcome = refused(stub, method)
        told(
            outcome,
            "NOT_TRUSTED",
            f"sluice.v1.Admin/{method} is for administrators, and {who}",
        )
        assert outcome.code is grpc.StatusCode.PERMISSION_DENIED
    outcome = refused(
        Stub(cluster.channel(), "sluice.v1.Admin", user[:-1] + ("x" if user[-1] != "x" else "y")),
        method,
    )
    assert outcome.code is grpc.StatusCode.UNAUTHENTICATED


def test_every_method_of_admin_is_tried(admin):
    assert {*ADMIN_METHODS, "ListModels"} == set(vars(admin))


def test_models_are_for_whoever_may_call(cluster):
    stub = Stub(cluster.channel(), "sluice.v1.Admin")
    assert {m.name for m in ask(stub, "ListModels").models} >= {"identity"}
    bad = Stub(cluster.channel(), "sluice.v1.Admin", "sl_nonsense")
    told(refused(bad, "ListModels"), "UNAUTHENTICATED", "the token is not valid")


def test_another_administrator(cluster, admin):
    second = cluster.admin(token=new_token(admin, "second", admin=True).secret)
    mine = ask(second, "ListTokens", user="second").tokens[0]
    assert (mine.admin, mine.usable) == (True, True)
    ask(admin, "RevokeToken", prefix=mine.prefix)
    assert refused(second, "ListTokens").code is grpc.StatusCode.UNAUTHENTICATED


# ---- tokens


def test_a_token_from_its_making_to_its_end(cluster, admin):
    made = new_token(admin, "ana", lifetime_s=3600)
    facts, now_us = made.token, time.time_ns() // 1000
    assert made.secret.startswith(facts.prefix)
    assert (facts.user, facts.tier, facts.usable) == ("ana", "pro", True)
    assert facts.expires_at_us - facts.created_at_us == HOUR_US
    assert abs(facts.created_at_us - now_us) < 10**6 * 60
    stub = cluster.stub(token=made.secret)
    assert call(stub)["sluice-visitor"] == "user:ana; tier=pro"
    assert made.secret not in str(ask(admin, "ListTokens", user="ana"))
    assert made.secret not in cluster.daemons["gateway"].log()
    since = time.monotonic()
    assert ask(admin, "RevokeToken", prefix=facts.prefix).revoked
    assert refusal(stub.ModelInfer, identity_request()).code is grpc.StatusCode.UNAUTHENTICATED
    assert time.monotonic() - since < 1 * SLOW  # on the connection that was open
    (listed,) = ask(admin, "ListTokens", user="ana").tokens
    assert (listed.revoked, listed.usable) == (True, False)
    assert ask(admin, "RevokeToken", prefix=facts.prefix).revoked  # again is fine


def test_a_token_that_expires(cluster, admin):
    made = new_token(admin, "brief", lifetime_s=1)
    visitor = cluster.visitor(token=made.secret)
    assert ask(visitor, "GetQuota").visitor == "user:brief"

    def has_expired():
        try:
            ask(visitor, "GetQuota")
        except grpc.RpcError as error:
            return error.code() is grpc.StatusCode.UNAUTHENTICATED
        return False

    wait_until(has_expired, 10 * SLOW, "the token's end")
    assert not ask(admin, "ListTokens", user="brief").tokens[0].usable


@pytest.mark.parametrize(
    ("fields", "reason", "parts"),
    [
        (
            {"user": "x", "tier": ""},
            "BAD_INPUT",
            ["tier is empty; it must have 1 to 31 bytes"],
        ),
        ({"user": "x", "tier": "gold"}, "BAD_INPUT", ["no tier 'gold'", "free", "pro"]),
        ({"user": "", "tier": "pro"}, "BAD_INPUT", ["user ''"]),
        ({"user": "corp#ana", "tier": "pro"}, "BAD_INPUT", ["user 'corp#ana'", "'#'"]),
        ({"user": "a b", "tier": "pro"}, "BAD_INPUT", ["user 'a b'"]),
        (
            {"user": "x" * 201, "tier": "pro"},
            "BAD_INPUT",
            ["user has 201 bytes; the limit is 200"],
        ),
        (
            {"user": "a\nb", "tier": "pro"},
            "BAD_INPUT",
            ["user is not UTF-8 without control"],
        ),
        (
            {"user": "x", "tier": "pro", "app": "nosuch"},
            "NOT_FOUND",
            ["no app is named 'nosuch'"],
        ),
        (
            {"user": "x", "tier": "pro", "lifetime_s": -1},
            "BAD_INPUT",
            ["lifetime_s is -1"],
        ),
        (
            {"user": "x", "tier": "pro", "lifetime_s": 10**12},
            "BAD_INPUT",
            ["lifetime_s is 10"],
        ),
    ],
)
def test_no_token_of_that_kind(admin, fields, reason, parts):
    told(refused(admin, "CreateToken", **fields), reason, *parts)


def test_no_token_to_revoke(cluster, admin):
    told(refused(admin, "RevokeToken", prefix="sl_nobody"), "NOT_FOUND", "'sl_nobody'")
    told(
        refused(admin, "RevokeToken", prefix="sl_0123456"),
        "BAD_INPUT",
        "prefix has 10 bytes",
    )
    first = next(t for t in ask(admin, "ListTokens").tokens if t.from_file)
    told(refused(admin, "RevokeToken", prefix=first.prefix), "BAD_INPUT", "admin.token")


def pages(stub, method, items, **fields):
    """All items, by pages of two."""
    found, page = [], 0
    while True:
        answer = ask(stub, method, page_size=2, page=page, **fields)
        part = getattr(answer, items)
        assert len(part) <= 2
        found += part
        page = answer.next_page
        if page == 0:
            return found
        assert part


def test_lists_come_in_pages(cluster, admin):
    for number in range(5):
        new_token(admin, "many")
        ask(admin, "BlockVisitor", account=f"user:page{number}", reason="a page")
    tokens = pages(admin, "ListTokens", "tokens", user="many")
    assert len({t.prefix for t in tokens}) == len(tokens) == 5
    blocks = pages(admin, "ListBlocks", "blocks")
    assert {b.account for b in blocks} >= {f"user:page{n}" for n in range(5)}
    accounts = pages(admin, "ListAccounts", "accounts", begins="user:page")
    assert sorted(a.account for a in accounts) == [f"user:page{n}" for n in range(5)]
    for number in range(5):
        ask(admin, "UnblockVisitor", account=f"user:page{number}", reason="read")
    told(
        refused(admin, "ListTokens", page_size=201),
        "BAD_INPUT",
        "page_size is 201",
        "0 to 200",
    )
    told(refused(admin, "ListTokens", page=-1), "BAD_INPUT", "page is -1")


# ---- quota, receipts


def test_quota_says_what_is_left(cluster, admin):
    token = new_token(admin, "quota", tier="free").secret
    visitor = cluster.visitor(token=token)
    before = ask(visitor, "GetQuota")
    assert (before.visitor, before.tier, before.left_us) == (
        "user:quota",
        "free",
        210 * 10**6,
    )
    assert (before.purses[0].window_opened_at_us, before.sign_in_url) == (0, "")
    trailers = call(cluster.stub(token=token))
    after = ask(visitor, "GetQuota")
    assert after.left_us == round(float(trailers["sluice-left-ms"]) * 1000)
    assert after.purses[0].spent_us == round(float(trailers["sluice-charged-ms"]) * 1000)
    assert after.resets_at_us == after.purses[0].window_opened_at_us + 24 * HOUR_US
    assert after.in_flight == 0


def test_quota_of_an_address(cluster):
    visitor = cluster.visitor()
    metadata = [("x-forwarded-for", "2001:db8:7:8::9")]
    quota = visitor.GetQuota(request("GetQuota"), timeout=20, metadata=metadata)
    assert [p.account for p in quota.purses] == [
        "ip:2001:db8:7:8::/64",
        "ip:2001:db8:7::/56",
        "ip:2001:db8:7::/48",
    ]
    limits = [p.limit_us for p in quota.purses]
    assert limits[1:] == [4 * limits[0], 16 * limits[0]]
    assert quota.sign_in_url == "https://sign.in/"
    assert not quota.admin


def listed(visitor, **fields):
    return ask(visitor, "ListReceipts", **fields).receipts


def test_receipts_of_ones_own(cluster, admin):
    token = new_token(admin, "receipts").secret
    visitor, stub = cluster.visitor(token=token), cluster.stub(token=token)
    assert not listed(visitor)
    ids = [call(stub)["sluice-call-id"] for _ in range(5)]
    assert [r.call_id for r in listed(visitor)] == ids[::-1]  # as soon as the call was answered
    kept = {r.call_id: r for r in receipts_of(cluster.folder / "sluice.db")}
    for receipt in listed(visitor):
        same = kept[receipt.call_id]
        assert list(receipt.accounts) == ["user:receipts"]
        assert receipt.charged_us == same.charged_us == receipt.used_us > 0
        assert (receipt.reason, receipt.tier, receipt.model) == (
            "OK",
            "pro",
            "identity",
        )
        assert (receipt.ended_at_us, receipt.orphan) == (same.ended_at, False)
    assert [r.call_id for r in pages(visitor, "ListReceipts", "receipts")] == ids[::-1]
    assert [r.call_id for r in listed(visitor, call_id=ids[2])] == [ids[2]]
    middle = listed(visitor)[2].ended_at_us
    assert len(listed(visitor, since_us=middle)) == 3
    assert len(listed(visitor, until_us=middle)) == 2
    assert not listed(visitor, app="demo")


def test_receipts_of_others(cluster, admin):
    owner = cluster.visitor(token=new_token(admin, "has.some").secret)
    token = new_token(admin, "looks").secret
    mine = call(cluster.stub(token=new_token(admin, "has.some").secret))["sluice-call-id"]
    assert len(listed(owner)) == 1
    other, boss = (
        cluster.visitor(token=token),
        cluster.visitor(token=read_admin(cluster)),
    )
    assert not listed(other)
    assert not listed(other, call_id=mine)  # as one that never was
    for fields in [{"account": "user:has.some"}, {"everybody": True}]:
        told(
            refused(other, "ListReceipts", **fields),
            "NOT_TRUSTED",
            "for administrators",
        )
    assert [r.call_id for r in listed(boss, account="user:has.some")] == [mine]
    assert mine in [r.call_id for r in listed(boss, everybody=True)]
    assert [r.call_id for r in listed(boss, everybody=True, call_id=mine)] == [mine]
    told(
        refused(boss, "ListReceipts", account="has.some"),
        "BAD_INPUT",
        "'has.some'",
        "user:NAME",
    )
    told(refused(boss, "ListReceipts", call_id="12"), "BAD_INPUT", "'12' is not a UUID")


def read_admin(cluster):
    return (cluster.folder / "gateway.state/admin.token").read_text().strip()


# ---- apps


def register(admin, name, owner="user:host", tier="pro"):
    return ask(admin, "RegisterApp", name=name, owner=owner, owner_tier=tier)


def test_an_app_and_its_visitors(cluster, admin):
    register(admin, "demo")
    secret = new_token(admin, "", app="demo").secret
    app = cluster.visitor(token=secret)
    issued = ask(app, "IssueVisitorToken", visitor="Zoë 7")
    assert (issued.account, issued.tier) == ("app:demo/Zoë 7", "free")
    assert 0 < issued.expires_at_us - time.time_ns() // 1000 <= 5 * 60 * 10**6
    stub, sent = cluster.stub(token=secret), {"x_ip_token": issued.token}
    assert call(stub, **sent)["sluice-visitor"] == "app:demo/Zo%C3%AB%207; tier=free"
    # By its own channel, and for the visitor: his quota, in the app's name.
    quota = app.GetQuota(request("GetQuota"), timeout=20, metadata=[("x-ip-token", issued.token)])
    assert (quota.visitor, quota.app, quota.admin) == ("app:demo/Zoë 7", "demo", False)
    by_address = ask(app, "IssueVisitorToken", address="2001:db8:1:2::3")
    assert by_address.account == "ip:2001:db8:1:2::/64"
    assert ask(app, "IssueVisitorToken", address="::ffff:203.0.113.7").account == "ip:203.0.113.7"
    payload = issued.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["sub"], claims["app"], claims["tier"]) == (
        issued.account,
        "demo",
        "free",
    )


def test_a_visitors_tier_is_never_above_the_apps(cluster, admin):
    register(admin, "greedy", owner="user:greedy")
    app = cluster.visitor(token=new_token(admin, "", app="greedy").secret)
    assert ask(app, "IssueVisitorToken", visitor="v", tier="pro").tier == "free"
    assert ask(app, "IssueVisitorToken", visitor="v", tier="anonymous").tier == "anonymous"
    told(
        refused(app, "IssueVisitorToken", visitor="v", tier="x"),
        "BAD_INPUT",
        "no tier 'x'",
    )


def test_who_is_no_app_has_no_visitors(cluster, admin):
    user = cluster.visitor(token=new_token(admin, "a.person").secret)
    told(
        refused(user, "IssueVisitorToken", visitor="v"),
        "NOT_TRUSTED",
        "user:a.person is none",
    )
    told(
        refused(cluster.visitor(), "IssueVisitorToken", visitor="v"),
        "NOT_TRUSTED",
        "ip:127.0.0.1",
    )
    register(admin, "strict", owner="user:strict")
    secret = new_token(admin, "", app="strict").secret
    app = cluster.visitor(token=secret)
    told(refused(app, "IssueVisitorToken"), "BAD_INPUT", "not none")
    told(
        refused(app, "IssueVisitorToken", visitor="v", address="1.2.3.4"),
        "BAD_INPUT",
        "not both",
    )
    told(
        refused(app, "IssueVisitorToken", address="1.2.3"),
        "BAD_INPUT",
        "'1.2.3' is no address",
    )
    told(
        refused(app, "IssueVisitorToken", visitor="v" * 129),
        "BAD_INPUT",
        "visitor has 129 bytes",
    )
    issued = ask(app, "IssueVisitorToken", visitor="v").token
    outcome = refused(app, "IssueVisitorToken", visitor="v", metadata=[("x-ip-token", issued)])
    told(outcome, "NOT_TRUSTED", "without x-ip-token")


def test_an_app_is_paused_resumed_removed(cluster, admin):
    register(admin, "onoff", owner="user:onoff")
    secret = new_token(admin, "", app="onoff").secret
    stub = cluster.stub(token=secret)
    call(stub)
    assert ask(admin, "PauseApp", name="onoff").paused
    outcome = refusal(stub.ModelInfer, identity_request())
    told(outcome, "NOT_TRUSTED", "this app was paused by the operator")
    assert not ask(admin, "ResumeApp", name="onoff").paused
    call(stub)
    ask(admin, "RemoveApp", name="onoff")
    assert refusal(stub.ModelInfer, identity_request()).code is grpc.StatusCode.UNAUTHENTICATED
    # One of the same name does not inherit what could call as the first.
    register(admin, "onoff", owner="user:another")
    assert refusal(stub.ModelInfer, identity_request()).code is grpc.StatusCode.UNAUTHENTICATED
    for method in ["PauseApp", "ResumeApp", "RemoveApp"]:
        told(refused(admin, method, name="nosuch"), "NOT_FOUND", "'nosuch'")


def test_how_many_apps_an_owner_may_host(cluster, admin):
    for name in ["first", "second"]:
        register(admin, name, owner="user:hosts")
    fields = {"name": "third", "owner": "user:hosts", "owner_tier": "pro"}
    outcome = told(
        refused(admin, "RegisterApp", **fields),
        "HOSTING_LIMIT",
        "user:hosts has 2 apps",
        "host 2",
    )
    assert outcome.code is grpc.StatusCode.FAILED_PRECONDITION
    ask(admin, "RemoveApp", name="first")
    register(admin, "third", owner="user:hosts")
    assert [a.name for a in ask(admin, "ListApps", owner="user:hosts").apps] == [
        "second",
        "third",
    ]
    fields = {"name": "x", "owner": "user:no.host", "owner_tier": "none"}
    told(refused(admin, "RegisterApp", **fields), "HOSTING_LIMIT", "has 0 apps", "host 0")


def test_the_owners_tier_is_that_of_his_token(cluster, admin):
    fields = {"name": "tierless", "owner": "user:tierless"}
    told(refused(admin, "RegisterApp", **fields), "BAD_INPUT", "give owner_tier")
    new_token(admin, "tierless", tier="none")
    told(refused(admin, "RegisterApp", **fields), "HOSTING_LIMIT", "the tier none")
    register(admin, "first-of-tierless", owner="user:tierless")
    new_token(admin, "", app="first-of-tierless", tier="pro")  # the app's, not his own
    told(refused(admin, "RegisterApp", **fields), "HOSTING_LIMIT", "the tier none")
    new_token(admin, "tierless", tier="pro")
    assert ask(admin, "RegisterApp", **fields).owner == "user:tierless"


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"name": "Upper", "owner": "user:x"}, ["'Upper' is not"]),
        ({"name": "a/b", "owner": "user:x"}, ["'a/b' is not"]),
        ({"name": "a" * 64, "owner": "user:x"}, ["name has 64 bytes; the limit is 63"]),
        ({"name": "", "owner": "user:x"}, ["name is empty"]),
        (
            {"name": "fine", "owner": "ip:1.2.3.4"},
            ["'ip:1.2.3.4' is no account of a user"],
        ),
        ({"name": "fine", "owner": "user:"}, ["'user:' is no account of a user"]),
    ],
)
def test_no_app_of_that_kind(admin, fields, parts):
    told(refused(admin, "RegisterApp", owner_tier="pro", **fields), "BAD_INPUT", *parts)


def test_a_name_is_given_once(admin):
    register(admin, "unique", owner="user:unique")
    fields = {"name": "unique", "owner": "user:thief", "owner_tier": "pro"}
    outcome = told(refused(admin, "RegisterApp", **fields), "ALREADY_EXISTS", "'unique' already")
    assert outcome.code is grpc.StatusCode.ALREADY_EXISTS


# ---- grants, blocks, accounts


def test_time_is_given_and_taken(cluster, admin):
    token = new_token(admin, "given", tier="free").secret
    visitor = cluster.visitor(token=token)
    answer = ask(admin, "GrantTime", account="user:given", amount_us=HOUR_US, reason="a talk")
    assert (answer.grant.by, answer.grant.reason) == ("user:admin", "a talk")
    assert (answer.account.granted_us, answer.account.tier) == (HOUR_US, "free")
    assert ask(visitor, "GetQuota").left_us == 210 * 10**6 + HOUR_US
    ask(
        admin,
        "GrantTime",
        account="user:given",
        amount_us=-2 * HOUR_US,
        reason="a mistake",
    )
    assert ask(visitor, "GetQuota").left_us == 0
    outcome = refusal(cluster.stub(token=token).ModelInfer, identity_request())
    assert outcome.trailers["sluice-reason"] in ("QUOTA_EXCEEDED", "DURATION_TOO_LONG")
    grants = wait_until(
        lambda: len(found := ask(admin, "ListGrants", account="user:given").grants) == 2 and found,
        10 * SLOW,
        "the tables",
    )
    assert [(g.amount_us, g.reason) for g in grants] == [
        (-2 * HOUR_US, "a mistake"),
        (HOUR_US, "a talk"),
    ]


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"account": "user:x", "amount_us": 0, "reason": "r"}, ["amount_us is 0"]),
        (
            {"account": "user:x", "amount_us": 10**15, "reason": "r"},
            ["amount_us is 1000000000"],
        ),
        ({"account": "user:x", "amount_us": 1, "reason": ""}, ["reason is empty"]),
        (
            {"account": "user:x", "amount_us": 1, "reason": "r" * 501},
            ["reason has 501 bytes"],
        ),
        (
            {"account": "x", "amount_us": 1, "reason": "r"},
            ["'x' is no account", "ip:ADDRESS"],
        ),
        (
            {"account": "ip:1.2.3.4/8", "amount_us": 1, "reason": "r"},
            ["'ip:1.2.3.4/8'"],
        ),
        (
            {"account": "ip:2001:db8::/40", "amount_us": 1, "reason": "r"},
            ["'ip:2001:db8::/40'"],
        ),
    ],
)
def test_no_grant_of_that_kind(admin, fields, parts):
    told(refused(admin, "GrantTime", **fields), "BAD_INPUT", *parts)


def test_a_visitor_is_blocked(cluster, admin):
    token = new_token(admin, "rude").secret
    stub = cluster.stub(token=token)
    call(stub)
    since = time.monotonic()
    block = ask(admin, "BlockVisitor", account="user:rude", reason="mining")
    assert (block.by, block.reason, block.blocked) == ("user:admin", "mining", True)
    outcome = refusal(stub.ModelInfer, identity_request())
    assert outcome.code is grpc.StatusCode.PERMISSION_DENIED
    told(outcome, "BLOCKED")
    assert time.monotonic() - since < 1 * SLOW
    assert ask(cluster.visitor(token=token), "GetQuota").purses[0].blocked
    assert ask(admin, "GetAccount", account="user:rude").blocked
    assert "user:rude" in [b.account for b in ask(admin, "ListBlocks").blocks]
    assert not ask(admin, "UnblockVisitor", account="user:rude", reason="sorry").blocked
    call(stub)
    assert "user:rude" not in [b.account for b in ask(admin, "ListBlocks").blocks]
    ask(admin, "UnblockVisitor", account="user:rude", reason="again is fine")


def test_a_range_of_addresses_is_blocked(cluster, admin):
    stub = cluster.stub()
    ask(admin, "BlockVisitor", account="ip:2001:DB8:99::/48", reason="a flood")
    outcome = refusal(
        stub.ModelInfer,
        identity_request(),
        metadata=[("x-forwarded-for", "2001:db8:99:1::1")],
    )
    told(outcome, "BLOCKED")
    call(stub, x_forwarded_for="2001:db8:98:1::1")
    ask(admin, "UnblockVisitor", account="ip:2001:db8:99::/48", reason="over")
    call(stub, x_forwarded_for="2001:db8:99:1::1")


def test_accounts_and_tiers(cluster, admin):
    token = new_token(admin, "account", tier="free").secret
    nothing = ask(admin, "GetAccount", account="user:account")
    assert (nothing.account, nothing.tier, nothing.spent_us) == (
        "user:account",
        "free",
        0,
    )
    trailers = call(cluster.stub(token=token))
    account = ask(admin, "GetAccount", account="user:account")
    assert account.spent_us == round(float(trailers["sluice-charged-ms"]) * 1000)
    assert account.resets_at_us == account.window_opened_at_us + 24 * HOUR_US
    assert ask(admin, "GetAccount", account="ip:192.0.2.77").tier == ""
    tiers = ask(admin, "ListTiers")
    rows = {t.name: t for t in tiers.tiers}
    assert (rows["pro"].daily_us, rows["pro"].apps) == (1500 * 10**6, 2)
    assert tiers.sizes[0].name == "large"


def test_each_change_is_logged_with_who_made_it(cluster, admin):
    boss = cluster.admin(token=new_token(admin, "boss", **{"admin": True}).secret)
    before = len(cluster.daemons["gateway"].log())
    prefix = new_token(boss, "logged").token.prefix
    ask(boss, "RevokeToken", prefix=prefix)
    register(boss, "logged", owner="user:logged")
    for method in ["PauseApp", "ResumeApp", "RemoveApp"]:
        ask(boss, method, name="logged")
    ask(boss, "GrantTime", account="user:logged", amount_us=5, reason="why not")
    ask(boss, "BlockVisitor", account="user:logged", reason="a b")
    ask(boss, "UnblockVisitor", account="user:logged", reason="c d")

    def log():
        return cluster.daemons["gateway"].log()[before:]

    wait_until(lambda: 'reason="c d"' in log(), 10 * SLOW, "the last line: it is behind the answer")
    lines = [line for line in log().splitlines() if "by=user:boss" in line]
    for line, words in zip(
        lines,
        [
            ("token made", f"prefix={prefix}", "user=logged", "tier=pro"),
            ("token revoked", f"prefix={prefix}"),
            ("app registered", "app=logged", "owner=user:logged"),
            ("app paused",),
            ("app resumed",),
            ("app removed",),
            ("time granted", "account=user:logged", "amount_us=5", 'reason="why not"'),
            ("visitor blocked", "account=user:logged", 'reason="a b"'),
            ("visitor unblocked", 'reason="c d"'),
        ],
        strict=True,
    ):
        assert all(word in line for word in words), line


# ---- usage


def exported(admin, by, **fields):
    return ask(admin, "ExportUsage", by=by, **fields)


def test_usage_by_week(cluster, admin):
    kinds = messages().ExportUsageRequest
    register(admin, "used", owner="user:uses")
    stub = cluster.stub(token=new_token(admin, "", app="used").secret)
    charged = [round(float(call(stub)["sluice-charged-ms"]) * 1000) for _ in range(3)]

    def row(by, key):
        return next((r for r in exported(admin, by).rows if r.key == key), None)

    by_app = wait_until(
        lambda: (r := row(kinds.BY_APP, "used")) and r.calls == 3 and r,
        10 * SLOW,
        "the tables",
    )
    assert by_app.charged_us == sum(charged)
    week = time.gmtime(by_app.week_at_us / 1e6)
    assert (week.tm_wday, week.tm_hour, week.tm_min) == (0, 0, 0)
    assert row(kinds.BY_OWNER, "user:uses").charged_us == sum(charged)
    assert row(kinds.BY_VISITOR, "user:uses").calls == 3
    only = exported(admin, kinds.BY_VISITOR, app="used").rows
    assert [r.key for r in only] == ["user:uses"]
    assert not exported(admin, kinds.BY_APP, until_us=by_app.week_at_us).rows


def test_usage_as_text(cluster, admin):
    kinds = messages().ExportUsageRequest
    odd = 'quo"te,comma'
    call(cluster.stub(token=new_token(admin, odd).secret))
    wait_until(
        lambda: odd in str([r.key for r in exported(admin, kinds.BY_VISITOR).rows]),
        10 * SLOW,
        "the tables",
    )

    def text_of(form):
        text, page = "", 0
        while True:
            part = exported(admin, kinds.BY_VISITOR, format=form, page_size=2, page=page)
            assert not part.rows
            text, page = text + part.text, part.next_page
            if page == 0:
                return text

    rows = exported(admin, kinds.BY_VISITOR).rows
    plain = [(r.key, r.calls, r.used_us, r.charged_us) for r in rows]
    table = list(csv.DictReader(io.StringIO(text_of(kinds.CSV), newline="")))
    lines = [json.loads(line) for line in text_of(kinds.JSON).splitlines()]
    for parsed in [table, lines]:
        assert [
            (r["visitor"], int(r["calls"]), int(r["used_us"]), int(r["charged_us"])) for r in parsed
        ] == plain
    assert table[0]["week"] == time.strftime("%Y-%m-%d", time.gmtime(rows[0].week_at_us / 1e6))
    assert any(r["visitor"] == f"user:{odd}" for r in table)


# ---- what lasts


def test_all_of_it_lasts(few_models, tmp_path, _stubs):
    gateway = f"{CONFIG}store: {{path: '{tmp_path}/sluice.db'}}\n"
    with Cluster(few_models, tmp_path, slices=1, gateway=gateway) as cluster:
        admin = cluster.admin()
        good, bad = new_token(admin, "stays"), new_token(admin, "goes")
        ask(admin, "RevokeToken", prefix=bad.token.prefix)
        for name in ["runs", "sleeps", "left"]:
            register(admin, name, owner=f"user:{name}")
        app_token = new_token(admin, "", app="sleeps").secret
        ask(admin, "PauseApp", name="sleeps")
        ask(admin, "RemoveApp", name="left")
        ask(admin, "GrantTime", account="user:stays", amount_us=HOUR_US, reason="kept")
        ask(admin, "BlockVisitor", account="user:blocked", reason="kept, too")
        cluster.daemons["gateway"].kill()  # right after the answer
        cluster.restart("gateway")
        wait_until(cluster.is_whole, 30 * SLOW, "the gateway again")
        cluster.close_channels()
        admin = cluster.admin()
        assert call(cluster.stub(token=good.secret))["sluice-visitor"] == "user:stays; tier=pro"
        left = ask(cluster.visitor(token=good.secret), "GetQuota").purses[0]
        assert left.granted_us == HOUR_US
        outcome = refusal(cluster.stub(token=bad.secret).ModelInfer, identity_request())
        assert outcome.code is grpc.StatusCode.UNAUTHENTICATED
        apps = {a.name: a.paused for a in ask(admin, "ListApps").apps}
        assert apps == {"runs": False, "sleeps": True}
        told(
            refusal(cluster.stub(token=app_token).ModelInfer, identity_request()),
            "NOT_TRUSTED",
        )
        (block,) = ask(admin, "ListBlocks").blocks
        assert (block.account, block.reason, block.by) == (
            "user:blocked",
            "kept, too",
            "user:admin",
        )
        blocked = new_token(admin, "blocked").secret
        told(
            refusal(cluster.stub(token=blocked).ModelInfer, identity_request()),
            "BLOCKED",
        )
        assert [g.reason for g in ask(admin, "ListGrants").grants] == ["kept"]


def test_without_a_store(few_models, tmp_path, _stubs):
    with Cluster(few_models, tmp_path, slices=1, gateway=CONFIG) as cluster:
        admin = cluster.admin()
        token = new_token(admin, "brief").secret
        assert call(cluster.stub(token=token))["sluice-visitor"] == "user:brief; tier=pro"
        ask(admin, "BlockVisitor", account="user:brief", reason="none")
        told(refusal(cluster.stub(token=token).ModelInfer, identity_request()), "BLOCKED")
        visitor = cluster.visitor(token=token)
        told(refused(visitor, "ListReceipts"), "UNIMPLEMENTED", "no store.path")
        for method in ["ExportUsage", "ListGrants"]:
            told(refused(admin, method), "UNIMPLEMENTED", "no store.path")


def test_what_should_end_ends_while_nothing_can_be_stored(few_models, tmp_path, _stubs):
    gateway = f"{CONFIG}store: {{path: '{tmp_path}/sluice.db'}}\n"
    with Cluster(few_models, tmp_path, slices=1, gateway=gateway) as cluster:
        admin, daemon = cluster.admin(), cluster.daemons["gateway"]
        token = new_token(admin, "leaked")
        stub = cluster.stub(token=token.secret)
        call(stub)
        process = psutil.Process(daemon.pid)
        before = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (1, before[1]))  # as a full disk
        late = refusal(
            admin.RevokeToken, request("RevokeToken", prefix=token.token.prefix), timeout=2 * SLOW
        )
        assert late.code is grpc.StatusCode.DEADLINE_EXCEEDED
        outcome = refusal(stub.ModelInfer, identity_request())
        assert outcome.code is grpc.StatusCode.UNAUTHENTICATED
        told(refused(admin, "CreateToken", user="new", tier="pro"), "NO_CAPACITY")
        told(refused(admin, "GrantTime", account="user:x", amount_us=1, reason="r"), "NO_CAPACITY")
        process.rlimit(psutil.RLIMIT_FSIZE, before)
        ask(admin, "RevokeToken", prefix=token.token.prefix)  # answered, so the first is there, too
        daemon.kill()
        cluster.restart("gateway")
        wait_until(cluster.is_whole, 30 * SLOW, "the gateway again")
        cluster.close_channels()
        outcome = refusal(cluster.stub(token=token.secret).ModelInfer, identity_request())
        assert outcome.code is grpc.StatusCode.UNAUTHENTICATED
