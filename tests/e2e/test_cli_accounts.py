"""The sluice command on people and money: quota, receipts, token, app, usage, grant, visitor."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import resource
import signal
import stat
import struct
import subprocess
import termios

import pytest
from support.calls import identity_request
from support.paths import BIN, SLOW
from support.server import Up
from support.wait import wait_until

NUMBERS = "INPUT0=[[1,2,3,4]]"
TOKEN = re.compile(r"sl_[0-9A-Za-z]{33}")
CONFIG = """
gateway:
  tiers: {brief: {daily: 7s, in_flight: 2, apps: 1}}
"""


@pytest.fixture(scope="module")
def up(few_models, tmp_path_factory, _stubs):
    folder = tmp_path_factory.mktemp("accounts")
    with Up(few_models, folder, CONFIG) as up:
        (folder / "home").mkdir()
        (folder / "home/sluice").symlink_to(up.state)  # where it would be by itself
        up.home = folder / "home"
        yield up


@pytest.fixture
def run(up):
    """The command on this machine: as a visitor with a token, else as whoever runs `sluice up`."""

    def run(*args, token=None, home=up.home, address=up.grpc):
        env = {"SLUICE_ADDRESS": address, "XDG_STATE_HOME": str(home)}
        if token is not None:
            env["SLUICE_TOKEN"] = token
        return subprocess.run(
            [BIN / "sluice", *map(str, args)],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=30 * SLOW,
        )

    return run


@pytest.fixture
def good(run):
    """What it prints when all is well."""

    def good(*args, **kwargs):
        ran = run(*args, **kwargs)
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout

    return good


@pytest.fixture
def data(good):
    return lambda *args, **kwargs: json.loads(good(*args, "--json", **kwargs))


@pytest.fixture
def refused(run):
    """The sentence of what is refused, with that exit code."""

    def refused(code, *args, **kwargs):
        ran = run(*args, **kwargs)
        assert (ran.returncode, ran.stdout) == (code, "")
        assert ran.stderr.startswith("sluice: ")
        return ran.stderr

    return refused


@pytest.fixture
def member(data):
    """Makes a user's token."""
    return lambda user, tier="pro": data("token", "create", "--user", user, "--tier", tier)[
        "secret"
    ]


def call(good, token, count=1):
    for _ in range(count):
        good("infer", "identity", "--input", NUMBERS, token=token)


def columns(table):
    """The rows of a table, each as {head: cell}."""
    lines = table.splitlines()
    starts = [found.start() for found in re.finditer(r"(?:(?<=  )|^)\S", lines[0])]
    heads = re.split(r"  +", lines[0].strip())
    assert len(starts) == len(heads)
    return [dict(zip(heads, re.split(r"  +", line.strip()), strict=True)) for line in lines[1:]]


def test_every_verb_has_help(good):
    verbs = re.findall(r"^  (\w+) ", good("--help"), re.M)
    assert {"quota", "receipts", "tiers", "token", "app", "usage", "grant", "visitor"} < set(verbs)
    for verb in verbs:
        text = good(verb, "--help")
        assert f"sluice {verb}" in text
        for inner in re.findall(r"^  (\w+) ", text, re.M) if " VERB " in text else []:
            assert f"Usage: sluice {verb} {inner}" in good(verb, inner, "--help")


# ---- visitors ------------------------------------------------------------------------------------


def test_quota(good, data, member):
    token = member("quota-1", "brief")
    shown = good("quota", token=token)
    head, _, *table = shown.splitlines()
    assert re.fullmatch(
        r"user:quota-1 \(tier brief\): 7\.000 s left, 0 of 2 calls under way",
        head,
    )
    [row] = columns("\n".join(table))
    assert (row["ACCOUNT"], row["STATE"], row["A DAY"]) == ("user:quota-1", "yours", "7.000 s")
    assert (row["SPENT"], row["RESETS (UTC)"]) == ("-", "24h after a call")
    call(good, token)
    told = data("quota", token=token)
    assert (told["visitor"], told["tier"], told["admin"]) == ("user:quota-1", "brief", False)
    [purse] = told["purses"]
    assert 0 < purse["spent_us"] < 7_000_000
    assert told["left_us"] == purse["left_us"] == 7_000_000 - purse["spent_us"]
    assert purse["resets_at_us"] == purse["window_opened_at_us"] + 86_400_000_000
    assert re.search(r"6\.\d{3} s left until \S+ \S+ UTC, 0 of 2", good("quota", token=token))


