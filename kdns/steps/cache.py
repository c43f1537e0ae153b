"""The cache: what upstreams said, by time, for as long as they allow and the settings do.

Stands before the steps that ask upstreams and behind those that know a name themselves, and
keeps only what is relayed: names of the cluster never come here. A reply is kept as octets
with the places of its TTLs. Time is the loop's, in whole seconds. Each server block has a cache
of its own; they share nothing.

What fails isn't asked again for a while. What was kept is given past its time while upstreams
fail (up to an hour, if the settings say nothing), or before they are asked (serve_stale), and
says so. What is given so, or is popular and near its end (prefetch), is asked for again beside
the clients: no more than once at a time, and not again at once if that fails.
Standards: RFC 2308 section 5, RFC 8767 (stale), RFC 9520 (failures).
"""

import asyncio
from typing import Final

from kdns.config.directives.cache import STALE_S, Stale
from kdns.config.directives.cache import Cache as Settings
from kdns.dns import foreign, names, types
from kdns.dns.foreign import ForeignError
from kdns.dns.lasting import Lasting, lasting
from kdns.dns.query import Query
from kdns.dns.records import ExtendedError
from kdns.steps import items
from kdns.steps.around import Around, Log
from kdns.steps.chain import Done, Failed, Outcome, Relayed, Request, Rest
from kdns.steps.failures import UNREACHED_S
from kdns.steps.flights import Flight, Flights
from kdns.steps.items import Item, reason
from kdns.steps.popularity import Popularity
from kdns.steps.shelves import Shelves, is_within, key_of

NAME: Final = items.NAME
STALE_TTL_S: Final = 30  # told of what is past its time (RFC 8767 section 4); the settings' 0 means this, too
# Where the settings say nothing: who waits longer than 1.8 s gets what is stale, and upstreams aren't asked again for
# 30 s (both RFC 8767 section 5).
STALE: Final = Stale(STALE_S, verify=True, timeout_s=1.8, ttl_s=STALE_TTL_S, recheck_s=30.0)

_FLIGHT_S: Final = 5.0  # no question is longer on its way; who lost patience with one isn't let wait for it again
_FAILURE_OCTETS: Final = 1232  # of the largest that is kept

_UNREACHED: Final = frozenset((types.EDE_NO_REACHABLE_AUTHORITY, types.EDE_NETWORK_ERROR))
_AT_ONCE: Final = "given before upstreams are asked"


def make(settings: Settings, around: Around) -> "Cache":
    """The step of a server block."""
    return made(settings, around.loop, around.log)


def made(settings: Settings, loop: asyncio.AbstractEventLoop, log: Log) -> "Cache":
    """The step for settings whose zones are those of the server block, or none for all names."""
    everywhere = not settings.zones or names.ROOT in settings.zones
    return Cache(settings, loop, log) if everywhere else Bounded(settings, loop, log)


