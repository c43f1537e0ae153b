"""errors: what goes wrong with a question is logged."""

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from kdns.config.declarations import Directive, Settings, options
from kdns.config.kinds import PATTERN, duration, words
from kdns.config.patterns import Pattern
from kdns.config.shapes import GIVEN, record

Level: TypeAlias = Literal["warning", "error", "info", "debug"]


class Consolidation(NamedTuple):
    """Errors that are counted, and told of once in a period."""

    period_s: float
    pattern: Pattern
    level: Level = "error"
    show_first: bool = False


class Errors(Settings):
    """Which errors are told of together."""

    consolidations: tuple[Consolidation, ...] = options(
        "consolidate DURATION REGEX [LEVEL] [show_first]",
        record(
            Consolidation,
            period_s=("DURATION", duration()),
            pattern=("REGEX", PATTERN),
            level=("LEVEL", words(get_args(Level))),
            show_first=("show_first", GIVEN),
        ),
        doc="Errors that REGEX fits are counted and told of every DURATION, as errors or at LEVEL, the first at once, too.",
    )


DIRECTIVE: Final = Directive(
    Errors,
    "errors [stdout]",
    doc="Logs what goes wrong with questions.",
    repeat="once",
    differs=("Of two addresses the upstream's alone is named: CoreDNS writes read udp CLIENT:PORT->UPSTREAM:PORT.",),
    accepted={"stacktrace": "an error that nobody foresaw always comes with its trace"},
)