def test_quota_of_whom_nobody_knows(refused):
    assert "the token is not valid (UNAUTHENTICATED)" in refused(1, "quota", token="sl_nobody")


def receipts(data, token, count, *args):
    """Of this visitor, once there are so many: they are listed some moments after their calls."""
    wait_until(
        lambda: len(data("receipts", *args, token=token)["receipts"]) >= count,
        20 * SLOW,
        f"{count} receipts",
    )
    return data("receipts", *args, token=token)["receipts"]


def test_receipts(good, data, member):
    token = member("receipts-1")
    assert good("receipts", token=token) == "no receipts\n"
    assert data("receipts", token=token) == {"receipts": [], "has_more": False}
    call(good, token, 3)
    told = receipts(data, token, 3)
    assert len(told) == 3
    assert [r["ended_at_us"] for r in told] == sorted(
        (r["ended_at_us"] for r in told), reverse=True
    )
    assert {(r["reason"], r["model"], r["node"]) for r in told} == {("OK", "identity", "local")}
    assert all(r["accounts"] == ["user:receipts-1"] and r["charged_us"] > 0 for r in told)
    table, end = good("receipts", token=token).split("\n\n")
    rows = columns(table)
    assert [row["CALL"] for row in rows] == [r["call_id"] for r in told]
    assert rows[0]["CHARGED"] == f"{told[0]['charged_us'] / 1000:.3f} ms"
    total = sum(r["charged_us"] for r in told)
    assert end == f"3 receipts, {total / 1000:.3f} ms charged\n"
    one = data("receipts", "--call", told[1]["call_id"], token=token)["receipts"]
    assert one == [told[1]]
    assert good("receipts", "--until", "1h", token=token) == "no receipts\n"
    assert good("receipts", "--until", "30000d", token=token) == "no receipts\n"
    assert good("receipts", "--app", "none", token=token) == "no receipts\n"
    assert len(receipts(data, token, 3, "--since", "1h")) == 3
    assert "there are older ones" in good("receipts", "--limit", "2", token=token)
    assert data("receipts", "--limit", "2", token=token) == {"receipts": told[:2], "has_more": True}


def test_receipts_of_many_pages(up, good, data, member):
    token, count = member("receipts-2"), 450
    stub, by = up.stub(), [("authorization", f"Bearer {token}")]
    for future in [stub.ModelInfer.future(identity_request(), metadata=by) for _ in range(1)]:
        future.result()
    for _ in range(count // 15):
        calls = [stub.ModelInfer.future(identity_request(), metadata=by) for _ in range(15)]
        assert all(one.result().outputs for one in calls)
    told = receipts(data, token, count + 1, "--limit", "1000")
    assert len({r["call_id"] for r in told}) == len(told) == count + 1
    wide = good("receipts", "--limit", "1000", token=token)
    assert f"\n{count + 1} receipts, " in wide
    assert len(data("receipts", "--limit", "201", token=token)["receipts"]) == 201


def test_receipts_of_others_are_an_operators(good, data, refused, member):
    token = member("receipts-3")
    call(good, token)
    receipts(data, token, 1)
    everybody = data("receipts", "--everybody", "--limit", "1000")["receipts"]
    assert ["user:receipts-3"] in [r["accounts"] for r in everybody]
    rows = columns(good("receipts", "--account", "user:receipts-3").split("\n\n")[0])
    assert len(rows) == 1
    assert "ACCOUNT" in good("receipts", "--everybody").splitlines()[0]
    for args in (["--everybody"], ["--account", "user:receipts-1"]):
        assert "are for administrators (NOT_TRUSTED)" in refused(1, "receipts", *args, token=token)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--limit", "0"], "--limit is 0; 1 to 100000 are possible"),
        (["--limit", "many"], "--limit is many; 1 to 100000 are possible"),
        (["--since", "yesterday"], "--since is yesterday; write a span like 12h or 30d, or a date"),
        (["--since", "2026-02-30"], "--since is 2026-02-30; write"),
        (["--since", "1h", "--until", "2h"], "--until is not after --since"),
        (["--everybody", "--account", "user:a"], "give --account user:a or --everybody, not both"),
        (["extra"], "sluice receipts takes no argument, but there is extra"),
    ],
)
def test_receipts_that_make_no_sense(refused, args, sentence):
    assert sentence in refused(2, "receipts", *args)


