"""Fixtures: stubs of our protos, a shared server for tests that only ask, fresh ones for others."""

import os
import shutil
import subprocess

import pytest
from support import cpp, stubs
from support.models import standard_models, write_fake, write_identity_of
from support.pair import Pair
from support.paths import BIN, EXAMPLE_MODELS, ROOT
from support.server import Up
from support.tls import tls_yaml, use

PROGRAMS = ["sluice", "sluice-gateway", "sluice-executor", "sluice-worker"]


def pytest_configure():
    missing = [name for name in PROGRAMS if not (BIN / name).exists()]
    if missing:
        raise pytest.UsageError(f"{BIN} lacks {', '.join(missing)}: build it (./check build)")


@pytest.fixture(scope="session", autouse=True)
def _stubs(tmp_path_factory):
    stubs.generate(tmp_path_factory.mktemp("stubs"))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The standard models: identity, echo_<datatype>, pair, scripted, told."""
    return standard_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def server(models, tmp_path_factory, _stubs):
    """Shared by tests that leave it as they found it; one slice, so that order is defined."""
    with Up(models, tmp_path_factory.mktemp("server"), args=["--slices", "1"]) as up:
        yield up
        assert up.is_alive(), f"the shared server ended by itself:\n{up.log()[-4000:]}"


@pytest.fixture
def stub(server):
    return server.stub()


@pytest.fixture
def fresh(models, tmp_path, _stubs):
    """A server of the test's own: it may be killed and drained. All its workers are there."""
    with Up(models, tmp_path) as up:
        up.wait_for_workers(2 * len(os.listdir(models)))  # it serves when each model has one
        yield up


@pytest.fixture(scope="session")
def cpp_client():
    missing = cpp.why_not()
    if missing:
        pytest.skip(missing)
    return cpp.build()


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    """What scripts/gen_certs.sh makes."""
    folder = tmp_path_factory.mktemp("certs")
    subprocess.run([ROOT / "scripts/gen_certs.sh", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def few_models(tmp_path_factory):
    """What starts quickly: identity, echo_fp32, scripted."""
    folder = tmp_path_factory.mktemp("few_models")
    shutil.copytree(EXAMPLE_MODELS / "identity", folder / "identity")
    write_identity_of(folder, "FP32")
    write_fake(folder, "scripted", result="copy")
    return folder


@pytest.fixture
def secure(certs, models, tmp_path, _stubs):
    """A gateway that speaks TLS, and an executor; live.pem and live.key lie in tmp_path."""
    use(certs, tmp_path, "server")
    with Pair(models, tmp_path, tls_yaml(tmp_path)) as pair:
        yield pair


@pytest.fixture
def mutual(certs, models, tmp_path, _stubs):
    """The same, and clients need a certificate."""
    use(certs, tmp_path, "server")
    more = {"client_ca": certs / "ca.pem", "client_auth": "required"}
    with Pair(models, tmp_path, tls_yaml(tmp_path, **more)) as pair:
        yield pair
