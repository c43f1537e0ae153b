"""The servers of one forward: each upstream with its health, and in which order a question goes to them.

Those that are well come first, in the order that the policy says; then those that failed and have said nothing since;
those that are down are asked only while all are, and then one of them at random, since probes may be what fails.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from kdns.config.directives.forward import Policy
from kdns.steps.carriers import Chance
from kdns.steps.health import Health
from kdns.steps.upstream import Upstream


class Server:
    """An upstream as one forward sees it."""

    __slots__ = ("by_datagram", "health", "name", "upstream")

    def __init__(self, upstream: Upstream, *, by_datagram: bool) -> None:
        """by_datagram: asked by UDP first. health is set by who makes it."""
        self.upstream: Final = upstream
        self.by_datagram: Final = by_datagram
        self.name: Final = str(upstream.address)
        self.health: Health


class Servers:
    """All of them, and whose turn it is."""

    __slots__ = ("_chance", "_policy", "_turn", "all", "broken", "first", "sole")

    def __init__(self, policy: Policy, chance: Chance) -> None:
        self._policy = policy
        self._chance = chance
        self._turn: Callable[[], int] = _turns(policy, chance)
        self.all: tuple[Server, ...] = ()
        self.first: tuple[Server, ...] = ()  # who may be asked first
        self.sole: Server | None = None  # that one, where there is just one and it is well
        self.broken = False  # whether all are down

    def replace(self, servers: tuple[Server, ...]) -> None:
        """From now on these are."""
        self.all = servers
        self.look()

    def look(self) -> None:
        """Sees again who is well: to be called whenever that changes."""
        well = tuple(server for server in self.all if not server.health.suspect)
        up = tuple(server for server in self.all if not server.health.down)
        self.first = well or up or self.all
        self.broken = bool(self.all) and not up
        self.sole = well[0] if len(well) == 1 or (well and self._policy == "sequential") else None

    def choose(self) -> Server:
        """Whom to ask first, of at least one."""
        if self.sole is not None:
            return self.sole
        first = self.first
        return first[(self._chance.draw() if self.broken else self._turn()) % len(first)]

    def others(self, chosen: Server) -> Iterator[Server]:
        """Whom to ask after the one that was chosen: nobody who is down while another is not."""
        rest = [server for server in self.all if server is not chosen and not (server.health.down and not self.broken)]
        if self._policy == "random" or self.broken:
            rest.sort(key=lambda _: self._chance.draw())
        rest.sort(key=lambda server: server.health.suspect)
        return iter(rest)


def _turns(policy: Policy, chance: Chance) -> Callable[[], int]:
    match policy:
        case "random":
            return chance.draw
        case "round_robin":
            return count().__next__
        case "sequential":
            return lambda: 0
