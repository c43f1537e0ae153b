"""All sockets that are listened on, by what was asked for: opened once, kept as long as a configuration asks for them.

A configuration that takes another's place gets the very sockets that both ask for, so nothing that is queued in them is
lost, and new ones for the rest. A socket of all addresses and one of a certain address can stand beside each other only if
both allow it: where ours are in the way of a new one they do.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from kdns.config.settings import Address
from kdns.serve.configuration import Configuration
from kdns.serve.sockets import PortTakenError, SlotSockets, address_of, open_ops, open_sockets


class Opened(NamedTuple):
    """What one configuration listens on: its addresses with the ports that 0 became, each slot's sockets, and the pages'."""

    listen: tuple[Address, ...]
    slots: tuple[SlotSockets, ...]
    ops: Mapping[str, socket.socket]

    @property
    def sockets(self) -> Iterator[socket.socket]:
        """All of them."""
        for slot in self.slots:
            yield from (*slot.udp, *slot.tcp)
        yield from self.ops.values()


class _Place(NamedTuple):
    """An address that was asked for."""

    bound: Address
    slots: tuple[SlotSockets, ...]

    @property
    def sockets(self) -> Iterator[socket.socket]:
        return (sock for slot in self.slots for sock in (*slot.udp, *slot.tcp))


class Listening:
    """The sockets of all configurations that are at work."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._places: dict[tuple[Address, bool], _Place] = {}
        self._ops: dict[str, socket.socket] = {}

    def open(self, wanted: Configuration) -> Opened:
        """The sockets of the configuration; what is open already is shared. Raises SettingsError, and has opened nothing then."""
        with ExitStack() as opened:
            places = {
                (address, address in wanted.streams): self._place(address, address in wanted.streams, opened)
                for address in wanted.listen
            }
            ops = self._pages(wanted, opened)
            opened.pop_all()
        self._places |= places
        self._ops |= ops
        found = [places[address, address in wanted.streams] for address in wanted.listen]
        return Opened(tuple(place.bound for place in found), tuple(self._slots(found)), ops)

    @property
    def sockets(self) -> Iterator[socket.socket]:
        """All that are open."""
        for place in self._places.values():
            yield from place.sockets
        yield from self._ops.values()

    def keep(self, kept: Iterable[Opened]) -> None:
        """Closes all sockets but these."""
        needed = {sock for opened in kept for sock in opened.sockets}
        for key, place in tuple(self._places.items()):
            if needed.isdisjoint(place.sockets):
                del self._places[key]
                for sock in place.sockets:
                    sock.close()
        for page, sock in tuple(self._ops.items()):
            if sock not in needed:
                del self._ops[page]
                sock.close()

    def _slots(self, found: list[_Place]) -> Iterator[SlotSockets]:
        for number in range(self.workers):
            own = [place.slots[number] for place in found]
            yield SlotSockets(
                udp=tuple(sock for slot in own for sock in slot.udp),
                tcp=tuple(sock for slot in own for sock in slot.tcp),
            )

    def _place(self, address: Address, stream: bool, opened: ExitStack) -> _Place:
        known = self._places.get((address, stream))
        if known is not None:
            return known
        streams = [address] if stream else []
        try:
            found = open_sockets([address], self.workers, streams)
        except PortTakenError:
            if not self._make_room(address):
                raise
            found = open_sockets([address], self.workers, streams, shared=True)
        place = _Place(found.listen[0], found.slots)
        for sock in place.sockets:
            opened.enter_context(sock)
        return place

    def _pages(self, wanted: Configuration, opened: ExitStack) -> dict[str, socket.socket]:
        pages = {}
        for page, at in wanted.ops:
            sock = self._ops.get(page)
            if sock is None:
                try:
                    sock = open_ops({page: at})[page]
                except PortTakenError:
                    if not self._make_room(at):
                        raise
                    sock = open_ops({page: at}, shared=True)[page]
                opened.enter_context(sock)
            pages[page] = sock
        return pages

    def _make_room(self, address: Address) -> bool:
        """Whether sockets of our own have the port; they share it from now on."""
        found = [sock for sock in self.sockets if address_of(sock).port == address.port]
        for sock in found:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return bool(found)
