"""Who has no token: addresses that are shared, cookies and their cap, and what a refusal tells."""

import hashlib
import hmac
import os
import time

import pytest
from support.calls import identity_request, refusal, scripted_request
from support.pair import Pair
from support.paths import SLOW
from support.wait import wait_until

KEY = os.urandom(32)
SIGN_IN = "https://in.test/"
# Each call puts 10 s aside: an address has the time of one, a /56 that of four, and all cookies of
# an address that of six.
CONFIG = f"""
log: {{level: debug}}
trusted_proxies: [127.0.0.0/8]
tiers: {{anonymous: {{daily: 12s, in_flight: 100}}, campus: {{daily: 1h, in_flight: 100}}}}
networks: {{127.0.0.0/8: enterprise, 198.51.100.0/24: campus, 198.51.100.128/25: anonymous}}
anonymous: {{cookie_cap: 5, sign_in_url: '{SIGN_IN}'}}
"""


def cookie(number, *, age_s=0, key=KEY, key_number=1):
    """What the gateway would sign (gateway/core/gw_cookie.h): ID.ISSUED.KEY.MAC."""
    text = f"{number:032x}.{int(time.time()) - age_s}.{key_number}"
    mac = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"{text}.{mac}"


@pytest.fixture(scope="module")
def pair(few_models, tmp_path_factory, _stubs):
    """Its callers are whoever x-forwarded-for says; its cookies are signed by KEY."""
    folder = tmp_path_factory.mktemp("visitors")
    state = folder / "state"
    state.mkdir(mode=0o700)
    with open(os.open(state / "cookie.keys", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write(f"1 {int(time.time())} {KEY.hex()}\n")
    with Pair(few_models, folder, f"state: {state}\n{CONFIG}") as pair:
        pair.infer = pair.plain_stub().ModelInfer
        yield pair


def asks(address, cookie=None, duration="10s"):
    more = [("cookie", f"theme=dark; sluice-visitor={cookie}")] if cookie else []
    return [("x-forwarded-for", address), ("sluice-duration", duration), *more]


def known_as(pair, address, cookie=None):
    """The account and the tier of a caller."""
    _, call = pair.infer.with_call(identity_request(), timeout=20, metadata=asks(address, cookie))
    return dict(call.trailing_metadata())["sluice-visitor"]


class Held:
    """Calls that hold their visitors' time as long as this lasts: each of a list of asks."""

    def __init__(self, pair, callers):
        self.pair, self.callers = pair, callers

    def __enter__(self):
        self.before = self.pair.metric("sluice_holds")
        self.calls = [
            self.pair.infer.future(scripted_request(run="25s"), timeout=60, metadata=caller)
            for caller in self.callers
        ]
        self._wait_for_holds(self.before + len(self.calls))

    def __exit__(self, *_):
        for call in self.calls:
            call.cancel()
        self._wait_for_holds(self.before)

    def _wait_for_holds(self, count):
        wait_until(lambda: self.pair.metric("sluice_holds") == count, 20 * SLOW, f"{count} holds")


def admitted(pair, *caller):
    """Has time for a call, although there may be no slice for it now."""
    with Held(pair, [asks(*caller)]):
        return True


def refused(pair, *caller):
    return refusal(pair.infer, identity_request(), metadata=asks(*caller))


# ---- who it is


def test_a_cookie_is_an_account_within_its_address(pair):
    mine = cookie(7)
    assert known_as(pair, "203.0.113.7", mine) == f"cookie:{7:032x}; tier=anonymous"
    assert known_as(pair, "198.51.100.7", mine) == f"cookie:{7:032x}; tier=campus"


@pytest.mark.parametrize(
    "bad",
    [
        cookie(7, key=bytes(32)),
        cookie(7, key_number=2),
        cookie(7, age_s=91 * 86400),
        cookie(7, age_s=-3600),
        cookie(7)[:-1],
        cookie(7).replace("0", "1", 1),
        cookie(7).upper(),
        "",
        "x" * 1000,
    ],
    ids=["forged", "of no key", "old", "of tomorrow", "cut", "of another", "upper", "empty", "x"],
)
def test_a_cookie_that_is_not_good_is_none(pair, bad):
    assert known_as(pair, "203.0.113.7", bad) == "ip:203.0.113.7; tier=anonymous"


@pytest.mark.parametrize(
    ("address", "tier"),
    [("198.51.100.3", "campus"), ("198.51.100.130", "anonymous"), ("203.0.113.3", "anonymous")],
)
def test_the_narrowest_network_counts(pair, address, tier):
    assert known_as(pair, address) == f"ip:{address}; tier={tier}"


# ---- whose time it is


def test_an_address_is_shared_and_a_refusal_says_so(pair):
    with Held(pair, [asks("203.0.113.20")]):
        outcome = refused(pair, "203.0.113.20")
        assert outcome.trailers["sluice-reason"] == "QUOTA_EXCEEDED"
        assert "All who come from 203.0.113.20 share it" in outcome.text
        assert f"sign in at {SIGN_IN} for one of your own" in outcome.text
        assert admitted(pair, "203.0.113.21")  # its neighbour has its own


def test_an_ipv6_prefix_is_shared_and_nests(pair):
    with Held(pair, [asks("2001:db8:1:2::3")]):
        outcome = refused(pair, "2001:db8:1:2:ffff::4")
        assert "All who come from 2001:db8:1:2::/64 share it" in outcome.text
        assert admitted(pair, "2001:db8:1:3::3")
    with Held(pair, [asks(f"2001:db8:2:{n}::1") for n in range(4)]):  # all that its /56 has
        outcome = refused(pair, "2001:db8:2:9::1")
        assert "All who come from 2001:db8:2::/56 share it" in outcome.text
        assert admitted(pair, "2001:db8:2:100::1")


def test_a_cookie_has_its_own_time(pair):
    with Held(pair, [asks("203.0.113.30", cookie(1))]):
        outcome = refused(pair, "203.0.113.30", cookie(1))
        assert "share it" not in outcome.text
        assert f"Or sign in at {SIGN_IN} for one of your own" in outcome.text
        assert admitted(pair, "203.0.113.30", cookie(2))


def test_all_cookies_of_an_address_have_a_cap(pair):
    address = "203.0.113.40"
    with Held(pair, [asks(address, cookie(n)) for n in range(6)]):
        outcome = refused(pair, address, cookie(8))  # who throws his cookie away gains nothing
        assert f"All who come from {address} share it" in outcome.text
        assert admitted(pair, "203.0.113.41", cookie(8))
