"""NOTIFY: tells secondaries that a zone has changed (RFC 1996), over UDP.

Each is told until it has answered, three times at most. Of a zone there is one round at a time, and they lie some seconds
apart: whatever happens in between is one more round, so that a zone that changes all the time isn't a flood of messages.
"""

import asyncio
import struct
from typing import Final

from kdns.config.settings import Address
from kdns.dns import types
from kdns.dns.names import Name, to_text
from kdns.steps.around import Log
from kdns.steps.carriers import Random

_TRIES: Final = 3
_TIMEOUT_S: Final = 2.0  # for an answer to one message
_APART_S: Final = 5.0  # from one round of a zone to its next
_AT_ONCE: Final = 16  # messages that wait for an answer

_HEADER: Final = struct.Struct("!6H")
_QUESTION: Final = struct.Struct("!HH")
_OPCODE: Final = types.NOTIFY << 11


class Notifier:
    """Tells of changes, for as long as it isn't closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random, log: Log, apart_s: float = _APART_S) -> None:
        self._loop = loop
        self._random = random
        self._log = log
        self._apart_s = apart_s
        self._rounds: dict[Name, asyncio.Task[None]] = {}
        self._again: set[Name] = set()
        self._room = asyncio.Semaphore(_AT_ONCE)

    def tell(self, zone: Name, to: tuple[Address, ...], source: str = "") -> None:
        """Tells all of these, from that address if one is given, now or in the zone's next round."""
        if zone in self._rounds:
            self._again.add(zone)
        elif to:
            self._rounds[zone] = self._loop.create_task(self._rounds_of(zone, to, source))

    def close(self) -> None:
        """Ends all rounds."""
        for task in self._rounds.values():
            task.cancel()

    async def _rounds_of(self, zone: Name, to: tuple[Address, ...], source: str) -> None:
        try:
            while True:
                self._again.discard(zone)
                await asyncio.gather(*(self._told(zone, each, source) for each in to))
                await asyncio.sleep(self._apart_s)
                if zone not in self._again:
                    return
        finally:
            del self._rounds[zone]

    async def _told(self, zone: Name, to: Address, source: str) -> None:
        async with self._room:
            why = ""
            for _ in range(_TRIES):
                why = await self._asked(zone, to, source)
                if not why:
                    return
        self._log.warning("zone_change_not_heard", zone=to_text(zone), to=str(to), error=why)

    async def _asked(self, zone: Name, to: Address, source: str) -> str:
        """Sends one message; why it wasn't accepted, or nothing."""
        ident = int.from_bytes(self._random.randbytes(2), "big")
        question = zone + _QUESTION.pack(types.SOA, types.IN)
        sent = _HEADER.pack(ident, _OPCODE | types.AA, 1, 0, 0, 0) + question
        local = (source, 0) if source else None
        transport = None
        try:
            transport, answers = await self._loop.create_datagram_endpoint(
                lambda: _Answers(self._loop.create_future(), ident), remote_addr=(to.host, to.port), local_addr=local
            )
            transport.sendto(sent)
            rcode = await asyncio.wait_for(answers.rcode, _TIMEOUT_S)
        except TimeoutError:
            return f"no answer in {_TIMEOUT_S:g} s"
        except OSError as error:
            return error.strerror or str(error)
        finally:
            if transport is not None:
                transport.close()
        return "" if rcode == types.NOERROR else f"it answered {types.rcode_text(rcode)}"


class _Answers(asyncio.DatagramProtocol):
    """Waits for the answer to one message."""

    def __init__(self, rcode: asyncio.Future[int], ident: int) -> None:
        self.rcode = rcode
        self._ident = ident

    def datagram_received(self, data: bytes, _address: object) -> None:
        if len(data) < _HEADER.size or self.rcode.done():
            return
        ident, flags, *_ = _HEADER.unpack_from(data)
        if ident == self._ident and flags & types.QR and flags >> 11 & 15 == types.NOTIFY:
            self.rcode.set_result(flags & 15)

    def error_received(self, exc: Exception) -> None:
        if not self.rcode.done():
            self.rcode.set_exception(exc)
