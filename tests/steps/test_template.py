"""template: answers held against what CoreDNS said of the same lines, and what else must hold."""

from collections.abc import Sequence

import pytest

from kdns.config.declarations import Settings
from kdns.config.directives.template import Template
from kdns.dns import types
from kdns.dns.names import Name
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.steps import template
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Failed, Outcome, Relayed, Request, Step
from kdns.zone.alike import Elsewhere
from kdns.zone.entry import STATIC, Owner
from tests.dns.octets import named
from tests.steps.rewriting import CLIENT, Scene, table

CASES = table("template_said.txt")


def make(settings: Sequence[Settings], around: Around) -> list[Step]:
    return [template.make(each, around) for each in settings if isinstance(each, Template)]


def scene(lines: str) -> Scene:
    return Scene(lines, make)


def template_of(head: str, *options: str) -> str:
    return f"template {head} {{\n{chr(10).join(options)}\n}}"


@pytest.mark.parametrize(("lines", "question", "said"), CASES)
def test_clients_see_what_coredns_shows_them_but_for_case(lines: str, question: str, said: list[str]) -> None:
    assert [line.lower() for line in scene(lines).ask(question)] == [line.lower() for line in said]


ALIAS = template_of("IN ANY alias.example", 'answer "{{ .Name }} 60 IN CNAME gone.new.example"')
SOA = "; example. 60 SOA ns.example. host.example. 1 2 3 4 5"

# What CoreDNS says otherwise.
OWN = [
    # The asked name comes back in its case.
    (
        template_of("IN TXT", 'answer "{{ .Name }} 60 IN TXT {{ .Name }}"'),
        "A.Example. TXT",
        ["NOERROR", 'A.Example. 60 TXT "a.example."'],
    ),
    # What a CNAME leads to decides the rcode.
    (ALIAS, "alias.example. A", ["NXDOMAIN", "alias.example. 60 CNAME gone.new.example.", SOA]),
    (
        ALIAS.replace("gone.new", "x.broken"),
        "alias.example. A",
        ["SERVFAIL", "alias.example. 60 CNAME x.broken.example."],
    ),
    (
        ALIAS.replace("gone", "a"),
        "alias.example. AAAA",
        ["NOERROR", "alias.example. 60 CNAME a.new.example.", SOA],
    ),
    (
        template_of("IN A alias.example", "rcode NXDOMAIN", 'answer "alias.example 60 CNAME a.new.example"'),
        "alias.example. A",
        [
            "NXDOMAIN",
            "a.new.example. 60 A 192.0.2.1",
            "a.new.example. 60 A 192.0.2.2",
            "alias.example. 60 CNAME a.new.example.",
        ],
    ),
    # Nobody is asked where the answer has the target itself, nor for other types.
    (
        template_of("IN ANY", 'answer "a.example 60 CNAME b.example" "b.example 60 A 192.0.2.7"'),
        "a.example. A",
        ["NOERROR", "a.example. 60 CNAME b.example.", "b.example. 60 A 192.0.2.7"],
    ),
    # One set has one TTL and no record twice.
    (
        template_of(
            "IN A", 'answer "{{ .Name }} A 192.0.2.1" "{{ .Name }} 60 A 192.0.2.2" "{{ .Name }} 30 IN A 192.0.2.1"'
        ),
        "x.example. A",
        ["NOERROR", "x.example. 30 A 192.0.2.1", "x.example. 30 A 192.0.2.2"],
    ),
    (
        template_of("IN TXT", 'answer "{{ .Name }} 60 IN TXT {{ .Remote }} <{{ .Meta \\"a/b\\" }}>"'),
        "a.example. TXT",
        ["NOERROR", 'a.example. 60 TXT "192.0.2.77" "<>"'],
    ),
    (template_of("IN A xexample"), "a.example. TXT", ["NXDOMAIN", SOA]),
    (template_of("IN ANY ample"), "a.new.example. TXT", ["NOERROR", 'a.new.example. 60 TXT "text"']),
]


@pytest.mark.parametrize(("lines", "question", "said"), OWN)
def test_clients_see(lines: str, question: str, said: list[str]) -> None:
    assert scene(lines).ask(question) == said


@pytest.mark.parametrize(("lines", "question", "said"), [OWN[1], OWN[2]])
def test_it_is_the_same_when_upstreams_take_their_time(lines: str, question: str, said: list[str]) -> None:
    late = scene(lines)
    late.upstream.later = []
    assert late.ask(question) == said


def query(name: str, qtype: int = types.A) -> Query:
    return Query(named(name), qtype)


