"""Port 8000: health, metrics, and our JSON for everything else."""

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.calls import identity_request

NAME = re.compile(r"^sluice_[a-z][a-z0-9_]*$")


@pytest.mark.smoke
def test_health(server):
    assert server.get("/v2/health/live")[0] == 200
    assert server.get("/v2/health/ready")[0] == 200


@pytest.mark.parametrize("path", ["/", "/v2", "/nosuch", "/v2/health/", "/metrics/x", "/%00"])
def test_everything_else_is_not_found_in_json(server, path):
    status, headers, body = server.get(path)
    assert status == 404
    assert headers.get_content_type() == "application/json"
    assert isinstance(json.loads(body)["error"], str)


def test_other_methods_are_refused(server):
    for method in ["POST", "PUT", "DELETE"]:
        status, _, body = server.get("/metrics", method=method)
        assert status in (404, 405)
        assert json.loads(body)["error"]


def test_head(server):
    status, _, body = server.get("/v2/health/live", method="HEAD")
    assert (status, body) == (200, b"")


def families(server):
    status, headers, body = server.get("/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    text = body.decode()
    assert text.endswith("\n")
    return list(text_string_to_metric_families(text))


def test_metrics_follow_the_conventions_of_prometheus(server):
    seen = set()
    for family in families(server):
        assert NAME.match(family.name), family.name
        assert family.name not in seen
        seen.add(family.name)
        assert family.documentation, f"{family.name} has no help"
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert not re.search(r"_(ms|us|milliseconds|kb|mb|percent)(_|$)", family.name), family.name
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name.endswith("_total"), sample.name
                assert sample.value >= 0
    assert seen


def test_histograms_add_up(server):
    for family in families(server):
        if family.type != "histogram":
            continue
        by_labels = {}
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            part = by_labels.setdefault(labels, {"buckets": []})
            if sample.name.endswith("_bucket"):
                part["buckets"].append((float(sample.labels["le"]), sample.value))
            else:
                part[sample.name.rsplit("_", 1)[1]] = sample.value
        for part in by_labels.values():
            counts = [count for _, count in part["buckets"]]
            assert counts == sorted(counts)
            assert part["buckets"][-1] == (float("inf"), part["count"])


def total(server, word):
    return sum(
        s.value
        for f in families(server)
        for s in f.samples
        if word in s.name and s.name.endswith("_total")
    )


def test_calls_are_counted(server, stub):
    before = total(server, "calls")
    for _ in range(5):
        stub.ModelInfer(identity_request(), timeout=10)
    assert total(server, "calls") >= before + 5
