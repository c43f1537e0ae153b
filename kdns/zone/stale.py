"""Stale answers: how those of a zone that comes from a snapshot say so.

They are what was last known, so they are to be forgotten soon: a few seconds after the cluster could be read
again nobody has one any more. A denial is one as well (decision D17): SERVFAIL in its place would stop resolvers
that walk a search path, and with it every name outside of the cluster.
Standards: RFC 8767 sections 4 and 5 (stale data has a short TTL), RFC 8914 sections 4.4 and 4.20.
"""

from typing import Final

from kdns.dns import types
from kdns.dns.records import Answer, ExtendedError, RecordSet

TTL_S: Final = 5
WHY: Final = "the cluster can't be read; this was last known of it"


def marked(answer: Answer) -> Answer:
    """The answer with TTLs of at most TTL_S, and what says that it is stale to who speaks EDNS."""
    return answer._replace(
        answers=_soon_over(answer.answers),
        authority=_soon_over(answer.authority),
        additional=_soon_over(answer.additional),
        error=answer.error or (_DENIED if answer.rcode == types.NXDOMAIN else _ANSWERED),
    )


_ANSWERED: Final = ExtendedError(types.EDE_STALE_ANSWER, WHY)
_DENIED: Final = ExtendedError(types.EDE_STALE_NXDOMAIN, WHY)


def _soon_over(sets: tuple[RecordSet, ...]) -> tuple[RecordSet, ...]:
    return tuple(each._replace(ttl=min(each.ttl, TTL_S)) for each in sets)