def test_a_call_id_that_is_none(refused):
    assert "x" in refused(1, "receipts", "--call", "x")


# ---- tokens --------------------------------------------------------------------------------------


def test_a_token_is_told_once(run, good, data):
    made = run("token", "create", "--user", "token-1", "--tier", "pro", "--expires", "30d")
    assert made.returncode == 0
    assert TOKEN.fullmatch(made.stdout.strip())
    assert not TOKEN.search(made.stderr)
    prefix = made.stdout[:9]
    said = (
        rf"token {prefix} of user:token-1 \(tier pro\), expires \S+ \S+ UTC; it is shown this once"
    )
    assert re.fullmatch(said, made.stderr.strip())
    assert "user:token-1 (tier pro)" in good("quota", token=made.stdout.strip())
    [row] = columns(good("token", "list", "--user", "token-1"))
    assert (row["PREFIX"], row["USER"], row["STATE"]) == (prefix, "token-1", "good")
    [told] = data("token", "list", "--user", "token-1")["tokens"]
    assert told["expires_at_us"] - told["created_at_us"] == pytest.approx(30 * 86400e6, abs=2e6)
    assert not TOKEN.search(good("token", "list"))
    assert "from admin.token" in good("token", "list")


def test_a_token_into_a_file(run, good, refused, tmp_path):
    path = tmp_path / "token"
    ask = ["token", "create", "--user", "token-2", "--tier", "pro", "--out", path]
    shown = good(*ask)
    assert not TOKEN.search(shown)
    assert shown.endswith(f"expires never, in {path}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_text()
    assert TOKEN.fullmatch(before.strip())
    assert "user:token-2" in good("quota", "--token-file", path)
    assert "it is there already, and is not overwritten" in refused(2, *ask)
    assert path.read_text() == before
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert "not overwritten" in refused(2, *ask[:-1], tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()
    assert "No such file or directory" in refused(2, *ask[:-1], tmp_path / "no/token")
    other = tmp_path / "other"
    assert "there is no tier 'x'" in refused(1, *ask[:4], "--tier", "x", "--out", other)
    assert not other.exists()
    told = json.loads(good(*ask[:-1], other, "--json"))
    assert "secret" not in told
    assert other.read_text().startswith(told["token"]["prefix"])


def test_nothing_is_made_that_cannot_be_written(data, refused, tmp_path):
    refused(2, "token", "create", "--user", "token-3", "--tier", "pro", "--out", tmp_path)
    assert data("token", "list", "--user", "token-3")["tokens"] == []


def test_a_token_that_cannot_be_written(up, data, tmp_path):
    """Its prefix is told, so that it can be revoked; the file is gone."""

    def no_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    path = tmp_path / "token"
    ask = ["token", "create", "--user", "token-6", "--tier", "pro", "--out", path]
    ran = subprocess.run(
        [BIN / "sluice", *ask, "--address", up.grpc],
        env={**os.environ, "XDG_STATE_HOME": str(up.home)},
        capture_output=True,
        text=True,
        preexec_fn=no_room,
        restore_signals=False,
    )
    [made] = data("token", "list", "--user", "token-6")["tokens"]
    assert (ran.returncode, ran.stdout) == (1, "")
    assert (
        f"the token {made['prefix']} was made, but {path} cannot be written: File too large"
        in ran.stderr
    )
    assert f"sluice token revoke {made['prefix']}" in ran.stderr
    assert not path.exists()


def test_a_token_that_nobody_sees(up, data):
    ask = ["token", "create", "--user", "token-7", "--tier", "pro", "--address", up.grpc]
    env = {**os.environ, "XDG_STATE_HOME": str(up.home)}
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [BIN / "sluice", *ask], env=env, stdout=full, stderr=subprocess.PIPE, text=True
        )
    [made] = data("token", "list", "--user", "token-7")["tokens"]
    assert ran.returncode == 1
    assert (
        f"the token {made['prefix']} was made, but stdout cannot be written: No space" in ran.stderr
    )


def test_what_cannot_be_written_was_not_told(up):
    env = {**os.environ, "XDG_STATE_HOME": str(up.home), "SLUICE_ADDRESS": up.grpc}
    for args in (["token", "list"], ["token", "list", "--json"], ["quota"]):
        with open("/dev/full", "w") as full:
            ran = subprocess.run(
                [BIN / "sluice", *args], env=env, stdout=full, stderr=subprocess.PIPE, text=True
            )
        assert ran.returncode == 1
        assert ran.stderr == "sluice: cannot write to stdout: No space left on device\n"


def test_a_token_is_revoked(good, data, refused, member):
    token = member("token-4")
    call(good, token)
    assert good("token", "revoke", token[:9]) == f"revoked {token[:9]} of user:token-4\n"
    assert "(UNAUTHENTICATED)" in refused(1, "infer", "identity", "--input", NUMBERS, token=token)
    assert columns(good("token", "list", "--user", "token-4"))[0]["STATE"] == "revoked"
    assert data("token", "revoke", token[:9])["revoked"] is True


@pytest.mark.parametrize(
    ("code", "args", "sentence"),
    [
        (2, ["create", "--tier", "pro"], "whose token? give --user NAME, or --app NAME"),
        (2, ["create", "--user", "a"], "of which tier? give --tier; sluice tiers lists them"),
        (1, ["create", "--user", "a#b", "--tier", "pro"], "'a#b'"),
        (1, ["create", "--app", "none", "--tier", "pro"], "'none'"),
        (1, ["create", "--user", "a", "--tier", "pro", "--expires", "9000d"], "(BAD_INPUT)"),
        (
            2,
            ["create", "--user", "a", "--tier", "pro", "--expires", "2020-01-01"],
            "is over already",
        ),
        (2, ["revoke"], "sluice token revoke needs PREFIX"),
        (2, ["revoke", "a", "b"], "sluice token revoke takes one argument, but there is b"),
        (1, ["revoke", "sl_zzzzzz"], "'sl_zzzzzz'"),
        (2, ["revoke", "sl_" + "z" * 33], "give the first 9 characters of the token alone"),
        (2, ["list", "--limit", "100001"], "1 to 100000 are possible"),
    ],
)
def test_tokens_that_make_no_sense(refused, code, args, sentence):
    assert sentence in refused(code, "token", *args)


def test_what_is_an_operators(run, refused, member, up, tmp_path):
    token = member("token-5")
    for args in (["token", "list"], ["app", "list"], ["usage"], ["tiers"], ["visitor", "list"]):
        said = refused(1, *args, token=token)
        assert "is for administrators, and user:token-5 is none" in said
        assert "--token-file" not in said  # one was given
    said = refused(1, "token", "list", home=tmp_path)
    assert said.endswith("an operator's token is given by --token-file FILE or SLUICE_TOKEN\n")
    assert (
        run("token", "list", "--token-file", up.state / "admin.token", home=tmp_path).returncode
        == 0
    )
    told = json.loads(run("token", "list", "--json", token=token).stdout)
    assert (told["reason"], told["code"]) == ("NOT_TRUSTED", "PERMISSION_DENIED")


def test_the_operators_token_goes_nowhere_else(up, run, tmp_path):
    """Only to the address that this user's `sluice up` serves, and only while it does."""
    other = up.grpc.replace("127.0.0.1", "localhost")  # the same, by a name that could mean another
    assert run("token", "list", address=other).returncode == 1
    stale = tmp_path / "sluice"
    stale.mkdir()
    for name in ("admin.token", "address", "lock"):
        (stale / name).write_bytes((up.state / name).read_bytes())
    assert run("token", "list", home=tmp_path).returncode == 1
    assert run("token", "list").returncode == 0


@pytest.mark.parametrize("content", ["", "\n", "sl_x\n", "\xff", "x" * 20000])
def test_token_files_that_hold_none(refused, content, tmp_path):
    path = tmp_path / "token"
    path.write_text(content, encoding="latin-1")
    said = refused(1 if content == "sl_x\n" else 2, "quota", "--token-file", path)
    assert content.strip() == "" or content.strip() not in said  # not even a bad one is shown
    assert "/no/such" in refused(2, "quota", "--token-file", "/no/such")


# ---- apps ----------------------------------------------------------------------------------------


def test_an_app_from_first_to_last(good, data, refused, member):
    member("app-1", "brief")
    shown = good("app", "register", "demo-1", "--owner", "user:app-1")
    assert shown.splitlines()[0] == "registered app demo-1 of user:app-1"
    token = data("token", "create", "--app", "demo-1", "--tier", "brief")["secret"]
    call(good, token)
    assert "by app demo-1" in good("quota", token=token)
    rows = {row["APP"]: row for row in columns(good("app", "list"))}
    assert (rows["demo-1"]["OWNER"], rows["demo-1"]["STATE"]) == ("user:app-1", "may call")
    limit = refused(1, "app", "register", "demo-2", "--owner", "user:app-1")
    assert "the tier brief may host 1" in limit
    assert "(HOSTING_LIMIT)" in limit
    assert good("app", "pause", "demo-1") == "paused app demo-1 of user:app-1\n"
    ask = ["infer", "identity", "--input", NUMBERS]
    assert "(NOT_TRUSTED)" in refused(1, *ask, token=token)
    assert data("app", "list", "--owner", "user:app-1")["apps"][0]["paused"] is True
    assert data("app", "resume", "demo-1")["paused"] is False
    call(good, token)
    assert good("app", "remove", "demo-1") == "removed app demo-1 of user:app-1\n"
    assert "(UNAUTHENTICATED)" in refused(1, *ask, token=token)
    assert data("app", "list", "--owner", "user:app-1") == {"apps": [], "has_more": False}
    assert good("app", "list", "--owner", "user:app-1") == "no apps\n"


@pytest.mark.parametrize(
    ("code", "args", "sentence"),
    [
        (2, ["register", "x"], "whose app is x? give --owner user:NAME"),
        (2, ["register", "--owner", "user:a"], "sluice app register needs NAME"),
        (1, ["register", "Bad!", "--owner", "user:a", "--owner-tier", "pro"], "'Bad!'"),
        (1, ["register", "x", "--owner", "user:nobody"], "user:nobody has no token"),
        (1, ["remove", "none"], "'none'"),
        (1, ["pause", "none"], "'none'"),
        (1, ["resume", "none"], "'none'"),
        (2, ["pause"], "sluice app pause needs NAME"),
    ],
)
def test_apps_that_make_no_sense(refused, code, args, sentence):
    assert sentence in refused(code, "app", *args)


@pytest.mark.parametrize("group", ["token", "app", "visitor"])
def test_groups_name_their_verbs(run, good, group):
    listed = good(group, "--help")
    assert run(group).stderr == listed
    ran = run(group, "frob")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"sluice: there is no verb {group} frob\n{listed}"


# ---- usage, grants, blocks -----------------------------------------------------------------------


def test_usage_of_the_week(good, data, refused, member):
    token = member("usage-1")
    call(good, token, 4)
    ask = ["usage", "--week", "--by", "visitor", "--account", "user:usage-1"]
    wait_until(lambda: [r["calls"] for r in data(*ask)["rows"]] == [4], 20 * SLOW, "the sums")
    [row] = data(*ask)["rows"]
    assert (row["key"], row["charged_us"]) == ("user:usage-1", row["used_us"])
    table, end = good(*ask).split("\n\n")
    [shown] = columns(table)
    assert (shown["VISITOR"], shown["CALLS"]) == ("user:usage-1", "4")
    assert end.startswith("4 calls, ")
    monday = shown["WEEK OF"]
    [as_csv] = csv.DictReader(io.StringIO(good(*ask, "--csv")))
    assert as_csv["calls"] == "4"
    assert as_csv["charged_us"] == str(row["charged_us"])
    assert good("usage", "--csv", *ask[2:]) == good(*ask, "--csv")
    assert data("usage", f"--week={monday}", *ask[2:])["rows"] == [row]
    assert data("usage", "--week=2020-01-01", *ask[2:])["rows"] == []
    assert good("usage", "--week=2020-01-01") == "nothing was used\n"
    for by in ("app", "owner"):
        assert data("usage", "--by", by)["rows"]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--by", "tier"], "--by is tier; app, owner and visitor are possible"),
        (["--week", "--since", "3d"], "give --week, or --since and --until, not both"),
        (["--week=soon"], "--week is soon; write"),
        (["--since", "1d", "--until", "2d"], "--until is not after --since"),
        (["--csv", "--week", "x"], "takes no argument, but there is x"),
    ],
)
def test_usage_that_makes_no_sense(refused, args, sentence):
    assert sentence in refused(2, "usage", *args)


