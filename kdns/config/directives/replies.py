"""bufsize, chaos, nsid, header: small things about what is sent."""

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from kdns.config.declarations import Directive, Law, Settings, argument, options
from kdns.config.kinds import switch, text, whole, words
from kdns.config.shapes import Text, joined, many, record

Flag: TypeAlias = Literal["aa", "ra", "rd"]

SIZE: Final = 1232  # dnsflagday.net/2020
_TEXT_MAX: Final = 255  # RFC 1035 section 3.3


class Bufsize(Settings):
    """How large replies over UDP may be."""

    octets: int = argument(
        "SIZE", whole(512, 4096), default=SIZE, doc="The most octets of a reply over UDP; 1232 by default."
    )


class Chaos(Settings):
    """What is said of the server itself; None is what kdns calls itself."""

    version: Text | None = argument(
        "VERSION", text("a version", "1.0"), default=None, doc="The answer for version.bind and version.server."
    )
    authors: tuple[str, ...] = argument(
        "AUTHOR", many(text("a name", "somebody")), default=(), doc="The answers for authors.bind."
    )


class Nsid(Settings):
    """What identifies the server; None is its host name."""

    data: Text | None = argument(
        "DATA", joined(text("a text", "here")), default=None, doc="The identifier; the host name by default."
    )


class HeaderRule(NamedTuple):
    """Bits that are set or cleared."""

    to: bool
    flags: tuple[Flag, ...]


_RULE: Final = record(
    HeaderRule,
    to=("ACTION", switch("set", "clear", any_case=True)),
    flags=("FLAG", many(words(get_args(Flag), any_case=True))),
)


class Header(Settings):
    """Bits that are changed, in order."""

    query: tuple[HeaderRule, ...] = options(
        "query ACTION FLAG...", _RULE, any_case=True, doc="Bits of the question that are changed before it is answered."
    )
    response: tuple[HeaderRule, ...] = options(
        "response ACTION FLAG...", _RULE, any_case=True, doc="Bits of the reply that are changed before it is sent."
    )


BUFSIZE: Final = Directive(
    Bufsize,
    "bufsize [SIZE]",
    doc="Limits the size of replies over UDP.",
    repeat="first",
    differs=(
        "Without it, too, no reply over UDP has more than 1232 octets.",
        "Replies tell 1232 by EDNS, which is what kdns takes (RFC 6891), and neither SIZE nor what the client told.",
    ),
)
CHAOS: Final = Directive(
    Chaos,
    "chaos [VERSION [AUTHOR...]]",
    doc="Answers questions of the class CH for version.bind, hostname.bind and the like.",
    repeat="first",
    differs=(
        "Without AUTHOR there is no answer for authors.bind.",
        "Authors are named in the order in which they stand.",
        "Any other question of the class CH is refused, and not asked of the directives behind.",
    ),
)
NSID: Final = Directive(
    Nsid,
    "nsid [DATA...]",
    doc="Names the server in replies to those who ask (RFC 5001).",
    repeat="once",
    differs=("The first 128 octets of the identifier are told, so that they fit any reply.",),
)
HEADER: Final = Directive(
    Header,
    "header",
    doc="Sets or clears bits of questions and replies.",
    repeat="first",
    laws=(Law(lambda header: bool(header.query or header.response), "found no rule, expected one at least"),),
)
