"""The query log of a door: every way to a line says the same of the same question and reply."""

import re

import pytest

from kdns.dns import summary
from kdns.dns.names import ROOT, from_text
from kdns.dns.query import parse
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.dns.reply import render
from kdns.serve.querylog import Line, QueryLog, clock_ns, noted
from kdns.steps.chain import Answered, Failed, Outcome, Peer, Relayed
from kdns.steps.lineformat import Context, Format, Rule
from kdns.steps.metadata import BlockLabels

QUESTION = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + from_text("a.test") + b"\0\1\0\1"
QUERY = parse(QUESTION)
REPLY = render(QUERY, Answer(0, (RecordSet(QUERY.qname, 1, 5, (b"\x0a\0\0\1",)),)), limit=512, recursion=True).octets
V4 = b"\2\0\xa3\x6d\x7f\0\0\1" + bytes(8)
V6 = b"\x0a\0\xa3\x6d\0\0\0\0" + bytes(15) + b"\1" + bytes(4)


class Sink:
    """Keeps what is added."""

    def __init__(self) -> None:
        self.text = ""

    def add(self, text: str) -> None:
        self.text += text


def said(sink: Sink) -> list[str]:
    return re.sub(r"\d+(\.\d+)?s\b", "TIME", sink.text).splitlines()


@pytest.mark.parametrize("written", ["{common}", "{duration} {>id} {port} {remote} {local}", "{name}", "{port}"])
@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", V4), ("::1", V6)])
def test_a_batch_says_what_one_reply_does(written: str, host: str, name: bytes) -> None:
    sink, rule = Sink(), Rule((), Format(written))
    log, line = QueryLog(sink, "udp", host), Line(rule)
    log.made(rule, QUESTION, REPLY, Peer(host, 41837), clock_ns())
    log.again(line, QUESTION, REPLY[2:], Peer(host, 41837), clock_ns())
    assert log.template(line, QUESTION, REPLY[2:])
    log.batch([(line, name, 0x1234), (line, name, 0x1234)], clock_ns())
    assert len(said(sink)) == 4
    assert len(set(said(sink))) == 1


def test_a_line_in_the_common_format() -> None:
    sink = Sink()
    QueryLog(sink, "udp", "::").made(Rule((), Format("{common}")), QUESTION, REPLY, Peer("::1", 41837), clock_ns())
    assert said(sink) == ['[INFO] [::1]:41837 - 4660 "A IN a.test. udp 24 false 512" NOERROR qr,aa,rd,ra 46 TIME']


def test_a_remembered_reply_has_a_line_of_each_transport() -> None:
    sink, line = Sink(), Line(Rule((), Format("{proto} {>bufsize}")))
    for transport in ("udp", "tcp", "udp"):
        QueryLog(sink, transport, "::").again(line, QUESTION, REPLY[2:], Peer("::1", 1), clock_ns())
    assert said(sink) == ["[INFO] udp 512", "[INFO] tcp 65535", "[INFO] udp 512"]


def test_a_question_without_a_reply_is_logged_as_silence() -> None:
    sink = Sink()
    QueryLog(sink, "udp", "::").made(Rule((), Format("{rcode} {>rflags} {rsize}")), QUESTION, None, Peer("::1", 1), 0)
    assert said(sink) == ["[INFO] - - 0"]


def test_replies_of_another_class_leave_no_line() -> None:
    sink, line = Sink(), Line(Rule((), Format("{name}"), frozenset(("error",))))
    log = QueryLog(sink, "udp", "::")
    log.made(line.rule, QUESTION, REPLY, Peer("::1", 1), 0)
    assert log.template(line, QUESTION, REPLY[2:]) == ""
    log.again(line, QUESTION, REPLY[2:], Peer("::1", 1), 0)
    assert sink.text == ""


DENIALS = [
    (QUESTION[:12] + from_text(name) + b"\0\1\0\1", summary.name_text(from_text(name)))
    for name in ("aa.test", "bb.test", "C%.test", "\\000a.test", "\\.s.test")
]


@pytest.mark.parametrize(
    "written", ["{common}", "%d {name} {name} {rsize} {>rflags}", "{rcode}", "{name} {/log/class}"]
)
def test_a_denial_that_other_names_get_says_of_each_what_is_said_of_it_alone(written: str) -> None:
    together, rule = Sink(), Rule((), Format(written))
    log, line = QueryLog(together, "udp", "::"), Line(rule)
    alone = Sink()
    for octets, _ in DENIALS:
        query = parse(octets)
        reply = render(query, Answer(3), limit=512, recursion=True).octets
        log.denied(line, octets, reply, Peer("::1", 1), clock_ns())
        QueryLog(alone, "udp", "::").made(rule, octets, reply, Peer("::1", 1), clock_ns())
    assert said(together) == said(alone)
    if "{name}" in written:
        assert all(text in found for (_, text), found in zip(DENIALS, said(together), strict=True))


def test_a_denial_of_another_class_than_is_logged_leaves_no_line_whichever_name_gets_it() -> None:
    sink = Sink()
    log, line = QueryLog(sink, "udp", "::"), Line(Rule((), Format("{name}"), frozenset(("error",))))
    for octets, _ in DENIALS:
        log.denied(line, octets, render(parse(octets), Answer(3), limit=512, recursion=True).octets, Peer("::1", 1), 0)
    assert sink.text == ""


@pytest.mark.parametrize(
    ("outcome", "labels"),
    [
        (Answered(Answer(3), by="hosts"), {"kdns/by": "hosts"}),
        (
            Answered(Answer(0, error=ExtendedError(3)), by="cache"),
            {"kdns/by": "cache", "kdns/error": "extended error 3"},
        ),
        (Relayed(b"", "forward", error=ExtendedError(22, "gone\n")), {"kdns/by": "forward", "kdns/error": "gone?"}),
        (Failed(2, ExtendedError(14, "not ready")), {"kdns/error": "not ready"}),
        (Failed(2), {}),
    ],
)
def test_who_answered_is_noted(outcome: Outcome, labels: dict[str, str]) -> None:
    rule = Rule((), Format("{/kdns/by}"), None, Context(BlockLabels((ROOT,), {}, ())))
    assert noted(rule, outcome) == labels


def test_what_is_noted_of_a_remembered_reply_is_in_each_of_its_lines() -> None:
    rule = Rule((), Format("{name} {/kdns/by}"), None, Context(BlockLabels((ROOT,), {}, ())))
    sink, line = Sink(), Line(rule, {"kdns/by": "hosts"})
    log = QueryLog(sink, "udp", "::")
    log.made(rule, QUESTION, REPLY, Peer("::1", 1), clock_ns(), line.noted)
    log.again(line, QUESTION, REPLY[2:], Peer("::1", 1), clock_ns())
    log.denied(line, QUESTION, REPLY, Peer("::1", 1), clock_ns())
    log.batch([(line, V4, 1)], clock_ns())
    assert said(sink) == ["[INFO] a.test. hosts"] * 4
