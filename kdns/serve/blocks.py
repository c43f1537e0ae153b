"""Server blocks at work: from the settings of a block's directives to its chain of steps and what its replies follow."""

import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from kdns.config import serving
from kdns.config.directives.acl import Acl
from kdns.config.directives.bare import Debug, Loop, Minimal
from kdns.config.directives.cache import Cache
from kdns.config.directives.errors import Errors as ErrorsSettings
from kdns.config.directives.forward import Forward
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.loadbalance import Loadbalance
from kdns.config.directives.log import Log
from kdns.config.directives.replies import Bufsize, Chaos, Header, Nsid
from kdns.config.directives.rewrite import Rewrite
from kdns.config.directives.searchpath import Searchpath
from kdns.config.directives.template import Template
from kdns.config.directives.view import View
from kdns.config.serving import Listener
from kdns.config.settings import Address
from kdns.dns import names
from kdns.dns.names import Name, is_below
from kdns.dns.rules import NSID_MAX, flag_change
from kdns.serve.audiences import Audiences
from kdns.serve.routes import Block, Manner, Routes
from kdns.steps.apart import apart, bordered
from kdns.steps.around import Around
from kdns.steps.chain import Done, Entrance, Outcome, Request, Rest, Step, compose
from kdns.steps.makers import steps_of
from kdns.steps.metadata import labels_of
from kdns.steps.special import Special

if TYPE_CHECKING:  # what only some servers do is imported where they do it
    from kdns.steps.acl import AccessControl
    from kdns.steps.errors import Errors
    from kdns.steps.lineformat import Rule
    from kdns.steps.view import Conditions

# Which sockets remember replies together.
Group: TypeAlias = tuple[tuple[serving.Route, ...]] | tuple[tuple[serving.Route, ...], Address, str]

# Directives that questions of the class CH are for.
_CHAOS: Final = (Chaos, Rewrite, Template)
_BEFORE_UPSTREAMS: Final = (Cache, Loop, Forward)


class Working(NamedTuple):
    """A server block at work."""

    block: serving.Block
    zones: str  # of its keys, as metrics name them
    steps: tuple[Step, ...]
    chain: Rest
    manner: Manner
    errors: "Errors | None" = None
    logs: "tuple[Rule, ...]" = ()
    acl: "AccessControl | None" = None


def work(block: serving.Block, around: Around, write: Callable[[str], object], secret: bytes) -> Working:
    """Makes the steps of a block. around is that of any block: entrance and zones become this one's.

    A block for all names answers special-use ones before it asks upstreams. write takes lines for people; secret is
    the same in all workers.
    """
    entrance = Entrance()
    labels = labels_of(block.settings)
    around = replace(around, entrance=entrance, zones=block.zones, labels=labels, cluster=block.first(Kubernetes))
    settings = block.settings
    cut = next((at for at, each in enumerate(settings) if isinstance(each, _BEFORE_UPSTREAMS)), len(settings))
    special = [Special()] if names.ROOT in block.zones else []
    family = _family(block, around)
    steps = (*steps_of(settings[:cut], around), *special, *family, *steps_of(settings[cut:], around))
    chain = compose(steps)
    entrance.lead_to(chain)
    if block.first(Loop) is not None:
        _look_for_loops(block, steps, secret)
    return Working(
        block=block,
        zones=" ".join(map(names.to_text, block.zones)),
        steps=steps,
        chain=chain,
        manner=_manner(block),
        errors=_errors(block, around, write),
        logs=_logs(block),
        acl=_acl(block, steps),
    )


def _look_for_loops(block: serving.Block, steps: Sequence[Step], secret: bytes) -> None:
    from kdns.steps.loop import Loop as LoopStep  # noqa: PLC0415

    asked = [upstream.host for each in block.each(Forward) for upstream in each.upstreams]
    for at, step in enumerate(steps):
        if isinstance(step, LoopStep):
            step.start(compose(steps[at + 1 :]), secret=secret, upstreams=asked)


def _family(block: serving.Block, around: Around) -> Sequence[Step]:
    """What lets upstreams be asked for addresses of one family alone, if the block's searchpath says so."""
    settings = block.first(Searchpath)
    if settings is None or settings.family is None:
        return ()
    from kdns.steps import family  # noqa: PLC0415

    step = family.made(settings, around)
    return () if step is None else (step,)


def _errors(block: serving.Block, around: Around, write: Callable[[str], object]) -> "Errors | None":
    settings = block.first(ErrorsSettings)
    if settings is None:
        return None
    from kdns.steps.errors import Errors  # noqa: PLC0415

    return Errors(settings, around.loop, write, debug=block.first(Debug) is not None)


