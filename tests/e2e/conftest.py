"""Fixtures: stubs of our protos, a shared server for tests that only ask, fresh ones for others."""

import pytest
from support import stubs
from support.models import standard_models
from support.paths import BIN
from support.server import Up

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
    """The standard models: identity, echo_<datatype>, pair, scripted."""
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
    """A server of the test's own: it may be killed and drained."""
    with Up(models, tmp_path) as up:
        yield up
