"""The cache: what upstreams said, by time, for as long as they allow and the settings do.

Stands before the steps that ask upstreams and behind those that know a name themselves, and
keeps only what is relayed: names of the cluster never come here. A reply is kept as octets
with the places of its TTLs, which all tell the same, the least of them (as CoreDNS'). Time is
the loop's, in whole seconds: within one a reply doesn't change, so it is patched once and may
be given again by who remembers it (Relayed.until).

What fails isn't asked again for a while. While upstreams fail, what was kept is given up to an
hour past its time, and says so.
Standards: RFC 2308 section 5, RFC 8767 (stale), RFC 9520 (failures), RFC 2181 section 8.
"""

import asyncio
import struct
from typing import Final

from cachetools import TLRUCache

from kdns.config.directives.cache import Cache as Settings
from kdns.config.settings import CacheSettings, Keeping
from kdns.dns import foreign, types
from kdns.dns.foreign import ForeignError
from kdns.dns.lasting import Lasting, lasting, with_ttl
from kdns.dns.query import Query
from kdns.dns.records import ExtendedError
from kdns.steps.around import Around
from kdns.steps.chain import Done, Failed, Outcome, Relayed, Request, Rest
from kdns.steps.flights import Flight, Flights
from kdns.steps.s3fifo import Kept, S3Fifo

NAME: Final = "cache"
STALE_TTL_S: Final = 30  # told of what is past its time (RFC 8767 section 4)
RECHECK_S: Final = 30  # not asked again for so long while there is something stale to give (section 5)
PATIENCE_S: Final = 1.8  # then who waits gets what is stale (section 5: the client response timer)
UNREACHED_S: Final = 1  # a question nobody answered isn't asked again for so long: no more, for they may be back

_FAILURES: Final = 1024  # kept at a time
_FAILURE_OCTETS: Final = 1232  # of the largest that is kept
# What a kept reply costs beside its octets and its key's (measured on CPython 3.11), and each of its TTLs.
_OVERHEAD: Final = 420
_OVERHEAD_TTL: Final = 40
_NEVER: Final = -(1 << 60)  # a second long ago

_UNREACHED: Final = frozenset((types.EDE_NO_REACHABLE_AUTHORITY, types.EDE_NETWORK_ERROR))
_KIND: Final = struct.Struct("!HHB").pack


class Item(Kept):
    """A reply, and what it tells in a second."""

    __slots__ = ("_octets", "_outcome", "_rotation", "_second", "_ttls", "expires")

    def __init__(self, size: int, octets: bytes, found: Lasting, expires: int) -> None:
        """The octets are those of found, with whatever TTL."""
        self.size = size
        self.uses = 0
        self.is_main = False
        self.expires = expires
        self._octets = octets
        self._ttls = found.ttls
        self._rotation = found.rotation
        self._second = _NEVER
        self._outcome: Relayed | None = None  # made by the first hit, and most have none

    def told(self, second: int) -> Relayed:
        """The reply in this second, in which it hasn't expired."""
        outcome = self._outcome
        if outcome is None or second != self._second:
            outcome = self._outcome = self._with_ttl(self.expires - second)._replace(until=second + 1)
            self._octets = outcome.octets
            self._second = second
        return outcome

    def stale(self, why: str) -> Relayed:
        """The reply past its time."""
        denied = foreign.rcode(self._octets) == types.NXDOMAIN
        code = types.EDE_STALE_NXDOMAIN if denied else types.EDE_STALE_ANSWER
        return self._with_ttl(STALE_TTL_S)._replace(error=ExtendedError(code, why))

    def _with_ttl(self, seconds: int) -> Relayed:
        octets = with_ttl(self._octets, self._ttls, seconds)
        return Relayed(octets, NAME, 0.0, None, self._rotation, foreign.tidy(octets))


