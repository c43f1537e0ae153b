"""One question asked by TCP: for answers that don't fit a datagram.

A connection of its own for each question, closed once it is answered: these are rare.
Messages that answer another question are counted and ignored, like datagrams.
Standards: RFC 1035 section 4.2.2, RFC 7766.
"""

import socket
from typing import Final

from kdns.dns import foreign
from kdns.steps.upstream import Flight, Upstream, connected

_CHUNK: Final = 65536  # octets read at a time


class Stream:
    """A TCP connection on which one flight's answer is waited for."""

    __slots__ = ("_flight", "_got", "_loop", "_sending", "_socket", "_upstream")

    def __init__(self, upstream: Upstream, flight: Flight) -> None:
        """Connects, and sends the flight's question as it was sent last. Raises OSError."""
        self._upstream = upstream
        self._loop = upstream.loop
        self._flight = flight
        self._sending = len(flight.sent).to_bytes(2, "big") + flight.sent
        self._got = bytearray()
        self._socket = connected(upstream.address, socket.SOCK_STREAM)
        self._loop.add_writer(self._socket, self._writable)
        flight.carrier = self
        upstream.counts.streamed += 1

    def drop(self, flight: Flight) -> None:
        """As Carrier.drop: closes the connection."""
        assert flight is self._flight
        self._close()

    def _writable(self) -> None:
        try:
            self._sending = self._sending[self._socket.send(self._sending) :]
        except BlockingIOError:
            return
        except OSError as error:  # a connection that couldn't be made says so here, too
            self._fail(error)
            return
        if not self._sending:
            self._loop.remove_writer(self._socket)
            self._loop.add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        try:
            octets = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        if not octets:
            self._fail(ConnectionAbortedError("closed before the answer"))
            return
        self._got += octets
        self._read()

    def _read(self) -> None:
        """Looks for the answer among the whole messages that have come."""
        got = self._got
        while len(got) >= 2 and len(got) >= (end := 2 + int.from_bytes(got[:2], "big")):
            message = bytes(got[2:end])
            if foreign.answers(self._flight.sent, message):
                self._close()
                self._flight.received(message, whole=True)
                return
            self._upstream.counts.ignored += 1
            del got[:end]

    def _fail(self, error: OSError) -> None:
        self._close()
        self._flight.failed(error)

    def _close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_writer(self._socket)
            self._loop.remove_reader(self._socket)
            self._socket.close()
