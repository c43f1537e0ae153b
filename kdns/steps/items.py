"""What the cache keeps: a reply, what it tells in each second, and what it tells past its time.

Within a second a reply doesn't change, so it is patched once and may be given again by who
remembers it (Relayed.until). All TTLs tell the same, the least of them (as CoreDNS').
Standards: RFC 2181 section 8, RFC 8767 section 4, RFC 8914.
"""

from typing import Final

from kdns.dns import foreign, types
from kdns.dns.lasting import Lasting, with_ttl
from kdns.dns.records import ExtendedError
from kdns.steps.chain import Failed, Relayed
from kdns.steps.s3fifo import Kept

NAME: Final = "cache"  # of the step, who gives all these


class Item(Kept):
    """A reply, and what it tells in a second."""

    __slots__ = ("_octets", "_outcome", "_rotation", "_second", "_ttls", "expires", "lifetime")
    _second: int  # of the outcome, if there is one

    def __init__(self, size: int, octets: bytes, found: Lasting, expires: int, lifetime: int) -> None:
        """The octets are those of found, with lifetime, in seconds, as their TTL."""
        self.size = size
        self.uses = 0
        self.is_main = False
        self.expires = expires
        self.lifetime = lifetime
        self._octets = octets
        self._ttls = found.ttls
        self._rotation = found.rotation
        self._outcome: Relayed | None = None  # made by the first hit, and most have none

    def told(self, second: int) -> Relayed:
        """The reply in this second, in which it hasn't expired."""
        outcome = self._outcome
        if outcome is None or second != self._second:
            outcome = self._outcome = self._with_ttl(self._left(second))._replace(until=second + 1)
            self._octets = outcome.octets
            self._second = second
        return outcome

    def stale(self, why: str, ttl_s: int) -> Relayed:
        """The reply past its time, which says so, and why."""
        denied = foreign.rcode(self._octets) == types.NXDOMAIN
        code = types.EDE_STALE_NXDOMAIN if denied else types.EDE_STALE_ANSWER
        return self._with_ttl(ttl_s)._replace(error=ExtendedError(code, why))

    def _left(self, second: int) -> int:
        return self.expires - second

    def _with_ttl(self, seconds: int) -> Relayed:
        octets = with_ttl(self._octets, self._ttls, seconds)
        return Relayed(octets, NAME, 0.0, None, self._rotation, foreign.tidy(octets))


class Steady(Item):
    """A reply whose TTL doesn't count down (keepttl)."""

    __slots__ = ()

    def _left(self, second: int) -> int:  # noqa: ARG002 - as Item's
        return self.lifetime


def reason(outcome: Relayed | Failed) -> str:
    """Why something stale is given in its place."""
    if isinstance(outcome, Relayed):
        return f"the upstream answered {types.rcode_text(foreign.rcode(outcome.octets))} and nothing else"
    return outcome.error.text if outcome.error is not None else ""
