"""The cluster's zone as a step: a table of (question, outcome), and what becomes of targets outside the zone."""

import socket
from dataclasses import replace
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from kdns.config.directives.kubernetes import Kubernetes as Settings
from kdns.dns import types
from kdns.dns.names import ROOT, Name, from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.steps.chain import Answered, Done, Entrance, Failed, Outcome, Peer, Relayed, Request, Whole, compose
from kdns.steps.kubernetes import Kubernetes, make, zone_of
from kdns.zone import stale
from kdns.zone.entry import (
    NAMESPACE_ENTRY,
    Entry,
    Kind,
    Owner,
    Port,
    Service,
    address_owner,
    namespace_owner,
    pack_service,
    service_owner,
)
from kdns.zone.index import Index
from kdns.zone.patch import Image
from kdns.zone.schema import Zone

ZONE = Zone(
    origins=(from_text("cluster.local."),),
    reverse=(from_text("in-addr.arpa."),),
    fallthrough=(from_text("in-addr.arpa."),),
    ttl=5,
    pods="insecure",
)
CLUSTER_IP = socket.inet_aton("10.96.0.10")
WEB = service_owner("shop", "web")
EXTERNAL = from_text("www.example.com.")
SELF = from_text("ext.shop.svc.cluster.local.")


def external(target: Name) -> Entry:
    return pack_service(Service(Kind.EXTERNAL_NAME, target=target))


def loaded() -> Index:
    ports = (Port(80, b"http", b"tcp"),)
    index = Index()
    index.load(
        Image(
            1,
            7,
            {
                namespace_owner("shop"): NAMESPACE_ENTRY,
                WEB: pack_service(Service(Kind.CLUSTER_IP, v4=CLUSTER_IP, ports=ports)),
                service_owner("shop", "ext"): external(EXTERNAL),
                service_owner("shop", "twice"): external(SELF),
            },
        )
    )
    return index


class Behind:
    """The step behind: notes what it is asked, and has one outcome for all, at once or when it is told to."""

    def __init__(self, outcome: Outcome, *, waits: bool = False) -> None:
        self.outcome = outcome
        self.waits = waits
        self.asked: list[Query] = []
        self.waiting: list[Done] = []

    def ask(self, request: Request, rest: object, done: Done) -> Outcome | None:
        self.asked.append(request.query)
        if not self.waits:
            return self.outcome
        self.waiting.append(done)
        return None


FOREIGN = Failed(types.REFUSED, by="behind")


def ask(name: str, behind: Behind, qtype: int = types.A, index: Index | None = None) -> Outcome | None:
    """The outcome at once; what comes later is an error."""
    outcomes: list[Outcome] = []
    outcome = chain(behind, index)(request(name, qtype), outcomes.append)
    assert outcomes == []
    return outcome


def chain(behind: Behind, index: Index | None = None) -> Entrance:
    entrance = Entrance()
    entrance.lead_to(compose([Kubernetes(index or loaded(), ZONE, entrance), behind]))
    return entrance


def request(name: str, qtype: int = types.A) -> Request:
    return Request(Query(from_text(name), qtype), Peer("127.0.0.1", 5353), "udp")


def cname(owner: str, target: Name) -> RecordSet:
    return RecordSet(from_text(owner), types.CNAME, 5, (target,))


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    ("name", "until"), [("www.example.com.", 8.0), ("11.0.96.10.in-addr.arpa.", 0.0), ("in-addr.arpa.x.", 8.0)]
)
def test_what_is_said_of_names_that_fall_through_holds_for_the_moment(name: str, until: float, *, waits: bool) -> None:
    behind, outcomes = Behind(Relayed(b"", until=8.0), waits=waits), list[Outcome]()
    outcome = chain(behind)(request(name, types.PTR), outcomes.append)
    if waits:
        behind.waiting.pop()(behind.outcome)
        (outcome,) = outcomes
    assert outcome == Relayed(b"", until=until)


@pytest.mark.parametrize(
    ("name", "qtype", "rcode", "owners"),
    [
        ("web.shop.svc.cluster.local.", types.A, types.NOERROR, (WEB,)),
        ("web.shop.svc.cluster.local.", types.TXT, types.NOERROR, (WEB,)),
        ("no.shop.svc.cluster.local.", types.A, types.NXDOMAIN, (service_owner("shop", "no"),)),
        ("10.0.96.10.in-addr.arpa.", types.PTR, types.NOERROR, (address_owner(CLUSTER_IP),)),
        ("10.0.96.10.in-addr.arpa.", types.A, types.NOERROR, (address_owner(CLUSTER_IP),)),
        ("11.0.96.10.in-addr.arpa.", types.PTR, None, ()),
        ("www.example.com.", types.A, None, ()),
        ("cluster.local.example.com.", types.A, None, ()),
    ],
)
def test_own_names_are_answered_and_foreign_ones_passed_on(
    name: str, qtype: int, rcode: int | None, owners: tuple[Owner, ...]
) -> None:
    behind = Behind(FOREIGN)
    outcome = ask(name, behind, qtype)
    if rcode is None:
        assert (outcome, len(behind.asked)) == (FOREIGN, 1)
    else:
        assert isinstance(outcome, Answered)
        assert (outcome.answer.rcode, outcome.owners, outcome.by) == (rcode, owners, "kubernetes")
        assert behind.asked == []


