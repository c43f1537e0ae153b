"""Server blocks at work: from the settings of a block's directives to its chain of steps and what its replies follow."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from kdns.config import serving
from kdns.config.directives.bare import Loop
from kdns.config.directives.cache import Cache
from kdns.config.directives.forward import Forward
from kdns.config.directives.loadbalance import Loadbalance
from kdns.config.directives.replies import Bufsize, Chaos
from kdns.config.serving import Listener
from kdns.dns import names
from kdns.serve.routes import Block, Manner, Routes
from kdns.steps.around import Around
from kdns.steps.chain import Entrance, Rest, Step, compose
from kdns.steps.makers import steps_of
from kdns.steps.metadata import labels_of
from kdns.steps.special import Special

_BEFORE_UPSTREAMS: Final = (Cache, Loop, Forward)


class Working(NamedTuple):
    """A server block at work."""

    zones: str  # of its keys, as metrics name them
    steps: tuple[Step, ...]
    chain: Rest
    manner: Manner


def work(block: serving.Block, around: Around) -> Working:
    """Makes the steps of a block. around is that of any block: entrance and zones become this one's.

    A block for all names answers special-use ones before it asks upstreams.
    """
    entrance = Entrance()
    around = replace(around, entrance=entrance, zones=block.zones, labels=labels_of(block.settings))
    settings = block.settings
    cut = next((at for at, each in enumerate(settings) if isinstance(each, _BEFORE_UPSTREAMS)), len(settings))
    special = [Special()] if names.ROOT in block.zones else []
    steps = [*steps_of(settings[:cut], around), *special, *steps_of(settings[cut:], around)]
    chain = compose(steps)
    entrance.lead_to(chain)
    return Working(" ".join(map(names.to_text, block.zones)), tuple(steps), chain, _manner(block))


def _manner(block: serving.Block) -> Manner:
    balance, bufsize = block.first(Loadbalance), block.first(Bufsize)
    default = Manner()
    return Manner(
        recursion=block.first(Forward) is not None,
        rotate=balance is not None and balance.weights is None,
        datagram=default.datagram if bufsize is None else bufsize.octets,
        chaos=block.first(Chaos) is not None,
    )


def routes(listener: Listener, blocks: Sequence[Working]) -> Routes:
    """The routes of a listener to its blocks."""
    return Routes(
        [
            (route.zone, Block(names.to_text(route.zone), blocks[route.block].chain, blocks[route.block].manner))
            for route in listener.routes
        ]
    )
