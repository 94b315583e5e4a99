"""scripts/tally.py counts what ctest and pytest report, down to the tests in a cmocka program."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/tally.py"

CTEST = """<testsuite name="x" tests="4" failures="1">
<testcase name="test_a" classname="test_a" status="run"><system-out>
[==========] Running 3 test(s).
[==========] 3 test(s) run.
[  PASSED  ] 3 test(s).
</system-out></testcase>
<testcase name="test_b" classname="test_b" status="fail"><failure message="Failed"/><system-out>
[  PASSED  ] 1 test(s).
[  FAILED  ] 2 test(s), listed below:
</system-out></testcase>
<testcase name="fuzz_c" status="run"><system-out>12 inputs</system-out></testcase>
<testcase name="test_d" classname="test_d" status="fail"><failure message="Timeout"/><system-out>
[  PASSED  ] 1 test(s).
</system-out></testcase>
</testsuite>"""

PYTEST = """<testsuites><testsuite name="pytest">
<testcase classname="tests.e2e.test_calls" name="test_one[a]"><system-out>
--------------------------------- Captured Out ---------------------------------
count: 3 of 60

</system-out></testcase>
<testcase classname="tests.e2e.test_calls.TestX" name="test_two"><failure/></testcase>
<testcase classname="tests.e2e.test_calls" name="test_three"><skipped/></testcase>
</testsuite></testsuites>"""


def tally(tmp_path, xml, command):
    base = tmp_path / "group"
    base.with_suffix(".xml").write_text(xml)
    subprocess.run([sys.executable, SCRIPT, base, command], check=True)
    return base.with_suffix(".counts").read_text(), base.with_suffix(".rerun").read_text()


def test_ctest(tmp_path):
    counts, rerun = tally(tmp_path, CTEST, "ctest -R ^%s$")
    assert counts == "5 3 0\n"
    assert rerun == "ctest -R ^test_b$\nctest -R ^test_d$\n"


def test_pytest(tmp_path):
    counts, rerun = tally(tmp_path, PYTEST, "./check e2e -- %s")
    assert counts == "1 1 1\n"
    assert rerun == "./check e2e -- tests/e2e/test_calls.py::TestX::test_two\n"
    said = (tmp_path / "group.said").read_text()
    assert said == "tests/e2e/test_calls.py::test_one[a]\n  count: 3 of 60\n"