def test_csv_and_json_at_once(run):
    ran = run("usage", "--csv", "--json")
    assert ran.returncode == 2
    assert json.loads(ran.stdout)["error"] == "give --csv or --json, not both"


def test_time_is_given_and_taken(good, data, refused, member):
    token = member("grant-1", "brief")
    ask = ["infer", "identity", "--input", NUMBERS, "--duration", "10s"]
    assert "(DURATION_TOO_LONG)" in refused(1, *ask, token=token)
    call(good, token)
    gave = good("grant", "user:grant-1", "10m", "--reason", "a talk")
    assert gave == (
        "gave 10m 0s to user:grant-1; granted beside the tier's time in the running 24h: 10m 0s\n"
    )
    assert 606e6 < data("quota", token=token)["left_us"] < 607e6
    took = data("grant", "user:grant-1", "4m", "--take", "--reason", "it was short")
    assert (took["grant"]["amount_us"], took["grant"]["by"]) == (-240_000_000, "user:admin")
    assert took["account"]["granted_us"] == 360_000_000
    listed = ["grant", "list", "--account", "user:grant-1"]
    wait_until(lambda: len(data(*listed)["grants"]) == 2, 20 * SLOW, "both grants")
    rows = columns(good(*listed))
    assert [row["TIME"] for row in rows] == ["-4m 0s", "10m 0s"]
    assert [row["REASON"] for row in rows] == ["it was short", "a talk"]
    assert good("grant", "list", "--account", "user:nobody") == "no grants\n"