@pytest.mark.parametrize("name", ["web.shop.svc.cluster.local.", "no.cluster.local.", "cluster.local."])
def test_before_the_cluster_is_read_own_names_fail_and_are_never_passed_on(name: str) -> None:
    behind = Behind(FOREIGN)
    outcome = ask(name, behind, index=Index())
    assert isinstance(outcome, Answered)
    assert (outcome.answer.rcode, outcome.owners, behind.asked) == (types.SERVFAIL, (), [])


def test_target_is_asked_for_with_all_else_as_the_client_asked_it() -> None:
    behind = Behind(FOREIGN)
    query = Query(SELF, types.AAAA, id=99, edns=True, do=True, payload=1232)
    chain(behind)(Request(query, Peer("127.0.0.1", 5353), "tcp"), lambda _outcome: None)
    assert behind.asked == [query.replace(qname=EXTERNAL)]


def test_answer_for_the_target_follows_the_cname_and_is_not_remembered() -> None:
    address = RecordSet(EXTERNAL, types.A, 30, (b"\xc0\0\2\1",))
    behind = Behind(Answered(Answer(answers=(address,), authoritative=False), (WEB,), "behind"))
    outcome = ask("ext.shop.svc.cluster.local.", behind)
    expected = Answer(answers=(cname("ext.shop.svc.cluster.local.", EXTERNAL), address))
    assert outcome == Answered(expected, (), "kubernetes")


def test_denial_of_the_target_keeps_the_cname() -> None:
    behind = Behind(Answered(Answer(types.NXDOMAIN), (), "behind"))
    outcome = ask("ext.shop.svc.cluster.local.", behind)
    expected = Answer(types.NXDOMAIN, (cname("ext.shop.svc.cluster.local.", EXTERNAL),))
    assert outcome == Answered(expected, (), "kubernetes")


@pytest.mark.parametrize(
    ("name", "rcode", "code"),
    [
        ("web.shop.svc.cluster.local.", types.NOERROR, types.EDE_STALE_ANSWER),
        ("shop.svc.cluster.local.", types.NOERROR, types.EDE_STALE_ANSWER),
        ("gone.shop.svc.cluster.local.", types.NXDOMAIN, types.EDE_STALE_NXDOMAIN),
        ("gone.cluster.local.", types.NXDOMAIN, types.EDE_STALE_NXDOMAIN),
    ],
)
def test_what_comes_from_a_snapshot_says_so_and_is_remembered_like_any_answer(name: str, rcode: int, code: int) -> None:
    index, last = loaded(), loaded()
    last.stale = True
    zone = replace(ZONE, ttl=30)
    outcomes = [compose([Kubernetes(each, zone)])(request(name), lambda _: None) for each in (index, last)]
    now, then = outcomes
    assert isinstance(now, Answered)
    assert isinstance(then, Answered)
    assert (then.answer.rcode, then.answer.error) == (rcode, ExtendedError(code, stale.WHY))
    assert (then.owners, type(then.alike)) == (now.owners, type(now.alike))
    sets = [*now.answer.answers, *now.answer.authority], [*then.answer.answers, *then.answer.authority]
    assert [each._replace(ttl=5) for each in sets[0]] == sets[1]
    assert {each.ttl for each in sets[0]} == {30}


def test_a_target_elsewhere_takes_nothing_from_a_stale_cname() -> None:
    index = loaded()
    index.stale = True
    target = Answer(0, (RecordSet(EXTERNAL, types.A, 60, (CLUSTER_IP,)),))
    outcome = ask("ext.shop.svc.cluster.local.", Behind(Answered(target, by="behind")), index=index)
    assert isinstance(outcome, Answered)
    assert [each.ttl for each in outcome.answer.answers] == [5, 60]
    assert outcome.answer.error == ExtendedError(types.EDE_STALE_ANSWER, stale.WHY)


