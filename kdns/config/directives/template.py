"""template: answers made of the question by templates."""

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from kdns.config.declarations import Directive, Law, Settings, argument, option, options, zones
from kdns.config.domains import ZONE, rcode, record_class, record_type
from kdns.config.forms import UnfitError
from kdns.config.kinds import PATTERN, of_text, text, whole
from kdns.config.patterns import Pattern
from kdns.config.shapes import Kind, Text, many, mapped, record, spread
from kdns.config.syntax import Token
from kdns.dns import names, types
from kdns.dns.names import Name
from kdns.dns.records import RecordSet

if TYPE_CHECKING:  # the languages are imported with the first template and expression
    from kdns.config.expressions import Expression
    from kdns.config.gotemplates import Template as GoTemplate


class Line(Text):
    """A record as a Go template, which has been read; and the record, where it is the same for every question."""

    __slots__ = ("fixed", "template")
    template: "GoTemplate"
    fixed: RecordSet | None


def _line(token: Token) -> Line:
    from kdns.config import gotemplates  # noqa: PLC0415 - as above
    from kdns.config.gotemplates import TemplateError  # noqa: PLC0415
    from kdns.dns import presentation  # noqa: PLC0415
    from kdns.dns.presentation import RecordTextError  # noqa: PLC0415

    try:
        template = gotemplates.read(token.text)
        fixed = None if template.fixed is None else presentation.record(template.fixed)
    except (TemplateError, RecordTextError) as error:
        raise UnfitError(f"a record as a Go template ({error})") from error
    line = Line(token.text)
    line.place, line.template, line.fixed = token.place, template, fixed
    return line


_RECORD: Final = Kind("a record as a Go template", _line, "{{ .Name }} 60 IN A 192.0.2.1")


def _expression(written: str, *, condition: bool) -> "Expression":
    """Raises ValueError, which says what was expected and where it wasn't."""
    from kdns.config.expressions import Expression  # noqa: PLC0415 - as above
    from kdns.config.words import ExpressionError  # noqa: PLC0415

    try:
        expression = Expression(written, named=True, condition=condition)
    except ExpressionError as error:
        raise ValueError(f"an expression ({error}, at character {error.position + 1})") from error
    unknown = ", ".join(f"{name}()" for name in sorted(_UNKNOWN & expression.reads))
    if unknown:
        raise ValueError(f"an expression of what a template knows, and not of {unknown}")
    return expression


_UNKNOWN: Final = frozenset(("server_ip", "server_port"))
_VALUE: Final = mapped(text("an expression", "group(1)"), partial(_expression, condition=False))
_CONDITION: Final = mapped(text("an expression", "type() == 'A'"), partial(_expression, condition=True))
_UINT16_MAX: Final = 65535


class Variable(NamedTuple):
    """A name and what it stands for."""

    name: str
    expression: "Expression"


class ExtendedError(NamedTuple):
    """What a reply says of its failure (RFC 8914)."""

    code: int
    reason: str = ""


def _identifier(name: str) -> str:
    from kdns.config.expressions import RESERVED  # noqa: PLC0415 - as above

    if not (name.isascii() and name.isidentifier()) or name in RESERVED:
        raise ValueError(name)
    return name


class Template(Settings):
    """When a template answers, and with what."""

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
            expression=("EXPRESSION", _VALUE),
        ),
        doc="A variable for templates, and for the expressions behind it.",
    )
    conditions: "tuple[Expression, ...]" = options(
        "expr EXPRESSION...", _CONDITION, doc="A condition; all have to hold."
    )
    answers: tuple[Line, ...] = option(
        "answer RR...", many(_RECORD), default=(), repeat="each", doc="Records of the answer section."
    )
    additionals: tuple[Line, ...] = option(
        "additional RR...", many(_RECORD), default=(), repeat="each", doc="Records of the additional section."
    )
    authorities: tuple[Line, ...] = option(
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

    @property
    def lines(self) -> tuple[Line, ...]:
        """The records of all sections."""
        return self.answers + self.additionals + self.authorities


def _groups_there(template: Template) -> bool:
    """Whether each group that a record names is one of some pattern."""
    known = {name for pattern in template.patterns for name in (*pattern.names, *map(str, range(pattern.groups + 1)))}
    used = {field.removeprefix("Group.") for field in _fields(template) if field.startswith("Group.")}
    return used <= (known or {"0"})


def _used(expression: "Expression") -> set[str]:
    """The variables that an expression looks at."""
    return {name[1:] for name in expression.reads if name.startswith("$")}


def _variables_there(template: Template) -> bool:
    names = [each.name for each in template.variables]
    return all(_used(each.expression) <= set(names[:at]) for at, each in enumerate(template.variables))


def _conditions_there(template: Template) -> bool:
    names = {each.name for each in template.variables}
    return all(_used(each) <= names for each in template.conditions)


def _fields(template: Template) -> set[str]:
    return {field for line in template.lines for field in line.template.fields}


DIRECTIVE: Final = Directive(
    Template,
    "template CLASS TYPE [ZONE...]",
    doc="Answers with records made of the question.",
    repeat="each",
    accepted={"upstream": "names outside are resolved by the server block itself"},
    differs=(
        "A record that is the same for every question is read at the start: what is wrong with it is an error then.",
        "Of Go's templates, loops, with, define and variables are errors, and so are functions but those named here.",
        "server_ip() and server_port() are errors in var and expr; so is what view doesn't have of the language.",
        "An expr may use each var, also one behind it.",
        "Where a var or expr can't be had, as of a wrong type, the question may fall through; in CoreDNS it is SERVFAIL.",
        "Names come back in the case in which they were asked for.",
        "Where a CNAME leads out of the answer, the rcode is its target's, unless the template has one but NOERROR.",
        "A template that can't be filled, or gives no record, is SERVFAIL with an extended error that says why.",
        "A group that no pattern has is an error.",
        "Replies that are given again are counted once in coredns_template_matches_total.",
    ),
    laws=(
        Law(_groups_there, "found a group in a record, as in .Group.name, that no pattern has"),
        Law(_variables_there, "found a variable in var that no var before it sets", at="var"),
        Law(_conditions_there, "found a variable in expr that no var sets", at="expr"),
    ),
)
