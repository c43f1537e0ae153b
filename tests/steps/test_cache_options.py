"""The cache's options: bounds of TTLs, zones, what is disabled, keepttl; and caches side by side."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.directives.cache import Cache as Settings
from kdns.config.directives.cache import Keeping, Stale
from kdns.dns.names import Name, from_text
from kdns.steps.cache import Bounded
from kdns.steps.chain import Outcome, Peer, Relayed, Request, compose
from tests.steps.cached import NODATA, NXDOMAIN, OTHER, UNREACHED, WWW, A, Scene, relayed, said, ttl
from tests.steps.upstream_texts import soa


def denied(seconds: int) -> Callable[[Request], Outcome]:
    return relayed("", soa(seconds, seconds), rcode="NXDOMAIN")


def answered(seconds: int) -> Callable[[Request], Outcome]:
    return relayed(A.replace("60", str(seconds)))


def zones(*texts: str) -> tuple[Name, ...]:
    return tuple(map(from_text, texts))


# TTLs


@pytest.mark.parametrize(
    ("settings", "say", "seconds"),
    [
        pytest.param(Settings(), answered(86400), 3600, id="an hour for answers"),
        pytest.param(Settings(), denied(86400), 1800, id="half an hour for denials"),
        pytest.param(Settings(), answered(1), 5, id="5 s at least"),
        pytest.param(Settings(), denied(1), 5, id="5 s at least for denials, too"),
        pytest.param(Settings(ttl_s=900), denied(86400), 900, id="TTL is for both"),
        pytest.param(Settings(ttl_s=3), answered(1), 3, id="TTL holds against the least"),
        pytest.param(Settings(ttl_s=900, denial=Keeping(9984, 30)), denied(100), 30, id="OpenShift: denials' own TTL"),
        pytest.param(Settings(ttl_s=900, denial=Keeping(9984, 30)), answered(1000), 900, id="OpenShift: answers"),
        pytest.param(Settings(success=Keeping(9, 60, 20)), answered(7), 20, id="MINTTL"),
        pytest.param(Settings(success=Keeping(9, 60, 20)), denied(7), 7, id="MINTTL of answers isn't denials'"),
        pytest.param(Settings(denial=Keeping(9, 60, 0)), denied(1), 1, id="MINTTL 0"),
        pytest.param(Settings(success=Keeping(9, 60, 20)), answered(0), 0, id="U26 never for 0"),
    ],
)
def test_a_reply_is_kept_as_long_as_its_sort_may_be(
    settings: Settings, say: Callable[[Request], Outcome], seconds: int
) -> None:
    scene = Scene(say, settings)
    assert ttl(scene.ask()) == seconds
    scene.wait(seconds - 0.001)
    assert (ttl(scene.ask()), scene.asked) == ((1, 1) if seconds else (0, 2))
    scene.wait(0.001)
    scene.ask()
    assert scene.asked == (2 if seconds else 3)


@pytest.mark.parametrize(
    ("settings", "answers", "denials"),
    [
        (Settings(success=Keeping(3)), 3, 9),
        (Settings(denial=Keeping(4)), 9, 4),
        (Settings(success=Keeping(0), denial=Keeping(0)), 0, 0),
    ],
)
def test_capacities_hold(settings: Settings, answers: int, denials: int) -> None:
    scene = Scene(settings=settings)
    for number in range(9):
        for text in (f"a{number}.example.com.", f"d{number}.example.com."):
            scene.behind.say = relayed(f"{text} 60 IN A 192.0.2.1") if text.startswith("a") else NXDOMAIN
            scene.ask(WWW.replace(qname=from_text(text)))
    assert (len(scene.cache.success.items), len(scene.cache.denial.items)) == (answers, denials)


@given(st.integers(0, 60), st.lists(st.floats(0, 20), max_size=12))
def test_keepttl_tells_one_ttl_for_as_long_as_the_reply_is_kept(seconds: int, pauses: list[float]) -> None:
    scene = Scene(answered(seconds), Settings(ttl_s=30, keep_ttl=True))
    for pause in pauses:
        assert ttl(scene.ask()) == (min(max(seconds, 5), 30) if seconds else 0)
        scene.wait(pause)


def test_keepttl_keeps_no_longer() -> None:
    scene = Scene(answered(7), Settings(keep_ttl=True))
    scene.ask()
    scene.wait(6.9)
    outcome = scene.ask()
    assert isinstance(outcome, Relayed)
    assert (ttl(outcome), outcome.until, scene.asked) == (7, 7, 1)
    scene.wait(0.2)
    scene.ask()
    assert scene.asked == 2


# Zones

INSIDE = ("example.com.", "www.example.com.", "a.b.EXAMPLE.com.")
OUTSIDE = ("com.", ".", "example.org.", "xexample.com.", "com.example.")


@pytest.mark.parametrize(("name", "asked"), [*((name, 1) for name in INSIDE), *((name, 2) for name in OUTSIDE)])
def test_only_names_of_the_zones_are_kept(name: str, asked: int) -> None:
    scene = Scene(NODATA_OF_ALL, Settings(zones=zones("example.com.", "example.net.")))
    for _ in range(2):
        scene.ask(WWW.replace(qname=from_text(name)))
    assert scene.asked == asked


NODATA_OF_ALL = relayed("", soa(60, 50, "."))


@pytest.mark.parametrize("given", [(), zones("."), zones("example.org.", ".")])
def test_no_zone_and_the_root_mean_all_names(given: tuple[Name, ...]) -> None:
    scene = Scene(settings=Settings(zones=given))
    scene.ask()
    scene.ask()
    assert (scene.asked, isinstance(scene.cache, Bounded)) == (1, False)


@pytest.mark.parametrize(("name", "asked"), [*((name, 2) for name in INSIDE), *((name, 1) for name in OUTSIDE)])
def test_denials_of_disabled_zones_are_not_kept(name: str, asked: int) -> None:
    scene = Scene(NODATA_OF_ALL, Settings(disable_denial=zones("example.com.", "example.net.")))
    for _ in range(2):
        scene.ask(WWW.replace(qname=from_text(name)))
    assert scene.asked == asked


@pytest.mark.parametrize(
    ("settings", "say", "asked"),
    [
        pytest.param(Settings(disable_success=zones(".")), relayed(), 2, id="no answer is kept"),
        pytest.param(Settings(disable_success=zones(".")), NXDOMAIN, 1, id="but denials"),
        pytest.param(Settings(disable_denial=zones(".")), NXDOMAIN, 2, id="no denial is kept"),
        pytest.param(Settings(disable_denial=zones(".")), NODATA, 2, id="NODATA is one"),
        pytest.param(Settings(disable_denial=zones(".")), relayed(), 1, id="but answers"),
        pytest.param(
            Settings(ttl_s=30, disable_success=zones("cluster.local."), disable_denial=zones("cluster.local.")),
            relayed(),
            1,
            id="kubeadm's, for a name outside",
        ),
    ],
)
def test_what_is_disabled_is_asked_each_time(settings: Settings, say: Callable[[Request], Outcome], asked: int) -> None:
    scene = Scene(say, settings)
    first, second = scene.ask(), scene.ask()
    assert (said(first), scene.asked) == (said(second), asked)


def test_a_denial_that_is_not_kept_still_replaces_an_answer() -> None:
    scene = Scene(settings=Settings(disable_denial=zones(".")))
    scene.ask()
    scene.wait(61)
    scene.behind.say = NXDOMAIN
    scene.ask()
    scene.behind.say = lambda _: UNREACHED
    assert said(scene.ask()) == ["failed SERVFAIL"]


def test_servfail_is_kept_for_as_long_as_the_settings_say() -> None:
    scene = Scene(relayed("", rcode="SERVFAIL"), Settings(servfail_s=300.0))
    scene.ask()
    scene.wait(299.9)
    scene.ask()
    assert scene.asked == 1
    never = Scene(relayed("", rcode="SERVFAIL"), Settings(servfail_s=0.0))
    never.ask()
    never.ask()
    assert never.asked == 2


# Side by side


def test_caches_share_nothing() -> None:
    one, other = Scene(), Scene(relayed(OTHER), Settings(serve_stale=Stale()))
    assert [said(scene.ask()) for scene in (one, other, one)] == [["30 192.0.2.1"], ["60 192.0.2.2"], ["30 192.0.2.1"]]
    chain = compose((other.cache, one.behind))
    assert said(chain(Request(WWW, Peer("127.0.0.1", 1), "udp"), lambda _: None) or UNREACHED) == ["60 192.0.2.2"]
    assert (one.asked, other.asked) == (1, 1)


def test_what_is_kept_and_dropped_is_counted() -> None:
    scene = Scene(settings=Settings(zones=zones("example.com.", "example.org.")))
    scene.ask()
    scene.ask()
    scene.ask(WWW.replace(qname=from_text("outside.")))
    scene.behind.say = relayed("loop.example.org. 60 IN CNAME loop.example.org.")
    scene.ask(WWW.replace(qname=from_text("loop.example.org.")))
    where = "example.com. example.org."
    assert scene.cache.counts_at("dns://:53", where, "") == {
        ("coredns_cache_prefetch_total", ("dns://:53", where, "")): 0,
        ("coredns_cache_served_stale_total", ("dns://:53", where, "")): 0,
        ("coredns_cache_drops_total", ("dns://:53", where, "")): 1,
        ("coredns_cache_entries", ("dns://:53", "success", where, "")): 1,
        ("coredns_cache_entries", ("dns://:53", "denial", where, "")): 0,
        ("coredns_cache_evictions_total", ("dns://:53", "success", where, "")): 0,
        ("coredns_cache_evictions_total", ("dns://:53", "denial", where, "")): 0,
    }