def test_a_stale_zone_is_not_sent_whole() -> None:
    index = loaded()
    step = Kubernetes(index, ZONE)
    assert isinstance(step.whole(ZONE.origins[0]), Whole)
    index.stale = True
    expected = Failed(types.SERVFAIL, ExtendedError(types.EDE_NOT_READY, stale.WHY), "kubernetes")
    assert step.whole(ZONE.origins[0]) == expected


def test_cnames_on_the_way_out_of_the_zone_all_stay() -> None:
    outcome = ask("twice.shop.svc.cluster.local.", Behind(Answered(Answer())))
    assert isinstance(outcome, Answered)
    assert outcome.answer.answers == (
        cname("twice.shop.svc.cluster.local.", SELF),
        cname("ext.shop.svc.cluster.local.", EXTERNAL),
    )


def test_target_that_could_not_be_asked_for_is_servfail_with_the_reason() -> None:
    error = ExtendedError(types.EDE_NO_REACHABLE_AUTHORITY, "192.0.2.53:53 timed out")
    outcome = ask("ext.shop.svc.cluster.local.", Behind(Failed(types.SERVFAIL, error, "forward")))
    expected = Answer(types.SERVFAIL, (cname("ext.shop.svc.cluster.local.", EXTERNAL),), error=error)
    assert outcome == Answered(expected, (), "kubernetes")


def relayed(address: str = "", rcode: str = "NOERROR") -> Relayed:
    """An upstream's reply about the target."""
    reply = dns.message.make_response(dns.message.make_query("www.example.com.", "A"))
    reply.set_rcode(dns.rcode.from_text(rcode))
    if address:
        reply.answer.append(dns.rrset.from_text("www.example.com.", 30, "IN", "A", address))
    return Relayed(reply.to_wire(), "forward")


def test_upstream_reply_about_the_target_follows_the_cname_now_or_later() -> None:
    reply = relayed("192.0.2.1")
    address = RecordSet(EXTERNAL, types.A, 30, (b"\xc0\0\2\1",))
    expected = Answered(Answer(answers=(cname("ext.shop.svc.cluster.local.", EXTERNAL), address)), (), "kubernetes")
    assert ask("ext.shop.svc.cluster.local.", Behind(reply)) == expected

    behind, outcomes = Behind(reply, waits=True), list[Outcome]()
    assert chain(behind)(request("ext.shop.svc.cluster.local."), outcomes.append) is None
    behind.waiting.pop()(reply)
    assert outcomes == [expected]


def test_rcode_of_an_upstream_is_the_answers() -> None:
    outcome = ask("ext.shop.svc.cluster.local.", Behind(relayed(rcode="NXDOMAIN")))
    expected = Answer(types.NXDOMAIN, (cname("ext.shop.svc.cluster.local.", EXTERNAL),))
    assert outcome == Answered(expected, (), "kubernetes")


def test_upstream_reply_that_is_none_is_servfail() -> None:
    octets = relayed("192.0.2.1").octets
    outcome = ask("ext.shop.svc.cluster.local.", Behind(Relayed(octets[:-3])))
    assert isinstance(outcome, Answered)
    assert outcome.answer.rcode == types.SERVFAIL
    assert outcome.answer.error is not None
    assert outcome.answer.answers == (cname("ext.shop.svc.cluster.local.", EXTERNAL),)


def test_fault_behind_stays_a_fault() -> None:
    fault = Failed(types.SERVFAIL, cause=ZeroDivisionError())
    assert ask("ext.shop.svc.cluster.local.", Behind(fault)) == fault


def test_chase_that_comes_back_for_ever_fails() -> None:
    class Back(Behind):
        """Sends every target back to the ExternalName, as a rewriting step could."""

        def ask(self, request: Request, rest: object, done: Done) -> Outcome | None:
            super().ask(request, rest, done)
            return entrance(request._replace(query=request.query.replace(qname=SELF)), done)

    behind = Back(FOREIGN)
    entrance = chain(behind)
    outcome = entrance(request("ext.shop.svc.cluster.local."), lambda _outcome: None)
    assert isinstance(outcome, Answered)
    assert outcome.answer.rcode == types.SERVFAIL
    assert len(behind.asked) <= 8


def test_without_an_entrance_the_steps_behind_are_asked_for_targets() -> None:
    behind = Behind(Answered(Answer(types.NXDOMAIN)))
    outcome = compose([Kubernetes(loaded(), ZONE), behind])(request("ext.shop.svc.cluster.local."), print)
    assert isinstance(outcome, Answered)
    assert [query.qname for query in behind.asked] == [EXTERNAL]


# Made of a directive's settings


SET, B_SET = from_text("set"), from_text("b.set")
CLUSTER = Settings(zones=(from_text("cluster.local"),))