def _logs(block: serving.Block) -> "tuple[Rule, ...]":
    if block.first(Log) is None:
        return ()
    from kdns.steps.log import rules_of  # noqa: PLC0415

    return rules_of(block.settings)


def _conditions(block: serving.Block, listener: Listener, transport: str = "") -> "Conditions | None":
    """Those of a block's view."""
    view = block.first(View)
    if view is None:
        return None
    from kdns.steps.view import Conditions, Place  # noqa: PLC0415

    place = Place(transport, listener.address.host or "::", listener.address.port)
    return Conditions(view, place, labels_of(block.settings))


def _acl(block: serving.Block, steps: Sequence[Step]) -> "AccessControl | None":
    if block.first(Acl) is None:
        return None
    from kdns.steps.acl import AccessControl  # noqa: PLC0415

    return next(step for step in steps if isinstance(step, AccessControl))


def _manner(block: serving.Block) -> Manner:
    balance, bufsize, header = block.first(Loadbalance), block.first(Bufsize), block.first(Header)
    default = Manner()
    return Manner(
        recursion=block.first(Forward) is not None,
        rotate=balance is not None,
        datagram=default.datagram if bufsize is None else bufsize.octets,
        chaos=any(isinstance(each, _CHAOS) for each in block.settings),
        minimal=block.first(Minimal) is not None,
        asks=default.asks if header is None else flag_change(header.query),
        says=default.says if header is None else flag_change(header.response),
        identifier=_identifier(block.first(Nsid)),
    )


def _identifier(nsid: Nsid | None) -> bytes:
    if nsid is None:
        return b""
    return str(nsid.data or os.uname().nodename).encode(errors="replace")[:NSID_MAX]


def routes(listener: Listener, blocks: Sequence[Working], transport: str) -> Routes:
    """The routes of a listener to its blocks, for what comes in by the transport.

    Where a view decides by what differs from question to question, nothing is remembered.
    """
    conditions = [_conditions(blocks[route.block].block, listener, transport) for route in listener.routes]
    views = [each for each in conditions if each is not None]
    remembers = all(each.remembers for each in views)
    by_name = any(each.by_name for each in views)
    return Routes(
        [
            (route.zone, _block(listener, route, blocks[route.block], view, remembers=remembers, by_name=by_name))
            for route, view in zip(listener.routes, conditions, strict=True)
        ]
    )


def audiences(listener: Listener, blocks: Sequence[Working]) -> Audiences | None:
    """The audiences of a listener; None where all clients are treated alike."""
    kinds: list[Callable[[str], Hashable]] = []
    for number in sorted({route.block for route in listener.routes}):
        working = blocks[number]
        if working.acl is not None:
            kinds.append(working.acl.kind)
        view = _conditions(working.block, listener)
        if view is not None and view.by_client:
            kinds.append(view.kind)
    return Audiences(kinds) if kinds else None


def group_of(listener: Listener, blocks: Sequence[Working], transport: str) -> Group:
    """What a listener's sockets have in common with all others whose replies are the same.

    These are their routes; where a view looks at the place, too, that.
    """
    views = (_conditions(blocks[route.block].block, listener) for route in listener.routes)
    place = any(view is not None and view.by_place for view in views)
    return (listener.routes, listener.address, transport) if place else (listener.routes,)


def _block(
    listener: Listener,
    route: serving.Route,
    working: Working,
    conditions: "Conditions | None",
    *,
    remembers: bool,
    by_name: bool,
) -> Block:
    view = working.block.first(View)
    return Block(
        where=(names.to_text(route.zone), "" if view is None else view.name),
        chain=_within(working.chain, None if by_name else _borders(listener, route, working)),
        manner=working.manner._replace(remembers=remembers),
        takes=None if conditions is None else conditions.take,
        failed=None if working.errors is None else working.errors.failed,
        logs=working.logs,
        guarded=working.acl is not None,
    )


def _borders(listener: Listener, route: serving.Route, working: Working) -> tuple[Name, ...]:
    """The zones, a route's own and those below it, in which names go elsewhere than those around them, or are logged otherwise."""
    routed = (each.zone for each in listener.routes)
    logged = (zone for rule in working.logs for zone in rule.zones)
    zones = dict.fromkeys((*routed, *logged))
    return tuple(zone for zone in zones if is_below(zone, route.zone) and zone != names.ROOT)


def _within(chain: Rest, borders: tuple[Name, ...] | None) -> Rest:
    """The chain, whose denials don't hold across borders; with None for no other name at all."""
    if borders == ():
        return chain
    everywhere = (names.ROOT,)

    def ask(request: Request, done: Done) -> Outcome | None:
        outcome = chain(request, done)
        return apart(outcome, everywhere) if borders is None else bordered(outcome, borders)

    return ask
