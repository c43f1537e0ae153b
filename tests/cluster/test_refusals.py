"""What a reflector makes of every status but 200."""

import pytest

from kdns.cluster.objects import Reset, Synced
from tests.cluster.api_server import Cluster, bookmark, reflector_of, status
from tests.cluster.watched import asked, waits, watching

RULE = '{apiGroups: [""], resources: ["services"], verbs: ["list", "watch"]}'


@pytest.mark.parametrize(
    ("code", "after_s", "expected"),
    [
        (401, None, 0.2),
        (403, None, 30.0),
        (404, None, 0.2),
        (409, None, 0.2),
        (429, None, 0.2),
        (429, 7.0, 7.7),
        (429, 3600.0, 66.0),
        (500, None, 0.2),
        (502, 0.0, 0.2),
        (503, 2.0, 2.2),
        (504, None, 0.2),
    ],
)
def test_refusals_are_waited_out(code: int, after_s: float | None, expected: float) -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    assert reflector.refused(code, status(code, message="said\nso"), after_s, 0.0) == ()
    assert waits(reflector, 0.0) == pytest.approx(expected)
    assert reflector.trouble is not None
    assert reflector.trouble.startswith(f"services: {code}: ")
    assert "said so" in reflector.trouble
    assert not reflector.synced


def test_a_refusal_without_a_word_is_one_too() -> None:
    reflector = reflector_of(Cluster())
    reflector.refused(503, b"<html>no healthy upstream</html>", None, 0.0)
    assert reflector.trouble == ("services: 503: the API server can't answer; what was last known stays, trying again")


def test_servers_in_trouble_are_asked_each_30_seconds_at_most() -> None:
    reflector = reflector_of(Cluster())
    for _ in range(12):
        reflector.refused(503, b"", None, 0.0)
    assert waits(reflector, 0.0) == 30.0


def test_a_missing_permission_names_the_rule_that_the_role_needs() -> None:
    reflector = reflector_of(Cluster())
    reflector.refused(403, status(403, "Forbidden", 'User "kdns" cannot list resource "services"'), None, 0.0)
    assert reflector.trouble == (
        f"services: 403: not allowed to list and watch; the role needs {RULE}"
        ' (User "kdns" cannot list resource "services"); what was last known stays, trying again'
    )


def test_a_permission_taken_away_leaves_what_was_last_known() -> None:
    cluster = Cluster()
    reflector = watching(cluster)
    reflector.closed(1.0)
    reflector.refused(403, status(403, "Forbidden"), None, 1.0)
    assert cluster.names == {"web"}
    assert reflector.synced
    assert asked(reflector, 31.0) == "resourceVersion=5"
    reflector.opened(31.0)
    assert reflector.trouble is None


@pytest.mark.parametrize(("code", "delay"), [(403, 30.0), (404, 60.0)])
def test_an_optional_resource_that_isnt_there_for_us_is_empty_and_synced(code: int, delay: float) -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster, "pods", optional=True)
    for _ in range(2):
        cluster.apply(reflector.refused(code, status(code), None, 0.0))
    assert cluster.deltas == [Synced("pods")]
    assert waits(reflector, 0.0) == delay
    assert reflector.synced
    assert reflector.trouble is not None
    assert reflector.trouble.endswith("it goes on without, trying again")


def test_an_optional_resource_that_comes_later_is_listed() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster, "pods", optional=True)
    cluster.apply(reflector.refused(404, b"404 page not found", None, 0.0))
    reflector.opened(60.0)
    cluster.apply(reflector.line(bookmark(5, end=True), 60.0))
    assert cluster.deltas == [Synced("pods"), Reset("pods", ())]
    assert reflector.trouble is None


def test_an_optional_resource_that_was_there_is_soon_asked_for_again() -> None:
    reflector = reflector_of(Cluster(), "serviceimports", optional=True)
    reflector.opened(0.0)
    reflector.line(bookmark(5, end=True), 0.0)
    reflector.closed(100.0)
    reflector.refused(404, b"404 page not found", None, 100.0)
    assert waits(reflector, 100.0) <= 1
    assert reflector.trouble is not None
    assert reflector.trouble.endswith("what was last known stays, trying again")


@pytest.mark.parametrize("code", [401, 429, 500, 503])
def test_an_optional_resource_that_is_only_late_is_not_synced(code: int) -> None:
    reflector = reflector_of(Cluster(), "pods", optional=True)
    assert reflector.refused(code, b"", None, 0.0) == ()
    assert not reflector.synced


def test_a_resource_that_must_be_there_is_not_empty_because_a_gateway_says_404() -> None:
    cluster = Cluster()
    reflector = reflector_of(cluster)
    assert reflector.refused(404, b"404 page not found", None, 0.0) == ()
    assert not reflector.synced


def test_a_watch_refused_is_asked_for_again_from_the_same_version() -> None:
    reflector = watching(Cluster())
    reflector.closed(0.0)
    for code in (429, 500, 401, 403):
        reflector.refused(code, b"", None, 0.0)
        assert asked(reflector, 99.0) == "resourceVersion=5"
