"""grpc.health.v1 by grpcio's own client: the server and its services."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.calls import refusal

SERVING = health_pb2.HealthCheckResponse.SERVING


def check(channel, service=""):
    stub = health_pb2_grpc.HealthStub(channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status


@pytest.mark.parametrize("service", ["", "inference.GRPCInferenceService", "sluice.v1.Admin"])
def test_services_are_serving(server, service):
    assert check(server.channel(), service) == SERVING


def test_another_service_is_not_found(server):
    stub = health_pb2_grpc.HealthStub(server.channel())
    outcome = refusal(stub.Check, health_pb2.HealthCheckRequest(service="no.Such"))
    assert outcome.code == grpc.StatusCode.NOT_FOUND
    assert "no.Such" in outcome.text
    assert outcome.trailers["sluice-reason"] == "SERVICE_NOT_FOUND"
