"""Where the cache keeps things: answers, denials and (in failures) what failed, within bounds of time, number and octets.

Knows how long what is kept for, and what makes way for what; not when it is given, or asked for again.
Standards: RFC 2308 section 5, RFC 2181 section 8 (TTL 0).
"""

import asyncio
import struct
from typing import Final

from kdns.config.directives.cache import Cache as Settings
from kdns.dns import foreign, types
from kdns.dns.lasting import Lasting, with_ttl
from kdns.dns.names import Name, is_below
from kdns.dns.query import Query
from kdns.dns.wire import end_of_plain_name
from kdns.steps.chain import Relayed
from kdns.steps.failures import Failures
from kdns.steps.items import Item, Steady
from kdns.steps.s3fifo import S3Fifo

# What a kept reply costs beside its octets and its key's (measured on CPython 3.11), and each of its TTLs.
_OVERHEAD: Final = 430
_OVERHEAD_TTL: Final = 40
_NEVER: Final = -(1 << 60)  # a second long ago

_KIND: Final = struct.Struct("!HHB").pack


class Shelves:
    """What is kept; the cache is one of these rather than has one, which would make each question dearer."""

    __slots__ = ("_failures", "_item", "_shelves", "denial", "loop", "success")

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        kept, denied = settings.kept_success, settings.kept_denial
        self.success: S3Fifo[Item] = S3Fifo(kept.capacity, kept.octets)
        self.denial: S3Fifo[Item] = S3Fifo(denied.capacity, denied.octets)
        # Of answers and of denials: where they are kept, for how long, and of which zones they aren't.
        self._shelves = (
            (self.success, *_span(kept.ttl_min_s, kept.ttl_max_s), settings.disable_success),
            (self.denial, *_span(denied.ttl_min_s, denied.ttl_max_s), settings.disable_denial),
        )
        self._item = Steady if settings.keep_ttl else Item
        self._failures = Failures(loop)

    def keep(self, key: bytes, outcome: Relayed, found: Lasting) -> Relayed:
        """What to give now of an outcome of which this lasts; it is kept if it may be, and takes the place of what was."""
        octets, ttls, ttl, denial, rotation = found
        second = int(self.loop.time())
        shelf, least, most, disabled = self._shelves[denial]
        seconds = 0 if not ttl else least if ttl < least else min(most, ttl)
        if seconds != ttl or len(ttls) > 1 or octets is not outcome.octets:
            octets = with_ttl(octets, ttls, seconds)
            # As Relayed(...), for a third of the time.
            outcome = tuple.__new__(Relayed, (octets, outcome.by, 0.0, None, rotation, foreign.tidy(octets), None, ()))
        size = len(key) + len(octets) + _OVERHEAD + _OVERHEAD_TTL * len(ttls)
        item = self._item(size, octets, found, second + seconds, seconds)
        if not seconds or (disabled and _is_of(key, disabled)) or not shelf.put(key, item):
            self.outdate(key, denial=denial)
        if second <= self._failures.last:
            self._failures.answered(key)
        return outcome

    def outdate(self, key: bytes, *, denial: bool) -> None:
        """Lets the answer or the denial under a key be given no more, not even as stale: there is something newer."""
        item = self._shelves[denial][0].items.get(key)
        if item is not None:
            item.expires = _NEVER


def key_of(query: Query) -> bytes:
    """What questions with the same answer have in common."""
    kind = _KIND(query.qtype, query.qclass, query.do << 1 | (query.flags & types.CD != 0))
    return query.name + kind + query.upstream_options


def _is_of(key: bytes, zones: tuple[Name, ...]) -> bool:
    """Whether the name that a key begins with lies in one of the zones."""
    return is_within(key[: end_of_plain_name(key, 0)], zones)


def _span(least: int, most: int | None) -> tuple[int, int]:
    """The bounds of TTLs in seconds; the upper one holds (as in CoreDNS)."""
    assert most is not None
    return min(least, most), most


def is_within(name: bytes, zones: tuple[Name, ...]) -> bool:
    """Whether a folded name lies in one of the zones."""
    return name.endswith(zones) and any(is_below(name, zone) for zone in zones)
