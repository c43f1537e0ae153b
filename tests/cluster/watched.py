"""A reflector with its watch open, and what the tests of its faults ask of it."""

from kdns.cluster.reflector import Reflector, Wait
from kdns.cluster.targets import Request
from tests.cluster.api_server import Cluster, page, reflector_of, service

WEB = service("web", 3)


def watching(cluster: Cluster, version: int = 5, *, now: float = 0.0) -> Reflector:
    """A reflector that has listed one Service and has its watch open since now."""
    reflector = reflector_of(cluster)
    listed(cluster, reflector, version, WEB, now=now)
    return reflector


def listed(cluster: Cluster, reflector: Reflector, version: int, *items: dict[str, object], now: float = 0.0) -> None:
    """The reflector has been answered with this list, and its watch is open."""
    for deltas in reflector.page(page(version, *items), now):
        cluster.apply(deltas)
    reflector.opened(now)


def asked(reflector: Reflector, now: float) -> str:
    what = reflector.next(now)
    assert isinstance(what, Request), f"still waiting at {now}"
    return what.target.partition("?")[2].partition("&allow")[0].replace("&watch=1", "")


def trouble(reflector: Reflector) -> str | None:
    return reflector.trouble


def is_open(reflector: Reflector) -> bool:
    return reflector.streaming


def waits(reflector: Reflector, now: float) -> float:
    """How long until the next request; 0 for at once."""
    what = reflector.next(now)
    return what.until - now if isinstance(what, Wait) else 0.0


def probed(reflector: Reflector, version: int, now: float) -> None:
    assert asked(reflector, now) == "limit=1"
    assert list(reflector.page(page(version, WEB), now)) == []