def test_what_a_template_is_not_for_passes_as_it_is() -> None:
    made = scene(template_of("IN A example", "rcode NXDOMAIN"))
    for asked in (query("a.other"), query("a.example", types.TXT), query("a.example").replace(qclass=types.CH)):
        request, outcome = Request(asked, CLIENT, "udp"), Relayed(b"as it came", until=9.0)
        seen: list[Request] = []

        def rest(request: Request, _done: object, seen: list[Request] = seen, outcome: Outcome = outcome) -> Outcome:
            seen.append(request)
            return outcome

        assert made.steps[0].ask(request, rest, print) is outcome
        assert len(seen) == 1
        assert seen[0] is request


@pytest.mark.parametrize(
    ("record", "owners"),
    [
        ("{{ .Name }} 60 IN TXT a", (STATIC,)),
        ("a.example 60 IN TXT a", (STATIC,)),
        ("{{ .Name }} 60 IN TXT {{ .Message.RecursionDesired }}", (STATIC,)),
        ("{{ .Name }} 60 IN TXT {{ .Message.Id }}", ()),
        ("{{ .Name }} 60 IN TXT {{ (.Message).Id }}", ()),
        ("{{ .Name }} 60 IN TXT {{ .Remote }}", ()),
        ("{{ .Name }} 60 IN TXT <{{ if true }}{{ .Remote }}{{ end }}>", ()),
        ("{{ .Name }} 60 IN TXT <{{ .Meta `a/b` }}>", (STATIC,)),
    ],
)
def test_what_depends_on_more_than_the_question_is_not_remembered(record: str, owners: tuple[Owner, ...]) -> None:
    for section in ("answer", "additional", "authority"):
        outcome = scene(template_of("IN TXT", f'{section} "{record}"')).outcome(query("a.example", types.TXT))
        assert isinstance(outcome, Answered)
        assert outcome.owners == owners


def test_an_answer_that_a_cname_leads_out_of_depends_on_both() -> None:
    made = scene(ALIAS)
    target = RecordSet(named("gone.new.example"), types.A, 5, (b"\xc0\0\2\1",))
    made.upstream.say = lambda _request: Answered(Answer(answers=(target,)), (Owner(b"\1a"),), "kubernetes")
    alias = RecordSet(named("alias.example"), types.CNAME, 60, (named("gone.new.example"),))
    assert made.outcome(query("alias.example")) == Answered(
        Answer(answers=(alias, target)), (STATIC, Owner(b"\1a")), "template"
    )
    fault = Failed(types.SERVFAIL, cause=ZeroDivisionError())
    made.upstream.say = lambda _request: fault
    assert made.outcome(query("alias.example")) is fault


def test_aliases_that_lead_round_end() -> None:
    made = scene(template_of("IN A", 'answer "{{ .Name }} 60 IN CNAME a{{ .Name }}"'))
    assert made.ask("x. A")[0] == "SERVFAIL"


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ('answer "{{ .Name }} 60 IN A 10.0.0.{{ .Group.n }}"', "the answer of the template: found 10.0.0.300, expected an IPv4 address"),
        ('authority "{{ .Name }} 60 IN A {{ parseInt .Group.n 10 8 }}"', "the authority of the template: parseInt: found 300, expected one of 8 bits"),
        ('additional "{{ .Name }} 60 IN A {{ index .Match 9 }}"', "the additional of the template: found no number 9 among 2"),
    ],
)  # fmt: skip
def test_what_is_no_record_fails_with_its_reason_and_is_counted(option: str, text: str) -> None:
    made = scene(template_of("IN A example", "match ^n(?P<n>[0-9]+)", option))
    outcome = made.outcome(query("n300.example"))
    assert outcome == Failed(types.SERVFAIL, ExtendedError(0, text), "template")
    family = "rr" if "address" in text else "template"
    assert counts(made) == {
        ("coredns_template_matches_total", ("dns://:53", "example.", "v", "IN", "A")): 1,
        (
            f"coredns_template_{family}_failures_total",
            ("dns://:53", "example.", "v", "IN", "A", option.split(maxsplit=1)[0], "^n(?P<n>[0-9]+)"),
        ): 1,
    }


def counts(made: Scene) -> dict[tuple[str, tuple[str, ...]], float]:
    (step,) = made.steps
    assert isinstance(step, template.Template)
    return dict(step.counts_at("dns://:53", "example. .", "v"))


def test_what_is_answered_is_counted_by_zone_class_and_type() -> None:
    made = scene(template_of("ANY ANY example a.example", "match a", "rcode NXDOMAIN", "fallthrough"))
    assert counts(made) == {}
    for name, qtype in (("a.example", types.A), ("x.a.example", types.ANY), ("x.a.example", 65280), ("b.b", types.A)):
        made.outcome(query(name, qtype))
    assert counts(made) == {
        ("coredns_template_matches_total", ("dns://:53", "a.example.", "v", "IN", kind)): 1 for kind in ("A", "ANY", "")
    }


