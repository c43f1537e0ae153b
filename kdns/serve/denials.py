"""Denials that hold for siblings: one NXDOMAIN answers every other name beside it that nobody owns.

Search paths and floods ask for names that never repeat, such as <random>.N.svc.cluster.local;
remembering each would cost memory and push out what is asked again. But all of them get the
same reply but for their first label. So a denial that says so (chain.Siblings) is kept once
for everything around that label: header, rest of the question, and the label's length, since
the pointers in the reply depend on it. Whether the name at hand is owned is looked up each
time, so nothing here ever has to be forgotten for being wrong (as RFC 8198 does with NSEC).
The serial in the SOA is that of the denial's making, as of any remembered one.
"""

from typing import Final, NamedTuple

from kdns.steps.chain import Siblings

# Denials kept: namespaces x types x lengths in use; past it they are made anew. 300 octets each.
_LIMIT: Final = 8192
_HEADER: Final = 12
_QUESTION_REST: Final = 4  # type and class


class _Denial(NamedTuple):
    head: bytes  # flags and counts
    tail: bytes  # what follows the question
    beyond: int  # octets of the query behind its question
    siblings: Siblings
    cell: list[int]


class Denials:
    """The denials of one door, whose place in cells that is."""

    __slots__ = ("_kept", "_place")

    def __init__(self, place: int = 0) -> None:
        self._place = place
        self._kept: dict[bytes, _Denial] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def reply(self, octets: bytes) -> bytes | None:
        """The reply to a query whose name is denied as a sibling was; None where that isn't known."""
        if len(octets) <= _HEADER:
            return None
        cut = octets[_HEADER] + _HEADER + 1
        found = self._kept.get(octets[2 : _HEADER + 1] + octets[cut:])
        if found is None or found.siblings.owns(octets[_HEADER:cut].lower()):
            return None
        found.cell[self._place] += 1
        return octets[:2] + found.head + octets[_HEADER : len(octets) - found.beyond] + found.tail

    def learn(self, octets: bytes, qname_size: int, reply: bytes, siblings: Siblings, cell: list[int]) -> None:
        """Takes a reply as that to all siblings of the query's name, which has qname_size octets and at least two labels."""
        if len(self._kept) >= _LIMIT:
            self._kept.clear()
        end = _HEADER + qname_size + _QUESTION_REST
        cut = octets[_HEADER] + _HEADER + 1
        self._kept[octets[2 : _HEADER + 1] + octets[cut:]] = _Denial(
            reply[2:_HEADER], reply[end:], len(octets) - end, siblings, cell
        )

    def clear(self) -> None:
        """Forgets all."""
        self._kept.clear()
