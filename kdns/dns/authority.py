"""A zone's data, and what an authoritative server says of each of its names.

Every name of the zone is a key, folded, with the record sets it owns; names that only stand
above others are keys with none, so that a name exists exactly if it is a key (RFC 8020).
Knows neither where the data comes from nor who asks. Never changed once made: a zone that is
read anew is another one.
Standards: RFC 1034 section 4.3.2, RFC 2308, RFC 4592 (wildcards), RFC 6672 (DNAME), RFC 8482 (ANY).
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from kdns.dns import types
from kdns.dns.names import NAME_LIMIT, Name, fold, is_below, to_text
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.dns.wire import end_of_plain_name

STEPS: Final = 8  # CNAMEs and DNAMEs in one answer

# Where in record data the name stands whose addresses a client will ask for next.
_TARGETS: Final = {types.NS: 0, types.MX: 2, types.SRV: 6, types.SVCB: 2, types.HTTPS: 2}
_WILD: Final = b"\1*"
_YXDOMAIN: Final = 6
_NUMBERS: Final = struct.Struct("!IIIII")  # that end a SOA's data, the serial first and the minimum last

_Node: TypeAlias = tuple[RecordSet, ...]


class AuthorityError(ValueError):
    """Record sets that are no zone."""


class Found(NamedTuple):
    """What a name has. Where the way left the zone answer holds the aliases so far, and chase the name to ask for."""

    answer: Answer
    chase: Name | None = None
    absent: bool = False  # the name that was asked for doesn't exist (NXDOMAIN), so others may know it


class Authority:
    """The names and records of one zone."""

    __slots__ = ("_cuts", "_nodes", "_soa", "origin", "serial", "soa", "top")

    def __init__(self, origin: Name, sets: Iterable[RecordSet]) -> None:
        """A zone of these sets, one for each name and type; names outside of origin (folded) are left out.

        Raises AuthorityError without exactly one SOA at origin.
        """
        nodes: dict[Name, _Node] = {origin: ()}
        cuts = set()
        for each in sets:
            owner = fold(each.name)
            if not is_below(owner, origin):
                continue
            nodes[owner] = (*nodes.get(owner, ()), each)
            if each.rtype == types.DNAME or (each.rtype == types.NS and owner != origin):
                cuts.add(owner)
        for owner in tuple(nodes):
            _add_ancestors(nodes, owner, origin)
        soa = _of(nodes[origin], types.SOA)
        if soa is None or len(soa.rdatas) != 1:
            raise AuthorityError(f"found {len(soa.rdatas) if soa else 'no'} SOA at {to_text(origin)}, expected one")
        self.origin = origin
        self.soa = soa
        self.serial, *_, minimum = _NUMBERS.unpack(soa.rdatas[0][-_NUMBERS.size :])
        self._soa = (soa._replace(ttl=min(soa.ttl, minimum)),)  # of denials (RFC 2308 section 5)
        servers = _of(nodes[origin], types.NS)
        self.top: tuple[RecordSet, ...] = () if servers is None else (servers,)
        self._nodes = nodes
        self._cuts = frozenset(cuts)

    def __len__(self) -> int:
        """How many record sets there are."""
        return sum(map(len, self._nodes.values()))

    def sets(self) -> Iterator[RecordSet]:
        """All record sets, the SOA first."""
        yield self.soa
        for node in self._nodes.values():
            yield from (each for each in node if each is not self.soa)

    def look(self, qname: Name, qtype: int) -> Found:
        """What there is to say of a name at or below origin; records have the name in the case it was asked."""
        name, first = fold(qname), True
        chain: tuple[RecordSet, ...] = ()
        met = set()
        while True:
            met.add(name)
            cut = self._cut(name, qtype) if self._cuts else None
            if cut is None:
                node = self._node(name)
                if node is None:
                    return Found(Answer(types.NXDOMAIN, chain, self._soa), absent=first)
                sets = tuple(each._replace(name=qname) for each in node if each.rtype == qtype)
                if qtype == types.ANY:
                    sets = tuple(each._replace(name=qname) for each in node[:1])
                alias = None if sets else _of(node, types.CNAME)
                if alias is None:
                    return Found(self._given(chain, sets, qtype))
                chain += (alias._replace(name=qname),)
            elif cut.rtype == types.NS:
                return Found(self._referral(chain, cut))
            else:
                alias = _synthesized(qname, cut)
                if alias is None:  # RFC 6672 section 2.2
                    return Found(Answer(_YXDOMAIN, (*chain, cut)))
                chain += (cut, alias)
                if qtype == types.CNAME:
                    return Found(Answer(answers=chain, authority=self.top))
            qname = Name(alias.rdatas[0])
            name, first = fold(qname), False
            if not is_below(name, self.origin):
                return Found(Answer(answers=chain), chase=qname)
            if name in met or len(met) > STEPS:
                return Found(_endless(chain))

    def _node(self, name: Name) -> _Node | None:
        """The sets of a name that lies below no cut, by a wildcard where it doesn't exist itself (RFC 4592)."""
        node = self._nodes.get(name)
        if node is not None:
            return node
        encloser = name
        while encloser not in self._nodes:
            encloser = Name(encloser[encloser[0] + 1 :])
        return self._nodes.get(Name(_WILD + encloser))

    def _cut(self, name: Name, qtype: int) -> RecordSet | None:
        """The NS of the delegation that a name lies at or below, or the DNAME above it; of several the uppermost."""
        found = None
        start, end = 0, len(name) - len(self.origin)
        while start <= end:
            owner = Name(name[start:])
            if owner in self._cuts:
                node = self._nodes[owner]
                # What a delegation's own name has at our side is its NS for referring, and its DS to be asked for.
                servers = None if start == end or (not start and qtype == types.DS) else _of(node, types.NS)
                found = servers or (_of(node, types.DNAME) if start else None) or found
            if start == end:
                break
            start += name[start] + 1
        return found

    def _given(self, chain: tuple[RecordSet, ...], sets: tuple[RecordSet, ...], qtype: int) -> Answer:
        if not sets:
            return Answer(answers=chain, authority=self._soa)
        authority = () if qtype == types.NS and fold(sets[0].name) == self.origin else self.top
        return Answer(answers=chain + sets, authority=authority, additional=self._addresses(sets))

    def _referral(self, chain: tuple[RecordSet, ...], servers: RecordSet) -> Answer:
        return Answer(
            answers=chain,
            authority=(servers,),
            additional=self._addresses((servers,)),
            authoritative=bool(chain),
        )

    def _addresses(self, sets: Iterable[RecordSet]) -> tuple[RecordSet, ...]:
        """The addresses, as far as they are ours, of the names that the sets lead to."""
        targets = dict.fromkeys(
            fold(each[start : end_of_plain_name(each, start)])
            for one in sets
            if (start := _TARGETS.get(one.rtype)) is not None
            for each in one.rdatas
        )
        return tuple(
            each for target in targets for each in self._nodes.get(target, ()) if each.rtype in {types.A, types.AAAA}
        )


def _add_ancestors(nodes: dict[Name, _Node], owner: Name, origin: Name) -> None:
    while owner != origin:
        owner = Name(owner[owner[0] + 1 :])
        if owner in nodes:
            return  # what was put in, or met here, has its ancestors looked after
        nodes[owner] = ()


def _of(node: _Node, rtype: int) -> RecordSet | None:
    return next((each for each in node if each.rtype == rtype), None)


def _synthesized(qname: Name, dname: RecordSet) -> RecordSet | None:
    """The CNAME that a DNAME means for a name below it; None where that would be too long."""
    prefix = qname[: len(qname) - len(dname.name)]
    target = prefix + dname.rdatas[0]
    if len(target) > NAME_LIMIT:
        return None
    return RecordSet(qname, types.CNAME, dname.ttl, (target,))


def _endless(chain: tuple[RecordSet, ...]) -> Answer:
    text = f"aliases lead in a circle or over more than {STEPS} steps"
    return Answer(types.SERVFAIL, chain, error=ExtendedError(types.EDE_OTHER, text))