def test_an_extended_error_goes_along() -> None:
    answer = scene(template_of("IN A", "rcode REFUSED", "ederror 15 blocked")).outcome(query("a"))
    assert answer == Answered(Answer(types.REFUSED, error=ExtendedError(15, "blocked")), (STATIC,), "template")
    failed = scene(template_of("IN A", "rcode SERVFAIL", "ederror 15")).outcome(query("a"))
    assert failed == Failed(types.SERVFAIL, ExtendedError(15), "template")


class Known:
    """A label of names below example."""

    def value(self, label: str, name: Name) -> str | None:
        return "said" if label == "a/b" and name.endswith(named("example")) else None


def test_metadata_is_what_its_label_says_of_the_name() -> None:
    lines = template_of("IN TXT", 'answer "{{ .Name }} 60 IN TXT <{{ .Meta `a/b` }}> <{{ .Meta `a/c` }}>"')
    made = Scene(lines, make, Known())
    assert made.ask("a.example. TXT") == ["NOERROR", 'a.example. 60 TXT "<said>" "<>"']
    assert made.ask("a. TXT") == ["NOERROR", 'a. 60 TXT "<>" "<>"']


@pytest.mark.parametrize(
    ("head", "alike"),
    [
        ("ANY ANY internal.example", True),
        ("IN A a.svc.cluster.local", False),
        ("IN TXT a.svc.cluster.local", True),
        ("IN A cluster.local", False),
        ("IN A .", False),
    ],
)
def test_a_denial_is_for_other_names_only_if_no_template_may_be_for_one(head: str, alike: bool) -> None:
    made = scene(template_of(head, "match ^a", "fallthrough"))
    end = named("svc.cluster.local")
    made.upstream.say = lambda _request: Answered(Answer(types.NXDOMAIN), alike=Elsewhere(end, frozenset()))
    outcome = made.outcome(query("b.c.svc.cluster.local"))
    assert isinstance(outcome, Answered)
    assert (outcome.alike is not None) is alike


PRIVATE = template_of(
    "IN A example",
    "match ^ip-(?P<ip>[0-9-]+)[.]example[.]$",
    "var ip replace(group('ip'), '-', '.')",
    "var whole group(0)",
    """expr "any(['10.0.0.0/8', '192.168.0.0/16'], incidr(ip, #))" """,
    "expr whole == name() && group(9) == ''",
    'answer "{{ .Name }} 60 IN A {{ .Var.ip }}"',
    "fallthrough",
)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ip-10-1-2-3.example", bytes((10, 1, 2, 3))),
        ("ip-192-168-0-1.example", bytes((192, 168, 0, 1))),
        ("ip-11-1-2-3.example", None),
        ("ip-10-1.example", None),
        ("ip.example", None),
    ],
)
def test_variables_fill_records_and_all_conditions_have_to_hold(name: str, address: bytes | None) -> None:
    outcome = scene(PRIVATE).outcome(query(name))
    if address is None:
        assert not (isinstance(outcome, Answered) and outcome.by == "template")
    else:
        assert isinstance(outcome, Answered)
        assert (outcome.answer.answers[0].rdatas, outcome.owners) == ((address,), (STATIC,))


def test_a_variable_that_has_no_value_is_as_if_no_pattern_fitted() -> None:
    lines = template_of(
        "IN A", "match ^(.*)$", "var n int(group(1))", 'answer "{{ .Name }} 60 IN A 10.0.0.{{ .Var.n }}"'
    )
    assert isinstance(scene(lines).outcome(query("a.example")), Failed)


@pytest.mark.parametrize("condition", ["client_ip() == '192.0.2.1'", "port() == '1'", "id() == 1", "proto() == 'udp'"])
def test_what_depends_on_who_asks_is_for_nobody_else(condition: str) -> None:
    holds = scene(template_of("IN A", f"expr {condition} or true", 'answer "{{ .Name }} 60 IN A 10.0.0.1"'))
    outcome = holds.outcome(query("a.example"))
    assert isinstance(outcome, Answered)
    assert (len(outcome.answer.answers), outcome.owners) == (1, ())
    fails = scene(template_of("IN A", f"expr {condition} and false", "fallthrough"))
    fails.upstream.say = lambda _request: Answered(Answer(), (STATIC,), alike=Elsewhere(named("example"), frozenset()))
    assert fails.outcome(query("a.example")) == Answered(Answer(), ())
