"""loadbalance: the order of addresses in a reply."""

from typing import Final

from kdns.config.declarations import Directive, Law, Only, Settings, argument, option
from kdns.config.endpoints import NETWORK, Network
from kdns.config.kinds import FilePath, duration, file
from kdns.config.shapes import many

RELOAD_S: Final = 30.0


class Loadbalance(Settings):
    """How addresses are ordered."""

    weights: FilePath | None = argument(
        "FILE", file("weights"), default=None, doc="A file with the weights of addresses; without it all are equal."
    )
    reload_s: float = option(
        "reload DURATION", duration(), default=RELOAD_S, doc="How often the file is looked at; 0s for once."
    )
    preferred: tuple[Network, ...] = option(
        "prefer CIDR...", many(NETWORK), default=(), repeat="each", doc="Addresses of these ranges come first."
    )


DIRECTIVE: Final = Directive(
    Loadbalance,
    "loadbalance [round_robin | weighted FILE]",
    doc="Changes the order of A and AAAA records from reply to reply.",
    repeat="last",
    differs=(
        "Addresses take turns and aren't shuffled; records of other types, MX too, keep their order.",
        Only("weighted", "weighted changes the order of names that FILE has, in answers to questions for A and AAAA."),
        Only(
            "weighted", "A FILE that can't be read or makes no sense is logged, and all weights are equal until it can."
        ),
        Only("prefer", "prefer orders answers to questions for A and AAAA, and no additional records."),
    ),
    laws=(
        Law(
            lambda balance: balance.weights is not None or balance.reload_s == RELOAD_S,
            "found reload without weighted, expected both",
            "reload",
        ),
        Law(
            lambda balance: balance.weights is None or not balance.preferred,
            "found prefer beside weighted, expected one of them",
            "prefer",
        ),
    ),
)
