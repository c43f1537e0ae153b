"""The formats of log lines. Rows with CORE are what CoreDNS 1.14.7 wrote of the same octets, port and duration aside."""

import pytest

from kdns.config.directives.log import Log
from kdns.config.directives.replies import Bufsize
from kdns.config.directives.view import Metadata, View
from kdns.dns import summary
from kdns.dns.names import Name, from_text
from kdns.dns.summary import SILENCE, Asked, Told
from kdns.steps.lineformat import COMBINED, COMMON, Context, Exchange, Format, Rule, duration_text
from kdns.steps.log import rule_for, rules_of

CORE = "{combined} {local} {/log/class} {/log/type} {/nope/x} {nope} {x {type} 100%"
EACH = ("127.0.0.1", 41837, 4660, "0.000012s", "127.0.0.1")


class NoLabels:
    """metadata in a server block that knows nothing."""

    def value(self, label: str, name: Name) -> str | None:
        del label, name
        return None


def ask(name: str, qtype: int = 1, payload: int | None = None, *, size: int = 24, do: bool = False) -> Asked:
    return Asked(4660, 0, from_text(name), qtype, 1, size, payload is not None, payload or 0, do)


OK = Told(0, "qr,aa,rd", 46, "NOERROR", "success")
DENIED = Told(3, "qr,aa,rd", 86, "NXDOMAIN", "denial")
LINES = [
    (ask("a.test"), OK, "udp", '"A IN a.test. udp 24 false 512" NOERROR qr,aa,rd 46 0.000012s "0" 127.0.0.1 success NOERROR'),
    (ask("a.test", 1, 4096, size=35), OK, "udp", '"A IN a.test. udp 35 false 1232" NOERROR qr,aa,rd 46 0.000012s "0" 127.0.0.1 success NOERROR'),
    (ask("a.test", 1, 600, size=35, do=True), OK, "udp", '"A IN a.test. udp 35 true 600" NOERROR qr,aa,rd 46 0.000012s "0" 127.0.0.1 success NOERROR'),
    (ask("a.test", 1, 100, size=35), OK, "udp", '"A IN a.test. udp 35 false 512" NOERROR qr,aa,rd 46 0.000012s "0" 127.0.0.1 success NOERROR'),
    (ask("a.test"), OK, "tcp", '"A IN a.test. tcp 24 false 65535" NOERROR qr,aa,rd 46 0.000012s "0" 127.0.0.1 success NOERROR'),
    (ask("nx.test", 1, size=25), DENIED, "udp", '"A IN nx.test. udp 25 false 512" NXDOMAIN qr,aa,rd 86 0.000012s "0" 127.0.0.1 denial NXDOMAIN'),
    (ask("drop.test", 1, size=27), SILENCE, "udp", '"A IN drop.test. udp 27 false 512" - - 0 0.000012s "0" 127.0.0.1 error OTHERERROR'),
    (ask("big.zone", 257, size=26), OK, "udp", '"CAA IN big.zone. udp 26 false 512" NOERROR qr,aa,rd 46 0.000012s "0" 127.0.0.1 success NOERROR'),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "told", "transport", "middle"), LINES)
def test_a_line_is_what_coredns_writes(asked: Asked, told: Told, transport: str, middle: str) -> None:
    context = Context(NoLabels(), 1232)
    template = Rule((), Format(CORE), None, context).template(Exchange(asked, told, transport, {}))
    qtype = middle[1:].split(maxsplit=1)[0]
    expected = f"[INFO] 127.0.0.1:41837 - 4660 {middle} - {{nope}} {{x {qtype} 100%\n"
    assert Format(CORE).line(template, EACH) == expected


FORMATS = [
    ("", ""),
    ("{common}", COMMON),
    ("{combined}", COMBINED),
    ("{ {type} }", None),
    ("} {type}", None),
    ("%s {port} %d {remote} {port}", None),
]
TEXTS = ["", None, None, "{ A }", "} A", "%s 41837 %d 127.0.0.1 41837"]


@pytest.mark.parametrize(("written", "text"), list(zip([each for each, _ in FORMATS], TEXTS, strict=True)))
def test_braces_are_read_as_by_coredns(written: str, text: str | None) -> None:
    exchange = Exchange(ask("a.test"), OK, "udp", {})
    made = Format(written).line(Format(written).template(exchange, Context()), EACH)
    same = dict(FORMATS)[written]
    if same is not None:
        assert made == Format(same).line(Format(same).template(exchange, Context()), EACH)
    if text is not None:
        assert made == f"[INFO] {text}\n"


def test_without_metadata_no_label_says_anything() -> None:
    template = Format("{/log/class} {/view/name}").template(Exchange(ask("a.test"), OK, "udp", {}), Context())
    assert template == "[INFO] - -\n"


def test_labels_that_steps_have_set_are_said() -> None:
    exchange = Exchange(ask("a.test"), OK, "udp", {"forward/upstream": "192.0.2.1:53"})
    assert Format("{/forward/upstream}").template(exchange, Context(NoLabels())) == "[INFO] 192.0.2.1:53\n"


DURATIONS = [(0, "0s"), (1, "0.000000001s"), (546_533, "0.000546533s"), (1_500_000_000, "1.5s"), (10**10, "10s")]


@pytest.mark.parametrize(("nanoseconds", "text"), DURATIONS)
def test_durations_are_as_go_prints_them(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text


def test_replies_of_other_classes_leave_no_line() -> None:
    rule = Rule((), Format("{name}"), frozenset(("denial",)))
    assert rule.template(Exchange(ask("a.test"), OK, "udp", {})) == ""
    assert rule.template(Exchange(ask("a.test"), DENIED, "udp", {})) == "[INFO] a.test.\n"


def test_the_first_rule_that_covers_the_name_counts() -> None:
    here, below = from_text("a.test"), from_text("www.a.test")
    rules = rules_of(
        (
            *(Metadata(zones=(from_text("test"),)), Bufsize(octets=1400), View(name="inner")),
            *(Log(names=(here,), format="{/view/name}", classes=("denial",)), Log()),
        )
    )
    assert [rule_for(rules, name) for name in (here, below, from_text("b.test"))] == [rules[0], rules[0], rules[1]]
    assert rule_for(rules[:1], from_text("b.test")) is None
    assert (rules[0].sorts, rules[1].sorts) == (frozenset(("denial",)), None)
    assert rules[0].template(Exchange(ask("a.test"), DENIED, "udp", {})) == "[INFO] inner\n"
    assert '" 512 ' not in rules[1].template(Exchange(ask("a.test", 1, 4096), OK, "udp", {}))
    assert 'false 1400"' in rules[1].template(Exchange(ask("a.test", 1, 4096), OK, "udp", {}))


def test_a_name_is_escaped_as_coredns_does() -> None:
    name = b'\x05a.b"c\x04\x00\xff@$\x04TEST\0'
    assert summary.name_text(name) == 'a\\.b\\"c.\\000\\255\\@$.test.'
    assert summary.name_text(b"\0") == "."
