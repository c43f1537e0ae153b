"""any, debug, loop, minimal, whoami: directives that have nothing to say but their name."""

from typing import Final

from kdns.config.declarations import Directive, Settings


class Any(Settings):
    """Questions for ANY get a short reply (RFC 8482)."""


class Debug(Settings):
    """More is logged."""


class Loop(Settings):
    """A loop of forwarded questions is looked for."""


class Minimal(Settings):
    """Replies have no records but those asked for."""


class Whoami(Settings):
    """The client's address is the answer."""


ANY: Final = Directive(Any, "any", doc="Answers questions for ANY with a short HINFO record (RFC 8482).", repeat="last")
DEBUG: Final = Directive(Debug, "debug", doc="Logs more.", repeat="last")
LOOP: Final = Directive(
    Loop,
    "loop",
    doc="Finds out whether forwarded questions come back.",
    repeat="once",
    differs=(
        "A loop doesn't end the process: it is logged, questions get SERVFAIL, and /ready says no.",
        "It is probed for again, more and more seldom, and over when three probes in a row were answered by others.",
    ),
)
MINIMAL: Final = Directive(
    Minimal,
    "minimal",
    doc="Leaves authority and additional records out where the answer stands alone.",
    repeat="last",
    differs=(
        "A reply without answers stays as it is, that of whoami, too.",
        "Clients that ask for proofs (DO) get them.",
    ),
)
WHOAMI: Final = Directive(Whoami, "whoami", doc="Answers with the client's address, port and transport.", repeat="last")
