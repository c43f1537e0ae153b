"""rewrite: questions and answers, held against what CoreDNS said of the same lines and what else must hold."""

from collections.abc import Sequence

import pytest

from kdns.config.declarations import Settings
from kdns.config.directives.rewrite import Rewrite
from kdns.dns import foreign, types
from kdns.dns.names import Name, to_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.steps import rewrite
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Client, Done, Failed, Outcome, Peer, Relayed, Request, Step
from kdns.zone.alike import Elsewhere
from kdns.zone.entry import STATIC, Owner
from tests.dns.octets import named
from tests.steps.rewriting import CLIENT, Scene, relayed, table

CASES = table("rewrite_said.txt")


def make(settings: Sequence[Settings], around: Around) -> list[Step]:
    return [rewrite.make([each for each in settings if isinstance(each, Rewrite)], around)]


def scene(lines: str) -> Scene:
    return Scene(lines, make)


@pytest.mark.parametrize(("lines", "question", "said"), CASES)
def test_clients_see_what_coredns_shows_them_but_for_case(lines: str, question: str, said: list[str]) -> None:
    assert [line.lower() for line in scene(lines).ask(question)] == [line.lower() for line in said]


@pytest.mark.parametrize(("lines", "question", "said"), CASES)
def test_it_is_the_same_when_upstreams_take_their_time(lines: str, question: str, said: list[str]) -> None:
    late = scene(lines)
    late.upstream.later = []
    assert [line.lower() for line in late.ask(question)] == [line.lower() for line in said]


# What CoreDNS says otherwise: it isn't to be had there, or is wrong.
OWN = [
    # The asked name comes back in its case.
    ("rewrite name a.old.example a.new.example", "A.Old.example. TXT", ["NOERROR", 'A.Old.example. 60 TXT "text"']),
    (
        "rewrite name suffix .old.example .new.example answer auto",
        "B.OLD.example. A",
        [
            "NOERROR",
            "a.old.example. 60 A 192.0.2.1",
            "a.old.example. 60 A 192.0.2.2",
            "B.OLD.example. 300 CNAME a.old.example.",
        ],
    ),
    # Only the first CNAME that fits is led elsewhere, and what is there is kept.
    (
        "rewrite cname suffix .cdn.example. .other.example.",
        "app.example. A",
        ["NOERROR", "app.example. 200 CNAME app.other.example.", "app.other.example. 100 A 192.0.2.10"],
    ),
    # The rcode is the new target's.
    (
        "rewrite cname exact gone.cdn.example app.other.example",
        "lost.example. A",
        ["NOERROR", "app.other.example. 100 A 192.0.2.10", "lost.example. 60 CNAME app.other.example."],
    ),
    (
        "rewrite cname exact app.cdn.example x.broken.example",
        "app.example. A",
        ["SERVFAIL", "app.example. 200 CNAME x.broken.example."],
    ),
    # A name that can't be is a failure, not silence.
    (
        "rewrite name suffix .old.example .new.example answer value mail\\.(.*) post.{1}",
        "a.old.example. MX",
        ["SERVFAIL"],
    ),
    (
        "rewrite name suffix .old.example .new.example answer value mail\\.(.*)\\. post.{1}",
        "a.old.example. MX",
        ["NOERROR", "a.new.example. 60 MX 10 post.new.example."],
    ),
    # The last answer rule comes first.
    (
        "rewrite name a.old.example a.new.example answer value post\\.(.*)\\. last.{1} value mail\\.(.*)\\. post.{1}",
        "a.old.example. MX",
        ["NOERROR", "a.old.example. 60 MX 10 last.new.example."],
    ),
    # The question is as it was asked even where no rule ended the list.
    (
        "rewrite continue name regex (.*)\\.old\\.example {1}.new.example",
        "a.old.example. TXT",
        ["NOERROR", 'a.new.example. 60 TXT "text"'],
    ),
    # An rcode that takes more than the header is one to a client without EDNS, too.
    ("rewrite rcode a.broken.example SERVFAIL BADCOOKIE", "a.broken.example. A", ["SERVFAIL"]),
]


@pytest.mark.parametrize(("lines", "question", "said"), OWN)
def test_clients_see(lines: str, question: str, said: list[str]) -> None:
    assert scene(lines).ask(question) == said


