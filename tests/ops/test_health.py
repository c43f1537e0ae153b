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


@pytest.mark.parametrize("resources", [{}, {"services": ResourceState(synced=False)}])
def test_not_ready_while_a_resource_is_not_synced(resources: dict[str, ResourceState]) -> None:
    assert readiness([SERVING], resources) == (503, "kubernetes")


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
