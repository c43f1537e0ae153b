"""Servable: a change is told once, when the last worker serves it, in the bucket of its time."""

from kdns.controller.servable import CLUSTER_IP, HEADLESS, Change, Servable

CHANGE, PROGRAMMING = "kdns_change_to_servable_seconds", "coredns_kubernetes_dns_programming_duration_seconds"


def test_before_any_change_there_are_none() -> None:
    assert Servable().counts()[f"{CHANGE}_count", ()] == 0


def test_a_change_counts_once_with_the_time_until_all_serve_it() -> None:
    servable = Servable()
    servable.published(2, Change(10.0))
    servable.published(3, Change(10.5))
    servable.published(4, Change(11.0))
    servable.served(1, 11.0, 0.0)
    assert servable.counts()[f"{CHANGE}_count", ()] == 0
    servable.served(3, 11.0, 0.0)  # a worker that got an image skips a revision
    servable.served(3, 12.0, 0.0)
    counts = servable.counts()
    assert (counts[f"{CHANGE}_count", ()], counts[f"{CHANGE}_sum", ()]) == (2, 1.5)
    assert [counts[f"{CHANGE}_bucket", (bound,)] for bound in ("0.256", "0.512", "1.024", "131.072", "+Inf")] == [
        *(0, 1, 2, 2, 2),
    ]


def test_what_the_cluster_says_of_endpoints_is_told_by_kind_of_service() -> None:
    servable = Servable()
    servable.published(2, Change(10.0, ((CLUSTER_IP, 1000.0), (HEADLESS, 999.0))))
    servable.published(3, Change(10.0, ((HEADLESS, 5000.0),)))  # by a clock that is ahead of ours
    servable.served(3, 10.0, 1000.004)
    counts = servable.counts()
    assert counts[f"{PROGRAMMING}_bucket", (CLUSTER_IP, "0.004")] == 0
    assert counts[f"{PROGRAMMING}_bucket", (CLUSTER_IP, "0.008")] == 1
    assert counts[f"{PROGRAMMING}_bucket", (HEADLESS, "0.001")] == 1
    assert counts[f"{PROGRAMMING}_bucket", (HEADLESS, "524.288")] == 2
    assert round(counts[f"{PROGRAMMING}_sum", (HEADLESS,)], 3) == 1.004