def query(name: str, qtype: int = types.A, options: bytes = b"") -> Query:
    return Query(named(name), qtype, edns=True, options=options)


LINES = """rewrite name exact a.old.example a.new.example
rewrite name suffix .suffix.example .new.example
rewrite ttl exact t.example 5
rewrite rcode suffix .r.example SERVFAIL NOERROR"""


@pytest.mark.parametrize("name", ["a.new.example", "b.old.example", "suffix.example", "x.t.example", "old.example"])
def test_what_no_rule_is_for_passes_as_it_is(name: str) -> None:
    made = scene(LINES)
    asked = Request(query(name), CLIENT, "udp")
    outcome = Relayed(b"as it came", until=9.0)
    seen: list[Request] = []

    def rest(request: Request, _done: Done) -> Outcome:
        seen.append(request)
        return outcome

    assert made.steps[0].ask(asked, rest, print) is outcome
    assert len(seen) == 1
    assert seen[0] is asked


ANSWER = Answer(answers=(RecordSet(named("a.new.example"), types.A, 60, (b"\xc0\0\2\1",)),))
OWNERS = (STATIC, Owner(b"\1a\1b"))
DENIAL = Elsewhere(named("example"), frozenset())


def saying(lines: str, outcome: Outcome) -> Scene:
    made = scene(lines)
    made.upstream.say = lambda _request: outcome
    return made


def test_an_answer_of_our_own_stays_under_its_owners_and_is_like_no_other() -> None:
    made = saying(LINES, Answered(ANSWER, OWNERS, "kubernetes", DENIAL))
    answer = Answer(answers=(ANSWER.answers[0]._replace(name=named("a.old.example")),))
    assert made.outcome(query("a.old.example")) == Answered(answer, OWNERS, "kubernetes", None)


def test_a_failure_has_the_rcode_that_rules_give_it_and_its_reason() -> None:
    failure = Failed(types.SERVFAIL, ExtendedError(0, "why"), "forward")
    assert saying(LINES, failure).outcome(query("x.r.example")) == failure._replace(rcode=types.NOERROR)
    assert saying(LINES, failure).outcome(query("a.old.example")) == failure
    cnames = "rewrite cname a b"
    assert saying(cnames, failure).outcome(query("a.old.example")) == failure


def test_what_upstreams_say_may_be_given_again_as_long_as_before() -> None:
    outcome = scene(LINES).outcome(query("a.old.example"))
    assert isinstance(outcome, Relayed)
    assert (outcome.until, outcome.by, outcome.lasting) == (5.0, "forward", None)
    assert outcome.rotation is not None
    assert outcome.rotation.count == 2
    told = foreign.fit(query("a.old.example"), outcome.octets, 512, tidy=outcome.tidy)
    assert told == foreign.fit(query("a.old.example"), outcome.octets, 512)


def test_a_truncated_reply_stays_one() -> None:
    made = scene(LINES)

    def cut(request: Request) -> Outcome:
        octets = relayed(request).octets
        return Relayed(octets[:2] + bytes((octets[2] | 2,)) + octets[3:], "forward")

    made.upstream.say = cut
    outcome = made.outcome(query("a.old.example"))
    assert isinstance(outcome, Relayed)
    told = foreign.fit(query("a.old.example"), outcome.octets, 512)
    assert foreign.truncated(told)
    assert foreign.empty(told)


@pytest.mark.parametrize("lines", [LINES, "rewrite cname a b\nrewrite ttl a.old.example 5"])
def test_octets_that_are_no_reply_are_a_failure(lines: str) -> None:
    outcome = saying(lines, Relayed(b"\0" * 40 + b"\0\5\0\1", "forward")).outcome(query("a.old.example"))
    assert isinstance(outcome, Failed)
    assert outcome.error is not None
    assert outcome.error.text.startswith("what forward answered can't be rewritten: ")


def test_a_name_that_rules_make_too_long_is_a_failure() -> None:
    made = scene(f"rewrite name suffix .old.example .{'a' * 63}.{'b' * 63}.{'c' * 63}.new.example")
    outcome = made.outcome(query(f"{'x' * 60}.old.example"))
    assert outcome == Failed(
        types.SERVFAIL,
        ExtendedError(0, "rewrite made no name: the name has 266 octets, expected at most 255"),
        "rewrite",
    )
    assert made.upstream.asked == []


