"""template: answers made of the question by templates."""

from typing import Final, NamedTuple

from kdns.config.declarations import Directive, Settings, argument, option, options, zones
from kdns.config.domains import ZONE, rcode, record_class, record_type
from kdns.config.kinds import PATTERN, of_text, text, whole
from kdns.config.patterns import Pattern
from kdns.config.shapes import Text, joined, many, record, spread
from kdns.dns import names, types
from kdns.dns.names import Name

_RECORD: Final = text("a record as a Go template", "{{ .Name }} 60 IN A 192.0.2.1")
_EXPRESSION: Final = joined(text("an expression", "true"))
_UINT16_MAX: Final = 65535


class Variable(NamedTuple):
    """A name and what it stands for."""

    name: str
    expression: Text


class ExtendedError(NamedTuple):
    """What a reply says of its failure (RFC 8914)."""

    code: int
    reason: str = ""


def _identifier(name: str) -> str:
    if not (name.isascii() and name.isidentifier()):
        raise ValueError(name)
    return name


class Template(Settings):
    """When a template answers, and with what; templates and expressions are read by the step."""

    qclass: int = argument("CLASS", record_class(), doc="The class that is answered; ANY is all.")
    qtype: int = argument("TYPE", record_type(), doc="The type that is answered; ANY is all.")
    zones: tuple[Name, ...] = zones("ZONE", doc="The zones that are answered, by default the server block's.")
    patterns: tuple[Pattern, ...] = option(
        "match REGEX...",
        many(PATTERN),
        default=(),
        repeat="each",
        doc="Names that are answered, the first that fits counts; all by default.",
    )
    variables: tuple[Variable, ...] = options(
        "var NAME EXPRESSION...",
        record(
            Variable,
            name=("NAME", of_text("the name of a variable", _identifier, "n")),
            expression=("EXPRESSION", _EXPRESSION),
        ),
        doc="A variable for templates, and for the expressions behind it.",
    )
    conditions: tuple[Text, ...] = options("expr EXPRESSION...", _EXPRESSION, doc="A condition; all have to hold.")
    answers: tuple[Text, ...] = option(
        "answer RR...", many(_RECORD), default=(), repeat="each", doc="Records of the answer section."
    )
    additionals: tuple[Text, ...] = option(
        "additional RR...", many(_RECORD), default=(), repeat="each", doc="Records of the additional section."
    )
    authorities: tuple[Text, ...] = option(
        "authority RR...", many(_RECORD), default=(), repeat="each", doc="Records of the authority section."
    )
    rcode: int = option("rcode CODE", rcode(any_case=False), default=types.NOERROR, doc="The rcode.")
    extended_error: ExtendedError | None = option(
        "ederror CODE [REASON]",
        record(ExtendedError, code=("CODE", whole(0, _UINT16_MAX)), reason=("REASON", text("a text", "blocked"))),
        default=None,
        doc="An extended error (RFC 8914) and its text.",
    )
    fallthrough: tuple[Name, ...] = option(
        "fallthrough [ZONE...]",
        spread(ZONE),
        default=(),
        bare=(names.ROOT,),
        doc="Names of these zones, or of all, that no pattern fits are asked of what stands behind; else they get SERVFAIL.",
    )


DIRECTIVE: Final = Directive(
    Template,
    "template CLASS TYPE [ZONE...]",
    doc="Answers with records made of the question.",
    repeat="each",
    accepted={"upstream": "names outside are resolved by the server block itself"},
)
