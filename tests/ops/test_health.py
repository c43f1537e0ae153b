"""Health is being there; readiness is what each worker reports to serve."""

import pytest

from kdns.ops.health import ResourceState, WorkerState, health, readiness

SYNCED = {"services": ResourceState(synced=True), "endpointslices": ResourceState(synced=True)}
SERVING = WorkerState(synced=True, revision=7)


def test_health_is_ok_whatever_else_is_wrong() -> None:
    assert health() == (200, "OK")


def test_ready_once_all_resources_are_synced_and_all_workers_serve_them() -> None:
    assert readiness([SERVING, SERVING], SYNCED, revision=7) == (200, "OK")


@pytest.mark.parametrize(
    "workers",
    [
        [],
        [None],
        [SERVING, None],
        [SERVING, WorkerState(synced=False, revision=0)],
        [SERVING, WorkerState(synced=True, revision=6)],
    ],
)
def test_not_ready_while_a_worker_lacks_the_index(workers: list[WorkerState | None]) -> None:
    assert readiness(workers, SYNCED, revision=7) == (503, "kubernetes")


def test_what_was_ready_before_stays_so_and_verbose_says_how_it_is() -> None:
    assert readiness([None], SYNCED, before=True) == (200, "OK")
    assert readiness([None], SYNCED, before=True, verbose=True)[1].splitlines()[-1] == "worker 0: not running"


def test_not_ready_while_a_resource_is_not_synced() -> None:
    assert readiness([SERVING], SYNCED | {"services": ResourceState(synced=False)}) == (503, "kubernetes")


def test_ready_without_a_cluster_once_the_workers_are() -> None:
    assert readiness([SERVING], {}) == (200, "OK")
    assert readiness([None], {}) == (503, "kubernetes")


def test_verbose_says_what_is_missing_and_why_in_a_line_each() -> None:
    resources = {
        "services": ResourceState(synced=False, reason="HTTP 403: list services is not allowed"),
        "endpointslices": ResourceState(synced=True),
        "pods": ResourceState(synced=True, reason="not asked for"),
    }
    workers = [SERVING, WorkerState(synced=True, revision=6), WorkerState(synced=False, revision=0), None]
    expected = """\
kubernetes
endpointslices: synced
pods: synced: not asked for
services: not synced: HTTP 403: list services is not allowed
worker 0: serves revision 7
worker 1: serves revision 6, revision 7 is needed
worker 2: no index yet
worker 3: not running
"""
    assert readiness(workers, resources, revision=7, verbose=True) == (503, expected)


def aged(age_s: float | None, reason: str = "") -> dict[str, ResourceState]:
    return {"services": ResourceState(synced=True, reason=reason, age_s=age_s), "pods": ResourceState(synced=True)}


@pytest.mark.parametrize(("age_s", "limit_s"), [(1e9, 0.0), (300.0, 300.0), (None, 300.0)])
def test_ready_while_the_last_proof_of_freshness_is_within_the_limit(age_s: float | None, limit_s: float) -> None:
    assert readiness([SERVING], aged(age_s), max_age_s=limit_s) == (200, "OK")


def test_not_ready_once_freshness_went_unproven_for_too_long_and_why() -> None:
    said = "services: not proven fresh for 301 s, at most 300 s are allowed: connection refused"
    states = aged(300.6, "connection refused")
    assert readiness([SERVING], states, max_age_s=300.0) == (503, f"kubernetes\n{said}")
    _, body = readiness([SERVING], states, max_age_s=300.0, verbose=True)
    assert body.splitlines() == ["kubernetes", "pods: synced", said, "worker 0: serves revision 7"]


@pytest.mark.parametrize(
    ("counts", "status", "body"), [(True, 200, "OK, stale: from a snapshot 312 s old"), (False, 503, "kubernetes")]
)
def test_a_snapshot_counts_if_it_is_to(counts: bool, status: int, body: str) -> None:
    resources = {
        "services": ResourceState(synced=False, reason="no route", snapshot_age_s=312.4),
        "namespaces": ResourceState(synced=True),
    }
    assert readiness([SERVING], resources, snapshot_counts=counts) == (status, body)
    _, lines = readiness([SERVING], resources, snapshot_counts=counts, verbose=True)
    assert lines.splitlines() == [
        body,
        "namespaces: synced",
        "services: not synced, served from a snapshot 312 s old: no route",
        "worker 0: serves revision 7",
    ]


def test_a_snapshot_without_some_resource_does_not_count_for_that() -> None:
    resources = {"services": ResourceState(synced=False, snapshot_age_s=1.0), "pods": ResourceState(synced=False)}
    assert readiness([SERVING], resources, snapshot_counts=True) == (503, "kubernetes")


def test_a_snapshot_past_the_limit_of_staleness_does_not_count() -> None:
    resources = {"services": ResourceState(synced=False, age_s=312.0, snapshot_age_s=312.0)}
    assert readiness([SERVING], resources, max_age_s=300.0, snapshot_counts=True)[0] == 503
    assert readiness([SERVING], resources, max_age_s=600.0, snapshot_counts=True)[0] == 200


def test_a_snapshot_that_counts_doesnt_count_once_it_is_older_than_the_limit() -> None:
    for age_s, status in ((299.0, 200), (301.0, 503)):
        states = {"services": ResourceState(synced=False, age_s=age_s, snapshot_age_s=age_s)}
        assert readiness([SERVING], states, max_age_s=300.0, snapshot_counts=True)[0] == status