def test_a_cname_that_leads_round_ends() -> None:
    made = scene("rewrite cname exact app.cdn.example app.example")
    assert made.ask("app.example. A")[0] == "SERVFAIL"
    assert len(made.upstream.asked) == 9


def test_a_cname_of_the_cluster_that_leads_elsewhere_depends_on_both() -> None:
    alias = RecordSet(named("s.example"), types.CNAME, 5, (named("old.example"),))
    target = RecordSet(named("new.example"), types.A, 5, (b"\xc0\0\2\1",))
    made = scene("rewrite cname exact old.example new.example")

    def say(request: Request) -> Outcome:
        if request.query.name == named("new.example"):
            return Answered(Answer(answers=(target,)), (Owner(b"\1b"),))
        return Answered(Answer(answers=(alias,)), (Owner(b"\1a"),), alike=DENIAL)

    made.upstream.say = say
    answer = Answer(answers=(alias._replace(rdatas=(named("new.example"),)), target))
    assert made.outcome(query("s.example")) == Answered(answer, (Owner(b"\1a"), Owner(b"\1b")), "rewrite")


def test_a_fault_that_comes_late_is_a_failure_with_its_cause() -> None:
    made = scene("rewrite cname exact old.example new.example")
    made.upstream.later = []
    broken = RecordSet(named("a.example"), types.CNAME, 5, ())  # no set is empty
    made.upstream.say = lambda _request: Answered(Answer(answers=(broken,)))
    outcome = made.outcome(query("s.example"))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.cause, IndexError)


# What CoreDNS sent to its upstream for the same lines; the client is 127.0.0.1 there and here.
OPTIONS = [
    ("rewrite edns0 local set 0xffee abcd", "ffee000461626364"),
    ("rewrite edns0 local set 0xffee {qname}", "ffee000e412e6e65772e6578616d706c652e"),
    ("rewrite edns0 local set 0xffee {qtype}", "ffee00020001"),
    ("rewrite edns0 local set 0xffee {client_ip}", "ffee00047f000001"),
    ("rewrite edns0 local set 0xffee {client_port}", "ffee0002ba93"),
    ("rewrite edns0 local set 0xffee {protocol}", "ffee0003756470"),
    ("rewrite edns0 local replace 0xffee abcd", ""),
    ("rewrite edns0 local replace 0xffee abcd\nrewrite edns0 local set 0xffef x", "ffef000178"),
    ("rewrite edns0 local append 0xffee 0x0102", "ffee00020102"),
    ("rewrite continue edns0 local set 0xffee a\nrewrite edns0 local unset 0xffee", ""),
    ("rewrite edns0 nsid set", "00030000"),
    ("rewrite edns0 subnet set 24 56", "00080007000118007f0000"),
    ("rewrite edns0 subnet set 20 56", "00080007000114007f0000"),
    ("rewrite edns0 subnet set 0 0", "0008000400010000"),
    # Here append leaves what is there.
    ("rewrite continue edns0 local set 0xffee a\nrewrite edns0 local append 0xffee b", "ffee000161"),
    ("rewrite continue edns0 local set 0xffee a\nrewrite edns0 local replace 0xffee b", "ffee000162"),
    ("rewrite continue edns0 local set 0xffee a\nrewrite edns0 nsid set", "ffee00016100030000"),
]
LOCAL = Peer("127.0.0.1", 0xBA93)


def sent(lines: str, asked: Query, client: Client = LOCAL) -> str:
    made = scene(lines)
    made.outcome(asked, client)
    (request,) = made.upstream.asked
    return request.query.upstream_options.hex()


@pytest.mark.parametrize(("lines", "options"), OPTIONS)
def test_options_go_along_to_upstreams(lines: str, options: str) -> None:
    assert sent(lines, query("A.new.example")) == options


@pytest.mark.parametrize(
    ("rule", "options"),
    [("local append 0xffee b", "ffee000161"), ("local replace 0xffee b", "ffee000162"), ("local unset 0xffee", "")],
)
def test_a_clients_own_option_counts_as_there(rule: str, options: str) -> None:
    own = bytes.fromhex("000a0008" + "00" * 8 + "ffee000161")
    assert sent(f"rewrite edns0 {rule}", query("a.new.example", options=own)) == options