@pytest.mark.parametrize(
    ("code", "args", "sentence"),
    [
        (2, ["user:a", "5m"], "why? give --reason TEXT"),
        (2, ["user:a", "5", "--reason", "x"], "the time is 5; write 90s, 10m, 1h"),
        (2, ["user:a", "0s", "--reason", "x"], "the time is 0s"),
        (2, ["user:a", "--reason", "x"], "sluice grant needs TIME"),
        (2, ["--reason", "x"], "sluice grant needs ACCOUNT"),
        (1, ["alice", "5m", "--reason", "x"], "'alice' is no account"),
        (1, ["user:a", "400d", "--reason", "x"], "(BAD_INPUT)"),
        (1, ["user:a", "5m", "--reason", "x" * 501], "(BAD_INPUT)"),
        (1, ["user:a", "5m", "--reason", "a\x1b[2Jb"], "(BAD_INPUT)"),
    ],
)
def test_grants_that_make_no_sense(refused, code, args, sentence):
    assert sentence in refused(code, "grant", *args)


def test_a_visitor_is_blocked(good, data, refused, member):
    token = member("block-1")
    call(good, token)
    assert good("visitor", "block", "user:block-1", "--reason", "spam") == "blocked user:block-1\n"
    said = refused(1, "infer", "identity", "--input", NUMBERS, token=token)
    assert "(BLOCKED)" in said
    assert "nothing charged to user:block-1" in said
    assert columns(good("quota", token=token).split("\n\n")[1])[0]["STATE"] == "blocked"
    rows = {row["ACCOUNT"]: row for row in columns(good("visitor", "blocked"))}
    assert (rows["user:block-1"]["BY"], rows["user:block-1"]["REASON"]) == ("user:admin", "spam")
    assert data("visitor", "show", "user:block-1")["blocked"] is True
    assert data("visitor", "unblock", "user:block-1", "--reason", "sorry")["blocked"] is False
    call(good, token)
    assert "user:block-1" not in good("visitor", "blocked")
    assert refused(2, "visitor", "block", "user:a").startswith("sluice: why? give --reason TEXT")
    assert "'a' is no account" in refused(1, "visitor", "unblock", "a", "--reason", "x")