class Cache(Shelves):
    """The step that keeps upstreams' replies."""

    __slots__ = (
        *("_at_once", "_log", "_patience_s", "_popularity", "_positive", "_recheck_s", "_servfail_s", "_stale_s"),
        *("_stale_ttl_s", "dropped", "flights", "prefetched", "served_stale"),
    )

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop, log: Log) -> None:
        super().__init__(settings, loop)
        self.flights = Flights()
        self._log = log
        self._servfail_s = settings.servfail_s
        stale = settings.serve_stale or STALE
        self._stale_s = stale.longest_s
        self._at_once = not stale.verify  # whether what is stale is given before upstreams are asked
        self._patience_s = stale.timeout_s
        self._stale_ttl_s = int(stale.ttl_s) or STALE_TTL_S
        self._recheck_s = max(stale.recheck_s, UNREACHED_S)
        self._positive = settings.serve_stale_policy == "prefer_positive"
        self._popularity = Popularity(settings.prefetch) if settings.prefetch.amount else None
        self.served_stale = 0  # questions that got something stale
        self.prefetched = 0  # questions asked beside the clients
        self.dropped = 0  # replies that couldn't be used

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        key = key_of(query)
        second = int(self.loop.time())
        item = self.success.items.get(key)
        if item is None or item.expires <= second:
            other = self.denial.items.get(key)
            # Of an answer and a denial the newer, which expires later.
            if item is None or (other is not None and other.expires > item.expires and not self._prefers(item)):
                item = other
        if item is not None:
            item.use()
            if item.expires > second:
                return item.told(second) if self._popularity is None else self._counted(request, rest, key, item)
        if second <= self._failures.last and (failure := self._failures.given(key)) is not None:
            return self._again(failure)
        # Half an answer may do for a client that asks by UDP, so others don't wait with it.
        together = key if request.transport == "udp" else key + b"\1"
        flight = self.flights.flying.get(together)
        if item is not None and self._at_once and self.may_give(item):
            if flight is None:
                self._refresh(request, rest, key, item)
            self.served_stale += 1
            return item.stale(_AT_ONCE, self._stale_ttl_s)
        if flight is None:
            asking = _Asking(self, together, query, key, item)
            outcome = asking.depart(request, rest, done)
            if outcome is None and item is not None and self._patience_s and self.may_give(item):
                asking.have_patience(self._patience_s)
            return outcome
        failed = flight.join(done)
        return None if failed is None else self.failed(key, item, failed)

    def renew(self, key: bytes, item: Item, outcome: Relayed, found: Lasting, clients: int) -> Outcome:
        """As keep, where there is an item already; what is to be told clients."""
        positive = self._prefers(item) and self.success.items.get(key) is item
        told = self.keep(key, outcome, found)
        if found.denial and positive:
            return self.failed(key, item, told, clients=clients)
        # Else an answer with most of its time left would be given in spite of a later denial that lasts for less.
        self.outdate(key, denial=not found.denial)
        return told

    def failed(
        self, key: bytes, item: Item | None, outcome: Relayed | Failed, hold_s: float = 0.0, clients: int = 1
    ) -> Outcome:
        """What to say to clients whose question failed so: what is stale, if there is an item.

        It isn't asked again for hold_s; if there is something to give, for the settings' time at least.
        """
        left = 0.0 if item is None else item.expires + self._stale_s - self.loop.time()
        if item is not None and left > 0:
            outcome = item.stale(reason(outcome), self._stale_ttl_s)
            hold_s = min(max(hold_s, self._recheck_s), left)
            self.served_stale += clients
        if hold_s:
            self._failures.hold(key, outcome._replace(by=NAME), hold_s)
        return outcome

    def unreached(self, key: bytes, item: Item | None, outcome: Failed, clients: int) -> Outcome:
        """What to say to clients whose question nobody answered."""
        if item is not None and self.may_give(item):
            return self.failed(key, item, outcome, UNREACHED_S, clients)
        self._failures.hold_unreached(key, outcome._replace(by=NAME))
        return outcome

    def unanswered(self, key: bytes, item: Item | None, clients: int) -> Outcome | None:
        """What to tell clients who have waited for long, and who comes while the question is on its way still."""
        if item is None or not self.may_give(item):
            return None
        text = f"no answer for {self._patience_s:g} s"
        return self.failed(key, item, Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text)), _FLIGHT_S, clients)

    def read(self, key: bytes, item: Item | None, query: Query, outcome: Relayed, clients: int) -> Outcome:
        """What to tell clients of octets that nobody has looked at; what lasts of them is kept."""
        octets = outcome.octets
        try:
            found = lasting(query, octets)
        except ForeignError as error:
            self.dropped += 1
            text = f"the upstream's reply can't be used: {error}"
            unusable = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text), NAME)
            return self.failed(key, item, unusable, self._servfail_s, clients)
        if found is not None:
            return self.keep(key, outcome, found) if item is None else self.renew(key, item, outcome, found, clients)
        if foreign.truncated(octets):
            return outcome
        says_so = foreign.rcode(octets) == types.SERVFAIL and len(octets) <= _FAILURE_OCTETS
        return self.failed(key, item, outcome, self._servfail_s if says_so else 0.0, clients)

    def may_give(self, item: Item) -> bool:
        """Whether an item that has expired can help out."""
        return item.expires + self._stale_s > self.loop.time()

    def counts_at(self, server: str, zones: str, view: str) -> dict[tuple[str, tuple[str, ...]], int]:
        """What was counted and is kept, under these labels; hits and misses are for who sees all replies."""
        where = (server, zones, view)
        counted: dict[tuple[str, tuple[str, ...]], int] = {
            ("coredns_cache_prefetch_total", where): self.prefetched,
            ("coredns_cache_served_stale_total", where): self.served_stale,
            ("coredns_cache_drops_total", where): self.dropped,
        }
        for kind, shelf in (("success", self.success), ("denial", self.denial)):
            counted["coredns_cache_entries", (server, kind, *where[1:])] = len(shelf.items)
            counted["coredns_cache_evictions_total", (server, kind, *where[1:])] = shelf.evicted
        return counted

    def _counted(self, request: Request, rest: Rest, key: bytes, item: Item) -> Relayed:
        """What an item tells, where it matters how often it is asked for: until that is often, nobody else gives it."""
        assert self._popularity is not None
        now = self.loop.time()
        second = int(now)
        told = item.told(second)
        if not self._popularity.asked(key, now):
            return told._replace(until=0.0)
        if self._popularity.is_late(item.expires - second, item.lifetime):
            self._refresh(request, rest, key, item)
        return told

    def _refresh(self, request: Request, rest: Rest, key: bytes, item: Item) -> None:
        """Asks for what will be needed, beside the clients, unless that is done already or has failed just now."""
        together = key if request.transport == "udp" else key + b"\1"
        if together in self.flights.flying or key in self._failures:
            return
        self.prefetched += 1

        def refreshed(outcome: Outcome) -> None:
            if isinstance(outcome, Failed) and outcome.cause is not None:
                self._log.error("refresh_failed_inside", name=names.to_text(request.query.name), exc_info=outcome.cause)
                self.failed(key, item, outcome._replace(cause=None), clients=0)

        try:
            outcome = _Refreshing(self, together, request.query, key, item).depart(request, rest, refreshed)
        except Exception as fault:  # noqa: BLE001 - the root of a question that nobody asked; the client has its answer
            outcome = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"), cause=fault)
        if outcome is not None:
            refreshed(outcome)

    def _again(self, failure: Outcome) -> Outcome:
        """A failure of before, counted if it is something stale."""
        if isinstance(failure, Relayed) and failure.error is not None:
            self.served_stale += 1
        return failure

    def _prefers(self, item: Item) -> bool:
        """Whether an answer past its time goes before a denial that isn't (prefer_positive)."""
        return self._positive and self.may_give(item)


