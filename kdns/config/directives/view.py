"""view, metadata: which questions a server block is for, and what is known of each."""

from typing import TYPE_CHECKING, Final

from kdns.config.declarations import Directive, Settings, argument, options, zones
from kdns.config.kinds import text
from kdns.config.shapes import mapped
from kdns.dns.names import Name

if TYPE_CHECKING:  # the language is imported with the first condition
    from kdns.config.expressions import Expression


def _condition(written: str) -> "Expression":
    """Raises ValueError, which says what was expected and where it wasn't."""
    from kdns.config.expressions import Expression  # noqa: PLC0415 - as above
    from kdns.config.words import ExpressionError  # noqa: PLC0415

    try:
        return Expression(written)
    except ExpressionError as error:
        raise ValueError(f"a condition ({error}, at character {error.position + 1})") from error


class View(Settings):
    """The conditions, all of which have to hold."""

    name: str = argument("NAME", text("the name of the view", "internal"), doc="What metrics call the view.")
    conditions: "tuple[Expression, ...]" = options(
        "expr EXPRESSION...",
        mapped(text("an expression", "incidr(client_ip(), '10.0.0.0/8')"), _condition),
        doc="A condition that a question has to meet; without one all do.",
    )


class Metadata(Settings):
    """The zones for which it is gathered."""

    zones: tuple[Name, ...] = zones("ZONE", doc="The zones of the questions, by default the server block's.")


VIEW: Final = Directive(
    View,
    "view NAME",
    doc="Takes for the server block only questions that meet conditions.",
    repeat="once",
    differs=(
        "A condition that couldn't hold for any question, as one of the wrong type, is an error; CoreDNS takes some of them.",
        "Of the language there are operators, lists, ranges, all, any, none, one, and functions for texts; no maps, let, | and ??.",
        "What `matches` looks for is written down, and isn't made of the question; `a < b < c` isn't read.",
    ),
)
METADATA: Final = Directive(
    Metadata,
    "metadata [ZONE...]",
    doc="Gathers what directives know of a question for others to use.",
    repeat="once",
    differs=("The labels of the client's pod (kubernetes/client-...) and forward/upstream are never there.",),
)
