"""ExternalName Services: the CNAME, and the way it leads as long as it stays inside the zone.

It stands for every type, so that a name that leads to nothing exists for none of them: a
resolver that goes through a search list would stop at one. CNAME itself is answered as it is,
ANY has no data. Where the way leaves the zone somebody else must ask on.
Standards: RFC 1034 section 3.6.2, RFC 8482, RFC 6604 section 3 (the rcode is the last name's),
RFC 2181 section 10.1; the Kubernetes DNS specification section 2.5.
"""

from collections.abc import Callable
from typing import Final

from kdns.dns import types
from kdns.dns.names import Name, labels_of
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.zone import dashed
from kdns.zone.entry import Entry, Owner, unpack_service
from kdns.zone.terms import NODATA, Asked, Found

STEPS: Final = 8  # CNAMEs in one answer


def at_service(entry: Entry, _owner: Owner, asked: Asked) -> Answer | None:
    """S.N.svc: the CNAME. A target that is no host's name, an address for instance, makes the Service none either."""
    target = Name(unpack_service(entry).target)
    if not _is_host(target):
        return None
    if asked.qtype == types.ANY:
        return NODATA
    return Answer(0, (RecordSet(asked.qname, types.CNAME, asked.ttl, (target,)),))


def follow(first: Found, look: Callable[[Name], Found | None]) -> Found:
    """The answer at the end of the way that begins with the CNAME of first.

    look answers one name of the zone, or None for a name outside. What it finds may lead on
    itself (chase). More than STEPS CNAMEs, or one met before, give SERVFAIL with the CNAMEs so far.
    """
    chain, owners, target = first.answer.answers, first.owners, first.chase
    while target is not None:
        found = look(target)
        if found is None:
            return Found(Answer(answers=chain), owners, target)
        answer = found.answer
        if found.chase is not None and answer.answers and (found.owners[0] in owners or len(chain) >= STEPS):
            return Found(_endless(chain), owners + found.owners)
        chain += answer.answers
        owners += tuple(owner for owner in found.owners if owner not in owners)
        if found.chase is None or not answer.answers:
            return Found(answer._replace(answers=chain), owners, found.chase)
        target = found.chase
    return first


def _endless(chain: tuple[RecordSet, ...]) -> Answer:
    text = f"ExternalName services lead in a circle or over more than {STEPS} steps"
    return Answer(types.SERVFAIL, chain, error=ExtendedError(types.EDE_OTHER, text))


def _is_host(target: Name) -> bool:
    """Whether the name can be a host's: no IPv4 address, and without the colons of an IPv6 one."""
    labels = list(labels_of(target)) if target else []
    return bool(labels) and dashed.quad(labels) is None and not any(b":" in label for label in labels)
