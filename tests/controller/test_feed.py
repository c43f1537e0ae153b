"""The feed: what a configuration wishes of the cluster, and what is told where it can't be had."""

from pathlib import Path

import pytest
import structlog

from kdns.config.settings import ApiEndpoint, ClusterSource, ReadSettings, SnapshotSettings
from kdns.controller.feed import Feed, Wish


def off(wish: Wish) -> list[tuple[str, str]]:
    """What is told of there being no snapshot: level and reason."""
    with structlog.testing.capture_logs() as lines:
        assert Feed(wish, lambda *_: None, lambda: 0).last_known is None
    return [(line["log_level"], line["reason"]) for line in lines if line["event"] == "snapshot_off"]


def test_a_pod_without_a_volume_is_told_which_one_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    with structlog.testing.capture_logs() as lines:
        Feed(Wish(ClusterSource(), ReadSettings()), lambda *_: None, lambda: 0)
    assert lines == [
        {
            "event": "snapshot_off",
            "log_level": "info",
            "reason": "no folder for it",
            "add": "a volume such as an emptyDir at /var/lib/kdns",
        }
    ]


def test_a_snapshot_of_no_cluster_is_told_and_one_nobody_asked_for_is_not() -> None:
    endpoint = ClusterSource(endpoint=ApiEndpoint("http://127.0.0.1:1"))
    assert off(Wish(None, ReadSettings(), SnapshotSettings("/state"))) == [
        ("warning", "no server block serves a cluster")
    ]
    assert off(Wish(None, ReadSettings())) == []
    assert off(Wish(endpoint, ReadSettings())) == []


def test_a_cluster_with_a_folder_has_a_snapshot(tmp_path: Path) -> None:
    endpoint = ClusterSource(endpoint=ApiEndpoint("http://127.0.0.1:1"))
    feed = Feed(
        Wish(endpoint, ReadSettings(), SnapshotSettings(str(tmp_path), counts=False)), lambda *_: None, lambda: 0
    )
    assert feed.last_known is not None
    assert not feed.last_known.counts
