"""The store of real processes: killed, asked for by a second gateway, copied, limited in size."""

import resource
import signal
import sqlite3
import subprocess
import time
import urllib.request
from contextlib import closing, contextmanager

import grpc
from support.calls import identity_request
from support.cluster import Cluster
from support.paths import BIN, SLOW
from support.ports import free_ports
from support.receipts import receipts_of
from support.wait import wait_until


def configured(folder, more=""):
    file = folder / "gateway.yaml"
    file.write_text(
        f"listen: {{grpc: '127.0.0.1:0', http: '127.0.0.1:{free_ports(1)[0]}'}}\n"
        f"link: {{control: 'ipc://{folder}/control', bulk: 'ipc://{folder}/bulk'}}\n"
        f"store: {{path: '{folder}/sluice.db'{more}}}\n"
    )
    return file


@contextmanager
def gateway(file):
    with open(file.parent / "gateway.log", "a+", encoding="utf-8") as log:
        process = subprocess.Popen([BIN / "sluice-gateway", "--config", file], stderr=log)
        try:
            yield process, lambda: (file.parent / "gateway.log").read_text(encoding="utf-8")
        finally:
            process.kill()
            process.wait()


def start_refused(file):
    ended = subprocess.run(
        [BIN / "sluice-gateway", "--config", file], capture_output=True, text=True, timeout=20
    )
    assert ended.returncode == 1
    return ended.stderr


def metrics(file):
    port = file.read_text().split("http: '127.0.0.1:")[1].split("'")[0]
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()


def test_it_is_opened_again_after_every_end(tmp_path):
    file = configured(tmp_path, ", sync: full, keep: 1d")
    for count, ending in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGTERM), 1):
        with gateway(file) as (process, log):
            wait_until(lambda n=count: log().count("listening") == n, 20)
            assert "sluice_store_writable 1" in metrics(file)
            process.send_signal(ending)
            process.wait(20)
    assert log().count("store has new tables") == 1
    assert "lost" not in log()


def test_it_belongs_to_one_gateway(tmp_path):
    file = configured(tmp_path)
    (tmp_path / "second").mkdir()
    second = configured(tmp_path / "second")
    second.write_text(second.read_text().replace("second/sluice.db", "sluice.db"))
    with gateway(file) as (_, log):
        wait_until(lambda: "listening" in log(), 20)
        said = start_refused(second)
        assert f"{tmp_path}/sluice.db is used by another gateway" in said


def test_a_file_of_a_newer_sluice_is_refused(tmp_path):
    file = configured(tmp_path)
    with gateway(file) as (process, log):
        wait_until(lambda: "listening" in log(), 20)
        process.terminate()
        process.wait(20)
    with closing(sqlite3.connect(tmp_path / "sluice.db")) as db:
        db.execute("PRAGMA user_version = 99")
    assert "newer Sluice" in start_refused(file)
    (tmp_path / "sluice.db").write_bytes(b"not a database at all" * 1000)
    (tmp_path / "sluice.db-wal").unlink(missing_ok=True)
    assert "file is not a database" in start_refused(file)


def test_a_backup_while_it_is_used(tmp_path):
    file = configured(tmp_path)
    with gateway(file) as (_, log):
        wait_until(lambda: "listening" in log(), 20)
        source = f"file:{tmp_path}/sluice.db?mode=ro"
        with closing(sqlite3.connect(source, uri=True)) as db:
            db.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        with closing(sqlite3.connect(tmp_path / "backup.db")) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert copy.execute("SELECT count(*) FROM log").fetchone() == (0,)


def limit_files(pid, soft_bytes):
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft_bytes, hard))


def test_a_limit_on_file_sizes_is_a_full_disk(few_models, tmp_path):
    """The signal that comes with it ends nobody; when there is room again, all goes on."""
    path = tmp_path / "sluice.db"
    with Cluster(few_models, tmp_path, gateway=f"store: {{path: '{path}'}}") as cluster:
        gateway, stub = cluster.daemons["gateway"], cluster.stub()
        stub.ModelInfer(identity_request(), timeout=20 * SLOW)
        limit_files(gateway.pid, path.with_name("sluice.db-wal").stat().st_size + 8192)
        pending = []
        while "the store cannot be written" not in gateway.log():
            pending.append(stub.ModelInfer.future(identity_request(), timeout=60 * SLOW))
            time.sleep(0.001)
        refused = stub.ModelInfer.future(identity_request(), timeout=20 * SLOW)
        assert refused.code() is grpc.StatusCode.UNAVAILABLE
        assert "cannot be recorded now" in refused.details()
        assert cluster.metrics()["sluice_store_writable"] == 0
        limit_files(gateway.pid, resource.RLIM_INFINITY)
        wait_until(lambda: cluster.metrics()["sluice_store_writable"] == 1, 20 * SLOW, "room")
        stub.ModelInfer(identity_request(), timeout=20 * SLOW)
        answered = 2 + sum(call.code() is grpc.StatusCode.OK for call in pending)
        assert len(receipts_of(path)) == answered
        assert gateway.is_alive()


def test_a_limit_on_file_sizes_is_said_at_the_start(tmp_path):
    file = configured(tmp_path)
    ended = subprocess.run(
        ["prlimit", "--fsize=4096:", BIN / "sluice-gateway", "--config", file],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 1
    assert f"{tmp_path}/sluice.db" in ended.stderr
