"""A soak runs what needs no quiet side by side, the rest alone; only what has ended can pass."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ["build", "asan_build", "tsan_build", "fuzz_build"]
BESIDE = ["fuzz:one", "fuzz:two", "valgrind", "tsan", "sim", "unit", "asan"]
ALONE = ["client", "e2e", "magika", "asan_e2e", "tsan_smoke"]
HEAD = 'me=$2; begin() { echo "begin $me" >>order; sleep 0.05; echo "end $me" >>order; }\n'


@pytest.fixture
def project(tmp_path):
    """A repository whose groups do nothing but write down when they begin and end."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "check", tmp_path)
    shutil.copy(ROOT / "scripts/run_group.sh", tmp_path / "scripts")
    write_script(tmp_path, "deps.sh", "#!/bin/sh\n")
    write_script(tmp_path, "fuzz_targets.sh", "#!/bin/sh\necho one 600\necho two 120\n")
    write_groups(tmp_path)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", tmp_path]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    return tmp_path


def write_script(folder, name, text):
    (folder / "scripts" / name).write_text(text)
    (folder / "scripts" / name).chmod(0o755)


def write_groups(folder, **bodies):
    names = {name.split(":")[0] for name in GROUPS + BESIDE + ALONE}
    lines = [f"group_{name}() {{ {bodies.get(name, 'begin')}; }}\n" for name in sorted(names)]
    write_script(folder, "check_groups.sh", HEAD + "".join(lines))


def soak(folder, **env):
    done = subprocess.run(
        [folder / "check", "soak"], env={**os.environ, **env}, capture_output=True, text=True
    )
    return done.returncode, done.stdout


def table(output):
    """{group: (outcome, the rest)} of the last one."""
    rows = re.findall(r"^(ok|FAILED|skipped|NOT RUN) +(\S+) *(.*)$", output, re.M)
    return {group: (outcome, rest) for outcome, group, rest in rows}


def test_a_soak_is_one_table_at_the_end_of_its_evidence(project):
    status, output = soak(project)
    assert status == 0, output
    assert list(table(output.split("\n\n")[1])) == GROUPS + BESIDE + ALONE
    assert output.endswith("16 passed, 0 failed\n")
    [evidence] = (project / "docs/evidence").iterdir()
    assert evidence.read_text() == output


@pytest.mark.skipif(os.cpu_count() < 2, reason="one core: nothing runs beside anything")
def test_what_measures_runs_alone_and_the_rest_side_by_side(project):
    meet = (
        "begin; touch in_$me; until [ -e in_fuzz:one ] && [ -e in_fuzz:two ]; do sleep 0.01; done"
    )
    write_groups(project, fuzz=meet)
    status, output = soak(project, CHECK_LIMIT_S="20")
    assert status == 0, output
    lines = (project / "order").read_text().splitlines()
    alone = [f"{word} {name}" for name in ALONE for word in ("begin", "end")]
    assert lines[-len(alone) :] == alone
    built = [f"{word} {name}" for name in GROUPS for word in ("begin", "end")]
    assert lines[: len(built)] == built


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("kill -KILL $$", "killed by signal 9"),
        ("sleep 60", "ended after 2 s"),
        ("false", "1 failed"),
        ("echo 3 0 1 >build/check/sim.counts; kill -TERM $$", "3 passed, 1 failed, 1 skipped"),
    ],
)
def test_a_group_that_does_not_end_well_has_failed(project, body, said):
    write_groups(project, sim=body)
    status, output = soak(project, CHECK_LIMIT_S="2")
    assert status == 1
    outcome, rest = table(output)["sim"]
    assert outcome == "FAILED"
    assert said in rest
    assert "1 failed\n" in output.splitlines(keepends=True)[-1]


def test_without_a_build_nothing_is_run(project):
    write_groups(project, tsan_build="false")
    status, output = soak(project)
    assert status == 1
    rows = table(output)
    assert rows["build"][0] == "ok"
    assert rows["tsan_build"][0] == "FAILED"
    assert {rows[name][0] for name in ["fuzz_build", *BESIDE, *ALONE]} == {"NOT RUN"}


def test_a_soak_that_is_ended_has_failed_and_leaves_nothing_running(project):
    write_groups(project, tsan="echo $$ >pid; sleep 60")
    process = subprocess.Popen([project / "check", "soak"], stdout=subprocess.PIPE, text=True)
    limit = time.monotonic() + 20
    while not (project / "pid").exists() or not (project / "pid").read_text():
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=20)[0]
    assert process.returncode == 1
    assert table(output)["tsan"][0] == "NOT RUN"
    assert table(output)["e2e"][0] == "NOT RUN"
    assert not output.endswith(" 0 failed\n")
    pid = int((project / "pid").read_text())
    while Path(f"/proc/{pid}").exists() and time.monotonic() < limit:
        time.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists()
