"""view, metadata: which questions a server block is for, and what is known of each."""

from typing import Final

from kdns.config.declarations import Directive, Settings, argument, options, zones
from kdns.config.kinds import text
from kdns.config.shapes import Text, joined
from kdns.dns.names import Name


class View(Settings):
    """The conditions, all of which have to hold; expressions are read by the step."""

    name: str = argument("NAME", text("the name of the view", "internal"), doc="What metrics call the view.")
    conditions: tuple[Text, ...] = options(
        "expr EXPRESSION...",
        joined(text("an expression", "incidr(client_ip(), '10.0.0.0/8')")),
        doc="A condition that a question has to meet; without one all do.",
    )


class Metadata(Settings):
    """The zones for which it is gathered."""

    zones: tuple[Name, ...] = zones("ZONE", doc="The zones of the questions, by default the server block's.")


VIEW: Final = Directive(
    View, "view NAME", doc="Takes for the server block only questions that meet conditions.", repeat="once"
)
METADATA: Final = Directive(
    Metadata, "metadata [ZONE...]", doc="Gathers what directives know of a question for others to use.", repeat="once"
)
