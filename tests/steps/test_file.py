"""file: a table of questions and outcomes, over zones that were read before and zones that are being read."""

import asyncio

import pytest

from kdns.dns import types
from kdns.dns.names import ROOT, Name, from_text
from kdns.dns.query import Query
from kdns.dns.records import Answer, RecordSet
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Relayed, Request
from kdns.steps.file import NAME, File
from kdns.steps.zonefiles import ZoneFile
from kdns.zone.entry import STATIC, Owner, file_owner
from tests import virtual_time
from tests.steps.zone_texts import EXAMPLE, authority
from tests.zone.zonefile import text

ORG = from_text("example.org.")
INNER = from_text("inner.example.org.")
OWNER = file_owner(ORG, "db")
RELAYED = Relayed(b"", "behind", until=8.0)
IDLE = virtual_time.VirtualTimeLoop()  # of steps that have nothing to wait for
IDLE.close()
TARGET = Answered(Answer(answers=(RecordSet(from_text("www.elsewhere.test."), types.A, 9, (b"\xc0\0\2\x63",)),)))


class Behind:
    """The steps behind, or the entrance: keeps what it is asked."""

    def __init__(self, outcome: Outcome = RELAYED) -> None:
        self.asked: list[Name] = []
        self.outcome = outcome

    def __call__(self, request: Request, _done: Done) -> Outcome:
        self.asked.append(request.query.qname)
        return self.outcome


def zone_file(origin: Name = ORG, zone_text: str | None = EXAMPLE, path: str = "db") -> ZoneFile:
    made = ZoneFile(origin, path, 0, by_mtime=False)
    if zone_text is not None:
        made.zone = authority(zone_text, "example.org." if origin == ORG else "inner.example.org.")
    return made


def step(*files: ZoneFile, through: tuple[Name, ...] = (), entrance: Behind | None = None) -> File:
    return File(files, through, entrance or Behind(), IDLE, lambda _: None)


def request(name: str, qtype: int = types.A) -> Request:
    return Request(Query(from_text(name), qtype), Peer("127.0.0.1", 4053), "udp")


def ask(asked: File, name: str, behind: Behind | None = None) -> Outcome | None:
    return asked.ask(request(name), behind or Behind(), lambda _: None)


@pytest.mark.parametrize(
    ("name", "rcode", "answers"),
    [
        ("mail.example.org.", types.NOERROR, 1),
        ("www2.example.org.", types.NOERROR, 2),
        ("x.sub.example.org.", types.NOERROR, 0),
        ("none.example.org.", types.NXDOMAIN, 0),
        ("round1.example.org.", types.SERVFAIL, 2),
    ],
)
def test_names_of_the_zone_are_answered_and_depend_on_its_file(name: str, rcode: int, answers: int) -> None:
    behind = Behind()
    outcome = ask(step(zone_file()), name, behind)
    assert isinstance(outcome, Answered)
    assert (outcome.answer.rcode, len(outcome.answer.answers), outcome.owners, outcome.by) == (
        *(rcode, answers, (OWNER,), NAME),
    )
    assert behind.asked == []


@pytest.mark.parametrize("name", ["example.com.", "xexample.org.", "org.", ".", r"x\007example.org."])
def test_other_names_are_passed_on(name: str) -> None:
    assert ask(step(zone_file()), name) is RELAYED


@pytest.mark.parametrize(
    ("name", "through", "passes"),
    [
        ("none.example.org.", (ROOT,), True),
        ("none.example.org.", (from_text("test."),), False),
        ("none.deep.example.org.", (from_text("deep.example.org."),), True),
        *((name, (ROOT,), False) for name in ("mail.example.org.", "ent.example.org.", "www.example.org.")),
        *((name, (ROOT,), False) for name in ("x.sub.example.org.", "nowhere.example.org.")),
    ],
)
def test_only_what_does_not_exist_falls_through(name: str, through: tuple[Name, ...], passes: bool) -> None:
    outcome = ask(step(zone_file(), through=through), name)
    assert (outcome is RELAYED) is passes


