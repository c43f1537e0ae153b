"""Audiences: clients that get the same reply to the same octets, where what is answered depends on who asks.

An acl or a view looks at addresses by few rules, so clients fall into few kinds, however many they are. Each kind is an
audience, and its number, one octet, is the mark that a door puts behind each question as it comes in. All that is
remembered goes by the marked question: a reply is found by its octets as ever, once it is known whose they are, and all
audiences share the room there is.

Past so many audiences a client is one of the OTHERS, for whom nothing is remembered: a rule that tells every client apart
would fill memory with the same replies.
"""

import socket
from collections.abc import Callable, Hashable, Sequence
from typing import Final

AUDIENCES_MAX: Final = 16
OTHERS: Final = 255
CLIENTS_MAX: Final = 65536

_V4_BYTES: Final = 4


class Audiences:
    """The audiences of the doors that share replies; kinds say what each rule makes of an address, as text."""

    __slots__ = ("_by_host", "_by_kind", "_kinds", "known")

    def __init__(self, kinds: Sequence[Callable[[str], Hashable]]) -> None:
        self._kinds = tuple(kinds)
        self._by_kind: dict[Hashable, int] = {}
        self._by_host: dict[str, int] = {}
        self.known: Final[dict[bytes, int]] = {}  # marks of addresses, 4 or 16 octets; of fixed size: meet adds to it

    def __len__(self) -> int:
        return len(self._by_kind)

    def of(self, host: str) -> int:
        """The mark of a client's audience."""
        mark = self._by_host.get(host)
        if mark is None:
            if len(self._by_host) >= CLIENTS_MAX:
                self._by_host.clear()
            mark = self._by_host[host] = self._sorted(host)
        return mark

    def meet(self, address: bytes) -> int:
        """The mark of a client that isn't known, who is from now on."""
        if len(self.known) >= CLIENTS_MAX:
            self.known.clear()
        family = socket.AF_INET if len(address) == _V4_BYTES else socket.AF_INET6
        mark = self.known[address] = self._sorted(socket.inet_ntop(family, address))
        return mark

    def _sorted(self, host: str) -> int:
        kind = tuple(each(host) for each in self._kinds)
        mark = self._by_kind.get(kind)
        if mark is None:
            if len(self._by_kind) >= AUDIENCES_MAX:
                return OTHERS
            mark = self._by_kind[kind] = len(self._by_kind)
        return mark
