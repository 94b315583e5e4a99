"""grpc.health.v1 by grpcio's own client: the server and its services."""

import json

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.calls import identity_request, refusal
from support.stubs import Stub

SERVING = health_pb2.HealthCheckResponse.SERVING


def check(channel, service=""):
    stub = health_pb2_grpc.HealthStub(channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status


@pytest.mark.parametrize(
    "service",
    ["", "inference.GRPCInferenceService", "sluice.v1.Admin", "sluice.v1.Visitor"],
)
def test_services_are_serving(server, service):
    assert check(server.channel(), service) == SERVING


def test_another_service_is_not_found(server):
    stub = health_pb2_grpc.HealthStub(server.channel())
    outcome = refusal(stub.Check, health_pb2.HealthCheckRequest(service="no.Such"))
    assert outcome.code == grpc.StatusCode.NOT_FOUND
    assert "no.Such" in outcome.text
    assert outcome.trailers["sluice-reason"] == "SERVICE_NOT_FOUND"


def test_what_would_be_a_stream_says_so(server):
    """By the protocol a client then takes the server for one without health checks."""
    stub = health_pb2_grpc.HealthStub(server.channel())
    with pytest.raises(grpc.RpcError) as caught:
        next(stub.Watch(health_pb2.HealthCheckRequest(), timeout=10))
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "Check" in caught.value.details()


def test_a_client_that_wants_health_checks_is_served(server):
    config = {
        "healthCheckConfig": {"serviceName": ""},
        "loadBalancingConfig": [{"round_robin": {}}],
    }
    options = {"grpc.service_config": json.dumps(config)}
    stub = Stub(server.channel(**options), "inference.GRPCInferenceService")
    assert stub.ModelInfer(identity_request(), timeout=10).outputs