def test_accounts(good, data, member):
    token = member("account-1", "brief")
    call(good, token)
    told = data("visitor", "show", "user:account-1")
    assert told["tier"] == "brief"
    assert 0 < told["spent_us"] == 7_000_000 - data("quota", token=token)["left_us"]
    [row] = columns(good("visitor", "show", "user:account-1"))
    assert row["SPENT"] == f"{told['spent_us'] / 1000:.3f} ms"
    listed = data("visitor", "list", "--begins", "user:account-")["accounts"]
    assert [a["account"] for a in listed] == ["user:account-1"]
    assert "user:account-1" in good("visitor", "list")
    assert good("visitor", "list", "--begins", "user:none-") == "no accounts in use\n"
    assert data("visitor", "show", "user:none-1")["spent_us"] == 0


def test_tiers(good, data):
    told = {tier["name"]: tier for tier in data("tiers")["tiers"]}
    assert (told["brief"]["daily_us"], told["brief"]["apps"]) == (7_000_000, 1)
    rows = {row["TIER"]: row for row in columns(good("tiers").split("\n\n")[0])}
    assert (rows["brief"]["A DAY"], rows["brief"]["CALLS AT ONCE"]) == ("7.000 s", "2")


# ---- terminals -----------------------------------------------------------------------------------


def on_terminal(up, width, *args):
    """What a terminal of that width gets to see."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    env = {**os.environ, "SLUICE_ADDRESS": up.grpc, "XDG_STATE_HOME": str(up.home)}
    with subprocess.Popen([BIN / "sluice", *args], stdout=theirs, env=env) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:
            pass  # the other end is closed
        os.close(ours)
        assert process.wait(20) == 0
    return shown.decode().replace("\r\n", "\n")


def test_a_narrow_terminal(up, good):
    wide = on_terminal(up, 200, "token", "list")
    assert wide == good("token", "list")
    narrow = on_terminal(up, 60, "token", "list")
    assert max(len(line) for line in narrow.splitlines()) <= 60
    blocks = [dict(line.split(None, 1) for line in b.splitlines()) for b in narrow.split("\n\n")]
    assert [b["PREFIX"] for b in blocks] == [row["PREFIX"] for row in columns(wide)]
