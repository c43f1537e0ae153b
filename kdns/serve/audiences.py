"""Audiences: clients that get the same reply to the same octets, where what is answered depends on who asks.

An acl or a view looks at addresses by few rules, so clients fall into few kinds, however many they are. Each kind is an
audience, with replies remembered for it alone; so a remembered reply is found by its octets as ever, once it is known
whose they are: a look into a table of fixed size, by the address as the kernel wrote it.

Past so many audiences a client is one of the OTHERS, for whom nothing is remembered: a rule that tells every client apart
would fill memory with the same replies.
"""

import socket
from collections.abc import Callable, Hashable, Sequence
from typing import Final

AUDIENCES_MAX: Final = 16
OTHERS: Final = -1
CLIENTS_MAX: Final = 65536

_V4_BYTES: Final = 16  # of struct sockaddr_in


class Audiences:
    """The audiences of the doors that share replies; kinds say what each rule makes of an address."""

    __slots__ = ("_by_kind", "_by_name", "_kinds")

    def __init__(self, kinds: Sequence[Callable[[str], Hashable]]) -> None:
        self._kinds = tuple(kinds)
        self._by_kind: dict[Hashable, int] = {}
        self._by_name: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._by_kind)

    def of(self, host: str) -> int:
        """The number of a client's audience, from 0; or OTHERS."""
        kind = tuple(each(host) for each in self._kinds)
        number = self._by_kind.get(kind)
        if number is None:
            if len(self._by_kind) >= AUDIENCES_MAX:
                return OTHERS
            number = self._by_kind[kind] = len(self._by_kind)
        return number

    def of_name(self, name: bytes) -> int:
        """The same by struct sockaddr_in or sockaddr_in6, as it lies in a slot."""
        raw = name[4:8] if len(name) == _V4_BYTES else name[8:24]
        number = self._by_name.get(raw)
        if number is None:
            if len(self._by_name) >= CLIENTS_MAX:
                self._by_name.clear()
            family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
            number = self._by_name[raw] = self.of(socket.inet_ntop(family, raw))
        return number
