"""The query log of a door: a line for each reply, those given again included.

What of a line follows from question and reply is made once for each remembered reply, its template, and is kept with it; so
a reply that is given again costs its line no more than to fill in who asked, the id and the time it took. All replies of
one batch of datagrams took the same time: from its receipt until all of them are sent.
The lines' text is steps.lineformat's, what octets say dns.summary's, and where lines go ops.lines'.
"""

import socket
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from kdns.dns import summary
from kdns.dns.summary import Told
from kdns.dns.wire import HEADER_SIZE, WireError, end_of_plain_name
from kdns.steps.chain import Answered, Client, Failed, Outcome, Relayed
from kdns.steps.lineformat import GAP, Exchange, Rule, duration_text, gap_filled

clock_ns: Final = time.perf_counter_ns

_NO_LABELS: Final[Mapping[str, str]] = {}
_ADDRESSES_MAX: Final = 65536
_V4_BYTES: Final = 16  # of struct sockaddr_in


class Sink(Protocol):
    """Where lines go."""

    def add(self, text: str) -> None: ...


class Line:
    """The templates of a remembered reply's lines, each made when it is first needed; empty for one that isn't logged."""

    __slots__ = ("alike", "datagram", "noted", "rule", "stream", "told")

    def __init__(self, rule: Rule, noted: Mapping[str, str] = _NO_LABELS) -> None:
        """Takes the labels that are noted with the question."""
        self.rule = rule
        self.noted = noted
        self.datagram: str | None = None
        self.stream: str | None = None
        # Of a denial that other names of the same length get, too: what it says, and the template but for the name.
        self.told: Told | None = None
        self.alike: str | None = None


def noted(rule: Rule, outcome: Outcome) -> Mapping[str, str]:
    """What is noted of who answered a question, by label: which directive, and what is wrong, as an extended error has it.

    Nothing where the rule's lines have no labels.
    """
    if not rule.format.labelled:
        return _NO_LABELS
    error = outcome.answer.error if isinstance(outcome, Answered) else None
    error = outcome.error if isinstance(outcome, (Relayed, Failed)) else error
    labels = {"kdns/by": outcome.by} if outcome.by else {}
    if error is not None:
        text = error.text or f"extended error {error.code}"
        labels["kdns/error"] = "".join([each if each.isprintable() else "?" for each in text])
    return labels


class QueryLog:
    """Writes the lines of one door, whose address local is."""

    __slots__ = ("_addresses", "_local", "_sink", "_transport")

    def __init__(self, sink: Sink, transport: str, local: str) -> None:
        self._sink = sink
        self._transport = transport
        self._local = _bracketed(local)
        self._addresses: dict[bytes, str] = {}  # those of clients as text

    def made(
        self,
        rule: Rule,
        octets: bytes,
        reply: bytes | None,
        client: Client,
        since_ns: int,
        labels: Mapping[str, str] = _NO_LABELS,
        told: Told | None = None,
    ) -> None:
        """Logs a reply that was made now, or that there is none; since_ns is when the question came, by clock_ns.

        told is what the reply says, where that is known.
        """
        self._add(rule, self._template(rule, octets, reply, labels, told), octets, client, since_ns)

    def again(self, line: Line, octets: bytes, reply: bytes, client: Client, since_ns: int) -> None:
        """Logs a remembered reply; reply is all of it but the id."""
        self._add(line.rule, self.template(line, octets, reply), octets, client, since_ns)

    def denied(self, line: Line, octets: bytes, reply: bytes, client: Client, since_ns: int) -> None:
        """Logs a denial that was given as another name's."""
        if line.rule.format.labelled:
            if line.told is None:
                line.told = summary.told(reply)
            self.made(line.rule, octets, reply, client, since_ns, line.noted, told=line.told)
            return
        if line.alike is None:
            asked = summary.asked(octets)._replace(name=GAP)
            line.alike = line.rule.template(Exchange(asked, summary.told(reply), self._transport, _NO_LABELS))
        if line.alike:
            name = octets[HEADER_SIZE : end_of_plain_name(octets, HEADER_SIZE)]
            self._add(line.rule, gap_filled(line.alike, name), octets, client, since_ns)

    def template(self, line: Line, octets: bytes, reply: bytes) -> str:
        """The template of a remembered reply, which line keeps from then on; reply is all of it but the id."""
        if self._transport == "udp":
            if line.datagram is None:
                line.datagram = self._template(line.rule, octets, b"\0\0" + reply, line.noted)
            return line.datagram
        if line.stream is None:
            line.stream = self._template(line.rule, octets, b"\0\0" + reply, line.noted)
        return line.stream

    def batch(self, given: Sequence[tuple[Line, bytes, int]], since_ns: int) -> None:
        """Logs remembered replies whose templates are there: for each who asked, as the kernel wrote it, and the id."""
        duration, local = duration_text(clock_ns() - since_ns), self._local
        addresses = self._addresses
        templates: list[str] = []
        values: list[str | int] = []
        for line, name, ident in given:
            raw = name[4:8] if len(name) == _V4_BYTES else name[8:24]
            remote = addresses.get(raw) or self._remember(raw)
            arrange = line.rule.format.arrange
            template = line.datagram
            assert template is not None
            templates.append(template)
            if arrange is None:
                values += remote, name[2] << 8 | name[3], ident, duration
            else:
                values += arrange((remote, name[2] << 8 | name[3], ident, duration, local))
        if templates:  # filled in all at once: half the cost of one by one
            self._sink.add("".join(templates) % tuple(values))

    def _add(self, rule: Rule, template: str, octets: bytes, client: Client, since_ns: int) -> None:
        if template:
            duration = duration_text(clock_ns() - since_ns)
            ident = octets[0] << 8 | octets[1]
            each = (_bracketed(client.host), client.port, ident, duration, self._local)
            self._sink.add(rule.format.line(template, each))

    def _template(
        self, rule: Rule, octets: bytes, reply: bytes | None, labels: Mapping[str, str], told: Told | None = None
    ) -> str:
        try:
            if told is None:
                told = summary.SILENCE if reply is None else summary.told(reply)
            return rule.template(Exchange(summary.asked(octets), told, self._transport, labels))
        except WireError:  # an upstream's octets that nobody had to look at
            return ""

    def _remember(self, raw: bytes) -> str:
        if len(self._addresses) >= _ADDRESSES_MAX:
            self._addresses.clear()
        text = _bracketed(socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw))
        self._addresses[raw] = text
        return text


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
