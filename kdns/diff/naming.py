"""Which questions a cluster's names lead to: from its record sets, and from what replies tell of.

Each name is asked for with its own type; one that has addresses of one family or is an alias for those of the other,
too, as clients do. Addresses lead to reverse names, those of endpoints to the dashed names of their pods.
Standards: the Kubernetes DNS specification sections 2.3 to 2.5, RFC 1035 section 3.5, RFC 3596 section 2.5.
"""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import Final

from kdns.diff.question import Question
from kdns.dns import types
from kdns.dns.message import Message
from kdns.dns.names import Name, NameTextError, fold, from_labels, from_text, is_below, labels_of
from kdns.dns.records import RecordSet

ADDRESSES: Final = (types.A, types.AAAA)
_WITH_ADDRESSES: Final = (*ADDRESSES, types.CNAME)
_SVC: Final = b"svc"
# Where the name of who is led to begins in the data of these types.
_TARGETS: Final = {types.CNAME: 0, types.PTR: 0, types.SRV: 6}


def questions(sets: Iterable[RecordSet], zone: Name) -> Iterator[Question]:
    """The questions for all record sets of a cluster's zone (folded); some of them more than once."""
    for each in sets:
        yield Question(each.name, each.rtype)
        if each.rtype in _WITH_ADDRESSES:
            yield from (Question(each.name, rtype) for rtype in ADDRESSES if rtype != each.rtype)
        if each.rtype in ADDRESSES:
            yield from _of_addresses(each, zone)


def told_of(replies: Iterable[Message], zones: Sequence[Name]) -> Iterator[Question]:
    """The questions for the addresses of all names below the zones (folded) that answers lead to."""
    for reply in replies:
        for line in reply.answer:
            start = _TARGETS.get(line.rtype)
            if start is None:
                continue
            target = Name(line.data[start:])
            if any(is_below(fold(target), zone) for zone in zones):
                yield from (Question(target, rtype) for rtype in ADDRESSES)


def _of_addresses(records: RecordSet, zone: Name) -> Iterator[Question]:
    namespace = _namespace_of_endpoint(records.name, zone)
    for octets in records.rdatas:
        address = ip_address(octets)
        yield Question(from_text(address.reverse_pointer), types.PTR)
        if namespace:
            dashed = str(address).translate(_DASHES)
            try:
                yield Question(Name(from_labels([dashed.encode(), namespace, b"pod"])[:-1] + zone), records.rtype)
            except NameTextError:  # no name, so nobody asks for it
                continue


_DASHES: Final = {ord("."): "-", ord(":"): "-"}


def _namespace_of_endpoint(name: Name, zone: Name) -> bytes:
    """N of H.S.N.svc.zone; empty for other names."""
    labels = list(labels_of(name))[: -len(list(labels_of(zone))) or None] if is_below(fold(name), zone) else []
    return labels[2] if len(labels) == 4 and labels[3] == _SVC else b""


__all__ = ["ADDRESSES", "questions", "told_of"]
