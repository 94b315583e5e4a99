"""bench/run: what it computes, and that a wrong report of h2load is no figure."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from harness import (  # noqa: E402
    aims,
    docs,
    lineup,
    load,
    main,
    micro,
    options,
    paths,
    process,
    proxies,
    report,
    sluice,
)
from harness.errors import BenchError  # noqa: E402
from harness.measure import Plan, Result, rotated, whole_runs  # noqa: E402
from harness.rows import ROWS, Row  # noqa: E402
from harness.server import Server, Tls  # noqa: E402

REPORT = """finished in 802.11ms, 124.67 req/s, 1.20MB/s
requests: 100 total, 100 started, 100 done, {good} succeeded, {bad} failed, {bad} errored, 0 timeout
status codes: {good} 2xx, 0 3xx, 0 4xx, {bad} 5xx
traffic: 2.44MB (2556890) total, 3.12KB (3190) headers (space savings 95.00%), 25KB ({data}) data
"""


def test_percentiles_are_values_that_occurred():
    assert load.percentile([7], 99) == 7
    assert load.percentile(list(range(1, 101)), 50) == 50
    assert load.percentile(list(range(1, 101)), 99) == 99
    assert load.percentile([1, 2, 3], 99) == 3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("802.11ms", 0.80211), ("3.00s", 3.0), ("950us", 950e-6), ("1.50m", 90.0)],
)
def test_h2load_prints_its_time_in_several_units(text, seconds):
    found = load._finished(f"finished in {text}, 124.67 req/s, 1MB/s")
    assert found == (pytest.approx(seconds), 124.67)


def test_a_failed_request_is_no_figure():
    load._expect_all_good(REPORT.format(good=100, bad=0, data=25500), 100)
    with pytest.raises(BenchError, match="99 2xx"):
        load._expect_all_good(REPORT.format(good=99, bad=1, data=25500), 100)


def test_replies_of_different_lengths_are_no_figure():
    assert load._reply_bytes(REPORT.format(good=100, bad=0, data=25500), 100) == 255
    with pytest.raises(BenchError, match="not of one length"):
        load._reply_bytes(REPORT.format(good=100, bad=0, data=25501), 100)


def test_every_connection_sends_as_many_requests():
    for row in ROWS:
        for wanted in (0.1, 17, 12345.6):
            requests = whole_runs(wanted, row)
            assert requests % row.connections == 0
            assert requests >= 2 * row.in_flight


def test_every_server_is_sent_as_many_requests(monkeypatch):
    """One that was cold when runs were sized must not have fewer for its connections."""
    row = Row(205, 1000, 1)
    rates = {"cold": 5000, "fast": 30000, "slow": 12000}
    sent = []

    def send(_plan, _row, server, requests):
        sent.append((server.name, requests))
        rate = rates[server.name]
        return Result(
            load.Load(requests, requests / rate, rate, 10, 20, 12.0, 255, 0.1, 0.2), {}, 0
        )

    monkeypatch.setattr(Plan, "_send", send)
    plan = Plan({row: [Fake(name) for name in rates]}, 3, 0.5, None, print)
    plan.run()
    measured = sent[-9:]
    assert {name for name, _ in measured} == set(rates)
    assert {requests for _, requests in measured} == {6000}


def test_each_server_comes_first_in_turn():
    assert [rotated("abc", n) for n in range(4)] == ["abc", "bca", "cab", "abc"]


def test_interval_of_the_median():
    assert report.interval([5, 1, 3]) == (1, 5)
    assert report.interval([1, 2, 3, 4, 5, 6]) == (1, 6)  # 1 - 2/64 = 97 %
    # The table of order statistics for n = 15 has the 4th and the 12th value (96.5 %).
    assert report.interval(list(range(1, 16))) == (4, 12)


def result(rate, cpu_us=None):
    found = load.Load(100, 1.0, rate, 10, 20, 12.0, 255, 0.1, 0.2)
    return Result(found, cpu_us or {"echo": 10.0}, 0.0)


def test_ratios_are_taken_round_by_round():
    found = report.ratio("rate", list(map(result, [10, 40, 30])), list(map(result, [10, 20, 10])))
    assert (found.middle, found.low, found.high) == (2, 1, 3)
    assert str(found) == "2.00 (1.00..3.00)"


def test_a_figure_of_nothing_has_no_ratio():
    idle = [result(10, {"echo": 0.0})]
    assert report.ratio("cpu_us", [result(10)], idle) is None


def test_the_worker_is_told_apart():
    ours = result(10, {"gateway": 4.0, "executor": 2.0, "worker": 1.0})
    assert (report.total_cpu_us(ours), report.front_cpu_us(ours)) == (7, 6)
    assert report.front_cpu_us(result(10)) == report.total_cpu_us(result(10))


def test_another_cipher_or_version_is_no_figure():
    said = "TLS Protocol: {}\nCipher: {}\nServer Temp Key: X25519 253 bits\n"
    load._expect_tls(said.format("TLSv1.3", load.TLS_CIPHER))
    for pair in [("TLSv1.3", "TLS_AES_256_GCM_SHA384"), ("TLSv1.2", load.TLS_CIPHER)]:
        with pytest.raises(BenchError, match="the server chose"):
            load._expect_tls(said.format(*pair))


# --- aims -----------------------------------------------------------------------------------------


def judge(aim, low, high, rounds=15):
    return aims.verdict(aim, report.Spread((low + high) / 2, low, high), rounds)


def test_an_aim_is_decided_by_the_whole_interval():
    floor, ceiling = aims.faster("then", "r", "echo", 2), aims.sooner("first", "r", "nginx")
    assert judge(floor, 2.01, 3) == "reached"
    assert judge(floor, 1, 1.99) == "missed"
    assert judge(floor, 1.9, 2.1) == "undecided"
    assert judge(ceiling, 0.5, 0.99) == "reached"
    assert judge(ceiling, 1.01, 2) == "missed"
    assert judge(ceiling, 0.9, 1.1) == "undecided"
    assert judge(floor, 3, 4, rounds=5) == "fewer than 6 rounds"


def test_every_aim_is_of_a_row_a_figure_and_a_server_that_there_are():
    rows = {row.name for row in ROWS}
    for aim in aims.AIMS:
        assert aim.row in rows
        assert aim.figure in report.FIGURE_NAMES
        assert aim.peer in {None, *lineup.PEERS}
    assert {aim.stage for aim in aims.AIMS} == {"first", "then"}


class Fake(Server):
    def __init__(self, name, folder=None, tls=None):
        super().__init__(name, folder, tls)


ROW = Row(205, 8, 32)


def plan_of(rates):
    plan = Plan({ROW: [Fake(name) for name in rates]}, 6, 1, None, print)
    plan.results = {(ROW.name, name): [result(r) for r in found] for name, found in rates.items()}
    return plan


def test_aims_are_judged_from_the_rounds():
    plan = plan_of({"sluice": [30] * 6, "echo": [20] * 6})
    verdicts = {(line[1], line[2]): line[-1] for line in aims.table(plan, "sluice")}
    assert verdicts["first", "requests/s at least 1 x echo"] == "reached"
    assert verdicts["then", "requests/s at least 2 x echo"] == "missed"
    assert verdicts["then", "CPU without the worker at most 16.0 us"] == "reached"


def test_a_run_says_how_long_it_takes():
    servers = [Fake(name) for name in lineup.KNOWN]
    plan = Plan(dict.fromkeys(ROWS, servers), 15, 1, None, print)
    assert plan.minutes_text() == "22 minutes"
    assert Plan({ROW: servers}, 1, 1, None, print).minutes_text() == "1 minute"


def test_a_failed_cell_judges_nothing():
    plan = plan_of({"sluice": [30] * 6, "echo": [20] * 6})
    plan.results[ROW.name, "sluice"] = BenchError("it failed")
    assert aims.table(plan, "sluice") == []
    assert report.ratio_table(plan, [("sluice", "echo")]) == []
    assert plan.failures()[0][:2] == (ROW.name, "sluice")
    assert report.answered_table(plan) == [[ROW.name, "echo"]]


# --- who takes part -------------------------------------------------------------------------------


def makers():
    return {name: lambda folder, tls, name=name: Fake(name, folder, tls) for name in lineup.KNOWN}


@pytest.fixture
def no_certificate(monkeypatch):
    tls = Tls("cert", "key", "ca")
    monkeypatch.setattr(lineup.build, "certificate", lambda folder: tls)
    return tls


def test_one_server_for_all_plain_rows_and_one_for_tls(tmp_path, no_certificate):
    cells = lineup.line_up(makers(), ROWS, False, tmp_path)
    assert [row.name for row in cells] == [row.name for row in ROWS]
    servers = {server for found in cells.values() for server in found}
    assert len(servers) == 2 * len(lineup.KNOWN)
    for row, found in cells.items():
        assert {server.tls for server in found} == {no_certificate if row.tls else None}


def test_only_aims_leaves_out_whom_no_aim_names(tmp_path, no_certificate):
    cells = lineup.line_up(makers(), ROWS, True, tmp_path)
    names = [server.name for server in cells[Row(205, 1000, 1)]]
    assert names == ["sluice", "echo", "triton", "haproxy"]


def missing(_options):
    raise BenchError("it is not there")


def test_who_is_missing_is_left_out_by_name(monkeypatch):
    monkeypatch.setattr(lineup, "PEERS", {"echo": lambda _: "made", "triton": missing})
    said = []
    assert list(lineup.makers(options.parse([]), said.append)) == ["sluice", "echo"]
    assert said == ["without triton: it is not there"]


def test_who_is_missing_but_asked_for_is_an_error(monkeypatch):
    monkeypatch.setattr(lineup, "PEERS", {"triton": missing})
    with pytest.raises(BenchError, match="not there"):
        lineup.makers(options.parse(["--servers", "triton"]), print)


def test_a_variant_can_do_without_the_first_sluice():
    words = ["--servers", "sluice", "--variant", "two=build/dev,two.yaml"]
    assert [name for name, *_ in lineup.sluices(options.parse(words))] == ["sluice", "two"]
    words[1] = "echo"
    assert [name for name, *_ in lineup.sluices(options.parse(words))] == ["two"]


@pytest.mark.parametrize(
    "words",
    [
        ["--rows", "nowhere"],
        ["--servers", "apache"],
        ["--rounds", "0"],
        ["--seconds", "nan"],
        ["--variant", "sluice=build"],
        ["--quick", "--write-docs"],
        ["--aims", "--rows", "4 KiB"],
    ],
)
def test_wrong_usage(words):
    with pytest.raises(SystemExit) as ended:
        options.parse(words)
    assert ended.value.code == 2


# --- servers --------------------------------------------------------------------------------------


def test_the_gateways_file_gets_a_certificate():
    text = sluice.with_certificate('tls:\n  certificate: ""\nlink: {}\n', Tls("C", "K", "A"))
    assert text == "tls:\n  certificate: C\n  key: K\nlink: {}\n"
    with pytest.raises(BenchError, match="not one"):
        sluice.with_certificate("tls: {}\n", Tls("C", "K", "A"))


def test_proxies_have_settings_with_and_without_tls(tmp_path):
    for name in ["server.pem", "server.key"]:
        (tmp_path / name).write_text(f"{name}\n")
    tls = Tls(tmp_path / "server.pem", tmp_path / "server.key", None)
    for made in [proxies.Nginx, proxies.Haproxy]:
        plain = made("proxy", "program", "echo", tmp_path)._settings()
        secure = made("proxy", "program", "echo", tmp_path, tls)._settings()
        assert "ssl" not in plain
        assert "ssl" in secure
        assert "{" not in plain.replace("{\n", "").replace("{ ", "")  # nothing was left to fill in
    assert (tmp_path / "haproxy.pem").read_text() == "server.pem\nserver.key\n"


def test_a_server_that_ends_says_so_with_its_log(tmp_path):
    server = process.Process("bad", ["/bin/sh", "-c", "echo no >&2; exit 3"], tmp_path)
    server.start()
    with pytest.raises(BenchError, match="bad ended with 3: no"):
        process.wait_until(lambda: False, server, "readiness")
    server.stop()


class Ours(sluice.Sluice):
    def __init__(self, name):
        Server.__init__(self, name, None, None)


def test_the_first_sluice_is_compared_with_all():
    servers = [Ours("sluice"), Ours("two"), Fake("echo"), Fake("triton")]
    pairs = main.pairs_of(Plan({ROW: servers}, 1, 1, None, print))
    assert pairs == [("sluice", "echo"), ("sluice", "triton"), ("two", "sluice")]
    assert main.pairs_of(Plan({ROW: servers[2:]}, 1, 1, None, print)) == [("echo", "triton")]
    assert main.pairs_of(Plan({ROW: servers[3:]}, 1, 1, None, print)) == []


def test_a_port_is_out_of_reach_of_those_who_take_any():
    for _ in range(20):
        assert process.PORT_MIN <= process.free_port() < process.ephemeral_port_min()


def test_a_server_that_ignores_sigterm_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "STOP_LIMIT_S", 0.1)
    server = process.Process(
        "deaf", ["/bin/sh", "-c", "trap '' TERM; echo up; exec sleep 60"], tmp_path
    )
    server.start()
    assert server.read_line(5) == "up"
    server.stop()


# --- docs and the whole ---------------------------------------------------------------------------


def test_a_page_keeps_what_is_written_by_hand(tmp_path):
    page = tmp_path / "page.md"
    begin, end = docs.marks(docs.RUN)
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    docs.write(page, "new")
    assert page.read_text() == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    page.write_text("{} and {}, {} {}".format(*docs.marks("one"), *docs.marks("two")))
    docs.write(page, "new", "two")
    assert page.read_text().count("new") == 1
    assert page.read_text().index("new") > page.read_text().index(docs.marks("two")[0])
    page.write_text("no marks")
    with pytest.raises(BenchError, match="lost its marks"):
        docs.write(page, "new")
    assert page.read_text() == "no marks"


@pytest.mark.skipif(not shutil.which("h2load"), reason="h2load is not here: scripts/deps.sh bench")
def test_sluice_answers_a_bench_with_and_without_tls():
    """One round of few requests, through everything that a real run does."""
    words = ["--quick", "--servers", "sluice", "--rows", "0.2 KiB c1 m1"]
    words += ["--build", os.environ.get("SLUICE_BUILD", str(paths.SLUICE_BUILD))]
    run = [paths.ROOT / "bench" / "run", *words]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["0.2", "KiB", "c1", "m1", "sluice"] in lines
    assert ["TLS", "0.2", "KiB", "c1", "m1", "sluice"] in lines


def test_a_gateways_file_can_be_without_a_store():
    text = 'state: "/s"\nstore:\n  path: "/s/sluice.db"\n  sync: full\n'
    assert sluice.without_store(text) == 'state: "/s"\nstore:\n  path: ""\n  sync: full\n'
    with pytest.raises(BenchError, match="0 stores"):
        sluice.without_store("store:\n  sync: full\n")


# --- words ----------------------------------------------------------------------------------------


def test_names_and_times_for_people():
    assert Row(205, 8, 32).name == "0.2 KiB c8 m32"
    assert Row(205, 8, 32, tls=True).name == "TLS 0.2 KiB c8 m32"
    assert Row(16 << 20, 4, 2).name == "16 MiB c4 m2"
    texts = [report.time_text(us) for us in (1, 16.84, 785.4, 999.6, 4810, 22_000, 3.2e6)]
    assert texts == ["1.00 us", "16.8 us", "785 us", "1.00 ms", "4.81 ms", "22.0 ms", "3.20 s"]


# ---- single modules


def test_each_program_has_its_place_in_the_docs():
    page = (paths.ROOT / "docs/BENCHMARKS.md").read_text()
    for program in micro.PROGRAMS:
        for mark in docs.marks(f"bench/micro/run {program}"):
            assert page.count(mark) == 1


@pytest.mark.parametrize(
    ("program", "said", "words"),
    [
        ("micro_jwt", "RS256     21.78 us    15.94 us   x1.37 (1.31 to 1.39)", ["reached"]),
        ("micro_jwt", "RS256     21.78 us    10.00 us   x2.18 (1.31 to 1.39)", ["missed"]),
        (
            "micro_identify",
            "API token, one of 100,000     338 ns\nsigned token of 1 KiB, remembered   1001 ns",
            ["reached", "missed"],
        ),
        ("micro_ledger", "anything", []),
        (
            "micro_order",
            "   100000       310      2345       292        74        64\n"
            "  1000000       998       968      2000       136        64",
            ["reached", "reached", "missed", "reached"],
        ),
    ],
)
def test_aims_of_modules(program, said, words):
    assert [line.rsplit(" ", 1)[1] for line in micro.judge(program, said)] == words


def test_an_aim_that_cannot_be_judged_is_an_error():
    with pytest.raises(BenchError, match="no longer says"):
        micro.judge("micro_jwt", "RS256 is fine")


def test_micro_run_says_what_is_wrong(tmp_path, capsys):
    assert micro.main(["micro_jwt", "--build", str(tmp_path)]) == 1
    assert "is not there: cmake --build" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        micro.main(["micro_none"])
    assert "micro_none is none of" in capsys.readouterr().err
