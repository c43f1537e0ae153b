"""Replies that pass with time: which are there, which a change ends, and that completed names are never answered by old ones."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from kdns.config.directives.cache import Cache as CacheSettings
from kdns.config.directives.searchpath import Searchpath as Settings
from kdns.dns.names import ROOT
from kdns.dns.reply import Reply
from kdns.serve.memo import Remembered
from kdns.serve.passing import Passing
from kdns.steps.cache import Cache
from kdns.steps.chain import Done, Outcome, Relayed, Request, Rest, compose
from kdns.steps.kubernetes import Kubernetes
from kdns.steps.searchpath import Searchpath
from kdns.zone.entry import Owner, service_owner
from tests.serve.test_responder import Step, by_time, given_reply, meaning, responder, wire
from tests.steps.cached import Logged
from tests.steps.upstream_texts import reply
from tests.virtual_time import VirtualTimeLoop
from tests.zone.clusters import Cluster, Service, index_of, names, patch_between, zone

WEB, DB = service_owner("shop", "web"), service_owner("shop", "db")


def remembered(*owners: Owner, size: int = 60) -> Remembered:
    return Remembered(Reply(bytes(size), False, None), owners, [0])


def test_all_pass_with_the_second_and_those_of_a_later_one_take_their_place() -> None:
    passing = Passing()
    passing.put(b"a", remembered(), 8.0)
    passing.put(b"b", remembered(), 8.0)
    passing.put(b"c", remembered(), 7.0)
    assert (set(passing.replies), passing.until) == ({b"a", b"b"}, 8.0)
    passing.put(b"d", remembered(), 9.0)
    assert (set(passing.replies), passing.until) == ({b"d"}, 9.0)


def test_a_change_ends_them_if_any_depends_on_it() -> None:
    passing = Passing()
    passing.put(b"a", remembered(), 8.0)
    passing.forget({WEB})
    assert set(passing.replies) == {b"a"}
    passing.put(b"b", remembered(WEB), 8.0)
    passing.forget({DB})
    assert set(passing.replies) == {b"a", b"b"}
    passing.forget({WEB, DB})
    assert not passing.replies


def test_neither_large_ones_nor_any_number_are_kept() -> None:
    passing = Passing()
    passing.put(b"large", remembered(size=5000), 8.0)
    assert not passing.replies
    for number in range(3000):
        passing.put(b"%d" % number, remembered(), 8.0)
    assert len(passing.replies) == 2048


services = st.sampled_from(
    [Service(ips=("10.0.0.1",)), Service(ips=("fd00::1",)), Service(ips=("10.0.0.2", "fd00::2"))]
)
states = st.builds(
    Cluster,
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b", "com"]), st.sampled_from(["web", "com", "example"])), services
    ),
    st.frozensets(st.sampled_from(["a", "b"])),
)
questions = st.tuples(
    st.sampled_from(
        [
            f"{base}{domain}cluster.local."
            for base in ("www.example.com.", "web.b.", "web.", "other.", "x.web.", "WWW.example.com.", "no.such.com.")
            for domain in ("a.svc.", "b.svc.", "svc.", "")
        ]
        + ["www.example.com.", "web."]
    ),
    st.sampled_from(["A", "AAAA"]),
    st.sampled_from([0.0, 0.3, 1.0, 7.0]),
)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(states, st.lists(questions, max_size=6)), min_size=1, max_size=4),
    st.sampled_from([Settings(), Settings(short=("a",))]),
)
def test_any_interleaving_of_patches_time_and_completed_names_answers_as_without_a_memo(
    history: list[tuple[Cluster, list[tuple[str, str, float]]]], said: Settings
) -> None:
    loop = VirtualTimeLoop()
    loop.close()  # only its clock is used
    before, index = Cluster(), index_of(Cluster())
    search = Searchpath(index, names("cluster.local."), names("corp.example."), (ROOT,), said, 5)
    cache = Cache(CacheSettings(ttl_s=30), loop, Logged())
    chain = compose((search, Kubernetes(index, zone()), cache, Step(some_by_time(loop.time))))
    remembering = responder(chain, clock=loop.time)
    for revision, (state, asked) in enumerate(history, 1):
        remembering.forget(index.apply(patch_between(before, state, revision)))
        before = state
        for name, rtype, pause in (*asked, *asked):
            octets = wire(name, rtype)
            for _ in range(3):
                forgetful = responder(chain, clock=loop.time)
                assert meaning(given_reply(remembering, octets)) == meaning(given_reply(forgetful, octets))
            loop.jump(pause)


def some_by_time(clock: Callable[[], float]) -> Rest:
    """An upstream that knows some names, and denies the others for a while that tells when."""
    known = by_time(clock)

    def act(request: Request, done: Done) -> Outcome | None:
        query = request.query
        if query.name.endswith((*names("corp.example.", "such.com."), b"\3web\0")):
            soa = f"example. {3 + int(clock()) % 4} IN SOA ns.example. root.example. 1 2 3 4 {3 + int(clock()) % 4}"
            return Relayed(reply(query, authority=soa, rcode="NXDOMAIN"), "forward")
        return known(request, done)

    return act
