"""When changes of endpoints happened, as slices tell it: of events alone, and what is no time is named."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.cluster.objects import Put
from kdns.cluster.triggers import seconds_of
from tests.cluster.api_server import Cluster, event, page, reflector_of

TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


def piece(version: int, annotations: Any) -> dict[str, Any]:
    metadata = {"name": "web-1", "namespace": "shop", "resourceVersion": str(version), "annotations": annotations}
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": []}


def put(annotations: Any) -> tuple[float, list[str]]:
    """What an event with these annotations tells, and what was complained of."""
    cluster = Cluster()
    reflector = reflector_of(cluster, "endpointslices")
    for deltas in reflector.page(page(1, piece(1, {TRIGGER: "1970-01-01T00:00:07Z"})), 0.0):
        cluster.apply(deltas)
    assert not [each for each in cluster.deltas if isinstance(each, Put)]
    reflector.opened(0.0)
    (told,) = reflector.line(event("MODIFIED", piece(2, annotations)), 0.0)
    assert isinstance(told, Put)
    return told.triggered, [problem.found for problem in cluster.problems]


def test_the_time_is_that_of_the_annotation() -> None:
    assert put({TRIGGER: "1970-01-01T00:00:09.5Z", "other": "1"}) == (9.5, [])


@pytest.mark.parametrize("annotations", [{}, None, {TRIGGER: ""}, {"other": "x"}])
def test_a_slice_of_others_than_kubernetes_controller_says_no_time(annotations: Any) -> None:
    assert put(annotations) == (0.0, [])


def test_what_is_no_time_is_named_and_the_slice_is_taken() -> None:
    assert put({TRIGGER: "soon"}) == (0.0, ["'soon'"])
    triggered, complaints = put({TRIGGER: 7})
    assert (triggered, len(complaints)) == (0.0, 1)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - made aware below
def test_any_time_is_read_as_it_was_written(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    assert seconds_of(aware.isoformat().replace("+00:00", "Z")) == pytest.approx(aware.timestamp(), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T01:30:00+01:30", 0.0),
        ("1969-12-31T23:00:00.5-01:00", 0.5),
        ("2026-11-21T16:00:00.123456789Z", 1795276800.123456789),
        ("", None),
        ("yesterday", None),
        ("2026-11-21", None),
        ("2026-11-21T16:00:00", None),
        ("2026-13-21T16:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("2026-11-21T16:00:00Z\n", None),
        ("٢026-11-21T16:00:00Z", None),
    ],
)
def test_what_says_no_time_is_none(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == (None if seconds is None else pytest.approx(seconds))
