"""Zones of the cluster's as who copies them gets them: whole, of one moment, and only while the cluster is known as it is."""

from collections.abc import Callable, Iterator
from typing import Final

from kdns.dns import types
from kdns.dns.records import ExtendedError, RecordSet
from kdns.steps.chain import Failed, Whole
from kdns.zone import stale
from kdns.zone.index import Index
from kdns.zone.terms import UNREAD

_STALE: Final = ExtendedError(types.EDE_NOT_READY, stale.WHY)


def whole(index: Index, sets: Callable[[], Iterator[RecordSet]], by: str) -> Whole | Failed:
    """What sets gives, the SOA first, with the index' serial; a failure where the index is empty or stale."""
    if not index.synced:
        return Failed(types.SERVFAIL, UNREAD, by)
    if index.stale:  # who copies the zone has a copy that is no older
        return Failed(types.SERVFAIL, _STALE, by)
    return Whole(next(sets()), index.serial & 0xFFFFFFFF, sets())
