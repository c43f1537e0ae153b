"""local: names that never leave the machine."""

from typing import Final

from kdns.config.declarations import Directive, Settings, option
from kdns.config.kinds import switch


class Local(Settings):
    """Which names are local."""

    localhost_prefix: bool = option(
        "localhost_prefix SWITCH", switch(), default=True, doc="Whether localhost.DOMAIN is local for any domain."
    )


DIRECTIVE: Final = Directive(
    Local,
    "local",
    doc="Answers localhost, and the reverse zones 0, 127 and 255 of in-addr.arpa.",
    repeat="last",
    differs=("A name above 1.0.0.127.in-addr.arpa exists, and has no data (RFC 8020).",),
)