@pytest.mark.parametrize(
    ("options", "zone"),
    [
        ({}, Zone((from_text("cluster.local"),), (), (), 5, "disabled")),
        (
            {"zones": (from_text("10.in-addr.arpa"), from_text("b.c"), from_text("c"))},
            Zone((from_text("b.c"), from_text("c")), (from_text("10.in-addr.arpa"),), (), 5, "disabled"),
        ),
        (
            {"fallthrough": (ROOT,), "ttl_s": 30, "pods": "verified", "zonal": True},
            Zone((from_text("cluster.local"),), (), (ROOT,), 30, "verified", zonal=True),
        ),
        (
            {"zones": (SET, B_SET, from_text("c")), "multicluster": (SET,)},
            Zone((from_text("c"), SET, B_SET), (), (), 5, "disabled", imports=frozenset((SET, B_SET))),
        ),
        (
            {"namespaces": ("shop", "Web")},
            Zone((from_text("cluster.local"),), (), (), 5, "disabled", namespaces=frozenset((b"\4shop", b"\3web"))),
        ),
    ],
)
def test_a_directive_is_the_zone_that_it_describes(options: dict[str, object], zone: Zone) -> None:
    assert zone_of(CLUSTER.replaced(**options), ()) == zone


def test_the_servers_own_addresses_are_its_name_servers() -> None:
    made = zone_of(CLUSTER, (CLUSTER_IP, socket.inet_aton("169.254.20.10")))
    assert made.addresses == (CLUSTER_IP,)


class Around:
    """Nothing of the surroundings but what the step may use."""

    def __init__(self, behind: Behind) -> None:
        self.index = loaded()
        self.addresses = (socket.inet_aton("192.0.2.53"),)
        self.entrance = Entrance()
        self.entrance.lead_to(compose([behind]))


@pytest.mark.parametrize(
    ("options", "name", "qtype", "rcode"),
    [
        ({}, "web.shop.svc.cluster.local.", types.A, types.NOERROR),
        ({"namespaces": ("shop",)}, "web.shop.svc.cluster.local.", types.A, types.NOERROR),
        ({"namespaces": ("other",)}, "web.shop.svc.cluster.local.", types.A, types.NXDOMAIN),
        ({"namespaces": ("other",)}, "shop.svc.cluster.local.", types.A, types.NXDOMAIN),
        ({"namespaces": ("other",), "fallthrough": (ROOT,)}, "web.shop.svc.cluster.local.", types.A, None),
        ({"zones": (from_text("b.c"), from_text("10.in-addr.arpa"))}, "web.shop.svc.b.c.", types.A, types.NOERROR),
        ({"zones": (from_text("b.c"),)}, "web.shop.svc.cluster.local.", types.A, None),
        (
            {"zones": (*CLUSTER.zones, from_text("10.in-addr.arpa"))},
            "10.0.96.10.in-addr.arpa.",
            types.PTR,
            types.NOERROR,
        ),
        (
            {"zones": (*CLUSTER.zones, from_text("10.in-addr.arpa")), "namespaces": ("other",)},
            "10.0.96.10.in-addr.arpa.",
            types.PTR,
            types.NXDOMAIN,
        ),
        ({"pods": "disabled"}, "10-0-0-1.shop.pod.cluster.local.", types.A, types.NXDOMAIN),
        ({"pods": "insecure"}, "10-0-0-1.shop.pod.cluster.local.", types.A, types.NOERROR),
        ({"pods": "insecure", "namespaces": ("other",)}, "1-2-3-4.shop.pod.cluster.local.", types.A, types.NXDOMAIN),
        ({"pods": "verified"}, "10-0-0-1.shop.pod.cluster.local.", types.A, types.NXDOMAIN),
        ({}, "ns.dns.cluster.local.", types.A, types.NOERROR),
    ],
)
def test_a_step_answers_as_its_directive_says(
    options: dict[str, object], name: str, qtype: int, rcode: int | None
) -> None:
    behind = Behind(FOREIGN)
    around: Any = Around(behind)
    step = make(CLUSTER.replaced(**options), around)
    outcome = compose([step, behind])(request(name, qtype), lambda _outcome: None)
    if rcode is None:
        assert outcome == FOREIGN
    else:
        assert isinstance(outcome, Answered)
        assert outcome.answer.rcode == rcode
        assert bool(outcome.answer.answers) == (rcode == types.NOERROR)


def test_a_made_step_asks_for_targets_at_the_entrance() -> None:
    behind, beside = Behind(Answered(Answer(types.NXDOMAIN))), Behind(FOREIGN)
    around: Any = Around(behind)
    compose([make(CLUSTER, around), beside])(request("ext.shop.svc.cluster.local."), lambda _outcome: None)
    assert ([query.qname for query in behind.asked], beside.asked) == ([EXTERNAL], [])
