"""Denials that hold for others: one NXDOMAIN, or one empty answer, answers every name that is denied alike.

Search paths and floods ask for names that hardly ever repeat, such as www.example.com.N.svc.cluster.local; remembering
each would cost memory and push out what is asked again. But they get the same reply but for the question, as long as
the end that they have in common lies at the same place, since the pointers in the reply lead there. So a denial that
says which names it holds for (zone.alike) is kept once for everything around the labels before that end: header, place,
end, rest of the question. Whether the name at hand is denied is looked up each time, so nothing here ever has to be
forgotten for being wrong. The serial in the SOA is that of the denial's making, as of any remembered one.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from kdns.zone.alike import Alike

if TYPE_CHECKING:
    from kdns.serve.querylog import Line

# Denials kept: places x types x ways to ask in use; past it they are made anew. 300 octets each.
_LIMIT: Final = 4096
_HEADER: Final = 12
_QUESTION_REST: Final = 4  # type and class
_ENDS: Final = 16  # ends in common that are looked for: two of each zone
_PLACES: Final = tuple(place.to_bytes(2, "big") for place in range(_HEADER + 256))


class _Denial(NamedTuple):
    head: bytes  # flags and counts
    tail: bytes  # what follows the question
    beyond: int  # octets of the query behind its question
    alike: Alike
    cell: list[int]
    line: "Line | None"  # what is logged each time it is given


class Denials:
    """The denials of one door, whose place in cells that is."""

    __slots__ = ("_ends", "_kept", "_place", "line")

    def __init__(self, place: int = 0) -> None:
        self._place = place
        self.line: Line | None = None  # of the last reply
        self._kept: dict[bytes, _Denial] = {}
        self._ends: tuple[bytes, ...] = ()  # the longest first: one may lie in another

    def __len__(self) -> int:
        return len(self._kept)

    def reply(self, octets: bytes) -> bytes | None:
        """The reply to a query whose name is denied as another was; None where that isn't known."""
        for end in self._ends:
            at = octets.find(end, _HEADER + 1)
            if 0 <= at < len(_PLACES):
                break
        else:
            return None
        found = self._kept.get(octets[2:_HEADER] + _PLACES[at] + octets[at:])
        if found is None:
            return None
        before = start = _HEADER  # of the last two labels in front of the end
        while (after := start + octets[start] + 1) < at:
            before, start = start, after
        if after != at or not found.alike.holds(octets[before:at].lower(), below=before > _HEADER):
            return None
        found.cell[self._place] += 1
        self.line = found.line
        return octets[:2] + found.head + octets[_HEADER : len(octets) - found.beyond] + found.tail

    def learn(
        self, octets: bytes, qname_size: int, reply: bytes, alike: Alike, cell: list[int], line: "Line | None" = None
    ) -> bool:
        """Takes a reply as that to all names alike, if the end of the query's, of qname_size octets in all, is in lower case."""
        end = _HEADER + qname_size
        at = end - len(alike.end)
        if octets[at:end] != alike.end.lower():
            return False
        if alike.end not in self._ends:
            if len(self._ends) >= _ENDS:
                return False
            self._ends = tuple(sorted((*self._ends, bytes(alike.end)), key=len, reverse=True))
        if len(self._kept) >= _LIMIT:
            self._kept.clear()
        end += _QUESTION_REST
        self._kept[octets[2:_HEADER] + _PLACES[at] + octets[at:]] = _Denial(
            reply[2:_HEADER], reply[end:], len(octets) - end, alike, cell, line
        )
        return True

    def clear(self) -> None:
        """Forgets all."""
        self._kept.clear()
