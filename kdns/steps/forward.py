"""Forwarding: asks other servers what no step before could answer.

Holds what all questions share: which servers there are, how many questions wait and for how long. The plan of one
question is errand's, the order of servers servers', sockets and ids are upstream's. Of several in a server block each
takes the names of its zone and passes on the others.
Standards: RFC 8914.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from kdns.config.directives.forward import Certificates, DohMethod
from kdns.config.directives.forward import Forward as Settings
from kdns.config.endpoints import HTTPS_PORT
from kdns.config.endpoints import Upstream as Target
from kdns.dns import names, types
from kdns.dns.names import Name, is_below
from kdns.dns.records import ExtendedError
from kdns.steps.around import Around, Log, Samples
from kdns.steps.carriers import Chance, Datagrams, Random, Way
from kdns.steps.chain import Done, Failed, Outcome, Request, Rest
from kdns.steps.errand import Errand, Wary
from kdns.steps.health import Health
from kdns.steps.https import Resource
from kdns.steps.servers import Server, Servers
from kdns.steps.tally import samples
from kdns.steps.targets import Place, Targets
from kdns.steps.tls import Security
from kdns.steps.turns import Turns
from kdns.steps.upstream import Upstream

NAME: Final = "forward"
TOTAL_S: Final = 4.5  # for all tries together: stub resolvers give up after 5

_TICK_S: Final = 0.001  # deadlines are kept no finer than this
_SYSTEM: Final = Target("file", "/etc/resolv.conf")  # whose servers know the names of upstreams

_NO_UPSTREAM: Final = Failed(
    types.SERVFAIL, ExtendedError(types.EDE_NO_REACHABLE_AUTHORITY, "no upstream is known"), NAME
)
_ALL_DOWN: Final = Failed(
    types.SERVFAIL, ExtendedError(types.EDE_NO_REACHABLE_AUTHORITY, "all upstreams are down"), NAME
)


def make(settings: Settings, around: Around) -> "Forward":
    """The step for one forward of a server block."""
    return Forward(
        settings,
        loop=around.loop,
        random=around.random,
        datagrams=around.datagrams,
        turns=around.turns,
        log=around.log,
    )


class Forward:
    """The step that asks upstreams."""

    __slots__ = (
        *("_chance", "_datagrams", "_errand", "_exceptions", "_known", "_log", "_most", "_origin", "_picky"),
        *(
            "_prefer_udp",
            "_random",
            "_resolver",
            "_securities",
            "_servers",
            "_targets",
            "_timer",
            "_timeout_s",
            "_turns",
            "_way",
        ),
        *("again", "broken", "failover", "lead_on", "lead_on_nodata", "loop", "rejected", "settings", "total_s"),
        *("tries_max", "waiting"),
    )

    def __init__(
        self,
        settings: Settings,
        *,
        loop: asyncio.AbstractEventLoop,
        random: Random,
        log: Log,
        datagrams: Datagrams | None = None,
        turns: Turns | None = None,
    ) -> None:
        """Reads files and begins to resolve names, where targets are some; else opens nothing. random is the system's."""
        self.settings = settings
        self.loop = loop
        self._random = random
        self._datagrams = datagrams
        self._turns = turns
        self._log = log
        self._chance = Chance(random)
        self._origin = settings.origin[0]
        self._exceptions = settings.exceptions
        self._picky = self._origin != names.ROOT or bool(settings.exceptions)
        self._prefer_udp = settings.prefer_udp
        self._most = settings.max_concurrent
        self._timeout_s = settings.read_timeout_s
        self.total_s = max(TOTAL_S, settings.read_timeout_s)
        self.again = settings.max_connect_attempts is not None
        self.failover = frozenset(settings.failover)
        self.lead_on = frozenset(settings.next)
        self.lead_on_nodata = settings.next_on_nodata
        self._errand = Wary if types.NOERROR in self.lead_on else Errand
        self._way = Way(settings.source_address, settings.expire_s, settings.max_age_s, settings.max_idle_conns)
        believed = settings.tls or Certificates()
        self._securities = {"tls": Security(believed), "https": Security(believed, "h2")}
        self.rejected = 0  # questions over max_concurrent
        self.broken = 0  # questions asked, or not, while all upstreams were down
        # The questions in flight, and when their try is over. All tries last the same, so the oldest comes first and
        # one timer does for all; with a timer each, a question costs 12.6 µs instead of 10.7 (Python 3.11, 2 cores).
        self.waiting: dict[Errand, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._known: dict[Place, Upstream] = {}  # all there ever were: what they counted stays counted
        self._servers = Servers(settings.policy, self._chance)
        self._resolver: Forward | None = None
        self.tries_max = 0
        self._targets = Targets(settings.upstreams, loop, self._ask_for_name, self._replace, log)

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """Who is asked at present."""
        return tuple(server.upstream for server in self._servers.all)

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask; answers at once only where nothing can be sent."""
        if self._picky and not self._takes(request.query.name):
            return rest(request, done)
        if len(self.waiting) >= self._most > 0:
            self.rejected += 1
            text = f"{len(self.waiting)} questions are waiting for upstreams already"
            return Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text), NAME)
        servers = self._servers
        server = servers.sole
        if server is None:
            return self._ask_any(request, rest, done)
        streamed = not server.by_datagram or (request.transport != "udp" and not self._prefer_udp)
        return self._errand(self, server, request, rest, done, streamed=streamed).depart()

    def _ask_any(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As ask, where there is not one well server alone."""
        servers = self._servers
        if not servers.all:
            return _NO_UPSTREAM
        if servers.broken:
            self.broken += 1
            if self.settings.fail_fast:
                return _ALL_DOWN
        server = servers.choose()
        streamed = not server.by_datagram or (request.transport != "udp" and not self._prefer_udp)
        errand = self._errand(self, server, request, rest, done, streamed=streamed)
        if server.health.suspect:
            errand.worry()
        return errand.depart()

    def close(self) -> None:
        """Fails what is in flight and closes all sockets."""
        for errand in list(self.waiting):
            errand.abandon("had no time left: shutting down")
        self._targets.close()
        for server in self._servers.all:
            server.health.retire()
        for upstream in self._known.values():
            upstream.close()
        if self._resolver is not None:
            self._resolver.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def counts(self) -> Samples:
        """What has been counted so far, as series of the metrics table."""
        return samples(self._known.values(), self.rejected, self.broken)

    # What errands ask of the step

    def wait(self, errand: Errand, now: float) -> None:
        """As errand.Rules.wait."""
        deadline = self.waiting[errand] = now + self._timeout_s
        if self._timer is None:
            self._timer = self.loop.call_at(deadline, self._sweep)

    def others(self, first: Server) -> Iterable[Server]:
        """As errand.Rules.others."""
        return self._servers.others(first)

    def _sweep(self) -> None:
        """Ends the tries whose time is up, and comes again when the next one's is."""
        self._timer = None
        now = self.loop.time() + _TICK_S
        overdue = []
        for errand, deadline in self.waiting.items():
            if deadline > now:
                self._timer = self.loop.call_at(deadline, self._sweep)
                break
            overdue.append(errand)
        for errand in overdue:
            if errand in self.waiting:
                errand.overdue()

    def _takes(self, name: Name) -> bool:
        """Whether a name is of the zone that is forwarded, and no exception."""
        if not is_below(name, self._origin):
            return False
        return name == self._origin or not any(is_below(name, zone) for zone in self._exceptions)

    def _replace(self, places: tuple[Place, ...]) -> None:
        """From now on these are the servers; the others are let go once they have answered."""
        before = {server.upstream: server for server in self._servers.all}
        servers = []
        for place in places:
            upstream = self._known.get(place)
            if upstream is None:
                upstream = self._known[place] = self._upstream(place)
            server = before.pop(upstream, None)
            servers.append(self._server(upstream) if server is None else server)
        for gone in before.values():
            gone.health.retire()
            gone.upstream.retire()
        most = self.settings.max_connect_attempts
        self.tries_max = 2 * len(servers) if most is None else most
        self._servers.replace(tuple(servers))

    def _server(self, upstream: Upstream) -> Server:
        settings = self.settings
        by_datagram = not (settings.force_tcp or upstream.security)
        server = Server(upstream, by_datagram=by_datagram)
        server.health = Health(
            upstream, settings.health_check, settings.max_fails, self._servers.look, by_stream=not by_datagram
        )
        return server

    def _upstream(self, place: Place) -> Upstream:
        name = place.server_name or self.settings.tls_server_name or place.host
        return Upstream(
            place.address,
            loop=self.loop,
            chance=self._chance,
            datagrams=self._datagrams,
            turns=self._turns,
            way=self._way,
            security=self._securities.get(place.transport),
            server_name=name,
            resource=_resource(place, name, self.settings.doh_method) if place.transport == "https" else None,
        )

    def _ask_for_name(self, request: Request, done: Done) -> Outcome | None:
        """Asks for the address of an upstream: who the settings say, or the system's own servers."""
        if self._resolver is None:
            listed = tuple(Target("address", each.host, "dns", each.port) for each in self.settings.resolvers)
            servers = Settings(origin=(names.ROOT,), upstreams=listed or (_SYSTEM,), policy="sequential")
            self._resolver = Forward(servers, loop=self.loop, random=self._random, log=self._log)
        return self._resolver.ask(request, _nobody, done)


def _resource(place: Place, name: str, method: DohMethod) -> Resource:
    """What is asked over HTTP there: of the server of this name, or of its address."""
    host, port = name or place.address.host, place.address.port
    host = f"[{host}]" if ":" in host else host
    return Resource(host if port == HTTPS_PORT else f"{host}:{port}", place.path, method)


def _nobody(_request: Request, _done: Done) -> Outcome:
    return _NO_UPSTREAM
