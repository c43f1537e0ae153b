"""reload: the Corefile is read again when it changes."""

from typing import Final

from kdns.config.declarations import Directive, Settings, argument
from kdns.config.kinds import duration

INTERVAL_S: Final = 30.0
JITTER_S: Final = 15.0


class Reload(Settings):
    """How often is looked."""

    interval_s: float = argument(
        "INTERVAL", duration(2), default=INTERVAL_S, doc="How often the files are looked at; 30s by default."
    )
    jitter_s: float = argument(
        "JITTER",
        duration(1, or_zero=True),
        default=JITTER_S,
        doc="How much that varies, by chance; 15s by default, half the interval at the most.",
    )

    @property
    def used_jitter_s(self) -> float:
        """The jitter, half the interval at the most."""
        return min(self.jitter_s, self.interval_s / 2)

    def complete(self) -> "Reload":
        """The same with the jitter that is used."""
        return self.replaced(jitter_s=self.used_jitter_s)


DIRECTIVE: Final = Directive(
    Reload, "reload [INTERVAL [JITTER]]", doc="Reads the Corefile again when it changes.", repeat="first"
)
