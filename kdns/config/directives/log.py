"""log: a line for each question."""

from typing import Final, Literal, TypeAlias, get_args

from kdns.config.declarations import Directive, Settings, argument, option
from kdns.config.domains import NAME
from kdns.config.kinds import text, words
from kdns.config.shapes import Kind, UnfitError, many
from kdns.config.syntax import Token
from kdns.dns import names
from kdns.dns.names import Name

ReplyClass: TypeAlias = Literal["all", "success", "denial", "error"]

COMMON: Final = "{common}"


def _scope(token: Token) -> Name:
    if "{" in token.text:
        raise UnfitError(NAME.expects)
    return NAME.read(token)


def _doubt(text_: str) -> str:
    """Old files name the stream that lines go to."""
    return '"stdout" is taken as a name, nothing else is logged: leave it out' if text_ == "stdout" else ""


_SCOPE: Final = Kind(NAME.expects, _scope, "example.org", doubt=_doubt)
_FORMAT: Final = text("a format such as {common} or {combined}", "{combined}", unlike=lambda given: "{" not in given)


class Log(Settings):
    """Which questions are logged, and how."""

    names: tuple[Name, ...] = argument(
        "NAME", many(_SCOPE), default=(names.ROOT,), doc="The zones whose questions are logged; all by default."
    )
    format: str = argument(
        "FORMAT", _FORMAT, default=COMMON, doc="The line, of {common}, {combined} and other words in braces."
    )
    classes: tuple[ReplyClass, ...] = option(
        "class CLASS...",
        many(words(get_args(ReplyClass))),
        default=("all",),
        repeat="each",
        doc="Which replies are logged; denial is NXDOMAIN and NODATA.",
    )


DIRECTIVE: Final = Directive(
    Log,
    "log [NAME...] [FORMAT]",
    doc="Logs a line for each question.",
    repeat="each",
    differs=(
        "A single argument with a brace is a format; CoreDNS takes it for a name.",
        "`{rsize}` of a reply that was cut is its size after the cut, and leaves extended errors out.",
        "`{rsize}` leaves EDNS out; CoreDNS counts it where no cache took it off.",
        "`{size}` is that of the question as it came; CoreDNS leaves out EDNS options that it has taken off.",
        "What is asked again inside, such as the target of a CNAME, leaves no line.",
        "Where nobody reads standard output, lines that it doesn't take are dropped; CoreDNS stops answering.",
    ),
)