class Bounded(Cache):
    """The step where not all names are kept."""

    __slots__ = ("_zones",)

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop, log: Log) -> None:
        super().__init__(settings, loop, log)
        self._zones = settings.zones

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        inside = is_within(request.query.name, self._zones)
        return super().ask(request, rest, done) if inside else rest(request, done)


class _Asking(Flight):
    """A question that the cache has no answer to, until the steps behind it have said what there is."""

    __slots__ = ("_cache", "_item", "_kept_by", "_query", "_timer")

    def __init__(self, cache: Cache, together: bytes, query: Query, key: bytes, item: Item | None) -> None:
        self._flights = cache.flights
        self._key = together
        self._waiting = []
        self._cache = cache
        self._query = query
        self._kept_by = key
        self._item = item  # what has expired, or is about to
        self._timer: asyncio.TimerHandle | None = None

    @property
    def clients(self) -> int:
        """How many will be told."""
        return len(self._waiting) or 1

    def have_patience(self, seconds: float) -> None:
        """Lets those who wait wait no longer, if there is something else to give."""
        self._timer = self._cache.loop.call_later(seconds, self._lose_patience)

    def _lose_patience(self) -> None:
        self._timer = None
        outcome = self._cache.unanswered(self._kept_by, self._item, self.clients)
        if outcome is not None:
            self.relieve(outcome)

    def learn(self, outcome: Outcome) -> Outcome:
        """As Flight.learn; keeps what may be kept."""
        if self._timer is not None:
            self._timer.cancel()
        cache, key, item = self._cache, self._kept_by, self._item
        if isinstance(outcome, Relayed):
            found = outcome.lasting
            if found is None:
                return cache.read(key, item, self._query, outcome, self.clients)
            if item is None:
                return cache.keep(key, outcome, found)
            return cache.renew(key, item, outcome, found, self.clients)
        if isinstance(outcome, Failed) and outcome.cause is None:
            if outcome.error is not None and outcome.error.code in _UNREACHED:
                return cache.unreached(key, item, outcome, self.clients)
            return cache.failed(key, item, outcome, 0, self.clients)
        return outcome


class _Refreshing(_Asking):
    """A question that no client waits for; those who come meanwhile, for what has expired then, wait with it."""

    __slots__ = ()

    @property
    def clients(self) -> int:
        """As _Asking.clients."""
        return max(len(self._waiting) - 1, 0)
