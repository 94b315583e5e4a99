"""Who has no token: addresses that are shared, cookies, how one gets them and their cap, and what a
refusal tells.
"""

import datetime
import hashlib
import hmac
import http.client
import http.cookies
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from support.calls import identity_request, refusal, scripted_request
from support.pair import Pair
from support.paths import ROOT, SLOW
from support.stubs import pb
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


def new_pair(models, folder, *, key_age_s=0, config=CONFIG):
    """Its callers are whoever x-forwarded-for says; its cookies are signed by KEY."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    with open(os.open(state / "cookie.keys", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write(f"1 {int(time.time()) - key_age_s} {KEY.hex()}\n")
    return Pair(models, folder, f"state: {state}\n{config}")


@pytest.fixture(scope="module")
def pair(few_models, tmp_path_factory, _stubs):
    with new_pair(few_models, tmp_path_factory.mktemp("visitors")) as pair:
        pair.infer = pair.plain_stub().ModelInfer
        yield pair


class Visit:
    """GET /visitor from an address: status, told (its JSON) and what is set (None: nothing)."""

    def __init__(self, pair, address, cookie=None, proto=None):
        headers = {"x-forwarded-for": address}
        if cookie is not None:
            headers["cookie"] = f"theme=dark; sluice-visitor={cookie}"
        if proto is not None:
            headers["x-forwarded-proto"] = proto
        connection = http.client.HTTPConnection(pair.http, timeout=10)
        connection.request("GET", "/visitor", headers=headers)
        reply = connection.getresponse()
        self.status, self.told = reply.status, json.loads(reply.read())
        assert reply.getheader("cache-control") == "no-store"
        self.set = http.cookies.SimpleCookie(reply.getheader("set-cookie")).get("sluice-visitor")
        connection.close()

    @property
    def cookie(self):
        return self.set.value

    @property
    def account(self):
        return f"cookie:{self.cookie.split('.')[0]}"

    def good_for_s(self):
        until = datetime.datetime.fromisoformat(self.told["expires_at"].replace("Z", "+00:00"))
        return until.timestamp() - time.time()


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


# ---- how one gets a cookie


def test_a_visitor_gets_a_cookie_and_spends_by_it(pair):
    address = "203.0.113.50"
    first, second = Visit(pair, address), Visit(pair, address)
    assert (first.status, first.told["tier"], first.told["cookie"]) == (200, "anonymous", "new")
    assert first.good_for_s() == pytest.approx(90 * 86400, abs=60)
    assert int(first.set["max-age"]) == 90 * 86400
    assert (first.set["path"], first.set["samesite"]) == ("/", "Lax")
    assert first.set["httponly"]
    assert not first.set["secure"]
    assert known_as(pair, address, first.cookie) == f"{first.account}; tier=anonymous"
    assert first.account != second.account
    with Held(pair, [asks(address, first.cookie)]):
        assert "share it" not in refused(pair, address, first.cookie).text
        assert admitted(pair, address, second.cookie)  # its own purse


def test_cookies_that_were_handed_out_share_their_address(pair):
    address = "203.0.113.51"
    cookies = [Visit(pair, address).cookie for _ in range(7)]
    with Held(pair, [asks(address, one) for one in cookies[:6]]):
        outcome = refused(pair, address, cookies[6])
        assert f"All who come from {address} share it: sign in at {SIGN_IN}" in outcome.text
        assert admitted(pair, "203.0.113.52", cookies[6])


def test_a_good_cookie_stays(pair):
    mine = cookie(50, age_s=44 * 86400)
    visit = Visit(pair, "198.51.100.3", mine)
    assert (visit.told["tier"], visit.told["cookie"]) == ("campus", "kept")
    assert visit.set is None
    assert visit.good_for_s() == pytest.approx(46 * 86400, abs=60)


@pytest.mark.parametrize(
    "bad", [cookie(7, key=bytes(32)), cookie(7, age_s=91 * 86400), "x"], ids=["forged", "old", "x"]
)
def test_a_cookie_that_is_not_good_is_replaced(pair, bad):
    visit = Visit(pair, "203.0.113.53", bad)
    assert visit.told["cookie"] == "new"
    assert visit.account != f"cookie:{7:032x}"


def test_a_cookie_is_signed_anew_and_keeps_its_purse(pair):
    address, old = "203.0.113.54", cookie(54, age_s=46 * 86400)
    visit = Visit(pair, address, old)
    assert (visit.told["cookie"], visit.account) == ("renewed", f"cookie:{54:032x}")
    assert visit.good_for_s() == pytest.approx(90 * 86400, abs=60)
    assert known_as(pair, address, visit.cookie) == f"{visit.account}; tier=anonymous"
    with Held(pair, [asks(address, old)]):
        assert "share it" not in refused(pair, address, visit.cookie).text


def test_it_is_for_tls_alone_where_a_proxy_says_so(pair):
    assert Visit(pair, "203.0.113.55", proto="https").set["secure"]
    assert not Visit(pair, "203.0.113.55", proto="http").set["secure"]


def test_answers_are_counted_and_leave_nothing(pair):
    name = 'sluice_visitor_cookies_total{cookie="new"}'
    before, calls = pair.metric(name), pair.metric('sluice_callers_known_total{kind="cookie"}')
    for _ in range(200):
        Visit(pair, "203.0.113.56")
    assert pair.metric(name) == before + 200
    assert pair.metric('sluice_callers_known_total{kind="cookie"}') == calls


def reload(pair, config):
    """SIGHUP, and the gateway has taken it."""
    before = pair.gateway.log().count("configuration read again")
    pair.write_config(f"state: {pair.folder / 'state'}\n{config}")
    pair.gateway.signal(signal.SIGHUP)
    wait_until(
        lambda: pair.gateway.log().count("configuration read again") > before, 10 * SLOW, "reload"
    )
    pair.plain_stub().ServerLive(pb().ServerLiveRequest(), timeout=20)  # it is through with it


def keys(pair):
    """The numbers of the keys that are kept."""
    lines = (pair.folder / "state/cookie.keys").read_text().splitlines()
    return [int(line.split()[0]) for line in lines]


def test_keys_and_what_is_configured_change_under_way(few_models, tmp_path, _stubs):
    """A key that has had its time is replaced at the start, the next one at a reload."""
    with new_pair(few_models, tmp_path, key_age_s=31 * 86400) as pair:
        pair.infer = pair.plain_stub().ModelInfer
        assert keys(pair) == [1, 2]
        address, old = "203.0.113.60", cookie(60)
        second = Visit(pair, address, old)
        assert (second.told["cookie"], second.account) == ("renewed", f"cookie:{60:032x}")
        assert second.cookie.split(".")[2] == "2"
        for one in (old, second.cookie):
            assert known_as(pair, address, one) == f"cookie:{60:032x}; tier=anonymous"
        assert Visit(pair, address, second.cookie).told["cookie"] == "kept"

        reload(pair, CONFIG.replace("cookie_cap: 5", "cookie_cap: 5, cookie_lifetime: 1h"))
        assert int(Visit(pair, address).set["max-age"]) == 3600
        assert Visit(pair, address, cookie(61, age_s=3700)).told["cookie"] == "new"
        reload(pair, CONFIG.replace("cookie_cap: 5", "allow: false"))
        closed = Visit(pair, address, second.cookie)
        assert (closed.status, closed.set, closed.told["reason"]) == (403, None, "NOT_TRUSTED")
        assert f"sign in at {SIGN_IN}" in closed.told["error"]
        reload(pair, CONFIG)
        assert Visit(pair, address, second.cookie).told["cookie"] == "kept"
        for one in (old, second.cookie):
            assert one[12:-2] not in pair.gateway.log()


HOURLY = CONFIG.replace("cookie_cap: 5", "cookie_cap: 5, cookie_rotate: 1h, cookie_lifetime: 10h")


def test_a_key_that_is_due_at_a_reload(few_models, tmp_path, _stubs):
    """While it cannot be stored the one before signs on, and the log says why."""
    with new_pair(few_models, tmp_path, key_age_s=20 * 86400) as pair:
        file = tmp_path / "state/cookie.keys"
        file.rename(tmp_path / "state/before")
        file.mkdir()  # no file can take its place
        reload(pair, HOURLY)
        wait_until(lambda: "cookies have no new key" in pair.gateway.log(), 10 * SLOW, "a line")
        first = Visit(pair, "203.0.113.62")
        assert first.cookie.split(".")[2] == "1"
    file.rmdir()
    (tmp_path / "state/before").rename(file)
    with Pair(few_models, tmp_path, f"state: {tmp_path / 'state'}\n{HOURLY}") as pair:
        assert keys(pair) == [1, 2]
        again = Visit(pair, "203.0.113.62", first.cookie)
        assert (again.told["cookie"], again.account) == ("renewed", first.account)


# ---- what docs/OPERATIONS.md shows


def section(page, heading):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)


def block(text, language):
    return textwrap.dedent(re.search(rf"^```{language}\n(.*?)^```", text, re.M | re.S).group(1))


def plain(text):
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)


def test_the_example_of_the_documentation(few_models, tmp_path, _stubs):
    text = section("docs/OPERATIONS.md", "Visitors without a token")
    with new_pair(few_models, tmp_path, config="trusted_proxies: [127.0.0.0/8]\n") as pair:

        def here(text):
            return text.replace("127.0.0.1:8000", pair.http).replace("127.0.0.1:8001", pair.grpc)

        (tmp_path / "ask.py").write_text(here(block(text, "python")))
        (tmp_path / "proto").symlink_to(ROOT / "proto")
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        for step in block(text, "console").split("$ ")[1:]:
            command, shown = here(step).split("\n", 1)
            ran = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                timeout=60 * SLOW,
            )
            assert plain(ran.stdout) == plain(shown), command + ran.stderr