def test_what_others_say_of_a_name_that_fell_through_depends_on_the_file_too() -> None:
    behind = Behind(Answered(Answer(), (STATIC,), "behind"))
    outcome = ask(step(zone_file(), through=(ROOT,)), "none.example.org.", behind)
    assert isinstance(outcome, Answered)
    assert outcome.owners == (STATIC, OWNER)


def test_without_somebody_to_forget_nothing_is_remembered() -> None:
    made = File((zone_file(),), (), Behind(), IDLE)
    outcome = ask(made, "mail.example.org.")
    assert isinstance(outcome, Answered)
    assert outcome.owners == ()


def test_an_alias_that_leads_out_is_followed_from_the_entrance() -> None:
    entrance = Behind(TARGET)
    outcome = ask(step(zone_file(), entrance=entrance), "away.example.org.")
    assert entrance.asked == [from_text("www.elsewhere.test.")]
    assert isinstance(outcome, Answered)
    assert outcome.owners == ()
    assert text(outcome.answer).splitlines() == [
        "NOERROR",
        "away.example.org. 300 CNAME www.elsewhere.test.",
        "www.elsewhere.test. 9 A 192.0.2.99",
    ]


def test_of_zones_within_each_other_the_innermost_answers() -> None:
    inner = "$TTL 5\n@ SOA . . 1 1 1 1 1\nwww A 192.0.2.77"
    made = step(zone_file(), zone_file(INNER, inner, "db2"))
    for name, owner in (("www.inner.example.org.", file_owner(INNER, "db2")), ("mail.example.org.", OWNER)):
        outcome = ask(made, name)
        assert isinstance(outcome, Answered)
        assert (outcome.answer.rcode, outcome.owners) == (types.NOERROR, (owner,))


def test_a_zone_that_is_read_anew_voids_what_was_remembered_of_it() -> None:
    forgotten: list[set[Owner]] = []
    file = zone_file()
    File((file,), (), Behind(), IDLE, forgotten.append)
    for tell in file.on_change:
        tell()
    assert forgotten == [{OWNER}]


def waiting(act: str) -> tuple[list[Outcome], float]:
    """What comes of a question that is asked before the zone has been read, and when."""

    async def main() -> tuple[list[Outcome], float]:
        loop = asyncio.get_running_loop()
        file, outcomes = zone_file(zone_text=None), list[Outcome]()
        made = File((file,), (), Behind(), loop)
        assert made.ask(request("mail.example.org."), Behind(), outcomes.append) is None
        if act == "read":
            file.zone = authority()
            file._end_wait()
        await asyncio.sleep(0 if outcomes else 3.1)
        again = made.ask(request("mail.example.org."), Behind(), outcomes.append)
        assert again == outcomes[0]
        return outcomes, loop.time()

    return virtual_time.run(main())


def test_questions_wait_for_the_first_reading() -> None:
    ((outcome,), when) = waiting("read")
    assert when == 0.0
    assert isinstance(outcome, Answered)
    assert len(outcome.answer.answers) == 1


def test_questions_wait_for_three_seconds_only() -> None:
    ((outcome,), when) = waiting("nothing")
    assert isinstance(outcome, Failed)
    assert outcome.rcode == types.SERVFAIL
    assert outcome.error is not None
    assert outcome.error.text == "the zone example.org. couldn't be read"
    assert when < 3.2


def test_only_so_many_questions_wait() -> None:
    async def main() -> list[Outcome | None]:
        made = File((zone_file(zone_text=None),), (), Behind(), asyncio.get_running_loop())
        return [ask(made, "mail.example.org.") for _ in range(1001)]

    outcomes = virtual_time.run(main())
    assert outcomes[:1000] == [None] * 1000
    assert isinstance(outcomes[1000], Failed)
