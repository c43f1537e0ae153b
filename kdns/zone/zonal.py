"""Names for the endpoints of a topology zone: ZONE.pin._zone.S.N.svc and ZONE.prefer._zone.S.N.svc.

Of a headless Service alone, and only where the operator asked for such names. ZONE is what an endpoint's field zone
says, and may have dots. pin means the endpoints of that zone, and no data where there are none; prefer all endpoints
instead of none. _zone and what stands between it and them have no records of their own.
Source: CoreDNS 1.14.7, plugin/kubernetes; no specification. RFC 8020 for the names between.
"""

from typing import Final

from kdns.dns.records import Answer
from kdns.zone import headless
from kdns.zone.entry import Entry, Kind, Owner
from kdns.zone.terms import NODATA, Asked

ANCHOR: Final = b"\5_zone"

_PIN: Final = b"\3pin"
_WAYS: Final = frozenset((_PIN, b"\6prefer"))


def at_zone(entry: Entry, owner: Owner, asked: Asked) -> Answer | None:
    """What a name has whose label next to the Service's is _zone."""
    if entry[0] != Kind.HEADLESS:
        return None
    slices = headless.slices_of(entry)
    labels = asked.labels[:-4]  # left of _zone
    if not slices or (labels and labels[-1] not in _WAYS):
        return None
    if len(labels) < 2:
        return NODATA
    zone = b".".join(label[1:] for label in labels[:-1])
    chosen = [part for each in slices if (part := headless.within(each, zone)) is not None]
    if not chosen and labels[-1] == _PIN:
        return NODATA
    return headless.of_slices(chosen or slices, slices, owner, asked)
