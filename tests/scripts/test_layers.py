"""scripts/layers.py finds each kind of breach in a small tree, and nothing in a clean one."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/layers.py"

CLEAN = {
    "common/sl_span.h": "#include <stdint.h>\n",
    "common/sl_conf.c": "#include <yaml.h>\n",
    "gateway/core/gw_call.h": '#include <stdint.h>\n#include "sl_span.h"\n',
    "gateway/flow/gw_flow.h": '#include "gw_call.h"\n',
    "gateway/link/gw_link.h": '#include "gw_flow.h"\n#include <zmq.h>\n',
    "gateway/link/gw_link_wire.c": '#include "node.pb-c.h"\n',
    "gateway/net/gw_h2.c": '#include <nghttp2/nghttp2.h>\n#include "gw_flow.h"\n',
    "gateway/gw_server.c": '#include "gw_link.h"\n#include <uv.h>\n#include <time.h>\n',
    "executor/core/ex_job.h": '#include "sl_span.h"\n',
    "executor/engine/ex_engine.h": '#include "sl_span.h"\n',
    "executor/worker/ex_worker.c": '#include "ex_engine.h"\n#include <sys/socket.h>\n',
}


def run(tree, files):
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run([sys.executable, SCRIPT, tree], capture_output=True, text=True)


def test_clean_tree_passes(tmp_path):
    result = run(tmp_path, CLEAN)
    assert result.returncode == 0, result.stdout
    assert "0 breaches" in result.stdout


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("common/sl_bad.c", '#include "gw_call.h"', "common may include nothing of ours"),
        ("gateway/core/gw_bad.c", '#include "gw_flow.h"', "not gateway/flow"),
        ("gateway/core/gw_bad.c", "#include <time.h>", "gateway/core is pure"),
        ("gateway/core/gw_bad.c", "#include <pthread.h>", "gateway/core is pure"),
        ("executor/core/ex_bad.c", "#include <sys/mman.h>", "executor/core is pure"),
        ("executor/core/ex_bad.c", "#  include <unistd.h>", "executor/core is pure"),
        ("gateway/flow/gw_bad.c", '#include "gw_link.h"', "not gateway/link"),
        ("gateway/net/gw_bad.c", '#include "gw_link.h"', "not gateway/link"),
        ("gateway/net/gw_bad.c", "#include <zmq.h>", "zmq.h belongs to"),
        ("gateway/net/gw_h2_io.c", "#include <uv.h>", "uv.h belongs to"),
        ("gateway/http/gw_bad.c", "#include <openssl/ssl.h>", "openssl/ belongs to"),
        ("gateway/http/gw_bad.c", '#include "ex_job.h"', "not executor/core"),
        ("executor/worker/ex_bad.c", '#include "gw_call.h"', "not gateway/core"),
        ("executor/link/ex_bad.c", "#include <yaml.h>", "yaml.h belongs to"),
        ("gateway/link/gw_bad.c", '#include "node.pb-c.h"', "generated messages"),
        ("gateway/flow/gw_bad.c", '#include "sluice/node/v1/node.pb-c.h"', "generated messages"),
        ("gateway/rest/gw_bad.c", '#include "sl_span.h"', "has no rank"),
        ("executor/core/sl_span.h", "", "a second sl_span.h"),
    ],
)
def test_breach_is_named(tmp_path, path, text, rule):
    result = run(tmp_path, CLEAN | {path: text + "\n"})
    assert result.returncode == 1
    assert rule in result.stdout
    assert f"{path}:1:" in result.stdout
    assert "1 breaches" in result.stdout
