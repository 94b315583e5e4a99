"""The organisation that a token names: in quota, receipt, log, and at the command line."""

import json
import os
import re
import signal
import subprocess

import pytest
from support.calls import identity_request
from support.cluster import Cluster
from support.issuer import Key
from support.paths import BIN, SLOW
from support.receipts import receipts_of
from support.wait import wait_until

ISSUER = "https://login.test/"
KEY = Key("ES256", "k")
LONGEST = "ö" * 31 + "x"  # 63 bytes
CONFIG = """
store: {{path: '{folder}/sluice.db'}}
auth: {{allow_plaintext_tokens: true}}
issuers:
  corp:
    issuer: https://login.test/
    audience: [sluice]
    jwks_file: '{folder}/keys.json'
    algorithms: [ES256]
    claims: {{organisation: org}}
    organisations: {{school: pro, Example Ltd.: team}}
"""


@pytest.fixture(scope="module")
def cluster(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("organisations")
    (folder / "keys.json").write_text(json.dumps({"keys": [KEY.jwk()]}))
    with Cluster(few_models, folder, gateway=CONFIG.format(folder=folder)) as cluster:
        yield cluster


def sluice(cluster, token, *words):
    ran = subprocess.run(
        [BIN / "sluice", *words, "--address", cluster.grpc],
        env={**os.environ, "SLUICE_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=30 * SLOW,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def call(cluster, token):
    """The id of a call that was answered."""
    metadata = [("authorization", f"Bearer {token}")]
    _, done = cluster.stub().ModelInfer.with_call(
        identity_request(), timeout=20 * SLOW, metadata=metadata
    )
    return dict(done.trailing_metadata())["sluice-call-id"]


def line_of(cluster, call_id):
    log = cluster.daemons["gateway"]
    log.wait_for_log(f"call ended call={call_id} ", 20 * SLOW)
    (line,) = [line for line in log.log().splitlines() if f"call ended call={call_id} " in line]
    return line


def listed(cluster, token, call_id):
    """The receipt as the command line has it: some moments after the call."""

    def ask():
        told = sluice(cluster, token, "receipts", "--call", call_id, "--json")
        return json.loads(told)["receipts"]

    wait_until(ask, 20 * SLOW, "the receipt")
    (receipt,) = ask()
    return receipt


def quota(cluster, token):
    told = json.loads(sluice(cluster, token, "quota", "--json"))
    return told["organisation"], told["tier"]


def logged(organisation):
    """As a line of the log has it."""
    return organisation if re.fullmatch("[a-z]+", organisation) else f'"{organisation}"'


@pytest.mark.parametrize(
    ("claims", "organisation", "tier"),
    [
        ({"org": "Example Ltd."}, "Example Ltd.", "team"),
        ({"org": "unheard"}, "unheard", "free"),
        ({"org": "a b=c"}, "a b=c", "free"),
        ({"org": LONGEST}, LONGEST, "free"),
        ({"org": ["x", "school", "Example Ltd."]}, "Example Ltd.", "team"),
        ({"org": ["x", "school"]}, "school", "pro"),
        ({"org": ["x", "y"]}, "", "free"),
        ({"org": None}, "", "free"),
        ({}, "", "free"),
    ],
)
def test_an_organisation_is_on_the_receipt(cluster, claims, organisation, tier):
    token = KEY.token(ISSUER, sub="eve", **claims)
    call_id = call(cluster, token)
    rows = receipts_of(cluster.folder / "sluice.db")
    (kept,) = [row for row in rows if row.call_id == call_id]
    assert (kept.organisation, kept.tier) == (organisation, tier)
    shown = logged(organisation) if organisation else "-"
    line = line_of(cluster, call_id)
    assert f" visitor=user:corp#eve tier={tier} organisation={shown} app=- " in line
    told = listed(cluster, token, call_id)
    assert (told["organisation"], told["tier"]) == (organisation, tier)
    assert quota(cluster, token) == (organisation, tier)
    of = f" of {organisation}" if organisation else ""
    head = sluice(cluster, token, "quota").splitlines()[0]
    assert head.startswith(f"user:corp#eve{of} (tier {tier}): ")


def test_an_organisation_is_no_common_purse(cluster):
    one, other = (KEY.token(ISSUER, sub=sub, org="Example Ltd.") for sub in ("ann", "ben"))
    call(cluster, one)
    spent = [
        json.loads(sluice(cluster, token, "quota", "--json"))["purses"][0]["spent_us"]
        for token in (one, other)
    ]
    assert spent[0] > 0 == spent[1]


def reload(cluster, text):
    log = cluster.daemons["gateway"]
    before = log.log().count("configuration read again")
    (cluster.folder / "gateway.yaml").write_text(text)
    log.signal(signal.SIGHUP)
    wait_until(
        lambda: log.log().count("configuration read again") > before, 20 * SLOW, "the reload"
    )


def test_which_of_several_is_the_best_may_change_for_tokens_that_are_remembered(cluster):
    token = KEY.token(ISSUER, sub="joe", org=["Example Ltd.", "school"])
    config = (cluster.folder / "gateway.yaml").read_text()
    assert quota(cluster, token) == ("Example Ltd.", "team")
    reload(cluster, config.replace("school: pro", "school: enterprise"))
    assert quota(cluster, token) == ("school", "enterprise")
    reload(cluster, config + "tiers: {pro: {weight: 64}}\n")
    assert quota(cluster, token) == ("school", "pro")
    reload(cluster, config)
    assert quota(cluster, token) == ("Example Ltd.", "team")