class Known:
    """Labels of names below example."""

    def value(self, label: str, name: Name) -> str | None:
        return {"a/b": "said", "a/empty": ""}.get(label) if name.endswith(named("example")) else None


@pytest.mark.parametrize(
    ("data", "options"), [("{a/b}", "ffee000473616964"), ("{a/empty}", "ffee000178"), ("{a/c}", "ffee000178")]
)
def test_a_label_of_metadata_can_be_sent_and_a_rule_without_one_does_nothing(data: str, options: str) -> None:
    lines = f"rewrite edns0 local set 0xffee {data}\nrewrite edns0 local set 0xffee x"
    made = Scene(lines, make, Known())
    outcome = made.outcome(query("a.new.example"))
    assert made.upstream.asked[0].query.upstream_options.hex() == options
    assert isinstance(outcome, Relayed)
    assert outcome.until == 5.0
    assert sent(lines, query("a.new.example")) == "ffee000178"


@pytest.mark.parametrize(
    ("client", "options"),
    [
        (Peer("2001:db8:1:2ff::1", 53), "0008000b0002380020010db8000102"),
        (Peer("fe80::1%eth0", 53), "0008000b00023800fe800000000000"),
    ],
)
def test_a_subnet_is_of_the_clients_family(client: Client, options: str) -> None:
    assert sent("rewrite edns0 subnet set 24 56", query("a.new.example"), client) == options


@pytest.mark.parametrize(
    ("data", "until"),
    [("abcd", 5.0), ("{qname}", 5.0), ("{client_ip}", 0.0), ("{client_port}", 0.0), ("{protocol}", 0.0)],
)
@pytest.mark.parametrize("more", ["", "\nrewrite ttl a.new.example 9"])
def test_what_depends_on_who_asks_is_not_given_to_others(data: str, until: float, more: str) -> None:
    outcome = scene(f"rewrite continue edns0 local set 0xffee {data}{more}").outcome(query("a.new.example"))
    assert isinstance(outcome, Relayed)
    assert outcome.until == until


def test_the_question_with_options_has_them_in_its_octets() -> None:
    asked = query("a.example").replace(upstream_options=bytes.fromhex("ffee000161"))
    assert foreign.ask(asked, 1)[-16:].hex() == "00002904d0000000000005ffee000161"
    assert foreign.ask(asked, 1, edns=False)[-4:].hex() == "00010001"


def test_one_line_is_a_step_as_well() -> None:
    def alone(settings: Sequence[Settings], around: Around) -> list[Step]:
        (only,) = settings
        assert isinstance(only, Rewrite)
        return [rewrite.make(only, around)]

    made = Scene("rewrite name a.old.example a.new.example", alone)
    assert made.ask("a.old.example. TXT") == ["NOERROR", 'a.old.example. 60 TXT "text"']
    assert to_text(made.upstream.asked[0].query.qname) == "a.new.example."


SVC = named("svc.cluster.local")


@pytest.mark.parametrize(
    ("lines", "alike"),
    [
        ("rewrite name a.old.example a.new.example", True),
        ("rewrite name a.b.svc.cluster.local a.new.example", False),
        ("rewrite name suffix .x.svc.cluster.local .new.example", False),
        ("rewrite name suffix .other.svc.cluster.local .new.example answer auto", False),
        ("rewrite ttl suffix .local 5", False),
        ("rewrite ttl suffix .example 5", True),
        ("rewrite ttl regex ^a 5", False),
        ("rewrite rcode substring b NXDOMAIN NOERROR", False),
        ("rewrite type MX A", True),
    ],
)
def test_a_denial_is_for_other_names_only_if_no_rule_may_be_for_one(lines: str, alike: bool) -> None:
    denial = Answered(Answer(types.NXDOMAIN), OWNERS, alike=Elsewhere(SVC, frozenset()))
    for name in ("c.d.svc.Cluster.local", "c.d.SVC.cluster.local"):
        outcome = saying(lines, denial).outcome(query(name))
        assert isinstance(outcome, Answered)
        assert (outcome.alike is not None) is alike
