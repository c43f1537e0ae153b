"""k8s_external as a step: what it answers, what it passes on, and under which owners an answer may be remembered."""

from kdns.config.directives.k8s_external import K8sExternal as Settings
from kdns.dns import types
from kdns.dns.names import ROOT, Name, from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from kdns.steps.chain import Answered, Done, Entrance, Failed, Outcome, Peer, Relayed, Request, Rest, compose
from kdns.steps.k8s_external import NAME, K8sExternal
from kdns.zone.entry import service_owner
from kdns.zone.index import Index
from kdns.zone.outer import Outer
from tests.zone.clusters import Cluster, Service, index_of, names

WEB, ELB = service_owner("shop", "web"), service_owner("shop", "elb")
TARGET = from_text("lb.example.com.")
CLUSTER = Cluster(
    {("shop", "web"): Service(outside=("192.0.2.1",)), ("shop", "elb"): Service(outside=("lb.example.com.",))}
)
ADDRESS = RecordSet(TARGET, types.A, 9, (bytes((192, 0, 2, 7)),))


class Behind:
    """The step behind, with one outcome for all."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.asked: list[Name] = []

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        self.asked.append(request.query.qname)
        return self.outcome


def ask(
    name: str, behind: Behind, outer: Outer | None = None, qclass: int = types.IN, index: Index | None = None
) -> Outcome | None:
    entrance = Entrance()
    step = K8sExternal(index or index_of(CLUSTER), outer or Outer(names("example.org")), entrance)
    entrance.lead_to(compose([step, behind]))
    query = Query(from_text(name), types.A, qclass)
    return entrance(Request(query, Peer("127.0.0.1", 1), "udp"), lambda _: None)


NOBODY = Failed(types.REFUSED, by="behind")


def test_an_address_is_answered_under_the_service_s_owner() -> None:
    outcome = ask("web.shop.example.org", Behind(NOBODY))
    assert isinstance(outcome, Answered)
    assert (outcome.owners, outcome.by) == ((WEB,), NAME)
    assert outcome.answer.answers[0].rdatas == (bytes((192, 0, 2, 1)),)


def test_a_denial_is_answered_under_the_owner_that_may_come() -> None:
    outcome = ask("nope.shop.example.org", Behind(NOBODY))
    assert isinstance(outcome, Answered)
    assert (outcome.answer.rcode, outcome.owners) == (types.NXDOMAIN, (service_owner("shop", "nope"),))


def test_other_names_and_classes_are_passed_on() -> None:
    behind = Behind(NOBODY)
    assert ask("www.example.com", behind) is NOBODY
    assert ask("web.shop.example.org", behind, qclass=types.CH) is NOBODY
    assert behind.asked == [from_text("www.example.com"), from_text("web.shop.example.org")]


def test_what_falls_through_is_not_remembered() -> None:
    relayed = Relayed(b"octets", until=99.0)
    outcome = ask("nope.shop.example.org", Behind(relayed), Outer(names("example.org"), fallthrough=(ROOT,)))
    assert outcome == relayed._replace(until=0.0)


def test_a_host_name_is_asked_for_and_remembered_under_both_owners() -> None:
    other = service_owner("a", "b")
    outcome = ask("elb.shop.example.org", Behind(Answered(Answer(answers=(ADDRESS,)), (other,))))
    assert isinstance(outcome, Answered)
    assert outcome.owners == (ELB, other)
    assert [each.rtype for each in outcome.answer.answers] == [types.CNAME, types.A]


def test_a_host_name_that_fails_keeps_the_cname() -> None:
    outcome = ask("elb.shop.example.org", Behind(Failed(types.SERVFAIL)))
    assert isinstance(outcome, Answered)
    assert (outcome.answer.rcode, outcome.owners) == (types.SERVFAIL, ())
    assert [each.rdatas for each in outcome.answer.answers] == [(TARGET,)]


def test_its_zones_can_be_copied_once_the_cluster_is_known() -> None:
    step = K8sExternal(index_of(CLUSTER), Outer(names("example.org")), Entrance())
    whole = step.whole(from_text("example.org"))
    assert whole is not None
    assert not isinstance(whole, Failed)
    assert [each.rtype for each in whole.sets] == [types.SOA, types.NS, types.A, types.CNAME]
    assert step.whole(from_text("example.com")) is None
    assert isinstance(
        K8sExternal(Index(), Outer(names("example.org")), Entrance()).whole(from_text("example.org")), Failed
    )


def test_settings_tell_zones_from_reverse_ones() -> None:
    settings = Settings(zones=names("in-addr.arpa", "example.org", "10.in-addr.arpa"))
    assert (settings.origins, settings.reverse) == (names("example.org"), names("in-addr.arpa", "10.in-addr.arpa"))