class Cache:
    """The step that keeps upstreams' replies."""

    __slots__ = ("_failing", "_failures", "_settings", "_shelves", "denial", "flights", "loop", "success")

    def __init__(self, settings: CacheSettings, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.success: S3Fifo[Item] = S3Fifo(settings.success.capacity, settings.octets // 2)
        self.denial: S3Fifo[Item] = S3Fifo(settings.denial.capacity, settings.octets // 2)
        self._shelves = (
            (self.success, settings.success.ttl_min_s, settings.success.ttl_max_s),
            (self.denial, settings.denial.ttl_min_s, settings.denial.ttl_max_s),
        )
        self.flights = Flights()
        self._settings = settings
        # What failed, and until when it is given unasked.
        self._failures: TLRUCache[bytes, tuple[Outcome, float]] = TLRUCache(
            _FAILURES, ttu=lambda _key, failure, _now: failure[1], timer=loop.time
        )
        self._failing = 0.0  # until then there may be some: to look costs 0.4 µs, for nothing where nothing fails

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        key = key_of(query)
        second = int(self.loop.time())
        item = self.success.items.get(key)
        if item is None or item.expires <= second:
            other = self.denial.items.get(key)
            if item is None or (other is not None and other.expires > item.expires):
                item = other  # of an answer and a denial the newer, which expires later
        if item is not None:
            item.use()
            if item.expires > second:
                return item.told(second)
        if second <= self._failing and key in self._failures:
            return self._failures[key][0]
        # Half an answer may do for a client that asks by UDP, so others don't wait with it.
        together = key if request.transport == "udp" else key + b"\1"
        flight = self.flights.flying.get(together)
        if flight is None:
            asking = _Asking(self, together, query, key, item)
            outcome = asking.depart(request, rest, done)
            if outcome is None and item is not None:
                asking.have_patience()
            return outcome
        failed = flight.join(done)
        return None if failed is None else self.failed(key, item, failed)

    def keep(self, key: bytes, found: Lasting, by: str) -> Relayed:
        """What to give now of what by said and what lasts; it is kept if it may be, and takes the place of what was."""
        octets, ttls, ttl, denial, rotation = found
        second = int(self.loop.time())
        shelf, least, most = self._shelves[denial]
        seconds = 0 if not ttl else least if ttl < least else min(ttl, most)
        octets = with_ttl(octets, ttls, seconds)
        if seconds:
            size = len(key) + len(octets) + _OVERHEAD + _OVERHEAD_TTL * len(ttls)
            shelf.put(key, Item(size, octets, found, second + seconds))
        else:
            self._outdate(key)
        if second <= self._failing:
            self._failures.pop(key, None)
        return Relayed(octets, by, 0.0, None, rotation, foreign.tidy(octets))

    def failed(self, key: bytes, item: Item | None, outcome: Relayed | Failed, hold_s: float = 0.0) -> Outcome:
        """What to say to a question that failed so, not asked again for hold_s: what is stale, if there is an item."""
        now = self.loop.time()
        left = 0.0 if item is None else item.expires + self._settings.stale_s - now
        if item is not None and left > 0:
            outcome, hold_s = item.stale(_reason(outcome)), min(RECHECK_S, left)
        if hold_s:
            self._failures[key] = outcome._replace(by=NAME), now + hold_s
            self._failing = max(self._failing, now + hold_s)
        return outcome

    def servfail(self, key: bytes, item: Item | None, outcome: Relayed | Failed) -> Outcome:
        """As failed, for a question that an upstream can't answer."""
        return self.failed(key, item, outcome, self._settings.servfail_s)

    def may_give(self, item: Item | None) -> bool:
        """Whether an item that has expired can help out."""
        return item is not None and item.expires + self._settings.stale_s > self.loop.time()

    def _outdate(self, key: bytes) -> None:
        """Lets what is kept under a key be given no more, not even as stale."""
        for shelf, _, _ in self._shelves:
            item = shelf.items.get(key)
            if item is not None:
                item.expires = _NEVER


class _Asking(Flight):
    """A question that the cache has no answer to, until the steps behind it have said what there is."""

    __slots__ = ("_cache", "_item", "_kept_by", "_query", "_timer")

    def __init__(self, cache: Cache, together: bytes, query: Query, key: bytes, item: Item | None) -> None:
        super().__init__(cache.flights, together)
        self._cache = cache
        self._query = query
        self._kept_by = key
        self._item = item  # what has expired
        self._timer: asyncio.TimerHandle | None = None

    def have_patience(self) -> None:
        """Lets those who wait wait no longer than PATIENCE_S, if there is something else to give."""
        if self._cache.may_give(self._item):
            self._timer = self._cache.loop.call_later(PATIENCE_S, self._lose_patience)

    def _lose_patience(self) -> None:
        self._timer = None
        cache = self._cache
        if not cache.may_give(self._item):
            return
        silence = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, f"no answer for {PATIENCE_S} s"), NAME)
        self.relieve(cache.failed(self._kept_by, self._item, silence))

    def learn(self, outcome: Outcome) -> Outcome:
        """As Flight.learn; keeps what may be kept."""
        if self._timer is not None:
            self._timer.cancel()
        if isinstance(outcome, Relayed):
            found = outcome.lasting
            return self._read(outcome) if found is None else self._cache.keep(self._kept_by, found, outcome.by)
        if isinstance(outcome, Failed) and outcome.cause is None:
            unreached = outcome.error is not None and outcome.error.code in _UNREACHED
            return self._cache.failed(self._kept_by, self._item, outcome, UNREACHED_S if unreached else 0)
        return outcome

    def _read(self, outcome: Relayed) -> Outcome:
        cache, octets = self._cache, outcome.octets
        try:
            found = lasting(self._query, octets)
        except ForeignError as error:
            text = f"the upstream's reply can't be used: {error}"
            unusable = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text), NAME)
            return cache.servfail(self._kept_by, self._item, unusable)
        if found is not None:
            return cache.keep(self._kept_by, found, outcome.by)
        if foreign.truncated(octets):
            return outcome
        if foreign.rcode(octets) == types.SERVFAIL and len(octets) <= _FAILURE_OCTETS:
            return cache.servfail(self._kept_by, self._item, outcome)
        return cache.failed(self._kept_by, self._item, outcome)


def key_of(query: Query) -> bytes:
    """What questions with the same answer have in common."""
    kind = _KIND(query.qtype, query.qclass, query.do << 1 | (query.flags & types.CD != 0))
    return query.name + kind + query.upstream_options


def _reason(outcome: Relayed | Failed) -> str:
    """Why something stale is given instead."""
    if isinstance(outcome, Relayed):
        return f"the upstream answered {types.rcode_text(foreign.rcode(outcome.octets))} and nothing else"
    return outcome.error.text if outcome.error is not None else ""


def make(settings: Settings, around: Around) -> Cache:
    """The step of the directive."""
    success, denial = settings.kept_success, settings.kept_denial
    kept = CacheSettings(
        Keeping(success.capacity, success.ttl_max_s or 3600, success.ttl_min_s),
        Keeping(denial.capacity, denial.ttl_max_s or 1800, denial.ttl_min_s),
    )
    return Cache(kept, around.loop)
