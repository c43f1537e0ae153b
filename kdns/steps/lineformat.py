"""The formats of log lines: a text with words in braces, compiled once.

What a line says is of two sorts: what follows from question and reply, so that it is the same each time a reply is given
again, and what differs each time (who asked, the id, how long it took). So a format first makes a template of question and
reply, which can be kept with them, and the template a line. Words are CoreDNS' (plugin/pkg/replacer), and so is how
braces are read: a word is what lies between a "}" and the "{" last before it, and what is no word stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from kdns.config import mnemonics
from kdns.dns import summary
from kdns.dns.names import Name
from kdns.dns.summary import Asked, Told

COMMON: Final = (
    '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" '
    "{rcode} {>rflags} {rsize} {duration}"
)
COMBINED: Final = f'{COMMON} "{{>opcode}}"'
NOTHING: Final = "-"  # where there is nothing to say
PREFIX: Final = "[INFO] "

_PAYLOAD_LEAST: Final = 512
_STREAM_PAYLOAD: Final = 65535


class Labels(Protocol):
    """What is known of questions beside their octets."""

    def value(self, label: str, name: Name) -> str | None:
        """What a label says of questions for a name; None if it says nothing."""
        ...


class Exchange(NamedTuple):
    """A question and its reply."""

    asked: Asked
    told: Told
    transport: str  # udp or tcp
    noted: Mapping[str, str]  # labels that steps have set


class Each(NamedTuple):
    """What differs each time: the values of these words."""

    remote: str
    port: int
    id: int
    duration: str  # "0.000012s"
    local: str


class Context(NamedTuple):
    """What a server block decides of its lines; without labels nothing is said by any."""

    labels: Labels | None = None
    payload_max: int = _STREAM_PAYLOAD  # what is left of the payload that a client says, by bufsize


# No question has it as its name; its text is in none of a name, where the octet 0 is written \\000.
GAP: Final = Name(b"")
_GAP_TEXT: Final = "\0"

_Fixed: TypeAlias = Callable[[Exchange, Context], str]

# The words for what differs each time, in Each's order.
_EACH: Final = ("{remote}", "{port}", "{>id}", "{duration}", "{local}")
_IN_ORDER: Final = (0, 1, 2, 3)  # those of COMMON

_TYPE_NAMES: Final = {number: name for name, number in mnemonics.TYPES.items()}
_RCODE_NAMES: Final = {number: name for name, number in mnemonics.RCODES.items()} | {16: "BADSIG"}
# miekg/dns has no mnemonic for a class that is also a type's.
_CLASS_NAMES: Final = {number: name for name, number in mnemonics.CLASSES.items() if name not in mnemonics.TYPES}


def _payload(exchange: Exchange, context: Context) -> str:
    if exchange.transport != "udp":
        return str(_STREAM_PAYLOAD)
    return str(max(min(exchange.asked.payload, context.payload_max), _PAYLOAD_LEAST))


def type_text(qtype: int) -> str:
    """A type as CoreDNS writes it."""
    return _TYPE_NAMES.get(qtype) or f"TYPE{qtype}"


def class_text(qclass: int) -> str:
    """A class as CoreDNS writes it."""
    return _CLASS_NAMES.get(qclass) or f"CLASS{qclass}"


def rcode_text(rcode: int) -> str:
    """An rcode as CoreDNS writes it."""
    return NOTHING if rcode < 0 else _RCODE_NAMES.get(rcode) or str(rcode)


_FIXED: Final[Mapping[str, _Fixed]] = {
    "{type}": lambda exchange, _: type_text(exchange.asked.qtype),
    "{name}": lambda exchange, _: summary.name_text(exchange.asked.name) if exchange.asked.name else _GAP_TEXT,
    "{class}": lambda exchange, _: class_text(exchange.asked.qclass),
    "{proto}": lambda exchange, _: exchange.transport,
    "{size}": lambda exchange, _: str(exchange.asked.size),
    "{>opcode}": lambda exchange, _: str(exchange.asked.opcode),
    "{>do}": lambda exchange, _: "true" if exchange.asked.do else "false",
    "{>bufsize}": _payload,
    "{rcode}": lambda exchange, _: rcode_text(exchange.told.rcode),
    "{rsize}": lambda exchange, _: str(exchange.told.size),
    "{>rflags}": lambda exchange, _: exchange.told.flags,
}
_OF_REPLY: Final[Mapping[str, Callable[[Told], str]]] = {
    "log/class": lambda told: told.sort,
    "log/type": lambda told: told.kind,
}


class Format:
    """A format; equal to any other of the same text."""

    __slots__ = ("_parts", "arrange", "labelled", "text")

    def __init__(self, text: str) -> None:
        self.text: Final = text
        parts, order = _compiled(text.replace("{common}", COMMON).replace("{combined}", COMBINED))
        self._parts: Final = parts
        self.labelled: Final = "{/" in text  # says what is known of a question beside its octets
        self.arrange: Final = _arrangement(order)

    def template(self, exchange: Exchange, context: Context) -> str:
        """What line makes a line of, as long as question and reply are the same."""
        return "".join([part if isinstance(part, str) else part(exchange, context) for part in self._parts])

    def line(self, template: str, each: tuple[str, int, int, str, str]) -> str:
        """A line with its end; each is an Each."""
        arrange = self.arrange
        return template % (each[:4] if arrange is None else arrange(each))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def _compiled(text: str) -> tuple[tuple[str | _Fixed, ...], tuple[int, ...]]:
    """What a line is made of, in order, and the places in Each of what a template leaves open."""
    parts: list[str | _Fixed] = [PREFIX]
    order: list[int] = []
    while "}" in text:
        before, _, after = text.partition("}")
        start = before.rfind("{")
        word = f"{before[start:]}}}" if start >= 0 else ""
        if word in _EACH:
            parts += (_literal(before[:start]), "%s")
            order.append(_EACH.index(word))
        elif word in _FIXED:
            parts += (_literal(before[:start]), _escaped(_FIXED[word]) if word == "{name}" else _FIXED[word])
        elif word.startswith("{/"):
            parts += (_literal(before[:start]), _escaped(_label(word[2:-1])))
        else:
            parts.append(_literal(f"{before}}}"))
        text = after
    parts += (_literal(text), "\n")
    return tuple(part for part in parts if part), tuple(order)


def gap_filled(template: str, name: bytes) -> str:
    """A template of the same question and reply for another name, of one that was made for the name GAP."""
    return template.replace(_GAP_TEXT, _literal(summary.name_text(name)))


def _literal(text: str) -> str:
    return text.replace("%", "%%")


def _escaped(fixed: _Fixed) -> _Fixed:
    return lambda exchange, context: _literal(fixed(exchange, context))


def _label(label: str) -> _Fixed:
    def value(exchange: Exchange, context: Context) -> str:
        labels = context.labels
        if labels is None:
            return NOTHING
        of_reply = _OF_REPLY.get(label)
        known = exchange.noted.get(label) if of_reply is None else of_reply(exchange.told)
        known = labels.value(label, exchange.asked.name) if known is None else known
        return NOTHING if known is None else known

    return value


def _arrangement(order: Sequence[int]) -> Callable[[Any], tuple[Any, ...]] | None:
    """What puts the values of Each as a template wants them; None where that is how COMMON does."""
    if tuple(order) == _IN_ORDER:
        return None
    if len(order) > 1:
        return itemgetter(*order)
    return lambda each: tuple(each[place] for place in order)


def duration_text(nanoseconds: int) -> str:
    """A time as Go prints seconds: "0.000546533s"."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{seconds}.{rest:09d}".rstrip("0").rstrip(".") + "s"


class Rule(NamedTuple):
    """Which questions are logged, and how; of several the first whose zones hold the name counts."""

    zones: tuple[Name, ...]
    format: Format
    sorts: frozenset[str] | None = None  # of replies; None for all
    context: Context = Context()

    def template(self, exchange: Exchange) -> str:
        """As Format.template; nothing if such a reply isn't logged."""
        told = exchange.told
        if self.sorts is not None and told.sort not in self.sorts:
            return ""
        return self.format.template(exchange, self.context)
